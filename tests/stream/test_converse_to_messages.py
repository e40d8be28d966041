"""ConverseStream in, Anthropic's events out."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.dialect import Dialect
from proxy.stream.converse_to_messages import ConverseMessages
from proxy.stream.pipe import At
from proxy.wire.seal import ThinkingSeal
from tests.kit import event_stream as aws
from tests.kit.asked import make_asked
from tests.kit.cuts import cuttings
from tests.kit.grammar import check_stream, events_of
from tests.kit.patience import examples

SEAL = ThinkingSeal([b"secret"])
CALL = make_asked("amazon.nova")
USAGE = {
    "inputTokens": 100,
    "outputTokens": 20,
    "cacheReadInputTokens": 40,
    "cacheWriteInputTokens": 7,
}


def said(kind: str, **fields: Any) -> bytes:
    return aws.event(kind, json.dumps(fields, ensure_ascii=False).encode())


def text(words: str, block: int = 0) -> bytes:
    return said("contentBlockDelta", contentBlockIndex=block, delta={"text": words})


def call(block: int, id: str, *pieces: str) -> list[bytes]:
    use = {"toolUse": {"toolUseId": id, "name": "t"}}
    return [
        said("contentBlockStart", contentBlockIndex=block, start=use),
        *[
            said("contentBlockDelta", contentBlockIndex=block, delta={"toolUse": {"input": piece}})
            for piece in pieces
        ],
        said("contentBlockStop", contentBlockIndex=block),
    ]


START = said("messageStart", role="assistant")
META = said("metadata", usage=USAGE, metrics={"latencyMs": 1})


def stop(reason: str) -> bytes:
    return said("messageStop", stopReason=reason)


def pipe_of() -> ConverseMessages:
    return ConverseMessages(CALL, Dialect(), SEAL, 1 << 20)


def through(*pieces: bytes) -> tuple[list[dict[str, Any]], ConverseMessages]:
    pipe = pipe_of()
    out = b"".join(map(pipe.feed, pieces)) + pipe.finish()
    check_stream(out)
    return events_of(out), pipe


def test_text_begins_without_a_start_and_usage_comes_behind_the_stop() -> None:
    told, pipe = through(START, text("Hel"), text("lo"), stop("end_turn"), META)
    assert [each["type"] for each in told] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    usage = told[-2]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (100, 20)
    assert usage["cache_read_input_tokens"] == 40
    assert usage["cache_creation_input_tokens"] == 7
    assert (pipe.usage.input_tokens, pipe.usage.cache_read_tokens) == (100, 40)
    assert not pipe.usage_estimated
    assert pipe.at is At.WHOLE


def test_calls_have_numbers_of_ours_and_their_arguments_stay_whole() -> None:
    told, _ = through(
        START,
        text("x"),
        *call(3, "a", "", '{"n":', "12345678901234567890}"),
        *call(7, "b"),
        stop("tool_use"),
        META,
    )
    starts = [each["content_block"] for each in told if each["type"] == "content_block_start"]
    assert [start.get("id") for start in starts] == [None, "a", "b"]
    arguments = "".join(
        each["delta"].get("partial_json", "")
        for each in told
        if each["type"] == "content_block_delta" and each["index"] == 1
    )
    assert arguments == '{"n":12345678901234567890}'
    assert told[-2]["delta"]["stop_reason"] == "tool_use"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", "end_turn"),
        ("max_tokens", "max_tokens"),
        ("model_context_window_exceeded", "max_tokens"),
        ("guardrail_intervened", "refusal"),
        ("content_filtered", "refusal"),
        ("something_new", "end_turn"),
    ],
)
def test_reasons_to_stop(reason: str, expected: str) -> None:
    told, _ = through(START, text("x"), stop(reason), META)
    assert told[-2]["delta"]["stop_reason"] == expected


@pytest.mark.parametrize("reason", ["malformed_model_output", "malformed_tool_use"])
def test_what_is_malformed_is_no_answer(reason: str) -> None:
    told, pipe = through(START, text("x"), stop(reason), META)
    assert told[-1]["type"] == "error"
    assert pipe.at is At.FAILED


@pytest.mark.parametrize(
    "broken",
    [
        aws.exception("throttlingException", "slow"),
        aws.error("InternalFailure", "broke"),
        aws.spoilt(text("more"), 70),
        said("contentBlockDelta", delta=5),
        b"",
    ],
    ids=["exception", "error", "checksum", "shape", "end"],
)
def test_a_stream_that_breaks_ends_in_one_error(broken: bytes) -> None:
    told, pipe = through(START, text("x"), broken)
    assert [each["type"] for each in told].count("error") == 1
    assert pipe.at is At.FAILED


def test_an_exception_instead_of_a_stream_is_a_refusal() -> None:
    told, pipe = through(aws.exception("serviceUnavailableException", "full"))
    assert pipe.at is At.REFUSED
    assert pipe.fault is not None
    assert pipe.fault.status == 529
    assert told[0]["error"]["type"] == "overloaded_error"


def test_without_usage_the_end_is_told_and_the_usage_estimated() -> None:
    told, pipe = through(START, text("some words"), stop("end_turn"))
    assert told[-1]["type"] == "message_stop"
    assert pipe.usage_estimated


def test_thinking_is_shown_where_it_was_asked_for() -> None:
    asked = make_asked("amazon.nova")
    asked.expected = type(asked.expected)(thinking="shown")
    pipe = ConverseMessages(asked, Dialect(), SEAL, 1 << 20)
    thought = said(
        "contentBlockDelta", contentBlockIndex=0, delta={"reasoningContent": {"text": "hm"}}
    )
    sealed = said(
        "contentBlockDelta", contentBlockIndex=0, delta={"reasoningContent": {"signature": "s"}}
    )
    frames = (START, thought, sealed, text("x", 1), stop("end_turn"), META)
    told = events_of(b"".join(map(pipe.feed, frames)) + pipe.finish())
    starts = [each["content_block"]["type"] for each in told if "content_block" in each]
    assert starts == ["thinking", "text"]


WHOLE = b"".join(
    (START, text("Héllo"), *call(1, "a", '{"x":', "1}"), text("more", 2), stop("tool_use"), META)
)


@examples(150)
@given(st.data())
def test_any_cutting_gives_the_same(data: st.DataObject) -> None:
    expected, _ = through(WHOLE)
    told, pipe = through(*data.draw(cuttings(WHOLE)))
    assert told == expected
    assert pipe.held_bytes == 0


@examples(100)
@given(st.integers(0, len(WHOLE) - 1))
def test_every_truncation_is_an_error_until_the_reason_is_told(end: int) -> None:
    told, _ = through(WHOLE[:end])
    is_told = end >= WHOLE.index(META)
    assert told[-1]["type"] == ("message_stop" if is_told else "error")

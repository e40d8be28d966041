"""Frames of Bedrock in, Anthropic's events out."""

import base64
import json
from typing import Any

import pytest

from proxy.stream.bedrock_to_messages import BedrockMessages
from proxy.stream.pipe import At
from tests.kit import event_stream as aws
from tests.kit.asked import make_asked
from tests.kit.grammar import check_stream, events_of, frames_of
from tests.kit.recorded import (
    MESSAGE_STOP,
    TEXT,
    event,
    message_delta,
    message_start,
    text_delta,
    text_stream,
)

CALL = make_asked("anthropic.claude-opus-4-7")
SHORT = text_stream(["Hel", "lo"], output_tokens=7)


def pipe_of() -> BedrockMessages:
    return BedrockMessages(CALL, 1 << 20)


def through(*pieces: bytes) -> tuple[list[dict[str, Any]], BedrockMessages]:
    pipe = pipe_of()
    out = b"".join(map(pipe.feed, pieces)) + pipe.finish()
    return events_of(out), pipe


def inner(event: bytes) -> bytes:
    ((_, data),) = frames_of(event)
    return data


def test_events_come_out_as_they_were_but_for_the_model_and_the_measures() -> None:
    told, pipe = through(*aws.chunks_of(SHORT))
    expected = events_of(SHORT)
    expected[0]["message"]["model"] = "anthropic.claude-opus-4-7"
    assert told == expected
    assert pipe.at is At.WHOLE
    assert (pipe.usage.input_tokens, pipe.usage.output_tokens) == (30, 7)
    assert pipe.stop_reason == "end_turn"
    assert pipe.held_bytes == 0
    assert pipe.feed(aws.chunk({"type": "ping"})) == b""


def test_each_event_goes_on_at_once_but_the_one_that_tells_the_usage() -> None:
    pipe = pipe_of()
    *early, delta, stop = aws.chunks_of(SHORT)
    for frame in early:
        assert pipe.feed(frame)
    assert pipe.feed(delta) == b""
    names = [name for name, _ in frames_of(pipe.feed(stop))]
    assert names == ["message_delta", "message_stop"]


@pytest.mark.parametrize(
    ("start", "delta", "metrics", "expected"),
    [
        # Told twice: the model's own word holds.
        ({"input_tokens": 30}, {"output_tokens": 7}, {"inputTokenCount": 99}, {"output_tokens": 7}),
        # Told only behind the end.
        ({"input_tokens": 0}, {}, {}, {"input_tokens": 30, "output_tokens": 7}),
        (
            {"input_tokens": 5, "output_tokens": 1},
            {"output_tokens": None},
            {"cacheReadInputTokenCount": 40, "cacheWriteInputTokenCount": 2},
            {
                "output_tokens": 7,
                "cache_read_input_tokens": 40,
                "cache_creation_input_tokens": 2,
            },
        ),
        # `message_start` had told of the cache.
        (
            {"input_tokens": 5, "cache_read_input_tokens": 8},
            {"output_tokens": 3},
            {"cacheReadInputTokenCount": 8},
            {"output_tokens": 3},
        ),
    ],
)
def test_usage_is_told_even_where_only_amazons_measures_have_it(
    start: dict[str, int],
    delta: dict[str, int | None],
    metrics: dict[str, int],
    expected: dict[str, int],
) -> None:
    last = event("message_delta", delta={"stop_reason": "end_turn"}, usage=delta)
    told, pipe = through(*aws.chunks_of(message_start(**start) + last + MESSAGE_STOP, **metrics))
    assert told[-2]["usage"] == expected
    assert told[-1] == {"type": "message_stop"}
    for name, count in {"input_tokens": start["input_tokens"], **expected}.items():
        if name in ("input_tokens", "output_tokens"):
            assert getattr(pipe.usage, name) == count
    assert pipe.usage.cache_read_tokens == metrics.get("cacheReadInputTokenCount", 0)


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("throttlingException", 429, "rate_limit_error"),
        ("serviceUnavailableException", 529, "overloaded_error"),
        ("modelTimeoutException", 504, "timeout_error"),
        ("modelStreamErrorException", 500, "api_error"),
        ("internalServerException", 500, "api_error"),
        ("validationException", 400, "invalid_request_error"),
        ("somethingNewException", 502, "api_error"),
    ],
)
def test_an_exception_means_what_its_name_says_before_and_after_the_beginning(
    name: str, status: int, kind: str
) -> None:
    told, pipe = through(aws.exception(name, "No luck today."))
    assert [each["type"] for each in told] == ["error"]
    assert told[0]["error"]["type"] == kind
    assert pipe.at is At.REFUSED
    assert pipe.fault is not None
    assert pipe.fault.status == status

    *begun, _, _ = aws.chunks_of(SHORT)
    told, pipe = through(*begun, aws.exception(name, "No luck today."), *begun)
    assert pipe.at is At.FAILED
    assert told[-1]["error"]["type"] == kind
    assert [each["type"] for each in told].count("error") == 1


def test_a_models_own_failure_has_the_status_it_had() -> None:
    frame = aws.exception("modelStreamErrorException", "Bad", originalStatusCode=503)
    _, pipe = through(frame)
    assert pipe.fault is not None
    assert pipe.fault.status == 529


def test_a_prompt_that_is_too_long_is_told_as_anthropic_tells_it() -> None:
    frame = aws.exception("validationException", "Input is too long for requested model.")
    told, _ = through(frame)
    assert told[0]["error"]["message"].startswith("prompt is too long: ")


def test_an_error_without_a_model_of_its_own_is_told() -> None:
    *begun, _, _ = aws.chunks_of(SHORT)
    told, pipe = through(*begun, aws.error("InternalFailure", "It broke."))
    assert told[-1]["error"]["message"] == "It broke."
    assert pipe.at is At.FAILED


def test_what_is_said_of_our_credential_is_not_the_clients_to_see() -> None:
    told, pipe = through(aws.exception("expiredTokenException", "arn:aws:iam::1:role/x expired"))
    assert "arn:" not in json.dumps(told)
    assert pipe.fault is not None
    assert pipe.fault.status == 502
    assert "arn:" in pipe.fault.detail


def test_other_events_are_no_part_of_the_message() -> None:
    first, *rest = aws.chunks_of(SHORT)
    strange = [
        aws.event("trailer", b"{}"),
        aws.frame({":message-type": "whatever"}, b"x"),
        aws.frame({}, b""),
    ]
    told, pipe = through(*strange, first, *strange, *rest)
    assert len(told) == len(events_of(SHORT))
    assert pipe.at is At.WHOLE


@pytest.mark.parametrize(
    "payload",
    [
        b'{"p":"ab","bytes":"%b"}',
        b'{ "bytes" : "%b" }',
        b'{"p":"\\"bytes\\":\\"","bytes":"%b"}',
        b'{"\\u0062ytes":"%b"}',
    ],
)
def test_a_payload_is_read_however_it_is_written(payload: bytes) -> None:
    _, *rest = aws.chunks_of(SHORT)
    text = base64.b64encode(inner(message_start()))
    _, pipe = through(aws.event("chunk", payload % text), *rest)
    assert pipe.at is At.WHOLE


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b"not json",
        b'{"bytes":"!!!"}',
        b'{"bytes":"YWJj"}',
        b'{"bytes":"e30="}',
        b'{"bytes":5}',
        b'{"bytes":"%b"}' % base64.b64encode(b'{"type":"a\\nb"}'),
        b'{"bytes":"%b"}' % base64.b64encode(b'{"type":"content_block_stop",\n"index" nonsense'),
    ],
)
def test_a_frame_that_makes_no_sense_ends_the_stream(payload: bytes) -> None:
    first, *rest = aws.chunks_of(SHORT)
    told, pipe = through(first, aws.event("chunk", payload), *rest)
    assert [each["type"] for each in told] == ["message_start", "error"]
    assert pipe.at is At.FAILED


def test_an_event_over_several_lines_is_put_into_one() -> None:
    first, *_ = aws.chunks_of(SHORT)
    spread = json.dumps(json.loads(inner(text_delta("x"))), indent=2).encode()
    block = inner(event("content_block_start", index=0, content_block={"type": "text", "text": ""}))
    out = b"".join(map(pipe_of().feed, [first, aws.chunk(block), aws.chunk(spread)]))
    assert events_of(out)[-1]["delta"]["text"] == "x"


def test_a_stream_without_its_end_is_no_whole_message() -> None:
    *begun, _ = aws.chunks_of(SHORT)
    told, pipe = through(*begun)
    assert [each["type"] for each in told[-2:]] == ["message_delta", "error"]
    assert pipe.at is At.FAILED
    assert pipe.usage.output_tokens == 7


def test_a_bad_checksum_ends_the_stream_where_it_stands() -> None:
    first, second, *rest = aws.chunks_of(SHORT)
    told, pipe = through(first, aws.spoilt(second, len(second) // 2), *rest)
    assert [each["type"] for each in told] == ["message_start", "error"]
    assert pipe.fault is not None
    assert "checksum" in pipe.fault.detail


def test_json_in_the_guise_of_a_stream_is_a_refusal() -> None:
    told, pipe = through(b'{"message":"The security token included ', b'in the request is bad"}')
    assert told[0]["error"]["message"].startswith("The security token")
    assert pipe.at is At.REFUSED


def test_two_deltas_of_the_message_are_both_told() -> None:
    stream = message_start() + message_delta() + message_delta(output_tokens=9) + MESSAGE_STOP
    told, pipe = through(*aws.chunks_of(stream))
    assert [each["type"] for each in told[1:]] == ["message_delta"] * 2 + ["message_stop"]
    assert pipe.usage.output_tokens == 9


def test_the_short_way_says_the_same_as_the_long_one() -> None:
    frames = aws.chunks_of(TEXT)
    short, long = pipe_of(), pipe_of()
    taken = 0
    for frame in frames:
        expected = long.feed(frame)
        rewriter = short.rewriter
        out = rewriter(frame) if rewriter is not None else None
        taken += out is not None
        assert (short.feed(frame) if out is None else out) == expected
        assert short.tally.passed_events == long.tally.passed_events
        assert short.held_bytes == long.held_bytes
    assert taken > 1
    assert (short.usage, short.tally.passed_bytes) == (long.usage, long.tally.passed_bytes)
    assert short.rewriter is None


def test_the_short_way_leaves_alone_what_it_does_not_know() -> None:
    pipe = pipe_of()
    first, *rest = aws.chunks_of(SHORT)
    assert pipe.rewriter is None
    pipe.feed(first)
    rewriter = pipe.rewriter
    assert rewriter is not None
    plain = aws.chunk(inner(text_delta("x")))
    assert rewriter(aws.spoilt(plain, 30)) is None
    assert rewriter(plain + plain) is None
    assert rewriter(plain[:-1]) is None
    assert rewriter(aws.exception("throttlingException", "slow")) is None
    assert rewriter(rest[-1]) is None
    assert rewriter(plain) == text_delta("x")


def test_a_reply_left_early_is_estimated() -> None:
    pipe = pipe_of()
    first, *rest = aws.chunks_of(text_stream(["word " * 50] * 10))
    pipe.feed(first)
    for frame in rest[:8]:
        pipe.feed(frame)
    pipe.estimate_usage()
    assert pipe.usage.output_tokens > 100
    assert pipe.usage_estimated


def test_the_whole_is_a_sentence_of_the_grammar() -> None:
    pipe = pipe_of()
    out = b"".join(map(pipe.feed, aws.chunks_of(TEXT))) + pipe.finish()
    assert check_stream(out) == "message_stop"


INTERVENED = {"amazon-bedrock-guardrailAction": "INTERVENED"}
TRACE = {"amazon-bedrock-trace": {"guardrail": {"input": {"gr1": {}}}}}


def guarded(at: int, more: dict[str, Any], *, guarded: bool = True) -> list[dict[str, Any]]:
    """A stream whose event number `at` says something of a guardrail."""
    events = [json.loads(inner(each + b"\n\n")) for each in SHORT.strip().split(b"\n\n")]
    events[at] |= more
    pipe = BedrockMessages(CALL, 1 << 20, guarded=guarded)
    out = b"".join([pipe.feed(aws.chunk(each)) for each in events]) + pipe.finish()
    assert check_stream(out) == "message_stop"
    assert b"amazon-bedrock" not in out
    told = events_of(out)
    assert pipe.stop_reason == told[-2]["delta"]["stop_reason"]
    return told


@pytest.mark.parametrize("at", [0, 1, 2, 3, -2, -1])
def test_an_answer_that_a_guardrail_took_away_is_a_refusal_wherever_it_says_so(at: int) -> None:
    told = guarded(at, INTERVENED | TRACE)
    assert told[-2]["delta"] == {
        "stop_reason": "refusal",
        "stop_sequence": None,
        "stop_details": {"type": "refusal", "category": None, "explanation": None},
    }
    assert [each["delta"]["text"] for each in told if each["type"] == "content_block_delta"] == [
        "Hel",
        "lo",
    ]


@pytest.mark.parametrize("at", [0, -2, -1])
def test_a_guardrail_that_nobody_here_asked_for_is_noticed_where_events_are_read(at: int) -> None:
    told = guarded(at, INTERVENED | TRACE, guarded=False)
    assert told[-2]["delta"]["stop_reason"] == "refusal"


@pytest.mark.parametrize("at", [0, 2, -1])
def test_an_answer_that_a_guardrail_let_pass_ends_as_it_ended(at: int) -> None:
    told = guarded(at, {"amazon-bedrock-guardrailAction": "NONE"} | TRACE)
    assert told[-2]["delta"]["stop_reason"] == "end_turn"

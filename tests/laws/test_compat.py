"""Laws of the repaired path: any cut gives the same bytes, whatever comes is grammatical, and a
stream without a reason to stop ends in an error."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.stream.repair import RepairedMessages
from proxy.wire.seal import ThinkingSeal
from tests.kit.asked import make_asked
from tests.kit.cuts import cuttings
from tests.kit.grammar import check_stream, events_of, frames_of
from tests.kit.patience import examples
from tests.kit.recorded import BROKEN_OFF, TEXT, THINKTOOLS, WEBSEARCH, WHOLE

SEAL = ThinkingSeal([b"secret"])
CALL = make_asked(input_tokens=1234)
STREAMS = WHOLE | BROKEN_OFF


def repaired(*pieces: bytes) -> bytes:
    pipe = RepairedMessages(CALL, SEAL, 1 << 20)
    return b"".join(map(pipe.feed, pieces)) + pipe.finish()


@examples(150)
@given(st.data())
def test_any_cut_gives_the_same_bytes(data: st.DataObject) -> None:
    stream = data.draw(st.sampled_from(list(STREAMS.values())))
    assert repaired(*data.draw(cuttings(stream))) == repaired(stream)


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
def test_what_is_legal_says_the_same_after_the_repair(stream: bytes) -> None:
    theirs = [each for each in events_of(stream) if each["type"] == "content_block_delta"]
    out = repaired(stream)
    check_stream(out)
    ours = [each for each in events_of(out) if each["type"] == "content_block_delta"]
    told = [each["delta"] for each in ours]
    assert told == [each["delta"] for each in theirs if any(list(each["delta"].values())[1:])]


@pytest.mark.parametrize("stream", [TEXT, THINKTOOLS, WEBSEARCH])
def test_every_truncation_before_the_reason_ends_in_one_error(stream: bytes) -> None:
    reason = stream.index(b"event: message_delta")
    whole = stream.index(b"\n\n", reason) - 1
    for end in range(0, len(stream), 3):
        out = repaired(stream[:end])
        assert check_stream(out) == ("message_stop" if end > whole else "error")
        assert [name for name, _ in frames_of(out)].count("error") == (end <= whole)


INDEX = st.sampled_from([None, 0, 1, 2, 5])
KINDS = ["text", "thinking", "tool_use", "later", None]
DELTAS: list[dict[str, Any]] = [
    {"type": "text_delta", "text": "a"},
    {"type": "text_delta", "text": ""},
    {"type": "text_delta", "text": None},
    {"text": "b"},
    {"type": "thinking_delta", "thinking": "hm"},
    {"type": "signature_delta", "signature": "theirs"},
    {"type": "input_json_delta", "partial_json": "{}"},
    {"type": "input_json_delta", "partial_json": {"a": 1}},
    {"type": "later_delta"},
    {},
]


def block(kind: str | None) -> dict[str, Any] | None:
    return None if kind is None else {"type": kind, "text": "t", "name": "ls", "input": {"a": 1}}


EVENTS = st.one_of(
    st.builds(
        lambda index, kind: {
            "type": "content_block_start",
            "index": index,
            "content_block": block(kind),
        },
        INDEX,
        st.sampled_from(["text", "thinking", "tool_use", None]),
    ),
    st.builds(
        lambda index, delta: {"type": "content_block_delta", "index": index, "delta": delta},
        INDEX,
        st.sampled_from(DELTAS),
    ),
    st.builds(lambda index: {"type": "content_block_stop", "index": index}, INDEX),
    st.sampled_from(
        [
            {"type": "message_start", "message": {"usage": {"input_tokens": 3}}},
            {"type": "message_start"},
            {"type": "ping"},
            {"type": "message_delta"},
            {"type": "message_delta", "usage": {"output_tokens": 5}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": None},
            {"type": "message_stop"},
            {"type": "heartbeat"},
            {},
        ]
    ),
)


@examples(400)
@given(st.lists(EVENTS, max_size=14), st.booleans())
def test_whatever_is_said_in_whatever_order_is_one_legal_stream(
    said: list[dict[str, Any]], done: bool
) -> None:
    lines = [b"data: %b\n\n" % orjson.dumps(each) for each in said]
    out = repaired(*lines, b"data: [DONE]\n\n" if done else b"")
    check_stream(out)
    starts = [each for each in events_of(out) if each["type"] == "message_start"]
    assert len(starts) <= 1


@examples(200)
@given(st.lists(st.binary(max_size=60), max_size=6))
def test_no_bytes_break_the_repair(pieces: list[bytes]) -> None:
    check_stream(repaired(*pieces))

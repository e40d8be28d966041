"""Whatever comes in, a stream with one end comes out, and a legal one when a legal one came in.

Lone carriage returns are left out of the damage: they are line ends to a client but not to the
passthrough, which knows only the two endings of translation.md 4.2.
"""

from hypothesis import given
from hypothesis import strategies as st

from proxy.stream.passthrough import Passthrough
from proxy.stream.pipe import At
from tests.kit.cuts import cuttings
from tests.kit.grammar import check_ends, check_stream, frames_of
from tests.kit.patience import examples
from tests.kit.recorded import (
    BROKEN_OFF,
    MESSAGE_STOP,
    OVERLOADED,
    PING,
    WHOLE,
    event,
    message_delta,
    message_start,
    text_delta,
)
from tests.kit.slow_passthrough import slow_passthrough

LEGAL = WHOLE | BROKEN_OFF
NAMES = st.sampled_from(sorted(LEGAL))
LF_NAMES = st.sampled_from(sorted(name for name in LEGAL if "crlf" not in name))


def through(pieces: list[bytes]) -> tuple[Passthrough, bytes]:
    pipe = Passthrough(b'"shown"', "req_1", 1 << 20)
    out = b"".join(map(pipe.feed, pieces)) + pipe.finish()
    return pipe, out


def judge(pieces: list[bytes]) -> None:
    """One end and nothing behind it; an error of ours exactly when no `message_stop` went by; and
    everything as the slow way says."""
    pipe, out = through(pieces)
    end = check_ends(out)
    assert (end == "message_stop") == (pipe.at is At.WHOLE)
    assert (end == "error") == (pipe.fault is not None)

    slow = slow_passthrough(b"".join(pieces), "shown")
    if slow.end == "message_stop":
        assert out == slow.passed
    else:
        assert out.startswith(slow.passed)
        rest = frames_of(out[len(slow.passed) :])
        assert [name for name, _ in rest] == ["error"]
        assert pipe.fault is not None
        if slow.end != "broken off":
            assert pipe.fault.error_type == slow.end
    assert pipe.stop_reason == slow.stop_reason
    assert pipe.usage == slow.usage


@examples(100)
@given(NAMES, st.data())
def test_legal_streams_stay_legal(name: str, data: st.DataObject) -> None:
    stream = LEGAL[name]
    _, out = through(data.draw(cuttings(stream)))
    assert check_stream(out) == check_stream(stream)
    judge([stream])


EVENTS = st.sampled_from(
    [
        PING,
        b": comment\n\n",
        b"\n",
        b'data: {"type":"ping"}\n\n',
        message_start(),
        message_start("other", input_tokens=5, output_tokens=None),
        b'event: message_start\ndata: {"message":7}\n\n',
        text_delta("a"),
        text_delta("event: message_stop\n\n"),
        message_delta(),
        message_delta("max_tokens", output_tokens=99, input_tokens=None),
        b"event: message_delta\ndata: [\n\n",
        b"event: message_delta\ndata: 1\n\n",
        MESSAGE_STOP,
        MESSAGE_STOP.replace(b": ", b":"),
        OVERLOADED,
        b'event: error\ndata: "?"\n\n',
        event("message_stopped"),
        event("errors"),
        b"event: ping\nevent: message_stop\n\n",
        b"event: message_stop\nevent: ping\n\n",
        b"event: message_",
        b"\nevent: error",
    ]
)


@examples(300)
@given(st.lists(EVENTS, max_size=10), st.booleans(), st.data())
def test_any_row_of_events_gets_one_end(
    events: list[bytes], starts: bool, data: st.DataObject
) -> None:
    judge(data.draw(cuttings(message_start() * starts + b"".join(events))))


@examples(300)
@given(LF_NAMES, st.data())
def test_any_damage_to_the_bytes_gets_one_end(name: str, data: st.DataObject) -> None:
    stream = bytearray(LEGAL[name])
    noise = st.one_of(
        st.sampled_from([b"", b"\n", b"\n\n", b":", b" ", b'"']), st.binary(max_size=3)
    )
    for _ in range(data.draw(st.integers(1, 5))):
        begin = data.draw(st.integers(0, len(stream)))
        stream[begin : begin + data.draw(st.integers(0, 20))] = data.draw(noise)
    judge(data.draw(cuttings(bytes(stream.replace(b"\r", b"")))))


@examples(300)
@given(st.binary(max_size=200), st.booleans())
def test_any_noise_gets_one_end(noise: bytes, starts: bool) -> None:
    judge([message_start() * starts, noise.replace(b"\r", b"")])

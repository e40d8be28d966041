"""Laws of Bedrock's streams: any cutting gives the same, every truncation and every spoilt bit ends
in one error, nothing is held without bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.stream.bedrock_to_messages import BedrockMessages
from tests.kit import event_stream as aws
from tests.kit.asked import make_asked
from tests.kit.cuts import cut_at, cuttings, obvious_cuttings
from tests.kit.grammar import check_ends, check_stream, events_of
from tests.kit.patience import examples
from tests.kit.recorded import LONG, TEXT, THINKTOOLS, WHOLE

CALL = make_asked("anthropic.claude-opus-4-7")
STREAMS = {
    name: b"".join(aws.chunks_of(stream))
    for name, stream in (WHOLE | {"long": LONG}).items()
    if b"\r" not in stream
}
BROKEN = {
    "exception": b"".join(aws.chunks_of(TEXT)[:5]) + aws.exception("throttlingException", "slow"),
    "refusal": aws.exception("serviceUnavailableException", "full"),
    "document": b'{"message":"no"}',
    "behind-the-end": STREAMS["text"] * 2,
    "junk": b"\x00" * 100,
}


def seen(pieces: list[bytes]) -> tuple[object, ...]:
    pipe = BedrockMessages(CALL, 1 << 20)
    out = b"".join(map(pipe.feed, pieces)) + pipe.finish()
    told = pipe.fault.message if pipe.fault else None
    return (out, pipe.at, pipe.usage, pipe.stop_reason, told)


@pytest.mark.parametrize("stream", (STREAMS | BROKEN).values(), ids=(STREAMS | BROKEN).keys())
def test_small_pieces_and_large_ones_give_the_same(stream: bytes) -> None:
    whole, *others = map(seen, obvious_cuttings(stream))
    assert all(other == whole for other in others)


@examples(200)
@given(st.sampled_from(sorted(STREAMS | BROKEN)), st.data())
def test_any_cutting_gives_the_same(name: str, data: st.DataObject) -> None:
    stream = (STREAMS | BROKEN)[name]
    assert seen(data.draw(cuttings(stream))) == seen([stream])


@pytest.mark.parametrize("stream", [WHOLE[name] for name in STREAMS if name in WHOLE])
def test_a_recorded_stream_says_what_it_said_to_anthropics_clients(stream: bytes) -> None:
    out = bytes(seen(aws.chunks_of(stream))[0])  # type: ignore[call-overload]
    expected = [each for each in events_of(stream) if each["type"] != "ping"]
    expected[0]["message"]["model"] = "anthropic.claude-opus-4-7"
    assert events_of(out) == expected


@pytest.mark.parametrize("stream", [TEXT, THINKTOOLS], ids=["text", "thinktools"])
def test_every_truncation_ends_in_one_error(stream: bytes) -> None:
    whole = b"".join(aws.chunks_of(stream))
    for end in range(0, len(whole), 7):
        out = bytes(seen([whole[:end]])[0])  # type: ignore[call-overload]
        assert check_stream(out) == "error"


@examples(200)
@given(st.data())
def test_every_spoilt_bit_ends_in_one_error_and_no_word_of_it_gets_through(
    data: st.DataObject,
) -> None:
    whole = STREAMS["text"]
    place = data.draw(st.integers(0, len(whole) - 1))
    good = bytes(seen([whole])[0])  # type: ignore[call-overload]
    bad = aws.spoilt(whole, place)
    out = bytes(seen(data.draw(cuttings(bad)))[0])  # type: ignore[call-overload]
    assert check_ends(out) == "error"
    assert good.startswith(out[: out.rindex(b"event: error")])


@examples(200)
@given(st.sampled_from(sorted(STREAMS)), st.sampled_from([100, 5000]), st.data())
def test_no_more_than_the_cap_is_held(name: str, cap: int, data: st.DataObject) -> None:
    pipe = BedrockMessages(CALL, cap)
    out = b""
    for piece in data.draw(cuttings(STREAMS[name])):
        out += pipe.feed(piece)
        assert pipe.held_bytes <= cap * 3 + 3 * 4096
    check_ends(out + pipe.finish())


@examples(100)
@given(st.lists(st.sampled_from(["thinktools", "text"]), min_size=1, max_size=2), st.data())
def test_the_short_way_says_the_same_wherever_it_is_taken(
    names: list[str], data: st.DataObject
) -> None:
    whole = STREAMS[names[0]]
    borders = [0]
    for frame in aws.chunks_of(WHOLE[names[0]]):
        borders.append(borders[-1] + len(frame))
    cuts = data.draw(st.lists(st.sampled_from(borders), max_size=40))
    pipe = BedrockMessages(CALL, 1 << 20)
    out = b""
    for piece in cut_at(whole, cuts):
        rewriter = pipe.rewriter
        short = rewriter(piece) if rewriter is not None else None
        out += pipe.feed(piece) if short is None else short
    assert out + pipe.finish() == seen([whole])[0]

"""Laws of Bedrock's streams: any cutting gives the same, every truncation and every spoilt bit ends
in one error, nothing is held without bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.stream.bedrock_to_messages import BedrockMessages
from proxy.upstream.connection import Connection
from tests.kit import event_stream as aws
from tests.kit.asked import make_asked
from tests.kit.cuts import cut_at, cuttings, obvious_cuttings
from tests.kit.grammar import check_ends, check_stream, events_of
from tests.kit.patience import examples
from tests.kit.recorded import LONG, TEXT, THINKTOOLS, WHOLE, text_delta
from tests.laws.test_chunks_any_cut import Wire

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


class Client:
    """Between a connection and a pipe, as the relay is; keeps what would be sent, unframed."""

    def __init__(self, *, forwards: bool) -> None:
        self.out = b""
        self.forwarded = 0
        self.pipe = BedrockMessages(CALL, 1 << 20)
        self._forwards = forwards
        self.connection = Connection(lambda freed: None, lambda closed: None)
        self.connection.connection_made(Wire())  # type: ignore[arg-type]
        self.connection.ask([b"POST / HTTP/1.1\r\n\r\n"], self)

    def head_received(self, status: int, headers: dict[bytes, bytes]) -> None:
        assert status == 200

    def body_received(self, data: bytes) -> None:
        self.out += self.pipe.feed(data)
        rewriter = self.pipe.rewriter
        if self._forwards and rewriter is not None:
            self._forwards = False
            self.connection.forward_rewritten(self.take_frame, rewriter, binary=True)

    def take_frame(self, framed: bytes) -> None:
        size, data = framed.removesuffix(b"\r\n").split(b"\r\n", 1)
        assert int(size, 16) == len(data)
        self.forwarded += 1
        self.out += data

    def answer_ended(self) -> None:
        self.out += self.pipe.finish()

    def answer_broken(self, why: object) -> None:
        raise AssertionError(f"{why} of a stream that is whole")


SIZES = st.sampled_from([b"%x\r\n", b"%X\r\n", b"000%x\r\n", b"%x;e=1\r\n"])
LINE_ENDS = [text_delta("\r\n" * size + "x" * more) for size in (0, 9) for more in range(12)]


@examples(200)
@given(
    st.lists(st.tuples(st.sampled_from(LINE_ENDS), SIZES, st.integers(1, 3)), max_size=12),
    st.booleans(),
    st.data(),
)
def test_frames_that_pass_the_parser_by_say_what_those_say_that_do_not(
    deltas: list[tuple[bytes, bytes, int]], is_cut: bool, data: st.DataObject
) -> None:
    """However they are framed, joined or cut on their way."""
    first, second, *_ = aws.chunks_of(TEXT)
    last = aws.chunks_of(TEXT)[-3:]
    reads = [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"]
    pieces = [(first, b"%x\r\n"), (second, b"%x\r\n")]
    for delta, size, times in deltas:
        pieces.append((b"".join(aws.chunks_of(delta)) * times, size))
    pieces += [(frame, b"%x\r\n") for frame in last]
    reads += [size % len(piece) + piece + b"\r\n" for piece, size in pieces]
    reads.append(b"0\r\n\r\n")
    if is_cut:
        reads = data.draw(cuttings(b"".join(reads)))
    clients = [Client(forwards=True), Client(forwards=False)]
    for client in clients:
        for read in filter(None, reads):
            client.connection.data_received(read)
    assert clients[0].out == clients[1].out
    assert check_ends(clients[0].out) == "message_stop"
    if not is_cut:
        plain = sum(size == b"%x\r\n" and times == 1 for _, size, times in deltas)
        assert clients[0].forwarded >= plain

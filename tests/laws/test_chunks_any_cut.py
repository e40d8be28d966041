"""However a chunked stream is cut on its way, the listener hears the same bytes and one end.

The connection has a short way for reads that are exactly one chunk and one event; this law holds
it to the long one.
"""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.tally import Tally
from proxy.upstream.connection import Broken, Connection
from tests.kit.patience import examples

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


DELTA = b"event: content_block_delta\ndata: {}\n\n"


class Wire:
    """A transport that takes what it is given."""

    def write(self, data: object) -> None:
        """A part of a request."""

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str) -> None:
        """No socket: what is written goes through the transport."""

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is open."""

    abort = close


class Ear:
    """Hears a stream; once it began, lets plain events go by, as the relay does."""

    def __init__(self, connection: Connection) -> None:
        self.body = b""
        self.ends = 0
        self.tally = Tally()
        self.connection = connection

    def head_received(self, status: int, headers: dict[bytes, bytes]) -> None:
        assert status == 200
        self.connection.forward(self.frame_forwarded, b"event: content_block_delta\n", self.tally)

    def frame_forwarded(self, frame: bytes) -> None:
        size, data = frame.removesuffix(b"\r\n").split(b"\r\n", 1)
        assert int(size, 16) == len(data)
        self.body += data

    def body_received(self, data: bytes) -> None:
        self.body += data

    def answer_ended(self) -> None:
        self.ends += 1

    def answer_broken(self, why: Broken) -> None:
        raise AssertionError(f"{why} of a stream that is whole")


# Pieces that look like borders, sizes and ends when they are cut in the wrong place.
PIECE = st.one_of(
    st.sampled_from(
        [
            DELTA,
            DELTA + DELTA,
            DELTA[:-1],
            b"\n\n",
            b"\n\n\r\n",
            b"\r\n",
            b"2\r\n\n\n\r\n",
            b"1a\r\n",
            b"\r\n1a",
            b"0\r\n\r\n",
            b"x\n\n\r\n0\r\n\r\n",
        ]
    ),
    st.binary(min_size=1, max_size=40),
)


def heard(reads: list[bytes]) -> Ear:
    connection = Connection(lambda freed: None, lambda closed: None)
    connection.connection_made(Wire())  # type: ignore[arg-type]
    ear = Ear(connection)
    connection.ask([b"GET / HTTP/1.1\r\n\r\n"], ear)
    for read in reads:
        connection.data_received(read)
    return ear


def frame(piece: bytes, upper: bool) -> bytes:
    size = (b"%X" if upper else b"%x") % len(piece)
    return size + b"\r\n" + piece + b"\r\n"


@examples(400)
@given(st.lists(st.tuples(PIECE, st.booleans()), max_size=8), st.data())
def test_any_cut_of_a_chunked_stream_is_heard_the_same(
    pieces: list[tuple[bytes, bool]], data: st.DataObject
) -> None:
    frames = [HEAD, *[frame(piece, upper) for piece, upper in pieces], b"0\r\n\r\n"]
    whole = b"".join(frames)
    body = b"".join([piece for piece, _ in pieces])
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=10)))
    borders = [0, *cuts, len(whole)]
    for reads in (
        frames,
        [HEAD + b"".join(frames[1:3]), *frames[3:]],
        [whole[at : at + 1] for at in range(len(whole))],
        [whole[start:end] for start, end in itertools.pairwise(borders)],
    ):
        ear = heard([read for read in reads if read])
        assert (ear.body, ear.ends) == (body, 1)


def test_a_body_that_imitates_frames_is_not_taken_for_them() -> None:
    imitation = frame(DELTA, False)
    piece = b"x\n\n\r\n" + imitation + b"y"
    framed = frame(piece, False)
    middle = framed.index(imitation)
    ear = heard([HEAD, framed[:middle], framed[middle:-3], framed[-3:], b"0\r\n\r\n"])
    assert (ear.body, ear.ends) == (piece, 1)


def test_events_in_chunks_of_their_own_go_by_without_being_read() -> None:
    ear = heard([HEAD + frame(DELTA, False), *[frame(DELTA, False)] * 3, b"0\r\n\r\n"])
    assert (ear.tally.passed_events, ear.body, ear.ends) == (3, DELTA * 4, 1)

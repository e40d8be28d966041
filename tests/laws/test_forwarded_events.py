"""A translated stream gives the same bytes whether its chunks take the short way past the parse or
not, however they are framed, joined or cut on their way.
"""

import itertools
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from proxy.stream.chat_to_messages import ChatToMessages
from proxy.stream.pipe import OPEN
from proxy.upstream.connection import Connection
from tests.kit.chat_stream import DONE, chunk, make_pipe, text, thought, usage
from tests.kit.grammar import check_stream
from tests.kit.patience import examples
from tests.laws.test_chunks_any_cut import HEAD, Wire, frame

WORDS = st.sampled_from(["a", "two words", 'a "quoted" one', "tab\t", "é", "\\", "x" * 5000])
ODD = st.sampled_from(
    [
        chunk({"content": "x"}, created=2),
        text("q").replace(b"q", b"\\u00e9"),
        text("q").replace(b"q", b"\\ud83d"),
        text("q").replace(b"q", b'x","reasoning_content":"y'),
        text("q").replace(b"q", b""),
        text("one") + text("two"),
        text("half")[:30],
        b": comment\n\n",
        b"\n\n",
    ]
)
PIECES = st.one_of(WORDS.map(text), WORDS.map(thought), ODD)


class Client:
    """Between a connection and a pipe, as the relay is; keeps what would be sent, unframed."""

    def __init__(self, pipe: ChatToMessages, *, forwards: bool) -> None:
        self.out = b""
        self.forwarded = 0
        self.pipe = pipe
        self._forwards = forwards
        self.connection = Connection(lambda freed: None, lambda closed: None)
        self.connection.connection_made(Wire())  # type: ignore[arg-type]
        self.connection.ask([b"GET / HTTP/1.1\r\n\r\n"], self)

    def head_received(self, status: int, headers: dict[bytes, bytes]) -> None:
        assert status == 200

    def body_received(self, data: bytes) -> None:
        self.out += self.pipe.feed(data)
        if self.pipe.at is OPEN and self._forwards:
            self._forwards = False
            self.connection.forward_rewritten(self.take_frame, self.pipe.rewriter)

    def take_frame(self, framed: bytes) -> None:
        size, data = framed.removesuffix(b"\r\n").split(b"\r\n", 1)
        assert int(size, 16) == len(data)
        self.forwarded += 1
        self.out += data

    def answer_ended(self) -> None:
        self.out += self.pipe.finish()

    def answer_broken(self, why: object) -> None:
        raise AssertionError(f"{why} of a stream that is whole")

    def hears(self, reads: Sequence[bytes]) -> "Client":
        for read in reads:
            if read:
                self.connection.data_received(read)
        return self


@examples(300)
@given(st.lists(PIECES, max_size=9), st.booleans(), st.booleans(), st.data())
def test_the_short_way_and_the_long_one_give_the_same_bytes(
    pieces: list[bytes], ends_well: bool, is_small: bool, data: st.DataObject
) -> None:
    last = [chunk({}, "stop"), usage(), DONE] if ends_well else []
    frames = [frame(piece, False) for piece in [text("begin"), *pieces, *last]]
    frames = [HEAD, *frames, b"0\r\n\r\n"]
    whole = b"".join(frames)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=8)))
    cut = [whole[start:end] for start, end in itertools.pairwise([0, *cuts, len(whole)])]
    cap = 1000 if is_small else 1 << 20

    long = Client(make_pipe(event_bytes_max=cap), forwards=False).hears(frames)
    for reads in (frames, cut, [HEAD + frames[1], *frames[2:]]):
        short = Client(make_pipe(event_bytes_max=cap), forwards=True).hears(reads)
        assert short.out == long.out
        assert (short.pipe.at, short.pipe.usage) == (long.pipe.at, long.pipe.usage)
        assert short.pipe._turn.count.said.chars == long.pipe._turn.count.said.chars
    check_stream(long.out)


def test_most_of_a_stream_does_take_the_short_way() -> None:
    events = [chunk({"role": "assistant"}), *map(thought, "abcdef"), *map(text, "abcdef")]
    frames = [frame(event, False) for event in [*events, chunk({}, "stop"), usage(), DONE]]
    client = Client(make_pipe(), forwards=True).hears([HEAD, *frames, b"0\r\n\r\n"])
    # The first of each kind is what the shape is learned from.
    assert client.forwarded == client.pipe.tally.passed_events == 10
    assert client.pipe.said_all is False
    check_stream(client.out)

"""One connection to a provider: one HTTP/1.1 exchange at a time, its answer pushed as it arrives.

Owns: the socket, the parse (llhttp through httptools; an answer that is all there in one read is
read without it), the question whether the connection may be
used again. Refuses to know: what the bytes mean, who waits for them, when to try again.

All of one read is told in one go, in order: head, body, end. Nothing is awaited.
"""

import asyncio
from collections.abc import Callable, Sequence
from enum import Enum
from functools import lru_cache
from typing import Final, Protocol, cast

import httptools

from proxy.domain.tally import Tally
from proxy.sockets.direct import DirectWriter
from proxy.upstream.pacer import STEADY, Pacer
from proxy.wire.chunk import chunk
from proxy.wire.events import LF
from proxy.wire.http import Piece
from proxy.wire.whole_answer import learn, read_whole

HEAD_BYTES_MAX: Final = 65536
DRAIN_BYTES_MAX: Final = 65536
FRAME_BYTES_MAX: Final = 4096
"""A larger chunk takes the long way, which is no longer for it."""

_TAIL_BYTES: Final = 32
_BLANK: Final = b"\n\n"
_CHUNK_END: Final = b"\r\n"
_BLANK_AND_CHUNK_END: Final = _BLANK + _CHUNK_END
_NONE: Final[dict[int, bytes]] = {}


class Broken(Enum):
    """Why an exchange ended without a whole answer."""

    STALE = "stale"
    """A reused connection closed before any byte of an answer: the server had already hung up."""
    CLOSED = "closed"
    """The connection closed or was reset."""
    GARBLED = "garbled"
    """What came is not HTTP."""


class Listener(Protocol):
    """Who asked. Called from the event loop's read callback; must not block."""

    __slots__ = ()

    def head_received(self, status: int, headers: dict[bytes, bytes]) -> None:
        """The head of the answer; names are lower-case."""
        ...

    def body_received(self, data: bytes) -> None:
        """All body bytes of one read."""
        ...

    def answer_ended(self) -> None:
        """The answer is whole."""
        ...

    def answer_broken(self, why: Broken) -> None:
        """No whole answer will come. Nothing is called afterwards."""
        ...


class Connection(asyncio.Protocol):
    """`freed` and `closed` tell the pool: ready for the next exchange, or gone for good.

    `names_learnt` are the header names its server was seen to use, by all connections of the pool
    (`wire/whole_answer.py`). `since_s` is the pool's note of when it became free or was left,
    `born_s` of when it was opened (monotonic seconds).
    """

    __slots__ = (
        "_answer_begun",
        "_answer_whole",
        "_chunks",
        "_closed",
        "_drained_bytes",
        "_ending",
        "_ends_at_eof",
        "_forward",
        "_freed",
        "_head_bytes",
        "_head_pending",
        "_header_names",
        "_header_names_lower",
        "_headers",
        "_listener",
        "_may_stay",
        "_names_learnt",
        "_openings",
        "_openings_now",
        "_pacer",
        "_parser",
        "_paused",
        "_raw_headers",
        "_resting",
        "_reused",
        "_rewrite",
        "_status",
        "_tally",
        "_transport",
        "_writer",
        "born_s",
        "busy",
        "on_body",
        "on_header",
        "since_s",
    )

    def __init__(
        self,
        freed: Callable[["Connection"], None],
        closed: Callable[["Connection"], None],
        pacer: Pacer = STEADY,
        names_learnt: dict[bytes, bytes] | None = None,
    ) -> None:
        self._pacer = pacer
        self._names_learnt = {} if names_learnt is None else names_learnt
        self._resting = False
        self._freed = freed
        self._closed = closed
        self._transport: asyncio.Transport | None = None
        self._writer: DirectWriter | None = None
        # No frame of Python for a header or a piece of the body: the parser fills them in itself.
        self._raw_headers: dict[bytes, bytes] = {}
        self.on_header = self._raw_headers.__setitem__
        self._chunks: list[bytes] = []
        self.on_body = self._chunks.append
        self._parser = httptools.HttpResponseParser(self)
        self._listener: Listener | None = None
        self._headers: dict[bytes, bytes] = {}
        self._header_names: tuple[bytes, ...] = ()
        self._header_names_lower: list[bytes] = []
        self._status = 0
        self._head_bytes = 0
        self._head_pending = False
        self._answer_begun = False
        self._answer_whole = False
        # How a read of so many bytes must begin to be forwarded. `_openings` is empty unless the
        # stream is forwarded, `_openings_now` also unless its next bytes begin a chunk.
        self._openings = self._openings_now = _NONE
        self._forward: Callable[[bytes], object] = _nowhere
        self._rewrite: Callable[[bytes], bytes | None] | None = None
        self._tally: Tally
        self._ending = _BLANK_AND_CHUNK_END
        self._ends_at_eof = False
        self._may_stay = False
        self._reused = False
        self._paused = False
        self._drained_bytes = 0
        self.busy = False
        self.since_s = 0.0
        self.born_s = 0.0

    # ------------------------------------------------------------ asked by the pool and the relay

    def ask(self, request: Sequence[Piece], listener: Listener) -> None:
        """Send a whole request; the answer goes to `listener`."""
        assert self._writer is not None and not self.busy
        self.busy = True
        if self._resting:
            self.read_on()  # the stream before has just ended: this is another
        self._listener = listener
        self._head_bytes = 0
        self._answer_begun = False
        self._answer_whole = False
        self._ends_at_eof = False
        self._writer.write_all(request)

    def forward(self, write: Callable[[bytes], object], plain: bytes, tally: Tally) -> None:
        """From now on a read that is exactly one chunk, whose data is the line `plain`,
        another, and a blank one, goes to `write` as it is, frame and all, and is counted."""
        self._forward = write
        self._rewrite = None
        self._openings = _frame_openings(plain)
        self._ending = _BLANK_AND_CHUNK_END
        self._tally = tally

    def forward_rewritten(
        self,
        write: Callable[[bytes], object],
        rewrite: Callable[[bytes], bytes | None],
        *,
        binary: bool = False,
    ) -> None:
        """From now on a read that is exactly one chunk and ends in a blank line (`binary`: in
        anything) is offered to `rewrite`, without its frame. What that gives goes to `write` as one
        chunk; where it gives None, the listener is told as ever."""
        self._forward = write
        self._rewrite = rewrite
        self._ending = _CHUNK_END if binary else _BLANK_AND_CHUNK_END
        self._openings = _frame_openings(b"")

    def give_back(self) -> None:
        """It was lent and not used."""
        self._freed(self)

    def hear(self, listener: Listener) -> None:
        """From now on somebody else listens, to everything: nothing is forwarded any more."""
        self._listener = listener
        self._forward_no_more()

    def leave(self) -> None:
        """The listener has what it wants: read the rest of the answer, if little, then be free."""
        self._listener = None
        self._forward_no_more()
        self._drained_bytes = 0
        self.since_s = 0.0
        self.resume()

    def abort(self) -> None:
        """Drop the exchange and the connection with it; the listener is told nothing more."""
        self._listener = None
        self._forward_no_more()
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Read no more: the other end of the pipe is full."""
        self._paused = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        self._paused = False
        if self._transport is not None and not self._resting:
            self._transport.resume_reading()

    def read_on(self) -> None:
        """See `pacer.py`: the stream has rested."""
        if self._resting:
            self._resting = False
            transport = self._transport
            if transport is not None and not self._paused and not transport.is_closing():
                transport.resume_reading()

    @property
    def left(self) -> bool:
        """Is it only reading the rest of an answer that nobody waits for?"""
        return self.busy and self._listener is None

    @property
    def usable(self) -> bool:
        """May the next request be sent on it?"""
        return self._transport is not None and not self.busy and not self._transport.is_closing()

    # ------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket (or the TLS session on it) is ready."""
        # uvloop's transports are no subclasses of asyncio's, but have all their methods.
        transport = cast(asyncio.Transport, transport)
        self._transport = transport
        self._writer = DirectWriter(transport)

    def data_received(self, data: bytes) -> None:
        """One read: parse it, then tell the listener."""
        # Most reads of a stream are one chunk with one event, because providers send each for
        # itself: such a read goes to the client as it is, or rewritten as a chunk of its own, and
        # llhttp, which waits for a chunk before and after, need not see it. Half the cost of an
        # event outside the kernel.
        opening = self._openings_now.get(len(data))
        if opening is not None and data.startswith(opening) and data.endswith(self._ending):
            rewrite = self._rewrite
            if rewrite is not None:
                out = rewrite(data[len(opening) : -len(_CHUNK_END)])
                if out is not None:
                    self._forward(chunk(out))
                    if self._pacer.rest_s:
                        self._rest()
                    return
            elif LF not in data[len(opening) : -len(_BLANK_AND_CHUNK_END)]:
                tally = self._tally
                tally.passed_bytes += len(data)
                tally.passed_events += 1
                self._forward(data)
                if self._pacer.rest_s:
                    self._rest()
                return
        if not self.busy:
            self.abort()  # an answer nobody asked for
            return
        self._answer_begun = True
        if self._status == 0:
            if self._head_bytes == 0 and self._read_whole(data):
                return
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._break(Broken.GARBLED)
            return
        self._tell(data)
        if self._openings and self._pacer.rest_s:
            self._rest()

    def _read_whole(self, data: bytes) -> bool:
        """An answer that is all there needs no parser, which then has seen nothing of it."""
        whole = read_whole(data, self._names_learnt)
        if whole is None:
            return False
        self._headers, body = whole
        self._status = 200
        self._head_pending = True
        if body:
            self._chunks.append(body)
        self._answer_whole = True
        self._may_stay = True
        self._tell(data)
        return True

    def eof_received(self) -> bool:
        """The server sends no more; the transport closes itself."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The end of the connection is the end of an answer that states no length."""
        self._transport = None
        if self._writer is not None:
            self._writer.lost()
        listener, self._listener = self._listener, None
        was_busy, self.busy = self.busy, False
        self._closed(self)
        if not was_busy or listener is None:
            return
        if self._ends_at_eof and exc is None and self._answer_begun:
            listener.answer_ended()
        elif self._reused and not self._answer_begun:
            listener.answer_broken(Broken.STALE)
        else:
            listener.answer_broken(Broken.CLOSED)

    # ------------------------------------------------------------ httptools

    def on_message_begin(self) -> None:
        """One answer per request: a second one would be taken for a part of the first."""
        if self._answer_whole:
            raise ValueError("an answer nobody asked for")

    def on_headers_complete(self) -> None:
        """The head is whole; how the body ends follows from it (RFC 9112 section 6.3)."""
        self._status = self._parser.get_status_code()
        raw = self._raw_headers
        names = tuple(raw)
        if names != self._header_names:
            # A server names the same headers in the same order, answer after answer.
            self._header_names = names
            self._header_names_lower = [name.lower() for name in names]
            for name in names:
                learn(self._names_learnt, name)
        self._headers = dict(zip(self._header_names_lower, raw.values(), strict=True))
        raw.clear()
        if self._status < 200:
            return
        self._head_pending = True
        headers = self._headers
        self._ends_at_eof = (
            b"content-length" not in headers
            and b"chunked" not in headers.get(b"transfer-encoding", b"").lower()
            and self._status not in (204, 304)
        )

    def on_message_complete(self) -> None:
        """The answer is whole; a 1xx is not yet the answer."""
        if self._status < 200:
            self._status = 0
            return
        self._answer_whole = True
        self._may_stay = self._parser.should_keep_alive()

    def _rest(self) -> None:
        """The stream is behind its first event, and the loop is behind: let more of it come."""
        transport = self._transport
        if not self._resting and transport is not None and not transport.is_closing():
            self._resting = True
            transport.pause_reading()
            self._pacer.rest(self)

    # ------------------------------------------------------------ telling

    def _tell(self, read: bytes) -> None:
        listener = self._listener
        if self._head_pending:
            self._head_pending = False
            if listener is not None:
                listener.head_received(self._status, self._headers)
                listener = self._listener
        elif self._status == 0 and self._head_bytes > HEAD_BYTES_MAX:
            self._break(Broken.GARBLED)
            return
        chunks = self._chunks
        last = b""
        if chunks:
            last = chunks[-1]
            data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            chunks.clear()
            if listener is None:
                self._drained_bytes += len(data)
                if self._drained_bytes > DRAIN_BYTES_MAX:
                    self.abort()
                    return
            else:
                listener.body_received(data)
        if self._openings:
            self._openings_now = self._openings if self._at_chunk(last, read) else _NONE
        if self._answer_whole and self.busy:
            self._end()

    def _at_chunk(self, last: bytes, read: bytes) -> bool:
        """Do the next bytes begin a chunk? The last piece of a body ends in a blank line and so
        does the read, but for the line end that closes a chunk: behind the piece came nothing else.
        Where a body is binary, the same is told by more of its bytes than a line with the length of
        the next chunk has."""
        if self._ending is _BLANK_AND_CHUNK_END:
            return last.endswith(_BLANK) and read.endswith(_BLANK_AND_CHUNK_END)
        tail = last[-_TAIL_BYTES:]
        return len(tail) == _TAIL_BYTES and read.endswith(tail + _CHUNK_END)

    def _end(self) -> None:
        listener, self._listener = self._listener, None
        self.busy = False
        self._reused = True
        self._status = 0
        self._head_bytes = 0
        self._forward_no_more()
        if self._paused:
            self.resume()
        if listener is not None:
            # Before the pool has the connection: a listener may yet drop it, and the pool may hand
            # it on at once.
            listener.answer_ended()
        transport = self._transport
        if transport is not None:
            if self._may_stay and not transport.is_closing():
                self._freed(self)
            else:
                transport.close()

    def _forward_no_more(self) -> None:
        if self._openings:
            self._openings = self._openings_now = _NONE
            self._forward, self._rewrite = _nowhere, None  # they held a call that is over

    def _break(self, why: Broken) -> None:
        listener, self._listener = self._listener, None
        if self._transport is not None:
            self._transport.abort()
        if listener is not None:
            listener.answer_broken(why)


def _nowhere(_: bytes) -> None:
    """Where frames go while nothing is forwarded."""


@lru_cache(maxsize=8)
def _frame_openings(plain: bytes) -> dict[int, bytes]:
    """By the size of a whole chunk, frame and all, how it begins if its data begins with `plain`.

    A chunk of another length than its bytes, or with its length written in another way, does not
    begin so and takes the long way.
    """
    openings = {}
    for size in range(len(plain), FRAME_BYTES_MAX):
        line = b"%x\r\n" % size
        openings[len(line) + size + 2] = line + plain
    return openings

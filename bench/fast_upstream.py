"""The fast upstream: a mock provider that plays prepared replies at the speed of its socket.

One raw protocol per connection (uvloop, httptools), replies made once, no task per request. Which
reply is asked for stands in the body's model name (`bench.score`). Paced streams share one wheel
with a tick each millisecond: a thousand of them cost a thousand writes, not a thousand timers.

    python -m bench.fast_upstream [--certificate FILE --private-key FILE]

prints one line of JSON with its ports, then serves until it is ended.
"""

import argparse
import asyncio
import contextlib
import gc
import ssl
import sys
import time
from collections.abc import AsyncIterator
from typing import cast

import httptools
import msgspec
import orjson
import uvloop

from bench import bedrock_score, chat_score
from bench import score as scores
from bench.score import Notation, Score

TICK_S = 0.001
HANDSHAKES_PATH = b"/handshakes"
"""Asked by the stage, to tell what HTTPS cost."""


class PacedStream:
    """One stream in the wheel."""

    __slots__ = ("_closing", "_delta", "_events", "_sent", "_transport", "closed", "paused")

    def __init__(self, transport: asyncio.Transport, score: Score, notation: Notation) -> None:
        self._transport = transport
        self._events = score.events
        self._delta = notation.delta_chunk(score)
        self._closing = notation.closing(score)
        self._sent = 0
        self.closed = False
        self.paused = False

    def beat(self) -> bool:
        """Write the event that is due; False when the stream is over."""
        if self.closed:
            return False
        if self.paused:  # the reader stalls: a model would wait too, and our memory stays bounded
            return True
        self._transport.write(self._delta % (self._sent, time.monotonic_ns()))
        self._sent += 1
        if self._sent < self._events:
            return True
        self._transport.write(self._closing)
        return False


class Wheel:
    """Paced streams of one period, one slot for each millisecond of it, all turned by one timer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, period_ms: int) -> None:
        self._loop = loop
        self._slots: list[list[PacedStream]] = [[] for _ in range(period_ms)]
        self._turned_ms = 0
        self._turning = False

    def join(self, stream: PacedStream) -> None:
        """Take a stream into the emptiest slot: the load is even whenever the streams began."""
        min(self._slots, key=len).append(stream)
        if not self._turning:
            self._turning = True
            self._turned_ms = time.monotonic_ns() // 1_000_000
            self._loop.call_later(TICK_S, self._turn)

    def _turn(self) -> None:
        now_ms = time.monotonic_ns() // 1_000_000
        slots = self._slots
        # After a long pause each stream gets one event, not all those it missed.
        for moment in range(max(self._turned_ms, now_ms - len(slots)) + 1, now_ms + 1):
            place = moment % len(slots)
            if slots[place]:
                slots[place] = [stream for stream in slots[place] if stream.beat()]
        self._turned_ms = now_ms
        self._turning = any(slots)
        if self._turning:
            self._loop.call_later(TICK_S, self._turn)


class Handshakes(msgspec.Struct):
    """TLS sessions begun since the start: in full, which is dear, or resumed from an older one."""

    full: int = 0
    resumed: int = 0


class Conversation(asyncio.Protocol):
    """One connection: finds the score in each request and plays it."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, wheels: dict[int, Wheel], handshakes: Handshakes
    ) -> None:
        self._loop = loop
        self._wheels = wheels
        self._handshakes = handshakes
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._tail = b""
        self._score: Score | None = None
        self._stream: PacedStream | None = None
        self._pieces: tuple[bytes, ...] = ()
        self._next_piece = 0
        self._paused = False

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has no common base class
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self._handshakes.full += not tls.session_reused
            self._handshakes.resumed += tls.session_reused

    def data_received(self, data: bytes) -> None:
        """Parse; a request that cannot be parsed ends the connection."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            print(f"unreadable request: {error}", file=sys.stderr)
            self._transport.abort()

    def pause_writing(self) -> None:
        """The reader stalls."""
        self._paused = True
        if self._stream is not None:
            self._stream.paused = True

    def resume_writing(self) -> None:
        """The reader reads again."""
        self._paused = False
        if self._stream is not None:
            self._stream.paused = False
        if self._next_piece < len(self._pieces):
            self._loop.call_soon(self._write_piece)

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the wheel."""
        if self._stream is not None:
            self._stream.closed = True
        self._pieces = ()

    # the parser's side; no on_header, since each call would cost and nothing here needs one

    def on_message_begin(self) -> None:
        """A new request begins."""
        self._url = self._tail = b""
        self._score = None

    def on_url(self, url: bytes) -> None:
        """The path decides the wire."""
        self._url += url

    def on_body(self, piece: bytes) -> None:
        """Look for the score; a name cut in two is found through the kept tail."""
        if self._score is not None:
            return
        window = self._tail + piece
        begin = window.find(scores.PREFIX)
        if begin >= 0:
            end = window.find(b'"', begin + 1)
            if end > 0:
                self._score = scores.parse(window[begin + 1 : end].decode(errors="replace"))
        self._tail = window[-scores.NAME_BYTES_MAX :]

    def on_message_complete(self) -> None:
        """The request is here: answer it."""
        if self._parser.get_method() == b"GET":
            body = msgspec.json.encode(self._handshakes) if self._url == HANDSHAKES_PATH else b"ok"
            head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body)
            self._transport.write(head + body)
            return
        notation = WIRES.get(self._url.partition(b"?")[0])
        if notation is None and (score := bedrock_score.score_in(self._url)) is not None:
            self._score, notation = score, bedrock_score.NOTATION
        if notation is None:
            self._refuse(b"404 Not Found", "not_found_error", "no such path")
        elif self._score is None:
            self._refuse(b"400 Bad Request", "invalid_request_error", "no score in the body")
        else:
            self._play(self._score, notation)

    # replies

    def _play(self, score: Score, notation: Notation) -> None:
        """Answer on the wire the path belongs to."""
        if not score.streamed:
            self._transport.write(notation.message_reply(score))
        elif score.period_ms:
            self._transport.write(notation.opening(score))
            self._stream = PacedStream(self._transport, score, notation)
            self._stream.paused = self._paused
            if score.period_ms not in self._wheels:
                self._wheels[score.period_ms] = Wheel(self._loop, score.period_ms)
            self._wheels[score.period_ms].join(self._stream)
        else:
            self._pieces = scores.burst_writes(score, notation)
            self._next_piece = 0
            self._write_piece()

    def _write_piece(self) -> None:
        """Write one piece and come back: uvloop joins what is written within one turn of its loop,
        and an event of its own must reach the other side on its own."""
        if self._paused or self._next_piece >= len(self._pieces):
            return
        self._transport.write(self._pieces[self._next_piece])
        self._next_piece += 1
        if self._next_piece < len(self._pieces) and not self._paused:
            self._loop.call_soon(self._write_piece)

    def _refuse(self, status: bytes, kind: str, words: str) -> None:
        error = {"type": "error", "error": {"type": kind, "message": words}}
        body = orjson.dumps(error)
        head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self._transport.write(head % (status, len(body)) + body)


WIRES: dict[bytes, Notation] = {
    b"/v1/messages": scores.NOTATION,
    chat_score.PATH: chat_score.NOTATION,
}


@contextlib.asynccontextmanager
async def listening(
    certificate: str | None = None, private_key: str | None = None
) -> AsyncIterator[dict[str, int]]:
    """Listen on free loopback ports, given by scheme, until the block is left."""
    loop = asyncio.get_running_loop()
    wheels: dict[int, Wheel] = {}
    handshakes = Handshakes()
    contexts: dict[str, ssl.SSLContext | None] = {"http": None}
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, private_key)
        contexts["https"] = context
    ports: dict[str, int] = {}
    servers: list[asyncio.Server] = []
    for scheme, tls in contexts.items():
        server = await loop.create_server(
            lambda: Conversation(loop, wheels, handshakes), "127.0.0.1", 0, ssl=tls, backlog=4096
        )
        servers.append(server)
        ports[scheme] = server.sockets[0].getsockname()[1]
    try:
        yield ports
    finally:
        for server in servers:
            server.close()


async def _serve_for_ever(certificate: str | None, private_key: str | None) -> None:
    async with listening(certificate, private_key) as ports:
        print(orjson.dumps(ports).decode(), flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Run as a process of its own."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--certificate")
    options.add_argument("--private-key")
    given = options.parse_args()
    gc.disable()  # its pauses would be read as the proxy's
    try:
        uvloop.run(_serve_for_ever(given.certificate, given.private_key))
    except KeyboardInterrupt:
        pass  # ended by hand


if __name__ == "__main__":
    main()

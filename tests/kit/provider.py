"""A provider on the Anthropic wire that a test turns by hand.

A request whose body holds a play's `cue` is answered as the test says, event by event; every other
one is answered at once and whole. It lives in a thread of its own, so that tests may block.
"""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

TIMEOUT_S = 10.0

MESSAGE: dict[str, Any] = {
    "id": "msg_kit",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5",
    "content": [{"type": "text", "text": "Hello from the provider."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 11, "output_tokens": 5},
}


def event(name: str, **fields: Any) -> bytes:
    """One event of a stream."""
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()


def delta(text: str) -> bytes:
    """A piece of text."""
    return event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


START = event("message_start", message={**MESSAGE, "content": [], "stop_reason": None}) + event(
    "content_block_start", index=0, content_block={"type": "text", "text": ""}
)
END = (
    event("content_block_stop", index=0)
    + event(
        "message_delta",
        delta={"stop_reason": "end_turn", "stop_sequence": None},
        usage={"output_tokens": 5},
    )
    + event("message_stop")
)


@dataclass
class Asked:
    """One request as it arrived. Header names are lower-case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Play:
    """One streamed answer in the test's hands."""

    def __init__(self, cue: str, loop: asyncio.AbstractEventLoop) -> None:
        self.cue = cue
        self.arrived = threading.Event()
        self.gone = threading.Event()
        self.written_bytes = 0
        self._loop = loop
        self._script: asyncio.Queue[bytes | None] = asyncio.Queue()

    def say(self, data: bytes) -> None:
        """Send this, once what was said before is on its way."""
        self._loop.call_soon_threadsafe(self._script.put_nowait, data)

    def end(self) -> None:
        """The body is over."""
        self._loop.call_soon_threadsafe(self._script.put_nowait, None)

    def wait_arrived(self) -> None:
        """Until the request is here."""
        assert self.arrived.wait(TIMEOUT_S), f"no request with the cue {self.cue} arrived"

    def wait_gone(self, within_s: float = TIMEOUT_S) -> bool:
        """Did the gateway leave before the end?"""
        return self.gone.wait(within_s)

    async def perform(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """False when the other side left."""
        self.arrived.set()
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
            b"request-id: req_provider\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        speaking = asyncio.ensure_future(self._speak(writer))
        leaving = asyncio.ensure_future(reader.read(1))
        done, _ = await asyncio.wait((speaking, leaving), return_when=asyncio.FIRST_COMPLETED)
        is_whole = speaking in done and speaking.exception() is None
        if not is_whole:
            self.gone.set()
        for each in (speaking, leaving):
            each.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await each
        return is_whole

    async def _speak(self, writer: asyncio.StreamWriter) -> None:
        while (data := await self._script.get()) is not None:
            writer.write(b"%x\r\n%b\r\n" % (len(data), data))
            await writer.drain()
            self.written_bytes += len(data)
        writer.write(b"0\r\n\r\n")
        await writer.drain()


@dataclass
class Provider:
    """`asked` holds what arrived, in order."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._plays: dict[str, Play] = {}
        self._loop = asyncio.new_event_loop()
        self._talking: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """For `base_url`."""
        return f"http://127.0.0.1:{self.port}"

    def play(self) -> Play:
        """A new one; put its `cue` into a message."""
        play = Play(f"cue-{len(self._plays)}-of-{self.port}", self._loop)
        self._plays[play.cue] = play
        return play

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talking.add(task)
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the gateway left between two requests
        finally:
            self._talking.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {
            name.lower(): value.strip()
            for name, _, value in [line.partition(":") for line in head[1:] if line]
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.asked.append(Asked(method, path, headers, body))
        for cue, play in self._plays.items():
            if cue.encode() in body:
                return await play.perform(reader, writer)
        if path.partition("?")[0].endswith("/count_tokens"):
            writer.write(_whole(b'{"input_tokens":7}'))
        elif json.loads(body).get("stream"):
            stream = START + delta("Hello") + delta(" there.") + END
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
                b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(stream), stream)
            )
        else:
            writer.write(_whole(json.dumps(MESSAGE).encode()))
        await writer.drain()
        return True

    async def _stop(self) -> None:
        for task in list(self._talking):
            task.cancel()
        await asyncio.gather(*self._talking, return_exceptions=True)


@contextlib.contextmanager
def provider() -> Iterator[Provider]:
    """One that serves until the end of the block."""
    stage = Provider()
    loop = stage._loop
    server = loop.run_until_complete(asyncio.start_server(stage._talk, "127.0.0.1", 0))
    stage.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, name="provider", daemon=True)
    thread.start()
    try:
        yield stage
    finally:
        loop.call_soon_threadsafe(server.close)
        asyncio.run_coroutine_threadsafe(stage._stop(), loop).result(TIMEOUT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(TIMEOUT_S)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _whole(body: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_provider\r\n"
        b"content-length: %d\r\n\r\n%b" % (len(body), body)
    )

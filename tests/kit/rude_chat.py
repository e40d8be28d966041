"""A provider on the chat wire that a test turns by hand, as rude as it likes.

    with chat_provider() as upstream:
        play = upstream.play()                       # put play.cue into a message
        play.perform_all(ROLE, text("Hel"), RESET)   # or say() step by step, and end()

A request whose body holds a play's cue is answered step by step; every other one is answered at
once and whole. Steps are bytes (events, made below) and the doings of `rude_upstream`: `Pause`,
`Dribble`, and as the last one `STALL`, `CLOSE` (the body is cut short) or `RESET`. A play may begin
with `answer_head(…)`; without one the answer is an event stream with status 200. The provider lives
in a thread of its own, so that tests may block.
"""

import asyncio
import contextlib
import json
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.kit.provider import TIMEOUT_S, Asked, Play, Provider
from tests.kit.rude_upstream import CLOSE, RESET, STALL, Dribble, Ending, Pause

STREAM = "text/event-stream; charset=utf-8"

__all__ = ["CLOSE", "RESET", "STALL", "Dribble", "Pause"]


# ------------------------------------------------------------------ events


def _envelope(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-kit", "object": kind, "created": 1_760_000_000, "model": "kit"}


def _used(prompt: int, answered: int) -> dict[str, int]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answered,
        "total_tokens": prompt + answered,
    }


def event(payload: Any) -> bytes:
    """One event of a stream; bytes stay as they are, anything else becomes JSON."""
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return b"data: " + data + b"\n\n"


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **beside: Any) -> bytes:
    """One chunk with one choice; `beside` stands next to `choices`."""
    choice = {"index": 0, "delta": delta or {}, "logprobs": None, "finish_reason": finish}
    return event({**_envelope("chat.completion.chunk"), "choices": [choice], **beside})


def text(words: str) -> bytes:
    """A piece of the answer."""
    return chunk({"content": words})


def reasoning(words: str, field: str = "reasoning_content") -> bytes:
    """A piece of a thought."""
    return chunk({field: words})


def call(
    index: int | None, call_id: str | None, name: str | None, arguments: str | None = ""
) -> bytes:
    """The first piece of a tool call; None leaves a field null, a null index is left out."""
    function = {"name": name, "arguments": arguments}
    part = {"id": call_id, "type": "function", "function": function}
    return calls(part if index is None else {"index": index, **part})


def more(index: int, arguments: str) -> bytes:
    """A later piece of a tool call's arguments."""
    return calls({"index": index, "function": {"arguments": arguments}})


def calls(*parts: dict[str, Any]) -> bytes:
    """Pieces of tool calls in one chunk."""
    return chunk({"tool_calls": list(parts)})


def finish(reason: str = "stop", **beside: Any) -> bytes:
    """The chunk that says why the model stopped."""
    return chunk({}, reason, **beside)


def usage(prompt: int = 11, completion: int = 5, **more_fields: Any) -> bytes:
    """The chunk without a choice that says what was used."""
    used = _used(prompt, completion) | more_fields
    return event({**_envelope("chat.completion.chunk"), "choices": [], "usage": used})


def error(message: str = "The server is overloaded", **fields: Any) -> bytes:
    """An error inside a stream."""
    return event({"error": {"message": message, "type": "server_error", "code": None, **fields}})


def crlf(events: bytes) -> bytes:
    """The same events with the other line ends."""
    return events.replace(b"\n", b"\r\n")


ROLE = chunk({"role": "assistant", "content": ""})
DONE = event(b"[DONE]")
COMMENT = b": keep-alive\n\n"


# ------------------------------------------------------------------ whole answers


def completion(message: dict[str, Any], reason: str = "stop") -> bytes:
    """The body of an answer that is not streamed."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    return json.dumps(
        {**_envelope("chat.completion"), "choices": [choice], "usage": _used(11, 5)}
    ).encode()


# ------------------------------------------------------------------ the provider


@dataclass(frozen=True)
class Head:
    """The head of an answer. With `length` it states one, else the body comes in chunks."""

    status: int
    content_type: str
    headers: tuple[str, ...]
    length: int | None

    def encode(self) -> bytes:
        """As it goes out."""
        framing = (
            "transfer-encoding: chunked"
            if self.length is None
            else f"content-length: {self.length}"
        )
        lines = [
            f"HTTP/1.1 {self.status} Said So",
            f"content-type: {self.content_type}",
            *self.headers,
            framing,
        ]
        return "\r\n".join([*lines, "", ""]).encode()


Step = bytes | Pause | Dribble | Ending | Head


def answer_head(
    status: int = 200, content_type: str = STREAM, *headers: str, length: int | None = None
) -> Head:
    """Another head than that of a stream; it must be a play's first step."""
    return Head(status, content_type, headers, length)


def whole(
    body: bytes, status: int = 200, content_type: str = "application/json", *headers: str
) -> tuple[Step, ...]:
    """Steps of an answer in one piece: JSON, HTML, an error with its status."""
    return answer_head(status, content_type, *headers, length=len(body)), body


class ChatPlay(Play):
    """One answer in the test's hands."""

    def __init__(self, cue: str, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(cue, loop)
        self._steps: asyncio.Queue[Step | None] = asyncio.Queue()

    def say(self, data: Step) -> None:
        """Do this, once what was said before is on its way."""
        self._loop.call_soon_threadsafe(self._steps.put_nowait, data)

    def end(self) -> None:
        """The body is over, in good order."""
        self._loop.call_soon_threadsafe(self._steps.put_nowait, None)

    def perform_all(self, *steps: Step) -> None:
        """Say all of it; the body ends in good order unless the last step ends it otherwise."""
        for step in steps:
            self.say(step)
        if not (steps and isinstance(steps[-1], Ending)):
            self.end()

    async def perform(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """False when the connection is over, whoever ended it."""
        self.arrived.set()
        speaking = asyncio.ensure_future(self._do_all(writer))
        leaving = asyncio.ensure_future(reader.read(1))
        done, _ = await asyncio.wait((speaking, leaving), return_when=asyncio.FIRST_COMPLETED)
        said = speaking in done and speaking.exception() is None
        if not said:
            self.gone.set()
        goes_on = said and speaking.result()
        for each in (speaking, leaving):
            each.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await each
        return goes_on

    async def _do_all(self, writer: asyncio.StreamWriter) -> bool:
        head: Head | None = None
        while (step := await self._steps.get()) is not None:
            if isinstance(step, Ending):
                return await self._end_by(step, writer)
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
                continue
            if head is None:
                head = step if isinstance(step, Head) else answer_head()
                writer.write(head.encode())
            match step:
                case bytes():
                    await self._write(step, head, writer)
                case Dribble(data):
                    for at in range(len(data)):
                        await self._write(data[at : at + 1], head, writer)
                        await asyncio.sleep(0)
                case Head():
                    assert step is head, "a head is the first step or none"
        if head is None:
            head = answer_head()
            writer.write(head.encode())
        if head.length is None:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _write(self, data: bytes, head: Head, writer: asyncio.StreamWriter) -> None:
        framed = data if head.length is not None else b"%x\r\n%b\r\n" % (len(data), data)
        writer.write(framed)
        await writer.drain()
        self.written_bytes += len(data)

    async def _end_by(self, ending: Ending, writer: asyncio.StreamWriter) -> bool:
        assert ending in (STALL, CLOSE, RESET), f"no play ends by {ending.name}"
        if ending is STALL:
            await asyncio.Event().wait()
        if ending is RESET:
            connection: socket.socket = writer.get_extra_info("socket")
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        return False


class ChatProvider(Provider):
    """Answers on the chat wire. `asked` holds what arrived, in order."""

    def play(self) -> ChatPlay:
        """A new one; put its `cue` into a message."""
        play = ChatPlay(f"cue-{len(self._plays)}-of-{self.port}", self._loop)
        self._plays[play.cue] = play
        return play

    def bodies(self) -> list[dict[str, Any]]:
        """What was asked, read."""
        return [json.loads(each.body) for each in self.asked]

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
        ordinary = ChatPlay("", self._loop)
        for step in _ordinary(path, body):
            ordinary._steps.put_nowait(step)
        ordinary._steps.put_nowait(None)
        return await ordinary._do_all(writer)


def _ordinary(path: str, body: bytes) -> tuple[Step, ...]:
    if path.endswith("/estimate-token-count"):
        return whole(b'{"data":{"total_tokens":7}}')
    if path.endswith("/tokenize"):
        return whole(b'{"count":7,"max_model_len":4096,"tokens":[1,2,3,4,5,6,7]}')
    if json.loads(body or b"{}").get("stream"):
        return (ROLE, text("Hello"), text(" there."), finish(), usage(), DONE)
    return whole(completion({"content": "Hello from the provider."}))


@contextlib.contextmanager
def chat_provider() -> Iterator[ChatProvider]:
    """One that serves until the end of the block."""
    stage = ChatProvider()
    loop = stage._loop
    server = loop.run_until_complete(asyncio.start_server(stage._talk, "127.0.0.1", 0))
    stage.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, name="chat provider", daemon=True)
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

"""A search service that a test turns by hand, as rude as it likes.

    with rude_firecrawl() as service:
        play = service.play()                               # put play.cue into a query
        play.perform_all(*refused(429, "retry-after: 1"))   # the first answer to it
        play.perform_all(*found(page(1)))                   # the second, and so on

A query with a play's cue is answered step by step, one performance each time it is asked; every
other query at once, with two pages about it. Steps are those of `rude_chat` and what is made below;
`Pause` is a delay, `Dribble` sends byte by byte, `RESET`, `CLOSE` and `STALL` end a performance in
its middle. It lives in a thread of its own, so that tests may block.
"""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any

from tests.kit.provider import TIMEOUT_S, Asked
from tests.kit.rude_chat import (
    CLOSE,
    RESET,
    STALL,
    ChatPlay,
    ChatProvider,
    Dribble,
    Pause,
    Step,
    answer_head,
    whole,
)

__all__ = ["CLOSE", "RESET", "STALL", "Dribble", "Pause", "Step", "answer_head", "whole"]

_JSON = "application/json; charset=utf-8"
_ALONE = "connection: close"
"""A play's answer is the last on its connection: the play listens for the other side to leave, and
must not hear the next request."""


# ------------------------------------------------------------------ what it may say


def page(number: int, about: str = "tides", **fields: Any) -> dict[str, Any]:
    """One hit; `fields` replace or add."""
    return {
        "url": f"https://site{number}.example.org/{about}",
        "title": f"Page {number} about {about}",
        "description": f"What page {number} says about {about}.",
        "position": number,
        **fields,
    }


def reply(data: Any, **fields: Any) -> bytes:
    """The body of a reply; `fields` replace or add."""
    told = {"success": True, "data": data, "creditsUsed": 2, "id": "kit"}
    return json.dumps(told | fields).encode()


def said(body: bytes, status: int = 200, content_type: str = _JSON, *headers: str) -> list[Step]:
    """Any whole answer."""
    return list(whole(body, status, content_type, _ALONE, *headers))


def found(*pages: dict[str, Any], flat: bool = False, **fields: Any) -> list[Step]:
    """Pages; `flat` as a service of one's own gives them (v1)."""
    return said(reply(list(pages) if flat else {"web": list(pages)}, **fields))


def refused(status: int, *headers: str, error: str = "Something is wrong") -> list[Step]:
    """An error as Firecrawl says it."""
    return said(json.dumps({"success": False, "error": error}).encode(), status, _JSON, *headers)


def html(status: int = 200) -> list[Step]:
    """What a proxy in between says, whatever the status means."""
    return said(b"<html><body>Welcome to nginx</body></html>", status, "text/html")


def redirect(to: str, status: int = 307) -> list[Step]:
    """Go elsewhere."""
    return said(b"", status, _JSON, f"location: {to}")


def huge(size_bytes: int) -> list[Step]:
    """Pages in a body of at least this size, in chunks of 64 KiB."""
    body = reply({"web": [page(1, description="tide " * (size_bytes // 5))]})
    pieces = [body[at : at + 65536] for at in range(0, len(body), 65536)]
    return [answer_head(200, _JSON, _ALONE), *pieces]


def cut_short() -> list[Step]:
    """Half a body, and the connection is closed in good order."""
    body = reply({"web": [page(1)]})
    head = answer_head(200, _JSON, _ALONE, length=len(body))
    return [head, body[: len(body) // 2], CLOSE]


def dribbled(*pages: dict[str, Any]) -> list[Step]:
    """Pages, byte by byte."""
    body = reply({"web": list(pages)})
    return [answer_head(200, _JSON, _ALONE, length=len(body)), Dribble(body)]


# ------------------------------------------------------------------ the service


class RudeFirecrawl(ChatProvider):
    """Answers searches. `asked` holds what arrived, in order; `base_url` is `url`."""

    def __init__(self) -> None:
        super().__init__()
        self.connections = 0

    def queries(self) -> list[str]:
        """What was searched for, in order."""
        return [body["query"] for body in self.bodies()]

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await super()._talk(reader, writer)

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
        for step in _ordinary(method, path, body):
            ordinary._steps.put_nowait(step)
        ordinary._steps.put_nowait(None)
        return await ordinary._do_all(writer)


def _ordinary(method: str, path: str, body: bytes) -> list[Step]:
    if method != "POST" or path not in ("/v1/search", "/v2/search"):
        return list(whole(b"<pre>Cannot find it</pre>", 404, "text/html"))
    query = json.loads(body)["query"]
    pages = [page(number, "-".join(query.split()).lower()) for number in (1, 2)]
    return list(whole(reply(pages if path == "/v1/search" else {"web": pages}), 200, _JSON))


@contextlib.contextmanager
def rude_firecrawl() -> Iterator[RudeFirecrawl]:
    """One that serves until the end of the block."""
    service = RudeFirecrawl()
    loop = service._loop
    thread = threading.Thread(target=loop.run_forever, name="search service", daemon=True)
    thread.start()
    # From there: the test may have a loop running in this thread.
    starting = asyncio.start_server(service._talk, "127.0.0.1", 0)
    server = asyncio.run_coroutine_threadsafe(starting, loop).result(TIMEOUT_S)
    service.port = server.sockets[0].getsockname()[1]
    try:
        yield service
    finally:
        loop.call_soon_threadsafe(server.close)
        asyncio.run_coroutine_threadsafe(service._stop(), loop).result(TIMEOUT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(TIMEOUT_S)
        loop.close()

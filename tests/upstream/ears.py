"""A listener and a connection without a pool, for tests of this room."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from proxy.upstream.connection import Broken, Connection
from tests.kit.rude_upstream import RudeUpstream, Script, rude_upstream

REQUEST = (b"POST /v1/messages HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\n", b"body")


async def until(holds: Callable[[], object]) -> None:
    """Let the event loop turn until something is true of what has no way to tell."""
    for _ in range(2000):
        if holds():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came true")


class Ear:
    """Hears an answer and notes everything in order; may do something on the way."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.pieces: list[bytes] = []
        self.broken: Broken | None = None
        self.on_head: Callable[[], None] = lambda: None
        self.on_body: Callable[[], None] = lambda: None
        self.on_end: Callable[[], None] = lambda: None
        self._over = asyncio.Event()
        self._change = asyncio.Event()

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def head_received(self, status: int, headers: dict[bytes, bytes]) -> None:
        self._note("head")
        self.status = status
        self.headers = headers
        self.on_head()

    def body_received(self, data: bytes) -> None:
        if self.heard[-1:] != ["body"]:
            self._note("body")
        self.pieces.append(data)
        self._change.set()
        self.on_body()

    def answer_ended(self) -> None:
        self._note("end")
        self._over.set()
        self.on_end()

    def answer_broken(self, why: Broken) -> None:
        self._note(f"broken: {why.value}")
        self.broken = why
        self._over.set()

    def _note(self, what: str) -> None:
        self.heard.append(what)
        self._change.set()

    async def over(self) -> None:
        """Wait for the end, good or bad."""
        async with asyncio.timeout(5):
            await self._over.wait()

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something is true of what was heard."""
        async with asyncio.timeout(5):
            while not holds():
                self._change.clear()
                await self._change.wait()


class Line:
    """A connection, what it told its pool, and the server at the other end."""

    def __init__(self, upstream: RudeUpstream) -> None:
        self.upstream = upstream
        self.told: list[str] = []
        self.connection = Connection(self._freed, self._closed)
        self._change = asyncio.Event()

    @property
    def freed(self) -> int:
        """How often it became free."""
        return self.told.count("freed")

    def ask(self) -> Ear:
        """Ask something and listen."""
        ear = Ear()
        self.connection.ask(REQUEST, ear)
        return ear

    async def until_told(self, what: str) -> None:
        """Wait until the pool is told this."""
        async with asyncio.timeout(5):
            while what not in self.told:
                self._change.clear()
                await self._change.wait()

    async def gone(self) -> None:
        """Wait until the connection is over."""
        await self.until_told("closed")

    def _freed(self, connection: Connection) -> None:
        assert connection is self.connection
        assert connection.usable
        self._tell("freed")

    def _closed(self, connection: Connection) -> None:
        assert connection is self.connection
        assert "closed" not in self.told
        self._tell("closed")

    def _tell(self, what: str) -> None:
        self.told.append(what)
        self._change.set()


@asynccontextmanager
async def line_to(*scripts: Script, on_connect: Script = ()) -> AsyncIterator[Line]:
    """A fresh connection to a server with these scripts."""
    async with rude_upstream(*scripts, on_connect=on_connect) as upstream:
        line = Line(upstream)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: line.connection, upstream.host, upstream.port)
        try:
            yield line
        finally:
            line.connection.abort()
            await line.gone()

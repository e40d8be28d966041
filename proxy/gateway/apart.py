"""What would stop the event loop is done apart from it: large bodies are read by a process of their
own, and translated in a thread of their own, one at a time; compressed ones are opened in another.

A thread alone would not do for reading: a parse is one call that keeps the interpreter's lock for
20 to 100 ms. Translation is many short steps, between which the loop gets its turn.

The process is started with the first large body and again when it has died; while it cannot be
had, bodies are read here, which is slow for others but right.
"""

import asyncio
import logging
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from proxy.gateway.body_reader import LENGTH_BYTES
from proxy.wire.body import Body, read_body, without_mark
from proxy.wire.content_coding import decoded
from proxy.wire.survey import surveyed

LARGE_BYTES = 1 << 20
"""A smaller body is read within a millisecond or two; sending it away would cost as much."""
SLICE_BYTES = 256 << 10
READ_TIMEOUT_S = 30.0

_LOG = logging.getLogger("proxy.apart")
_T = TypeVar("_T")


class Apart:
    """One per process of the gateway."""

    def __init__(self) -> None:
        self._reader: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._opening = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compressed-bodies")
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large-bodies")

    async def read(self, raw: bytes, *, needs_max_tokens: bool) -> Body:
        """As `wire/body.read_body`."""
        raw = without_mark(raw)
        async with self._turn:
            try:
                async with asyncio.timeout(READ_TIMEOUT_S):
                    found = await self._survey(raw)
            except (OSError, EOFError, TimeoutError) as problem:
                _LOG.error("large bodies cannot be read apart: %r", problem)
                await self._drop_reader()
                return read_body(raw, needs_max_tokens=needs_max_tokens)
            except asyncio.CancelledError:
                await self._drop_reader()  # half a body is in its pipe
                raise
        return surveyed(raw, found, needs_max_tokens=needs_max_tokens)

    async def opened(self, body: bytes, coding: bytes, body_bytes_max: int) -> bytes:
        """As `wire/content_coding.decoded`; zlib lets go of the interpreter's lock."""
        return await asyncio.get_running_loop().run_in_executor(
            self._opening, decoded, body, coding, body_bytes_max
        )

    async def run(self, work: Callable[[], _T]) -> _T:
        """`work`, which touches nothing the loop might change meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def close(self) -> None:
        """The gateway stops."""
        self._opening.shutdown(wait=False, cancel_futures=True)
        self._thread.shutdown(wait=False, cancel_futures=True)
        await self._drop_reader()

    async def _survey(self, raw: bytes) -> bytes:
        reader = self._reader
        if reader is None or reader.returncode is not None:
            reader = self._reader = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "proxy.gateway.body_reader",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        into, out_of = reader.stdin, reader.stdout
        assert into is not None and out_of is not None
        into.write(len(raw).to_bytes(LENGTH_BYTES, "big"))
        for at in range(0, len(raw), SLICE_BYTES):
            into.write(raw[at : at + SLICE_BYTES])
            await into.drain()
        size = int.from_bytes(await out_of.readexactly(LENGTH_BYTES), "big")
        return await out_of.readexactly(size)

    async def _drop_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is None:
            return
        if reader.returncode is None:
            reader.kill()
        await reader.wait()

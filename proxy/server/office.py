"""The way to aiohttp: one `web.Server`, a handler of its own for each connection that needs one.

A door hands over whole requests; `outermost` tells it when a reply has been written, so that the
next request on the connection may go either way.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web

KEEPALIVE_S = 10 * 365 * 86400.0
"""The door closes idle connections itself; aiohttp's own timer must never fire during a stream."""

HEAD_SIZES_MAX = 1 << 30
"""The door has capped the head as a whole; aiohttp's own caps would refuse what the lane takes, in
plain text and without a request id."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HandlesHttp(Protocol):
    """aiohttp's handler of one connection, by its public protocol methods."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...
    def data_received(self, data: bytes) -> None: ...
    def connection_lost(self, exc: BaseException | None) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...


class Answered(Protocol):
    """A door whose request is with aiohttp."""

    def office_answered(self, *, keep_alive: bool) -> None:
        """The reply is written."""
        ...


class Office:
    """Makes handlers; `open` must have run before the first one is needed."""

    def __init__(self, app: web.Application) -> None:
        self._runner = web.AppRunner(
            app,
            access_log=None,
            keepalive_timeout=KEEPALIVE_S,
            handle_signals=False,
            auto_decompress=False,  # the door has opened the body, under its cap
            max_line_size=HEAD_SIZES_MAX,
            max_field_size=HEAD_SIZES_MAX,
            max_headers=HEAD_SIZES_MAX,
        )

    async def open(self) -> None:
        """Start the application."""
        await self._runner.setup()

    async def close(self) -> None:
        """Stop it; requests under way get a moment."""
        await self._runner.cleanup()

    def handler(self) -> HandlesHttp:
        """For one connection."""
        server = self._runner.server
        assert server is not None, "the office is open"
        return server()


@web.middleware
async def outermost(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Write the reply here, so that the moment it is written is known."""
    response = await handler(request)
    await response.prepare(request)
    await response.write_eof()
    transport = request.transport
    door = transport.get_protocol() if transport is not None else None
    if isinstance(door, asyncio.Protocol) and hasattr(door, "office_answered"):
        door.office_answered(keep_alive=bool(response.keep_alive))
    return response

"""The way to aiohttp: one `web.Server`, a handler of its own for each connection that needs one.

A door hands over whole requests; `outermost` tells it when a reply has been written, so that the
next request on the connection may go either way.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, cast, runtime_checkable

from aiohttp import web

from proxy.domain.fault import Fault, Kind, Source
from proxy.server.refusal import anthropic_body

_LOG = logging.getLogger("proxy.office")

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


@runtime_checkable
class Answered(Protocol):
    """A door whose request is with aiohttp."""

    office_request_id: str

    def office_answered(self, *, keep_alive: bool) -> None:
        """The reply is written."""
        ...


class _Worded(web.RequestHandler):
    """aiohttp's own handler, but for its words to what it cannot parse and the door could: they are
    ours, and a stranger's nonsense leaves no stack trace in the log."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A reply after which aiohttp closes the connection."""
        if request.writer.output_size > 0:
            raise ConnectionError("a reply had begun")
        fault = Fault(Kind.BAD_REQUEST, "The request is not valid HTTP, or its target is no URL.")
        if status >= 500:
            _LOG.error("aiohttp failed", exc_info=exc)
            fault = Fault(Kind.HOUSE, "The gateway failed.", source=Source.HOUSE)
        door: object = self.transport.get_protocol() if self.transport is not None else None
        request_id = door.office_request_id if isinstance(door, Answered) else ""
        response = web.Response(
            body=anthropic_body(fault, request_id),
            status=fault.status,
            content_type="application/json",
            headers={
                "request-id": request_id,
                "x-request-id": request_id,
                "connection": "close",
            },
        )
        response.force_close()
        return response


class Office:
    """Makes handlers; `open` must have run before the first one is needed."""

    def __init__(self, app: web.Application) -> None:
        self._runner = web.AppRunner(app, handle_signals=False)

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
        return _Worded(
            server,
            loop=asyncio.get_running_loop(),
            access_log=cast(logging.Logger, None),  # what `web.Server` passes for "none"
            keepalive_timeout=KEEPALIVE_S,
            auto_decompress=False,  # the door has opened the body, under its cap
            max_line_size=HEAD_SIZES_MAX,
            max_field_size=HEAD_SIZES_MAX,
            max_headers=HEAD_SIZES_MAX,
        )


@web.middleware
async def outermost(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Write the reply here, so that the moment it is written is known."""
    response = await handler(request)
    await response.prepare(request)
    await response.write_eof()
    transport = request.transport
    door: object = transport.get_protocol() if transport is not None else None
    if isinstance(door, Answered):
        door.office_answered(keep_alive=bool(response.keep_alive))
    return response

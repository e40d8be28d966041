"""Performs a reply on a connection: at a model's pace, with its silences, to whatever end the
script has given it.

Knows no wire: it is handed frames. It notices when the client has gone and says so in the log;
then it stops, as a model provider would.
"""

import asyncio
from collections.abc import Iterator
from typing import NamedTuple

from aiohttp import web

from proxy.demo.envelope import Frame
from proxy.demo.log import Entry
from proxy.demo.script import Ending, Reply

ENTRY = web.RequestKey("entry", Entry)
SERIAL = web.RequestKey("serial", str)

_LOOK_EVERY_S = 0.05
_WAITING_EVERY_S = 1.0


class ClientGoneError(ConnectionError):
    """The client closed its connection before the answer was over."""


async def keep_silent(request: web.Request, silence_s: float) -> None:
    """Send nothing for a while; ClientGoneError as soon as the client has left."""
    loop = asyncio.get_running_loop()
    until = loop.time() + silence_s
    while (left_s := until - loop.time()) > 0:
        await asyncio.sleep(min(left_s, _LOOK_EVERY_S))
        _see_client(request)


async def stream(
    request: web.Request,
    reply: Reply,
    frames: Iterator[Frame],
    error_frame: bytes,
    pace_s: float,
    *,
    waiting: bytes = b"",
) -> web.StreamResponse:
    """Stream the frames of `reply`; deltas keep the pace. With `waiting` the head goes out at once
    and that comment comes again and again in every silence."""
    response = web.StreamResponse(
        headers={
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-cache",
        }
    )
    try:
        if waiting:
            await response.prepare(request)
            await _wait(request, response, reply.silence_first_s, waiting)
        else:
            await keep_silent(request, reply.silence_first_s)
            await response.prepare(request)
        await _send(request, response, reply, frames, _Midway(error_frame, pace_s, waiting))
    except ConnectionError:
        request[ENTRY].disconnected_early = True
    else:
        if reply.ending is Ending.CUT:
            cut(request)
    return response


async def whole(request: web.Request, reply: Reply, body: bytes) -> web.StreamResponse:
    """Answer with one JSON body; a cut comes in the middle of it."""
    response: web.StreamResponse = web.Response(body=body, content_type="application/json")
    try:
        await keep_silent(request, reply.silence_first_s + reply.silence_middle_s)
        _see_client(request)
        if reply.ending is Ending.CUT:
            response = web.StreamResponse(headers={"content-type": "application/json"})
            response.content_length = len(body)
            await response.prepare(request)
            await response.write(body[: len(body) // 2])
            cut(request)
    except ConnectionError:
        request[ENTRY].disconnected_early = True
    return response


def cut(request: web.Request) -> None:
    """Close the connection in the middle of the response, which the client can tell."""
    if request.transport is not None:
        request.transport.abort()


class _Midway(NamedTuple):
    """How it goes on between first frame and last."""

    error_frame: bytes
    pace_s: float
    waiting: bytes


async def _send(
    request: web.Request,
    response: web.StreamResponse,
    reply: Reply,
    frames: Iterator[Frame],
    midway: _Midway,
) -> None:
    # "Some deltas" is half of them, but one where there is any.
    middle = max(reply.pieces_count // 2, min(reply.pieces_count, 1))
    deltas_sent = 0
    in_first_half = True
    for frame in frames:
        if frame.is_delta:
            await asyncio.sleep(midway.pace_s)
            deltas_sent += 1
        await response.write(frame.data)
        if in_first_half and deltas_sent >= middle:
            in_first_half = False
            await _wait(request, response, reply.silence_middle_s, midway.waiting)
            if reply.ending is Ending.ERROR:
                await response.write(midway.error_frame)
            if reply.ending is not Ending.WHOLE:
                return


async def _wait(
    request: web.Request, response: web.StreamResponse, silence_s: float, waiting: bytes
) -> None:
    """Be silent, or say nothing but the comment."""
    while waiting and silence_s > 0:
        await response.write(waiting)
        await keep_silent(request, min(silence_s, _WAITING_EVERY_S))
        silence_s -= _WAITING_EVERY_S
    await keep_silent(request, silence_s)


def _see_client(request: web.Request) -> None:
    if request.transport is None or request.transport.is_closing():
        raise ClientGoneError

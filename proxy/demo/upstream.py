"""The demo upstream as a process: `python -m proxy.demo.upstream --port 0 --pace-ms 25`.

Joins the two doors into one application, writes down what arrives (`GET` and `DELETE
/demo/log`), gives every answer its ids and dresses refusals in the shape of the wire they
belong to. `/v1/models` is shared by both wires: who sends `anthropic-version` or `x-api-key`
speaks Anthropic's.
"""

import argparse
import asyncio
import itertools
import os
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator

import msgspec
from aiohttp import web

from proxy.demo import anthropic_wire, openai_door, stage
from proxy.demo.anthropic_door import AnthropicDoor, request_id
from proxy.demo.firecrawl_door import FirecrawlDoor
from proxy.demo.log import RequestLog
from proxy.demo.openai_door import OpenAIDoor
from proxy.demo.refusal import Refusal, RefusedError

LOOPBACK = "127.0.0.1"
PACE_MS = 25
BODY_BYTES_MAX = 64 * 1024 * 1024

_LOG = web.AppKey("log", RequestLog)
_SERIALS: web.AppKey[Iterator[str]] = web.AppKey("serials", Iterator)
_LOG_PATH = "/demo/log"
_OPENAI_PATHS = ("/v1/chat/", "/v1/tokenizers/", "/tokenize")
_GONE = Refusal(499, "The client has closed the connection.")  # nobody reads it but the log
_KEEPALIVE_S = 300  # longer than any client or gateway pool keeps a connection
_SHUTDOWN_S = 1.0
_PARENT_LOOK_EVERY_S = 1.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build_app(pace_ms: int = PACE_MS, api_key: str | None = None) -> web.Application:
    """The demo upstream; `api_key` None accepts any credential and none."""
    anthropic = AnthropicDoor(pace_ms / 1000, api_key)
    openai = OpenAIDoor(pace_ms / 1000, api_key)

    async def list_models(request: web.Request) -> web.StreamResponse:
        door = openai if _is_openai(request) else anthropic
        return await door.list_models(request)

    app = web.Application(middlewares=[_receive], client_max_size=BODY_BYTES_MAX)
    app[_LOG] = RequestLog()
    # The prefix keeps ids of two runs apart, as clients may remember them.
    prefix = secrets.token_hex(6)
    serials: Iterator[str] = (f"{prefix}{number:08x}" for number in itertools.count(1))
    app[_SERIALS] = serials
    app.on_response_prepare.append(_stamp)
    app.add_routes(
        [
            web.post("/v1/messages", anthropic.messages),
            web.post("/v1/messages/count_tokens", anthropic.count_tokens),
            web.get("/v1/models", list_models),
            # Ids may hold a slash, which arrives as %2F.
            web.get("/v1/models/{model_id:.+}", anthropic.retrieve_model),
            web.post("/v1/chat/completions", openai.chat_completions),
            web.post("/v1/tokenizers/estimate-token-count", openai.estimate_tokens),
            web.post("/tokenize", openai.tokenize),
            *FirecrawlDoor(api_key).routes(),
            web.get(_LOG_PATH, _show_log),
            web.delete(_LOG_PATH, _clear_log),
        ]
    )
    return app


@web.middleware
async def _receive(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Write the request down, then answer it; everything that goes wrong ends here."""
    if request.path == _LOG_PATH:
        return await handler(request)
    serials = request.app[_SERIALS]
    request[stage.SERIAL] = next(serials)
    log = request.app[_LOG]
    entry = log.add(request.method, request.raw_path, request.headers.items())
    request[stage.ENTRY] = entry
    try:
        log.keep_body(entry, await request.read())
        response = await handler(request)
    except RefusedError as refused:
        response = _refused(request, refused.refusal)
    except web.RequestPayloadError:
        response = _refused(request, Refusal(400, "The request body could not be decoded."))
    except web.HTTPException as known:
        # Body too large; no such path or method, as the router says it.
        response = _refused(request, Refusal(known.status, known.reason))
    except ConnectionError:
        entry.disconnected_early = True
        response = _refused(request, _GONE)
    except asyncio.CancelledError:
        # How a runner with handler_cancellation tells that the client has gone.
        entry.disconnected_early = True
        raise
    entry.status = response.status
    return response


def _refused(request: web.Request, refusal: Refusal) -> web.Response:
    if _is_openai(request):
        return openai_door.refused(request, refusal)
    return web.Response(
        status=refusal.status,
        body=anthropic_wire.error_body(refusal, request_id(request)),
        content_type="application/json",
        headers=refusal.headers,
    )


def _is_openai(request: web.Request) -> bool:
    if request.path == "/v1/models":
        return not ("anthropic-version" in request.headers or "x-api-key" in request.headers)
    return request.path.startswith(_OPENAI_PATHS)


async def _stamp(request: web.Request, response: web.StreamResponse) -> None:
    """Headers of every answer, some of them such as a gateway must not pass on."""
    if stage.SERIAL not in request:
        return
    if _is_openai(request):
        response.headers["x-request-id"] = request_id(request)
        response.headers["openai-organization"] = "demo-organization"
        return
    response.headers["request-id"] = request_id(request)
    response.headers["anthropic-organization-id"] = "00000000-0000-4000-8000-00000000de30"
    response.headers["anthropic-ratelimit-requests-limit"] = "4000"
    response.headers["anthropic-ratelimit-requests-remaining"] = "3999"
    response.headers["via"] = "1.1 demo"


async def _show_log(request: web.Request) -> web.StreamResponse:
    body = msgspec.json.encode(request.app[_LOG].as_json())
    return web.Response(body=body, content_type="application/json")


async def _clear_log(request: web.Request) -> web.StreamResponse:
    request.app[_LOG].clear()
    return web.Response(status=204)


async def serve(
    app: web.Application, port: int, *, die_with_parent: bool, host: str = LOOPBACK
) -> None:
    """Serve until a signal comes, or the parent has died."""
    parent = os.getppid()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    runner = web.AppRunner(
        app, access_log=None, keepalive_timeout=_KEEPALIVE_S, shutdown_timeout=_SHUTDOWN_S
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        # Through the runner, since port 0 is only now a real one.
        sys.stdout.write(f"listening http://{host}:{runner.addresses[0][1]}\n")
        sys.stdout.flush()
        while not stop.is_set() and not (die_with_parent and os.getppid() != parent):
            try:
                await asyncio.wait_for(stop.wait(), _PARENT_LOOK_EVERY_S)
            except TimeoutError:
                continue  # time to look for the parent again
    finally:
        await runner.cleanup()


def main(arguments: list[str] | None = None) -> None:
    """Run the demo upstream from the command line."""
    parser = argparse.ArgumentParser(prog="python -m proxy.demo.upstream", description=__doc__)
    parser.add_argument("--host", default=LOOPBACK, help="0.0.0.0: every interface")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--pace-ms", type=int, default=PACE_MS, help="between two deltas")
    parser.add_argument("--api-key", default=None, help="accept only this key")
    parser.add_argument("--die-with-parent", action="store_true")
    chosen = parser.parse_args(arguments)
    app = build_app(chosen.pace_ms, chosen.api_key)
    asyncio.run(serve(app, chosen.port, die_with_parent=chosen.die_with_parent, host=chosen.host))


if __name__ == "__main__":
    main()

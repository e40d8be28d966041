"""The reference from below: the usual aiohttp proxy, on uvloop, doing nothing else.

One `ClientSession`, the body read whole, the reply passed on chunk by chunk by a `StreamResponse`:
what most Python gateways do between their two sockets. No keys, no limits, no ledger.

    python -m bench.naive_proxy PORT=UPSTREAM_URL[=CERTIFICATE] ...
"""

import asyncio
import ssl
import sys

import aiohttp
import uvloop
from aiohttp import web

BODY_BYTES_MAX = 64 << 20
# What a proxy may not pass on (RFC 9110 section 7.6.1), and what the client makes itself.
_OWN = frozenset(
    ("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host")
)


def application(upstream: str, certificate: str | None = None) -> web.Application:
    """The proxy in front of one upstream."""
    proxy = web.Application(client_max_size=BODY_BYTES_MAX)
    session_key = web.AppKey("session", aiohttp.ClientSession)

    async def session(app: web.Application):  # type: ignore[no-untyped-def]
        context = ssl.create_default_context(cafile=certificate) if certificate else True
        app[session_key] = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=context),
            # As nginx and the gateway have: no bound on the whole, one on each silence.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=300),
            auto_decompress=False,
        )
        yield
        await app[session_key].close()

    async def forward(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = [each for each in request.headers.items() if each[0].lower() not in _OWN]
        async with request.app[session_key].request(
            request.method, upstream + request.path_qs, data=body or None, headers=headers
        ) as reply:
            out = web.StreamResponse(status=reply.status)
            for name, value in reply.headers.items():
                if name.lower() not in _OWN:
                    out.headers.add(name, value)
            await out.prepare(request)
            async for chunk in reply.content.iter_any():
                await out.write(chunk)
            await out.write_eof()
            return out

    proxy.cleanup_ctx.append(session)
    proxy.router.add_route("*", "/{path:.*}", forward)
    return proxy


async def _serve(routes: list[str]) -> None:
    for route in routes:
        port, upstream, *certificate = route.split("=")
        runner = web.AppRunner(
            application(upstream, certificate[0] if certificate else None), access_log=None
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", int(port), backlog=4096).start()
    await asyncio.Event().wait()


def main() -> None:
    """Run as a process of its own."""
    try:
        uvloop.run(_serve(sys.argv[1:]))
    except KeyboardInterrupt:
        pass  # ended by hand


if __name__ == "__main__":
    main()

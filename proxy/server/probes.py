"""The answers to clients that probe."""

from aiohttp import web


async def probe(request: web.Request) -> web.Response:
    """Claude Code's start-up probe and its like: any calm answer will do (contract 1)."""
    return web.Response(text="{}", content_type="application/json")

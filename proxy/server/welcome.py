"""The page at `/` and the answers to clients that probe."""

from html import escape
from importlib.resources import files

from aiohttp import web


class WelcomePages:
    """`address` is the gateway's public URL."""

    def __init__(self, address: str) -> None:
        page = files("proxy.server").joinpath("page/welcome.html").read_text("utf-8")
        self._page = page.replace("{{address}}", escape(address))

    async def welcome(self, request: web.Request) -> web.Response:
        """`GET /`: what this is and how to connect to it."""
        return web.Response(text=self._page, content_type="text/html")

    async def probe(self, request: web.Request) -> web.Response:
        """Claude Code's start-up probe and its like: any calm answer will do (contract 1)."""
        return web.Response(text="{}", content_type="application/json")

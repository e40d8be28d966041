"""The model lists over HTTP: the product's, and Anthropic's with single models.

Answers from memory; what is asked for is read here, what is said is made in `catalog/lists.py`.
Faults pass through to whoever words refusals.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from proxy.catalog.lists import Limits, ModelLists, read_page, unlimited
from proxy.catalog.refresh import Shelf
from proxy.domain.caller import Caller

Admit = Callable[[web.Request, bool], Awaitable[Caller]]
"""Who asks; the second argument: may the key come as Bearer? Raises Fault."""

# A change of rights or models shows on the next call, so nobody on the way may keep a list.
_HEADERS: Final = {"Cache-Control": "no-store"}


class ModelPages:
    """The handlers. `anthropic_model` needs a route whose `model` part may hold slashes:
    `{model:.+}`."""

    def __init__(
        self, shelf: Shelf, lists: ModelLists, admit: Admit, limits: Limits = unlimited
    ) -> None:
        self._shelf = shelf
        self._limits = limits
        self._lists = lists
        self._admit = admit

    async def product_models(self, request: web.Request) -> web.Response:
        """`GET /v1/chat/models`; with `?available=true` only those that can be called now."""
        caller = await self._admit(request, True)
        limited = await self._limits(caller)
        available_only = request.query.get("available", "").lower() in ("true", "1")
        return _json(
            await self._lists.product(
                self._shelf.current, caller, limited, available_only=available_only
            )
        )

    async def anthropic_models(self, request: web.Request) -> web.Response:
        """`GET /v1/anthropic[/v1]/models`."""
        caller = await self._admit(request, True)
        page = read_page(request.query.items())
        return _json(await self._lists.anthropic(self._shelf.current, caller, page))

    async def anthropic_model(self, request: web.Request) -> web.Response:
        """`GET /v1/anthropic[/v1]/models/{model}`."""
        caller = await self._admit(request, True)
        asked = request.match_info["model"].rstrip("/")
        return _json(self._lists.one(self._shelf.current, caller, asked))


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json", headers=_HEADERS)

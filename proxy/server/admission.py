"""Who asks, for requests that aiohttp handles."""

from collections.abc import Callable

from aiohttp import web

from proxy.auth.credential import read
from proxy.auth.gate import Gate
from proxy.domain.caller import Caller
from proxy.domain.permissions import USE_GATEWAY

_PRODUCT_LIST = "/v1/chat/models"
_GATEWAY = ("/v1/anthropic", _PRODUCT_LIST)


class Admission:
    """Called by every handler that needs a caller. With `strict_bearer` a key sent as Bearer counts
    on the messages paths only (domain.md 3.1)."""

    def __init__(self, gate: Gate, wall: Callable[[], float], *, strict_bearer: bool) -> None:
        self._gate = gate
        self._wall = wall
        self._strict_bearer = strict_bearer

    async def __call__(self, request: web.Request, bearer_allowed: bool) -> Caller:
        """The caller. Raises Fault 401 or 403."""
        headers = request.headers
        authorization = headers.get("authorization", "").encode("utf-8", "surrogateescape")
        api_key = headers.get("x-api-key", "").encode("utf-8", "surrogateescape")
        if bearer_allowed and self._strict_bearer and request.path.rstrip("/") == _PRODUCT_LIST:
            bearer_allowed = False
        presented = read(authorization, api_key, bearer_allowed=bearer_allowed)
        now_ms = int(self._wall() * 1000)
        # Who administers need not be allowed to call models; the office asks for its own rights.
        needs = USE_GATEWAY if request.path.startswith(_GATEWAY) else ""
        caller = self._gate.recall(presented, now_ms, needs)
        return caller if caller is not None else await self._gate.lookup(presented, now_ms, needs)

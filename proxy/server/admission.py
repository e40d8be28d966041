"""Who asks, for requests that aiohttp handles: the owner of an API key, or who is signed in to the
console."""

from collections.abc import Callable

from aiohttp import web

from proxy.auth.credential import read
from proxy.auth.gate import Gate
from proxy.auth.sessions import FORGERY_HEADER, Sessions
from proxy.domain.caller import Caller
from proxy.domain.permissions import USE_GATEWAY

_PRODUCT_LIST = "/v1/chat/models"
_GATEWAY = ("/v1/anthropic", _PRODUCT_LIST)
_READING = ("GET", "HEAD", "OPTIONS")


class SignedIn:
    """Who is signed in by a request's cookie, and whether a write comes from a page of ours."""

    def __init__(self, sessions: Sessions, cookie: str) -> None:
        self._sessions = sessions
        self._cookie = cookie

    def token(self, request: web.Request) -> str:
        """What the browser holds; empty without a session."""
        return request.cookies.get(self._cookie, "")

    async def __call__(self, request: web.Request, token: str, now_ms: int, needs: str) -> Caller:
        """The caller. Raises Fault 401 or 403."""
        if request.method not in _READING:
            self._sessions.check_forgery(
                token,
                request.headers.get(FORGERY_HEADER, ""),
                request.headers.get("sec-fetch-site", ""),
            )
        return await self._sessions.caller(token, now_ms, needs)


class Admission:
    """Called by every handler that needs a caller. With `strict_bearer` a key sent as Bearer counts
    on the messages paths only (domain.md 3.1). A session is looked at where no key was sent."""

    def __init__(
        self,
        gate: Gate,
        wall: Callable[[], float],
        *,
        strict_bearer: bool,
        signed_in: SignedIn | None = None,
    ) -> None:
        self._gate = gate
        self._wall = wall
        self._strict_bearer = strict_bearer
        self._signed_in = signed_in

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
        if (
            self._signed_in is not None
            and not presented.headers_read
            and (token := self._signed_in.token(request))
        ):
            return await self._signed_in(request, token, now_ms, needs)
        caller = self._gate.recall(presented, now_ms, needs)
        return caller if caller is not None else await self._gate.lookup(presented, now_ms, needs)

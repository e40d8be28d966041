"""Signing in by a provider of identities, over HTTP: there, back, and the choice of a workspace.

There and back are plain links a browser follows: what ties them together is a short-lived cookie
(`auth/single_sign_on.py`). Whatever goes wrong leads back to the page to sign in, which says what;
nothing the provider or anybody else writes into an address is ever shown.
"""

from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from proxy.auth.single_sign_on import FLIGHT_MS, Answer, Arrival, NotSignedInError, SingleSignOn
from proxy.console.pages import HOME
from proxy.console.session import Handler, Visitors, json_reply, read_body
from proxy.console.shell import HEADERS
from proxy.domain.fault import Fault, Kind

BEGIN: Final = "/console/oidc"
BACK: Final = "/console/oidc/callback"
CHOICE: Final = "/console/oidc/choice"
_ANSWER_CHARACTERS_MAX: Final = 4_000


class Chosen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The workspace somebody goes on in."""

    tenant_id: Annotated[str, Meta(min_length=1, max_length=200)]


class SingleSignOnDoor:
    """The handlers."""

    def __init__(self, single_sign_on: SingleSignOn, visitors: Visitors) -> None:
        self._single_sign_on = single_sign_on
        self._visitors = visitors
        self._cookie = ("__Host-" if visitors.secure else "") + "hatz_oidc"

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Method, path, handler."""
        return [
            ("GET", BEGIN, self.begin),
            ("GET", BACK, self.back),
            ("GET", CHOICE, self.choices),
            ("POST", CHOICE, self.choose),
        ]

    async def begin(self, request: web.Request) -> web.StreamResponse:
        """`GET /console/oidc?next=/…`: on to the provider."""
        now_ms = self._visitors.now_ms()
        try:
            await self._visitors.count_arrival(request)
            address, held = await self._single_sign_on.begin(request.query.get("next", ""), now_ms)
        except NotSignedInError as refusal:
            return self._turned_away(refusal.trouble)
        except Fault as fault:
            return self._turned_away(_trouble_of(fault))
        response = _moved(address)
        self._hold(response, held)
        return response

    async def back(self, request: web.Request) -> web.StreamResponse:
        """`GET /console/oidc/callback`: where the provider sends people."""
        now_ms = self._visitors.now_ms()
        given = {
            name: request.query.get(name, "")[: _ANSWER_CHARACTERS_MAX + 1]
            for name in ("state", "code", "error")
        }
        try:
            await self._visitors.count_arrival(request)
            answer = Answer(**given, issuer=request.query.get("iss"))
            arrival = await self._single_sign_on.finish(self._held(request), answer, now_ms)
        except NotSignedInError as refusal:
            return self._turned_away(refusal.trouble)
        except Fault as fault:
            return self._turned_away(_trouble_of(fault))
        if arrival.choice:
            response = _moved("/?choose=1")
            self._hold(response, arrival.choice)
            return response
        response = _moved(_where(arrival))
        await self._let_in(request, response, arrival, now_ms)
        return response

    async def choices(self, request: web.Request) -> web.StreamResponse:
        """`GET /console/oidc/choice`: the workspaces somebody may go on in."""
        try:
            found = await self._single_sign_on.choices(self._held(request), self._visitors.now_ms())
        except NotSignedInError as refusal:
            raise _refused(refusal) from None
        return json_reply({"tenants": [{"id": a.tenant_id, "name": a.tenant} for a in found]})

    async def choose(self, request: web.Request) -> web.StreamResponse:
        """`POST /console/oidc/choice`: go on in one of them."""
        self._visitors.check_same_site(request)
        asked = await read_body(request, Chosen)
        now_ms = self._visitors.now_ms()
        try:
            arrival = await self._single_sign_on.choose(
                self._held(request), asked.tenant_id, now_ms
            )
        except NotSignedInError as refusal:
            raise _refused(refusal) from None
        response = json_reply({"signed_in": True, "next": _where(arrival)})
        await self._let_in(request, response, arrival, now_ms)
        return response

    async def _let_in(
        self, request: web.Request, response: web.Response, arrival: Arrival, now_ms: int
    ) -> None:
        self._drop(response)
        await self._visitors.let_in(request, response, arrival.accounts[0], "oidc", now_ms)
        await self._visitors.forget_arrivals(request)

    def _turned_away(self, trouble: str) -> web.Response:
        response = _moved(f"/?trouble={trouble}")
        self._drop(response)
        return response

    def _held(self, request: web.Request) -> str:
        return request.cookies.get(self._cookie, "")

    def _hold(self, response: web.Response, held: str) -> None:
        # Lax: the provider's answer comes from another site, as a link that is followed.
        response.set_cookie(
            self._cookie,
            held,
            max_age=FLIGHT_MS // 1000,
            path="/",
            secure=self._visitors.secure,
            httponly=True,
            samesite="Lax",
        )

    def _drop(self, response: web.Response) -> None:
        response.del_cookie(
            self._cookie, path="/", secure=self._visitors.secure, httponly=True, samesite="Lax"
        )


def _where(arrival: Arrival) -> str:
    return HOME if arrival.next == "/" else arrival.next


def _moved(where: str) -> web.Response:
    return web.Response(status=303, headers={**HEADERS, "Location": where})


def _trouble_of(fault: Fault) -> str:
    if fault.kind is Kind.RATE_LIMITED:
        return "too_many"
    raise fault


def _refused(refusal: NotSignedInError) -> Fault:
    return Fault(
        Kind.UNAUTHENTICATED,
        "This sign-in is over.",
        hint="Begin it again.",
        retry=False,
        reason=f"sign_in_{refusal.trouble}",
    )

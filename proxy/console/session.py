"""Signing in and out, over HTTP: the cookie, and the few calls that are the console's alone.

Everything here is for sessions: an API key opens none of it. The cookie is out of reach of scripts,
goes to this site only, and over TLS it is bound to this very host (`__Host-`).
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

from proxy.auth.sessions import FORGERY_HEADER, Sessions, over
from proxy.auth.sign_in import SignIn
from proxy.console.pages import PAGES, open_to
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Account, Actor

BODY_BYTES_MAX: Final = 16_384
_NO_STORE: Final = {"Cache-Control": "no-store"}
_PLACE_CHARACTERS_MAX: Final = 100

Password = Annotated[str, Meta(min_length=1, max_length=1_000)]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
T = TypeVar("T")


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is typed into the page. `tenant_id` is asked for only where the same address and
    password open several."""

    email: Annotated[str, Meta(min_length=1, max_length=254)]
    password: Password
    tenant_id: str | None = None


class NewPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One's own, in place of the old one."""

    old_password: Password
    new_password: Password


class Chosen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A password chosen by way of a link."""

    link: Annotated[str, Meta(min_length=1, max_length=200)]
    password: Password


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A link, to see whose it is."""

    link: Annotated[str, Meta(min_length=1, max_length=200)]


class Visitors:
    """Who is signed in, and how one becomes it. `address` is the gateway's public URL, empty where
    it is not known. `place_header` names the header in which a proxy in front tells the client's
    address; empty: there is none. `single_sign_on`: people also sign in elsewhere."""

    def __init__(
        self,
        sessions: Sessions,
        sign_in: SignIn,
        wall: Callable[[], float],
        *,
        address: str,
        place_header: str = "",
        single_sign_on: bool = False,
    ) -> None:
        self._sessions = sessions
        self._sign_in = sign_in
        self._wall = wall
        self.secure = address.startswith("https://")
        self.cookie = cookie_name(address)
        self._address = address
        self._place_header = place_header
        self._single_sign_on = single_sign_on

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Method, path, handler."""
        return [
            ("POST", "/console/session", self.begin),
            ("GET", "/console/session", self.read),
            ("DELETE", "/console/session", self.end),
            ("DELETE", "/console/sessions", self.end_everywhere),
            ("PUT", "/console/password", self.change_password),
            ("POST", "/console/link", self.read_link),
            ("PUT", "/console/link", self.use_link),
        ]

    async def caller(self, request: web.Request) -> Caller:
        """Who is signed in. Raises Fault 401 or 403."""
        return await self._sessions.caller(self._token(request), self.now_ms())

    async def begin(self, request: web.Request) -> web.StreamResponse:
        """`POST /console/session`: sign in. What the browser held before is worth nothing after:
        nobody can be led into a session somebody else knows."""
        self.check_same_site(request)
        asked = await read_body(request, Credentials)
        now_ms = self.now_ms()
        opened = await self._sign_in.accounts(
            asked.email, asked.password, self._place(request), now_ms
        )
        if asked.tenant_id is not None:
            opened = [each for each in opened if each.tenant_id == asked.tenant_id] or opened
        if len(opened) > 1:
            tenants = [{"id": each.tenant_id, "name": each.tenant} for each in opened]
            return json_reply({"signed_in": False, "tenants": tenants})
        response = json_reply({"signed_in": True})
        await self.let_in(request, response, opened[0], "password", now_ms)
        return response

    async def read(self, request: web.Request) -> web.StreamResponse:
        """`GET /console/session`: who is signed in, which pages they may see, and the token that
        writes need."""
        token = self._token(request)
        caller = await self._sessions.caller(token, self.now_ms())
        return json_reply(
            {
                "user_id": caller.user_id,
                "email": caller.email,
                "tenant_id": caller.tenant_id,
                "tenant": caller.tenant,
                "role": caller.role,
                "permissions": sorted(caller.permissions),
                "address": self._address,
                "forgery_token": self._sessions.forgery_token(token),
                "passwords": self._sign_in.passwords_on,
                "single_sign_on": self._single_sign_on,
                "pages": [page for page in PAGES if open_to(page, caller.permissions)],
                "all_pages": [{"path": page.path, "title": page.title} for page in PAGES],
            }
        )

    async def end(self, request: web.Request) -> web.StreamResponse:
        """`DELETE /console/session`: sign out."""
        await self._writer(request)
        await self._sessions.end(self._token(request))
        return self._without_cookie(json_reply({"signed_in": False}))

    async def end_everywhere(self, request: web.Request) -> web.StreamResponse:
        """`DELETE /console/sessions`: sign out in every browser."""
        caller = await self._writer(request)
        await self._sessions.end_all(caller.user_id)
        return self._without_cookie(json_reply({"signed_in": False}))

    async def change_password(self, request: web.Request) -> web.StreamResponse:
        """`PUT /console/password`: every session ends, and this browser gets a new one."""
        caller = await self._writer(request)
        asked = await read_body(request, NewPassword)
        now_ms = self.now_ms()
        by = Actor(caller.user_id, caller.email, now_ms)
        await self._sign_in.change(
            caller.user_id, asked.old_password, asked.new_password, by, self._place(request)
        )
        response = json_reply({"signed_in": True})
        await self._give_session(response, caller.user_id, now_ms)
        return response

    async def read_link(self, request: web.Request) -> web.StreamResponse:
        """`POST /console/link`: whose link it is. The secret is in the body, not in an address."""
        self.check_same_site(request)
        asked = await read_body(request, Link)
        account = await self._sign_in.by_link(asked.link, self._place(request), self.now_ms())
        return json_reply({"email": account.email, "tenant": account.tenant})

    async def use_link(self, request: web.Request) -> web.StreamResponse:
        """`PUT /console/link`: choose a password and come in."""
        self.check_same_site(request)
        asked = await read_body(request, Chosen)
        now_ms = self.now_ms()
        account = await self._sign_in.by_link(asked.link, self._place(request), now_ms)
        by = Actor(account.user_id, account.email, now_ms)
        await self._sign_in.choose(account, asked.password, by)
        response = json_reply({"signed_in": True})
        await self.let_in(request, response, account, "link", now_ms)
        return response

    # ------------------------------------------------------------ cookies

    async def let_in(
        self, request: web.Request, response: web.Response, account: Account, by: str, now_ms: int
    ) -> None:
        """A new session for whoever just proved who they are, by whatever way; the one their
        browser had before is over."""
        before = self._token(request)
        if before:
            await self._sessions.end(before)
        await self._sign_in.note(account, by, now_ms)
        await self._give_session(response, account.user_id, now_ms)

    async def count_arrival(self, request: web.Request) -> None:
        """One more try to come in by another way than a password. Raises Fault 429."""
        await self._sign_in.count_arrival(self._place(request), self.now_ms())

    async def forget_arrivals(self, request: web.Request) -> None:
        """It was somebody who may come in."""
        await self._sign_in.forget_arrivals(self._place(request))

    async def _give_session(self, response: web.Response, user_id: str, now_ms: int) -> None:
        token = await self._sessions.begin(user_id, now_ms)
        response.set_cookie(
            self.cookie,
            token,
            max_age=self._sessions.lifetime_ms // 1000,
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="Lax",
        )

    def _without_cookie(self, response: web.Response) -> web.Response:
        response.del_cookie(
            self.cookie, path="/", secure=self.secure, httponly=True, samesite="Lax"
        )
        return response

    def _token(self, request: web.Request) -> str:
        return request.cookies.get(self.cookie, "")

    async def _writer(self, request: web.Request) -> Caller:
        token = self._token(request)
        if not token:
            raise over()
        self._sessions.check_forgery(
            token,
            request.headers.get(FORGERY_HEADER, ""),
            request.headers.get("sec-fetch-site", ""),
        )
        return await self._sessions.caller(token, self.now_ms())

    def check_same_site(self, request: web.Request) -> None:
        """Nobody signs somebody else in from another site (login CSRF): such a request could only
        be a form, and a form cannot send JSON as JSON nor hide where it comes from."""
        site = request.headers.get("sec-fetch-site", "same-origin")
        if site != "same-origin" or request.content_type != "application/json":
            raise Fault(
                Kind.FORBIDDEN,
                "This request did not come from the console.",
                retry=False,
                reason="forged_request",
            )

    def _place(self, request: web.Request) -> str:
        told = request.headers.get(self._place_header, "") if self._place_header else ""
        return (told or request.remote or "")[:_PLACE_CHARACTERS_MAX]

    def now_ms(self) -> int:
        """The clock."""
        return int(self._wall() * 1000)


def cookie_name(address: str) -> str:
    """What the cookie is called; the prefix is a promise that only TLS can keep."""
    return "__Host-hatz_session" if address.startswith("https://") else "hatz_session"


async def read_body(request: web.Request, kind: type[T]) -> T:
    """A small JSON body. Raises Fault."""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise Fault(Kind.TOO_LARGE, f"body: At most {BODY_BYTES_MAX} bytes are read here.")
    try:
        return msgspec.json.decode(bytes(body), type=kind)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `$")
        raise Fault(
            Kind.BAD_REQUEST, f"{place.strip('`.') or 'body'}: {problem}.", retry=False
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Fault(Kind.BAD_REQUEST, "body: Not valid JSON.", retry=False) from None


def json_reply(document: object) -> web.Response:
    """An answer of the console's own, which nobody keeps."""
    return web.Response(
        body=msgspec.json.encode(document), content_type="application/json", headers=_NO_STORE
    )

"""The two documents: the page for who is not signed in, and the frame in which all pages are shown.

Neither holds anything of anybody: what pages show they fetch from `/v1/*`. A page is handed out to
a session only, never to an API key; who may not see one gets the frame with a 403, which says so.
"""

from collections.abc import Mapping
from html import escape
from typing import Final, NamedTuple
from urllib.parse import quote

from aiohttp import web

from proxy.console.assets import Assets, text_of
from proxy.console.pages import HOME, PAGES, Page, open_to
from proxy.console.session import Handler, Visitors
from proxy.domain.fault import Fault, Kind
from proxy.domain.identity import TROUBLES

_POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_DOCUMENTS: Final = ("welcome.html", "newcomers.html", "frame.html", "choose.html")
CHOOSE: Final = "/choose-password"


class WaysIn(NamedTuple):
    """How people sign in: by a password, and by a provider of identities, where `label` is what the
    button says (empty: by none)."""

    passwords: bool = True
    label: str = ""


BY_PASSWORD: Final = WaysIn()


class Shell:
    """The handlers. `address` is the gateway's public URL; empty: as whoever asks calls it. Without
    `visitors` the console is off: nobody signs in, and there is one page for newcomers."""

    def __init__(
        self, visitors: Visitors | None, assets: Assets, address: str, ways: WaysIn = BY_PASSWORD
    ) -> None:
        self._visitors = visitors
        self._headers = dict(HEADERS)
        if address.startswith("https://"):
            self._headers["Strict-Transport-Security"] = "max-age=31536000"
        self._address = address
        self._documents = {
            name: text_of(name)
            .replace("{{ways-in}}", _ways_in(ways))
            .replace("{{assets}}", assets.folder)
            for name in _DOCUMENTS
        }

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Method, path, handler of every page."""
        found: list[tuple[str, str, Handler]] = []
        pages = (CHOOSE, *[page.path for page in PAGES]) if self._visitors is not None else ()
        for path in ("/", *pages):
            handler = self._handler(path)
            found += [("GET", path, handler), ("HEAD", path, handler)]
        return found

    def _handler(self, path: str) -> Handler:
        if path == "/":
            return self._front
        if path == CHOOSE:
            return self._choose
        page = next(page for page in PAGES if page.path == path)

        async def show(request: web.Request) -> web.StreamResponse:
            return await self._page(request, page)

        return show

    async def _front(self, request: web.Request) -> web.StreamResponse:
        """`GET /`: the first page, or the way to sign in."""
        if self._visitors is None:
            return self._answer(request, "newcomers.html")
        if await self._permissions(request) is not None:
            return self._moved(HOME)
        # One of our own sentences, by its name; an address cannot put words onto the page.
        trouble = TROUBLES.get(request.query.get("trouble", ""), "")
        return self._answer(request, "welcome.html", trouble=trouble)

    async def _choose(self, request: web.Request) -> web.StreamResponse:
        """`GET /choose-password`: the secret of the link never leaves the browser's address bar
        but in a POST."""
        return self._answer(request, "choose.html")

    async def _page(self, request: web.Request, page: Page) -> web.StreamResponse:
        permissions = await self._permissions(request)
        if permissions is None:
            return self._moved(f"/?next={quote(request.path_qs, safe='')}")
        return self._answer(request, "frame.html", 200 if open_to(page, permissions) else 403)

    async def _permissions(self, request: web.Request) -> frozenset[str] | None:
        """Of who is signed in; None: nobody is."""
        assert self._visitors is not None
        try:
            return (await self._visitors.caller(request)).permissions
        except Fault as fault:
            if fault.kind in (Kind.UNAUTHENTICATED, Kind.FORBIDDEN):
                return None
            raise

    def _answer(
        self, request: web.Request, name: str, status: int = 200, *, trouble: str = ""
    ) -> web.Response:
        # The host is what the client says it is, and goes to nobody else: no copy is kept.
        address = self._address or f"http://{request.host}"
        text = self._documents[name].replace("{{address}}", escape(address))
        shown = f'<p class="notice bad" role="alert">{escape(trouble)}</p>' if trouble else ""
        return web.Response(
            text=text.replace("{{trouble}}", shown),
            status=status,
            content_type="text/html",
            headers=self._headers,
        )

    def _moved(self, where: str) -> web.Response:
        return web.Response(status=303, headers={**self._headers, "Location": where})


def _ways_in(ways: WaysIn) -> str:
    """What stands on the page to sign in."""
    parts = []
    if ways.label:
        parts.append(text_of("sign-in-elsewhere.html").replace("{{label}}", escape(ways.label)))
    if ways.label and ways.passwords:
        parts.append('<p class="or">or</p>')
    if ways.passwords:
        parts.append(text_of("sign-in-form.html"))
    return "\n".join(parts)

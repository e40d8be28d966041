"""The provider of identities people sign in at: OpenID Connect's authorization code flow with PKCE.

Owns what is asked of it and what of its answers is believed: its discovery document and keys (kept
for a while, asked for anew when a token names a key that is not among them), the address people are
sent to, a code exchanged for a token, the token checked. Knows no HTTP client, no browser and no
people of ours. The client's secret goes to the token endpoint and nowhere else. `wall_ms` is the
clock, in Unix milliseconds.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any, Final, Generic, Protocol, TypeVar
from urllib.parse import quote_plus, urlencode, urlsplit

import msgspec

from proxy.auth.id_token import (
    DistrustedError,
    Expectation,
    KeyRing,
    UnknownKeyError,
    person_of,
    verified,
)
from proxy.domain.identity import Person

FRESH_MS: Final = 3_600_000
"""So long a document of the provider's counts without asking again."""
STALE_MS: Final = 24 * 3_600_000
"""And so long while the provider cannot be asked."""
AGAIN_MS: Final = 10_000
"""Whoever sends tokens with keys nobody knows has the keys asked for no oftener."""
AFTER_FAILURE_MS: Final = 3_000
WAITING_MAX: Final = 100
"""So many people may be on their way back at a time, per process."""
_DISCOVERY: Final = "/.well-known/openid-configuration"
_ADDRESS_CHARACTERS_MAX: Final = 2_000
_SAID_CHARACTERS_MAX: Final = 60
_FORM: Final = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
_JSON: Final = {"accept": "application/json"}

T = TypeVar("T")


class ProviderSilentError(Exception):
    """No answer, or none that can be read. The text is for the log."""


class CodeRefusedError(Exception):
    """The provider gives no token for the code. The text is for the log, `said` the error's short
    name (RFC 6749 section 5.2)."""

    def __init__(self, text: str, said: str) -> None:
        super().__init__(text)
        self.said = said

    @property
    def is_ours(self) -> bool:
        """Is the client's registration wrong, so that somebody has to see to it?"""
        return self.said in ("invalid_client", "unauthorized_client")


class Web(Protocol):
    """Bounded calls to the provider; status and body of whatever came. Implemented in `assembly/`
    over `upstream/side_calls.py`. Raises ProviderSilentError."""

    async def get(self, url: str, headers: Mapping[str, str], /) -> tuple[int, bytes]:
        """Read an address."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, /) -> tuple[int, bytes]:
        """Send a form."""


class Registration(msgspec.Struct, frozen=True):
    """What the provider and we agreed on. Without a secret the client is a public one."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    verified_claim: str = "email_verified"
    leeway_s: int = 60

    def __repr__(self) -> str:
        return f"Registration({self.issuer!r}, {self.client_id!r})"


class Discovery(msgspec.Struct, frozen=True):
    """Of the provider's description what is used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: list[str] | None = None
    authorization_response_iss_parameter_supported: bool = False


class _Tokens(msgspec.Struct, frozen=True):
    id_token: str
    access_token: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    error: str = ""


class _Kept(Generic[T]):
    """A document with the moment it came; `again_ms`: not asked for before."""

    __slots__ = ("again_ms", "came_ms", "document")

    def __init__(self) -> None:
        self.document: T | None = None
        self.came_ms = 0
        self.again_ms = 0


class IdentityProvider:
    """One per process."""

    def __init__(self, registration: Registration, web: Web, wall_ms: Callable[[], int]) -> None:
        self.registration = registration
        self._web = web
        self._wall_ms = wall_ms
        self._discovery: _Kept[Discovery] = _Kept()
        self._keys: _Kept[KeyRing] = _Kept()
        self._asking = asyncio.Lock()
        self._waiting = 0

    async def address(self, *, state: str, nonce: str, verifier: str) -> str:
        """Where to send somebody who wants to sign in. `verifier` stays here: its hash goes along,
        and only who knows it can use the code. Raises ProviderSilentError."""
        found = await self.discovery()
        wanted = self.registration
        query = urlencode(
            {
                "response_type": "code",
                "client_id": wanted.client_id,
                "redirect_uri": wanted.redirect_uri,
                "scope": " ".join(wanted.scopes),
                "state": state,
                "nonce": nonce,
                "code_challenge": _packed(sha256(verifier.encode()).digest()),
                "code_challenge_method": "S256",
            }
        )
        join = "&" if urlsplit(found.authorization_endpoint).query else "?"
        return f"{found.authorization_endpoint}{join}{query}"

    async def check_issuer(self, told: str | None) -> None:
        """Who answered, where the answer says so (RFC 9207): nobody must pass off another
        provider's answer. Raises DistrustedError, ProviderSilentError."""
        found = await self.discovery()
        if told is None and found.authorization_response_iss_parameter_supported:
            raise DistrustedError("the answer does not say whose it is (iss)")
        if told is not None and told != found.issuer:
            raise DistrustedError("the answer is another provider's (iss)")

    async def person(self, code: str, *, verifier: str, nonce: str) -> Person:
        """Who it is that came back with a code. Raises CodeRefusedError, DistrustedError,
        ProviderSilentError."""
        if self._waiting >= WAITING_MAX:
            raise ProviderSilentError("too many are being signed in at once")
        self._waiting += 1
        try:
            return await self._person(code, verifier, nonce)
        finally:
            self._waiting -= 1

    async def discovery(self) -> Discovery:
        """The provider's description of itself. Raises ProviderSilentError."""
        return await self._fresh(self._discovery, self._discover)

    async def keys(self) -> KeyRing:
        """What it signs with. Raises ProviderSilentError."""
        address = (await self.discovery()).jwks_uri
        return await self._fresh(self._keys, lambda: self._read_keys(address))

    async def _person(self, code: str, verifier: str, nonce: str) -> Person:
        found = await self.discovery()
        wanted = self.registration
        tokens = await self._redeem(found, code, verifier)
        expected = Expectation(found.issuer, wanted.client_id, nonce, wanted.leeway_s)
        try:
            claims = self._claims(tokens, await self.keys(), expected)
        except UnknownKeyError:
            # The provider changes its keys now and then, and announces nothing.
            now_ms = self._wall_ms()
            if now_ms < self._keys.came_ms + AGAIN_MS:
                raise
            self._keys.came_ms = min(self._keys.came_ms, now_ms - FRESH_MS)
            claims = self._claims(tokens, await self.keys(), expected)
        if "email" not in claims and found.userinfo_endpoint and tokens.access_token:
            claims = await self._with_userinfo(found.userinfo_endpoint, tokens, claims)
        return person_of(claims, wanted.verified_claim)

    async def _redeem(self, found: Discovery, code: str, verifier: str) -> _Tokens:
        wanted = self.registration
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": wanted.redirect_uri,
            "code_verifier": verifier,
        }
        headers = dict(_FORM)
        methods = found.token_endpoint_auth_methods_supported or ["client_secret_basic"]
        if wanted.client_secret and "client_secret_basic" in methods:
            # RFC 6749 section 2.3.1: both are written as in a form before they are joined.
            pair = f"{quote_plus(wanted.client_id)}:{quote_plus(wanted.client_secret)}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form["client_id"] = wanted.client_id
            if wanted.client_secret:
                form["client_secret"] = wanted.client_secret
        status, body = await self._web.post(found.token_endpoint, headers, urlencode(form).encode())
        if status == 200:
            return _read(body, _Tokens, "its answer to the code")
        said = _said(body)
        if status >= 500:
            raise ProviderSilentError(f"the token endpoint answered {status}")
        raise CodeRefusedError(f"the token endpoint answered {status} {said}".rstrip(), said)

    async def _with_userinfo(
        self, address: str, tokens: _Tokens, claims: dict[str, Any]
    ) -> dict[str, Any]:
        """Some providers keep the address out of the token."""
        if not tokens.access_token.isascii() or not tokens.access_token.isprintable():
            raise DistrustedError("its access token cannot be sent")
        headers = {**_JSON, "authorization": f"Bearer {tokens.access_token}"}
        status, body = await self._web.get(address, headers)
        if status != 200:
            raise ProviderSilentError(f"the userinfo endpoint answered {status}")
        more = _read(body, dict[str, Any], "its userinfo")
        if more.get("sub") != claims["sub"]:
            raise DistrustedError("the userinfo is about somebody else")
        return {**more, **claims}

    def _claims(self, tokens: _Tokens, keys: KeyRing, expected: Expectation) -> dict[str, Any]:
        return verified(tokens.id_token, keys, expected, self._wall_ms() / 1000)

    async def _fresh(self, kept: _Kept[T], ask: Callable[[], Awaitable[T]]) -> T:
        if kept.document is not None and self._wall_ms() < kept.came_ms + FRESH_MS:
            return kept.document
        async with self._asking:
            now_ms = self._wall_ms()
            if kept.document is not None and now_ms < kept.came_ms + FRESH_MS:
                return kept.document
            usable = kept.document if now_ms < kept.came_ms + STALE_MS else None
            if now_ms < kept.again_ms:
                if usable is not None:
                    return usable
                raise ProviderSilentError("it did not answer a moment ago")
            try:
                kept.document = await ask()
            except ProviderSilentError:
                kept.again_ms = self._wall_ms() + AFTER_FAILURE_MS
                if usable is not None:
                    return usable
                raise
            kept.came_ms = self._wall_ms()
            return kept.document

    async def _discover(self) -> Discovery:
        issuer = self.registration.issuer
        status, body = await self._web.get(issuer.rstrip("/") + _DISCOVERY, _JSON)
        if status != 200:
            raise ProviderSilentError(f"its description is not there (status {status})")
        found = _read(body, Discovery, "its description")
        if found.issuer.rstrip("/") != issuer.rstrip("/"):
            raise ProviderSilentError(
                f"it calls itself {found.issuer[:200]!r}, and not as oidc.issuer says"
            )
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"):
            address = getattr(found, name)
            if address is not None and not _is_safe(address, issuer):
                raise ProviderSilentError(f"its {name} is not an https:// address")
        return found

    async def _read_keys(self, address: str) -> KeyRing:
        status, body = await self._web.get(address, _JSON)
        if status != 200:
            raise ProviderSilentError(f"its keys are not there (status {status})")
        try:
            return KeyRing.read(body)
        except DistrustedError as problem:
            raise ProviderSilentError(str(problem)) from None


def _is_safe(address: str, issuer: str) -> bool:
    """TLS, but for a provider that was configured without (on this machine, for trying out)."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return False
    schemes = ("https", "http") if issuer.startswith("http://") else ("https",)
    return (
        len(address) <= _ADDRESS_CHARACTERS_MAX
        and address.isascii()
        and address.isprintable()
        and parts.scheme in schemes
        and bool(parts.hostname)
        and "@" not in parts.netloc
        and not parts.fragment
    )


def _read(body: bytes, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Its text may quote what was sent.
        raise ProviderSilentError(f"{what} cannot be read") from None


def _said(body: bytes) -> str:
    """The error's short name (RFC 6749 section 5.2), and nothing else of the answer."""
    try:
        said = msgspec.json.decode(body, type=_Refusal).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return said[:_SAID_CHARACTERS_MAX] if said.replace("_", "").isalnum() and said.isascii() else ""


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")

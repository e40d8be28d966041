"""A provider of identities (OpenID Connect), scripted: what it says of itself, a page to let
somebody in, codes, tokens signed with RSA keys of its own.

    with identity_provider() as there:
        there.people["ada"] = {"email": "ada@acme.example", "email_verified": True}
        … oidc.issuer = there.url …

It checks what a client sends as strictly as real ones do: its name and secret, the address to go
back to, a code used once, PKCE's verifier. Everything else about it can be made wrong: see the
attributes. Runs in a thread with an event loop of its own.
"""

import asyncio
import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from html import escape
from typing import Any
from urllib.parse import unquote_plus, urlencode

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

CLIENT = "the gateway & friends"
SECRET = "s3cret:with%odd+letters and more of them"
_HUGE = b" " * 1_000_000


class IdentityProvider:
    """`claims` go over those of the person, None takes one out; `dropped` are fields left out of
    its description, `described` ones changed. `troubles` are answered first, by path: a status, a
    number of seconds to wait, or "huge"."""

    def __init__(self) -> None:
        self.url = ""
        self.people: dict[str, dict[str, Any]] = {}
        self.claims: dict[str, Any] = {}
        self.described: dict[str, Any] = {}
        self.troubles: dict[str, int | float | str] = {}
        self.error = ""
        self.signs = "key"
        self.tells_issuer: str | None = None
        self.key_id = "key-1"
        self.userinfo: dict[str, Any] | None = None
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.complaints: list[str] = []
        self._keys = {"key-1": _rsa("key-1")}
        self._strange = _rsa("key-1")
        self._codes: dict[str, dict[str, str]] = {}
        self._tokens: dict[str, str] = {}

    def rotate(self, key_id: str) -> None:
        """From now on it signs with another key, and shows only that one."""
        self._keys = {key_id: _rsa(key_id)}
        self.key_id = key_id

    def count(self, path: str) -> int:
        """How often a path was asked for."""
        return self.asked.count(path)

    # -- what it answers

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/favicon.ico":
            return web.Response(status=204)
        self.asked.append(request.path)
        trouble = self.troubles.get(request.path)
        if isinstance(trouble, float):
            await asyncio.sleep(trouble)
        elif isinstance(trouble, int):
            return web.Response(status=trouble, text="<html>no</html>")
        elif trouble == "huge":
            return web.Response(body=b"{" + _HUGE + b"}", content_type="application/json")
        elif trouble == "garbage":
            return web.Response(text="<html>")
        elif trouble == "elsewhere":
            return web.Response(status=302, headers={"Location": self.url + "/else"})
        doors = {
            "/.well-known/openid-configuration": self._description,
            "/keys": self._public_keys,
            "/authorize": self._authorize,
            "/approve": self._approve,
            "/token": self._token,
            "/userinfo": self._userinfo,
        }
        door = doors.get(request.path)
        return web.Response(status=404) if door is None else await door(request)

    async def _description(self, request: web.Request) -> web.Response:
        told = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256"],
            **self.described,
        }
        return web.json_response({name: value for name, value in told.items() if value is not None})

    async def _public_keys(self, request: web.Request) -> web.Response:
        shown = KeySet(list(self._keys.values())).as_dict(private=False)["keys"]
        odd = [{"kty": "new", "kid": "odd"}, {"kty": "RSA", "use": "enc", "kid": "for secrets"}]
        return web.json_response({"keys": [*odd, *shown]})

    async def _authorize(self, request: web.Request) -> web.Response:
        """A page as people know it: who do you want to be?"""
        asked = dict(request.query)
        if (asked.get("client_id"), asked.get("response_type")) != (CLIENT, "code"):
            self.complaints.append(f"authorize: {asked}")
        if asked.get("code_challenge_method") != "S256" or "openid" not in asked.get("scope", ""):
            self.complaints.append(f"authorize: {asked}")
        links = [
            f'<p><a href="/approve?{escape(query)}">{escape(who)}</a></p>'
            for who in self.people
            if (query := urlencode({**asked, "who": who}))
        ]
        page = f"<!doctype html><title>Who are you?</title>{''.join(links)}"
        return web.Response(text=page, content_type="text/html")

    async def _approve(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        if self.error:
            back = {"error": self.error, "error_description": "<b>no</b>"}
        else:
            code = secrets.token_urlsafe(24)
            self._codes[code] = asked
            back = {"code": code}
        back["state"] = asked["state"]
        if self.tells_issuer is not None:
            back["iss"] = self.tells_issuer
        return web.Response(
            status=302, headers={"Location": f"{asked['redirect_uri']}?{urlencode(back)}"}
        )

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append(form)
        if self._client_of(request, form) != (CLIENT, SECRET):
            return web.json_response({"error": "invalid_client"}, status=401)
        asked = self._codes.pop(form.get("code", ""), None)
        if asked is None or form.get("redirect_uri") != asked["redirect_uri"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        challenge = _packed(sha256(form.get("code_verifier", "").encode()).digest())
        if challenge != asked["code_challenge"]:
            self.complaints.append("the verifier is not the one of the challenge")
            return web.json_response({"error": "invalid_grant"}, status=400)
        access = secrets.token_urlsafe(24)
        self._tokens[access] = asked["who"]
        return web.json_response(
            {
                "access_token": access,
                "token_type": "Bearer",
                "expires_in": 300,
                "id_token": self._id_token(asked),
            }
        )

    def _client_of(self, request: web.Request, form: dict[str, str]) -> tuple[str, str]:
        given = request.headers.get("authorization", "")
        if not given.startswith("Basic "):
            return form.get("client_id", ""), form.get("client_secret", "")
        name, _, secret = base64.b64decode(given[6:]).decode().partition(":")
        return unquote_plus(name), unquote_plus(secret)

    def _id_token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.url,
            "sub": f"subject of {asked['who']}",
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.people[asked["who"]],
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "RS256", "kid": self.key_id}
        if self.signs == "nothing":
            head, body = [_packed(json.dumps(each).encode()) for each in ({"alg": "none"}, claims)]
            return f"{head}.{body}."
        if self.signs == "secret":
            shared = OctKey.import_key(SECRET)
            return jwt.encode({"alg": "HS256"}, claims, shared)
        if self.signs == "strange":
            return jwt.encode(header, claims, self._strange)
        if self.signs == "curve":
            return jwt.encode({"alg": "ES256", "kid": "c"}, claims, ECKey.generate_key("P-256"))
        return jwt.encode(header, claims, next(iter(self._keys.values())))

    async def _userinfo(self, request: web.Request) -> web.Response:
        who = self._tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if who is None or self.userinfo is None:
            return web.json_response({"error": "invalid_token"}, status=401)
        return web.json_response({"sub": f"subject of {who}", **self.userinfo})


def _rsa(key_id: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": key_id, "use": "sig", "alg": "RS256"})


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextmanager
def identity_provider() -> Iterator[IdentityProvider]:
    """On a free port of loopback."""
    there = IdentityProvider()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def opened() -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", there.answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        there.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    runner = asyncio.run_coroutine_threadsafe(opened(), loop).result(15)
    try:
        yield there
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(15)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(15)
        loop.close()

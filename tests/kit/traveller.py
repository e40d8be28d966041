"""Somebody who signs in by a provider of identities: a browser that shows nothing."""

import http.client
import itertools
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from tests.kit.identity_provider import IdentityProvider
from tests.kit.raw_client import Reply
from tests.kit.running import Gateway

_PLACES = itertools.count(1)


class Traveller:
    """A browser that shows nothing: it has cookies and a place on the net of its own."""

    def __init__(self, gateway: Gateway, there: IdentityProvider) -> None:
        self.gateway = gateway
        self.there = there
        self.jar: dict[str, str] = {}
        self.set: list[str] = []
        self.place = f"203.0.113.{next(_PLACES)}"

    def ask(self, path: str, method: str = "GET", body: Any = None, **more: str) -> Reply:
        headers = {"X-Real-IP": self.place, "Sec-Fetch-Site": "same-origin", **more}
        if self.jar:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        if body is not None:
            headers["Content-Type"] = "application/json"
        with self.gateway.connect() as client:
            reply = client.ask(
                method, path, headers, None if body is None else msgspec.json.encode(body)
            )
        self.set = [value for name, value in reply.all_headers if name == "set-cookie"]
        for cookie in self.set:
            name, _, value = cookie.partition(";")[0].partition("=")
            if "Max-Age=0" in cookie or value == '""':
                self.jar.pop(name, None)
            else:
                self.jar[name] = value
        return reply

    def begin(self, wanted: str = "") -> dict[str, str]:
        """As far as the provider's page; what it is asked."""
        reply = self.ask("/console/oidc" + (f"?{urlencode({'next': wanted})}" if wanted else ""))
        assert reply.status == 303, reply.body
        where = location(reply)
        assert where.startswith(f"{self.there.url}/authorize?"), where
        return {name: value for name, (value,) in parse_qs(urlsplit(where).query).items()}

    def approved(self, asked: dict[str, str], who: str) -> str:
        """The way back, after somebody was let in there."""
        host = urlsplit(self.there.url)
        connection = http.client.HTTPConnection(host.hostname or "", host.port or 0, timeout=15)
        try:
            connection.request("GET", f"/approve?{urlencode({**asked, 'who': who})}")
            reply = connection.getresponse()
            reply.read()
            where = reply.headers["location"]
        finally:
            connection.close()
        assert where.startswith(asked["redirect_uri"] + "?")
        return f"/console/oidc/callback?{urlsplit(where).query}"

    def sign_in(self, who: str, wanted: str = "") -> str:
        """The whole way; where it leads."""
        return location(self.ask(self.approved(self.begin(wanted), who)))

    def who(self) -> str | None:
        """Who is signed in."""
        reply = self.ask("/console/session")
        return str(reply.json()["email"]) if reply.status == 200 else None


def location(reply: Reply) -> str:
    """Where a reply leads."""
    assert reply.status == 303, (reply.status, reply.body)
    return dict(reply.all_headers)["location"]

"""What is asked of a provider of identities, how often, and what of its answers is believed."""

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from proxy.auth.identity_provider import (
    AFTER_FAILURE_MS,
    AGAIN_MS,
    FRESH_MS,
    STALE_MS,
    CodeRefusedError,
    IdentityProvider,
    ProviderSilentError,
    Registration,
)

ISSUER = "https://id.example"
SECRET = "hunter2&hunter2"
DESCRIPTION: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize?tenant=1",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
}
VERIFIER = "v" * 64


class Wire:
    """The provider's answers by path; what it was asked."""

    def __init__(self) -> None:
        self.now_ms = 1_000_000_000
        self.answers: dict[str, tuple[int, Any]] = {
            "/.well-known/openid-configuration": (200, DESCRIPTION),
            "/keys": (200, {"keys": []}),
            "/token": (400, {"error": "invalid_grant"}),
        }
        self.asked: list[str] = []
        self.sent: list[tuple[Mapping[str, str], dict[str, list[str]]]] = []

    async def get(self, url: str, headers: Mapping[str, str], /) -> tuple[int, bytes]:
        path = urlsplit(url).path
        self.asked.append(path)
        await asyncio.sleep(0)
        if path not in self.answers:
            raise ProviderSilentError("no way")
        status, document = self.answers[path]
        return status, json.dumps(document).encode()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, /) -> tuple[int, bytes]:
        self.sent.append((headers, parse_qs(body.decode())))
        return await self.get(url, headers)

    def provider(self, **more: Any) -> IdentityProvider:
        registered = Registration(
            **{
                "issuer": ISSUER,
                "client_id": "the gateway",
                "client_secret": SECRET,
                "redirect_uri": "https://ai.example/console/oidc/callback",
                **more,
            }
        )
        assert SECRET not in repr(registered)
        return IdentityProvider(registered, self, lambda: self.now_ms)


async def test_people_are_sent_with_everything_but_the_verifier_and_the_secret() -> None:
    wire = Wire()
    address = await wire.provider().address(state="s", nonce="n", verifier=VERIFIER)
    assert address.startswith(f"{ISSUER}/authorize?tenant=1&")
    asked = {name: value for name, (value,) in parse_qs(urlsplit(address).query).items()}
    assert asked["code_challenge_method"] == "S256"
    assert (asked["state"], asked["nonce"], asked["response_type"]) == ("s", "n", "code")
    assert VERIFIER not in address and SECRET not in address


async def test_its_description_is_asked_for_once_an_hour_by_many_at_once() -> None:
    wire = Wire()
    provider = wire.provider()
    await asyncio.gather(*[provider.discovery() for _ in range(20)])
    assert len(wire.asked) == 1
    wire.now_ms += FRESH_MS
    await provider.discovery()
    assert len(wire.asked) == 2


async def test_while_it_is_away_what_is_known_counts_for_a_day() -> None:
    wire = Wire()
    provider = wire.provider()
    await provider.discovery()
    known = wire.answers.pop("/.well-known/openid-configuration")
    wire.now_ms += FRESH_MS
    assert (await provider.discovery()).issuer == ISSUER
    asked = len(wire.asked)
    assert (await provider.discovery()).issuer == ISSUER
    assert len(wire.asked) == asked, "it is left alone for a moment"
    wire.now_ms += STALE_MS
    with pytest.raises(ProviderSilentError):
        await provider.discovery()
    wire.answers["/.well-known/openid-configuration"] = known
    with pytest.raises(ProviderSilentError, match="a moment ago"):
        await provider.discovery()
    wire.now_ms += AFTER_FAILURE_MS
    assert (await provider.discovery()).issuer == ISSUER


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://id.example/token"},
        {"jwks_uri": "https://user:pass@id.example/keys"},
        {"jwks_uri": "https:///keys"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://id.example/\r\nX: y"},
        {"userinfo_endpoint": "https://id.example/#a"},
        {"token_endpoint": "https://id.example:port/"},
        {"token_endpoint": None},
        {"jwks_uri": ["https://id.example/keys"]},
    ],
    ids=str,
)
async def test_a_description_that_leads_elsewhere_is_none(change: dict[str, Any]) -> None:
    wire = Wire()
    wire.answers["/.well-known/openid-configuration"] = (200, {**DESCRIPTION, **change})
    with pytest.raises(ProviderSilentError):
        await wire.provider().discovery()


async def test_a_slash_at_the_end_of_its_name_is_no_other_provider() -> None:
    wire = Wire()
    wire.answers["/.well-known/openid-configuration"] = (
        200,
        {**DESCRIPTION, "issuer": ISSUER + "/"},
    )
    assert (await wire.provider().discovery()).issuer == ISSUER + "/"


async def refusal(wire: Wire, **more: Any) -> CodeRefusedError:
    with pytest.raises(CodeRefusedError) as caught:
        await wire.provider(**more).person("code", verifier=VERIFIER, nonce="n")
    assert SECRET not in str(caught.value)
    return caught.value


async def test_the_secret_goes_the_way_the_provider_takes_it() -> None:
    wire = Wire()
    await refusal(wire)
    headers, form = wire.sent[-1]
    given = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode()
    assert given == "the+gateway:hunter2%26hunter2"
    assert form["code_verifier"] == [VERIFIER] and "client_secret" not in form
    methods = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    wire.answers["/.well-known/openid-configuration"] = (200, {**DESCRIPTION, **methods})
    await refusal(wire)
    headers, form = wire.sent[-1]
    assert "authorization" not in headers and form["client_secret"] == [SECRET]
    await refusal(wire, client_secret="")
    headers, form = wire.sent[-1]
    assert "authorization" not in headers and "client_secret" not in form
    assert form["client_id"] == ["the gateway"]


@pytest.mark.parametrize(
    ("said", "is_ours"),
    [
        ({"error": "invalid_grant"}, False),
        ({"error": "invalid_client"}, True),
        ({"error": "<b>odd</b>"}, False),
        ({"error": 7}, False),
        ([], False),
    ],
    ids=str,
)
async def test_its_refusal_is_told_by_its_short_name(said: Any, is_ours: bool) -> None:
    wire = Wire()
    wire.answers["/token"] = (400, said)
    found = await refusal(wire)
    assert found.is_ours is is_ours
    assert "<" not in str(found)


async def test_unknown_keys_are_no_lever_to_have_it_asked() -> None:
    wire = Wire()
    head = base64.urlsafe_b64encode(b'{"alg":"RS256","kid":"x"}').rstrip(b"=").decode()
    wire.answers["/token"] = (200, {"id_token": f"{head}.e30.AAAA"})
    provider = wire.provider()
    for _ in range(5):
        with pytest.raises(Exception, match="does not show"):
            await provider.person("code", verifier=VERIFIER, nonce="n")
    assert wire.asked.count("/keys") == 1
    wire.now_ms += AGAIN_MS
    for _ in range(5):
        with pytest.raises(Exception, match="does not show"):
            await provider.person("code", verifier=VERIFIER, nonce="n")
    assert wire.asked.count("/keys") == 2

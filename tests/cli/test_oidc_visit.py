"""`doctor` at a provider of identities: reached, itself, keys, name and secret taken."""

import asyncio
from collections.abc import Iterator

import pytest

from proxy.cli.finding import Finding, Level
from proxy.cli.oidc_visit import visit_oidc
from proxy.config.settings import Oidc, Server, Settings
from tests.kit.identity_provider import CLIENT, SECRET, IdentityProvider, identity_provider

ENVIRON = {"OIDC_SECRET": SECRET}


@pytest.fixture
def there() -> Iterator[IdentityProvider]:
    with identity_provider() as there:
        yield there


def visited(there: IdentityProvider, **more: object) -> list[Finding]:
    wanted = {"issuer": there.url, "client_id": CLIENT, "client_secret": "env:OIDC_SECRET"}
    settings = Settings(
        server=Server(public_url="https://ai.example"),
        oidc=Oidc(enabled=True, timeout_s=2.0, **{**wanted, **more}),  # type: ignore[arg-type]
    )
    found = asyncio.run(visit_oidc(settings, ENVIRON))
    assert SECRET not in str(found)
    return found


def test_a_good_one_is_reached_and_takes_the_secret(there: IdentityProvider) -> None:
    reached, taken = visited(there)
    assert (reached.level, taken.level) == (Level.OK, Level.OK)
    assert f"{there.url} reached in " in reached.seen
    assert "1 keys; people come back to https://ai.example/console/oidc/callback" in reached.seen
    assert taken.seen == "our name and secret are accepted"


def test_a_wrong_secret_is_told(there: IdentityProvider) -> None:
    _, refused = visited(there, client_id="somebody else")
    assert refused.level is Level.FAIL
    assert "invalid_client" in refused.seen and "oidc.client_secret" in refused.remedy


def test_one_that_calls_itself_otherwise_is_told(there: IdentityProvider) -> None:
    there.described = {"issuer": "https://another.example"}
    (found,) = visited(there)
    assert found.level is Level.FAIL
    assert "it calls itself 'https://another.example'" in found.seen
    assert "oidc.issuer" in found.remedy


@pytest.mark.parametrize(
    ("path", "trouble", "words"),
    [
        ("/.well-known/openid-configuration", 404, "its description is not there (status 404)"),
        ("/.well-known/openid-configuration", "garbage", "its description cannot be read"),
        ("/.well-known/openid-configuration", "huge", "more than 262144 bytes"),
        ("/keys", 500, "its keys are not there (status 500)"),
        ("/keys", "garbage", "the keys are no JWK set"),
        ("/token", 500, "the token endpoint answered 500"),
        ("/token", 3.0, "no whole reply in time"),
    ],
)
def test_what_is_wrong_is_told(
    there: IdentityProvider, path: str, trouble: int | float | str, words: str
) -> None:
    there.troubles = {path: trouble}
    found = visited(there)[-1]
    assert found.level is Level.FAIL
    assert words in found.seen


def test_without_keys_nobody_could_be_signed_in(there: IdentityProvider) -> None:
    there.described = {"jwks_uri": f"{there.url}/no-keys"}
    there.troubles = {}
    found = visited(there)[-1]
    assert found.level is Level.FAIL and "status 404" in found.seen


def test_a_secret_that_is_not_there_is_told_among_the_secrets(there: IdentityProvider) -> None:
    assert visited(there, client_secret="env:NOT_THERE") == []

"""`doctor` at Bedrock: credentials, access to each model, the clock; nothing is spent."""

import asyncio
import ssl
from collections.abc import Iterator

import pytest

from proxy.cli.bedrock_visit import visit_bedrock
from proxy.cli.finding import Finding, Level
from proxy.config.settings import Provider, Upstream
from tests.kit.bedrock import API_KEY, REGION, Bedrock, bedrock, plays_refusal

SONNET = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
HAIKU = "anthropic.claude-haiku-4-5"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bedrock]:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with bedrock() as one:
        for name, value in one.environ().items():
            monkeypatch.setenv(name, value)
        yield one


def visited(
    server: Bedrock, *models: str, api_key: str = "", base_url: str = "", surface: str = ""
) -> list[Finding]:
    provider = Provider(
        name="aws",
        wire="bedrock",
        region=REGION,
        base_url=base_url or server.url,
        api_key=api_key,
        surface=surface,  # type: ignore[arg-type]
    )
    tls = ssl.create_default_context()
    environ = {"BEDROCK_KEY": API_KEY}
    return asyncio.run(visit_bedrock(provider, models, Upstream(), tls, environ))


@pytest.mark.parametrize("api_key", ["", "env:BEDROCK_KEY"])
def test_all_is_well(server: Bedrock, api_key: str) -> None:
    found = visited(server, SONNET, HAIKU, SONNET, "amazon.nova-pro-v1:0", api_key=api_key)
    assert [finding.level for finding in found] == [Level.OK] * 6, found
    assert ("API key" if api_key else "59 more minutes") in found[0].seen.replace("60 m", "59 m")
    assert sum("access granted" in finding.seen for finding in found) == 3
    assert "clock right" in found[3].seen
    assert len(server.asked) == 3


def test_without_credentials_it_is_said_how_to_give_some(
    server: Bedrock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    (finding,) = visited(server, SONNET)
    assert finding.level is Level.FAIL
    assert "no AWS credentials" in finding.seen
    assert "AWS_ACCESS_KEY_ID" in finding.remedy
    assert server.asked == []


@pytest.mark.parametrize(
    ("status", "name", "message", "level", "seen", "remedy"),
    [
        (
            403,
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
            Level.FAIL,
            "no access",
            "request access",
        ),
        (
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            Level.FAIL,
            "credentials refused",
            "keys of this account",
        ),
        (
            400,
            "ValidationException",
            "Invocation of model ID x with on-demand throughput isn't supported.",
            Level.FAIL,
            "not known there",
            "inference profile",
        ),
        (404, "ResourceNotFoundException", "no", Level.FAIL, "not known there", "region"),
        (429, "ThrottlingException", "slow", Level.WARN, "rate limited", "later"),
        (500, "InternalServerException", "bad", Level.WARN, "in trouble", "later"),
        (400, "ValidationException", "max_tokens: Field required", Level.OK, "granted", ""),
    ],
)
def test_each_trouble_has_its_remedy(
    server: Bedrock, status: int, name: str, message: str, level: Level, seen: str, remedy: str
) -> None:
    server.replies.append(plays_refusal(status, name, message))
    finding = visited(server, SONNET)[2]
    assert finding.level is level
    assert seen in finding.seen
    assert remedy in finding.remedy


def test_a_wrong_clock_is_said(server: Bedrock) -> None:
    server.guard.ahead_s = 3600.0
    found = visited(server, SONNET)
    assert [finding.level for finding in found] == [Level.OK, Level.OK, Level.FAIL, Level.WARN]
    assert "behind" in found[3].seen


def test_an_address_where_nobody_is(server: Bedrock) -> None:
    found = visited(server, SONNET, base_url="http://127.0.0.1:1")
    assert found[1].level is Level.FAIL
    assert "no connection" in found[1].seen


def test_an_id_that_is_none(server: Bedrock) -> None:
    found = visited(server, "no id")
    assert found[1].level is Level.FAIL
    assert server.asked == []

"""`doctor` at Bedrock: credentials, access to each model, the clock; nothing is spent."""

import asyncio
import ssl
from collections.abc import Iterator

import pytest

from proxy.cli.bedrock_visit import visit_bedrock
from proxy.cli.finding import Finding, Level
from proxy.config.settings import Provider, Upstream
from proxy.domain.model import NO_TERMS, BedrockTerms, Deployment
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
    server: Bedrock,
    *models: str,
    api_key: str = "",
    base_url: str = "",
    surface: str = "",
    terms: BedrockTerms = NO_TERMS,
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
    deployments = [Deployment("aws", model, bedrock=terms) for model in models]
    return asyncio.run(visit_bedrock(provider, deployments, Upstream(), tls, environ))


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
            "not served by this id",
            "write eu.anthropic.claude-sonnet-4-5-20250929-v1:0 or global.anthropic.",
        ),
        (
            400,
            "ValidationException",
            "The provided model identifier is invalid.",
            Level.FAIL,
            "not known there",
            "served in eu-central-1",
        ),
        (
            403,
            "ExpiredTokenException",
            "The security token included in the request is expired",
            Level.FAIL,
            "credentials expired",
            "aws sso login",
        ),
        (
            403,
            "InvalidSignatureException",
            "Signature expired: 20261123T120000Z is now earlier than 20261123T130000Z",
            Level.FAIL,
            "credentials refused",
            "clock is wrong",
        ),
        (
            403,
            "InvalidSignatureException",
            "Credential should be scoped to a valid region.",
            Level.FAIL,
            "credentials refused",
            "`region` and `base_url`",
        ),
        (
            403,
            "AccessDeniedException",
            "User: arn:aws:sts::1:assumed-role/x is not authorized to perform: bedrock:InvokeModel "
            "on resource: y with an explicit deny in a service control policy",
            Level.FAIL,
            "no access",
            "service control policy",
        ),
        (
            403,
            "AccessDeniedException",
            "Model access is denied due to IAM user or service role is not authorized to perform "
            "the required AWS Marketplace actions (aws-marketplace:Subscribe)",
            Level.FAIL,
            "no access",
            "subscribe to the model once",
        ),
        (
            404,
            "ResourceNotFoundException",
            "Model use case details have not been submitted for this account.",
            Level.FAIL,
            "no access",
            "use case form",
        ),
        (
            404,
            "ResourceNotFoundException",
            "This model version has reached the end of its life.",
            Level.FAIL,
            "not known there",
            "newer one",
        ),
        (
            400,
            "ValidationException",
            "The guardrail identifier or version provided in the request does not exist.",
            Level.FAIL,
            "guardrail refused",
            "bedrock:ApplyGuardrail",
        ),
        (
            400,
            "ValidationException",
            "Service tier flex is not supported for this model",
            Level.FAIL,
            "terms refused",
            "change `bedrock`",
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


@pytest.mark.parametrize("model", [SONNET, "amazon.nova-pro-v1:0"])
def test_the_question_is_asked_on_the_deployments_terms(server: Bedrock, model: str) -> None:
    terms = BedrockTerms("gr1", "2", "enabled", "flex", "optimized")
    found = visited(server, model, terms=terms)
    assert not server.refused or {one.name for one in server.refused} == {"ValidationException"}
    assert [finding.level for finding in found] == [Level.OK] * 4, found
    (asked,) = server.asked
    if model == SONNET:
        assert asked.headers["x-amzn-bedrock-guardrailidentifier"] == "gr1"
        assert "x-amzn-bedrock-service-tier" in asked.headers["authorization"]
    else:
        assert asked.document()["guardrailConfig"]["guardrailVersion"] == "2"
        assert asked.document()["serviceTier"] == {"type": "flex"}


def test_terms_that_cannot_be_kept(server: Bedrock) -> None:
    found = visited(server, HAIKU, surface="mantle", terms=BedrockTerms(service_tier="flex"))
    assert [finding.level for finding in found] == [Level.OK, Level.FAIL]
    assert "mantle has no guardrails" in found[1].seen
    assert server.asked == []


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

"""Which of Bedrock's APIs serves a model, and under what name."""

import pytest

from proxy.domain.model import NO_TERMS, BedrockTerms
from proxy.providers.bedrock.surfaces import (
    Deployment,
    Surface,
    base_id,
    claude_version,
    deployment_of,
    tells_itself,
)

PROFILE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
ARN = f"arn:aws:bedrock:us-west-2:123456789012:inference-profile/{PROFILE}"
APPLICATION = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/a1b2c3"


def placed(
    model: str,
    asked: str = "",
    base_url: str = "",
    region: str = "eu-central-1",
    base_model: str = "",
    terms: BedrockTerms = NO_TERMS,
) -> Deployment:
    return deployment_of(
        model,
        asked=asked,
        region=region,
        base_url=base_url,
        signing_service="",
        base_model=base_model,
        terms=terms,
    )


@pytest.mark.parametrize(
    ("model", "surface", "named"),
    [
        ("anthropic.claude-haiku-4-5", Surface.MESSAGES, None),
        ("anthropic.claude-opus-4-7", Surface.MESSAGES, None),
        ("anthropic.claude-opus-5-5", Surface.MESSAGES, None),
        ("anthropic.claude-sonnet-4-6", Surface.INVOKE, None),
        ("anthropic.claude-haiku-4-5-20251001-v1:0", Surface.INVOKE, None),
        ("us.anthropic.claude-opus-4-7", Surface.INVOKE, None),
        ("global.anthropic.claude-opus-4-6-v1", Surface.INVOKE, None),
        (PROFILE, Surface.INVOKE, None),
        (ARN, Surface.INVOKE, None),
        (APPLICATION, Surface.INVOKE, None),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", Surface.INVOKE, None),
        ("moonshotai.kimi-k2-thinking", Surface.CHAT, None),
        ("moonshot.kimi-k2-thinking", Surface.CHAT, "moonshotai.kimi-k2-thinking"),
        ("openai.gpt-oss-120b", Surface.CHAT, None),
        ("openai.gpt-oss-120b-1:0", Surface.CONVERSE, None),
        ("deepseek.v3.1", Surface.CHAT, None),
        ("deepseek.v3-v1:0", Surface.CONVERSE, None),
        ("us.deepseek.r1-v1:0", Surface.CONVERSE, None),
        ("amazon.nova-pro-v1:0", Surface.CONVERSE, None),
        ("eu.amazon.nova-pro-v1:0", Surface.CONVERSE, None),
        ("mistral.mistral-large-3-675b-instruct", Surface.CONVERSE, None),
    ],
)
def test_the_id_tells(model: str, surface: Surface, named: str | None) -> None:
    place = placed(model)
    assert (place.surface, place.model) == (surface, named or model)


@pytest.mark.parametrize(
    ("model", "asked", "surface", "named"),
    [
        ("anthropic.claude-sonnet-4-6", "mantle", Surface.MESSAGES, None),
        ("moonshot.kimi-k2-thinking", "mantle", Surface.CHAT, "moonshotai.kimi-k2-thinking"),
        ("moonshotai.kimi-k2-thinking", "converse", Surface.CONVERSE, "moonshot.kimi-k2-thinking"),
        ("anthropic.claude-haiku-4-5", "invoke", Surface.INVOKE, None),
        (APPLICATION, "converse", Surface.CONVERSE, None),
    ],
)
def test_the_operator_may_say_otherwise(
    model: str, asked: str, surface: Surface, named: str | None
) -> None:
    place = placed(model, asked)
    assert (place.surface, place.model) == (surface, named or model)


@pytest.mark.parametrize(
    ("model", "region", "base_url", "host", "signed_for"),
    [
        (
            PROFILE,
            "eu-central-1",
            "",
            "bedrock-runtime.eu-central-1.amazonaws.com",
            ("eu-central-1", "bedrock"),
        ),
        # The region of an ARN is where it is known: host and signature go there together.
        (
            ARN,
            "eu-central-1",
            "",
            "bedrock-runtime.us-west-2.amazonaws.com",
            ("us-west-2", "bedrock"),
        ),
        (
            ARN,
            "eu-central-1",
            "https://vpce.internal",
            "vpce.internal",
            ("eu-central-1", "bedrock"),
        ),
        (
            "anthropic.claude-opus-4-7",
            "us-east-1",
            "",
            "bedrock-mantle.us-east-1.api.aws",
            ("us-east-1", "bedrock-mantle"),
        ),
        (
            PROFILE,
            "cn-north-1",
            "",
            "bedrock-runtime.cn-north-1.amazonaws.com.cn",
            ("cn-north-1", "bedrock"),
        ),
    ],
)
def test_host_and_signature_name_the_same_region(
    model: str, region: str, base_url: str, host: str, signed_for: tuple[str, str]
) -> None:
    place = placed(model, region=region, base_url=base_url)
    assert place.origin.authority == host
    assert (place.region, place.service) == signed_for


@pytest.mark.parametrize("model", ["", ".", "..", "a b", "a\r\nx: y", "modèle"])
def test_what_is_no_id_is_refused(model: str) -> None:
    with pytest.raises(ValueError, match="no id"):
        placed(model)


@pytest.mark.parametrize(
    ("model", "base"),
    [
        (PROFILE, PROFILE.removeprefix("us.")),
        (ARN, PROFILE.removeprefix("us.")),
        (APPLICATION, ""),
        ("anthropic.claude-opus-4-7", "anthropic.claude-opus-4-7"),
        ("us-gov.anthropic.claude-x", "anthropic.claude-x"),
        ("arn:aws:bedrock:us-west-2::foundation-model/anthropic.x-v1:0", "anthropic.x-v1:0"),
    ],
)
def test_tokens_are_counted_by_the_id_without_geography(model: str, base: str) -> None:
    assert base_id(model) == base


@pytest.mark.parametrize(
    ("model", "version"),
    [
        ("anthropic.claude-opus-4-7", (4, 7)),
        (PROFILE, (4, 5)),
        ("anthropic.claude-sonnet-4-20250514-v1:0", (4, 0)),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", (3, 5)),
        ("anthropic.claude-3-haiku-20240307-v1:0", (3, 0)),
        ("claude-opus-10", (10, 0)),
        (APPLICATION, None),
    ],
)
def test_the_version_of_claude(model: str, version: tuple[int, int] | None) -> None:
    assert claude_version(model) == version


@pytest.mark.parametrize(
    ("base_model", "surface"),
    [
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", Surface.INVOKE),
        ("eu.anthropic.claude-haiku-4-5", Surface.INVOKE),
        ("claude-haiku-4-5", Surface.INVOKE),
        ("amazon.nova-pro-v1:0", Surface.CONVERSE),
        ("moonshotai.kimi-k2-thinking", Surface.CONVERSE),
    ],
)
def test_the_operator_tells_where_the_id_does_not(base_model: str, surface: Surface) -> None:
    place = placed(APPLICATION, base_model=base_model)
    assert (place.surface, place.model, place.known_as) == (surface, APPLICATION, base_model)


@pytest.mark.parametrize(
    ("model", "tells"),
    [
        (PROFILE, True),
        (ARN, True),
        ("amazon.nova-pro-v1:0", True),
        (APPLICATION, False),
        ("arn:aws:bedrock:us-west-2:123456789012:provisioned-model/x1", False),
        ("arn:aws:bedrock:us-west-2:123456789012:imported-model/x1", False),
    ],
)
def test_which_ids_tell(model: str, tells: bool) -> None:
    assert tells_itself(model) is tells


@pytest.mark.parametrize(
    ("terms", "surface"),
    [
        (BedrockTerms(guardrail="gr", guardrail_version="1"), Surface.INVOKE),
        (BedrockTerms(service_tier="flex"), Surface.INVOKE),
        (BedrockTerms(latency="optimized"), Surface.INVOKE),
        (NO_TERMS, Surface.MESSAGES),
    ],
)
def test_terms_lead_to_the_runtime_which_alone_has_them(
    terms: BedrockTerms, surface: Surface
) -> None:
    assert placed("anthropic.claude-haiku-4-5", terms=terms).surface is surface
    others = placed("moonshotai.kimi-k2-thinking", terms=terms).surface
    assert others is (Surface.CHAT if terms == NO_TERMS else Surface.CONVERSE)


@pytest.mark.parametrize(
    ("model", "asked", "terms", "words"),
    [
        ("anthropic.claude-haiku-4-5", "mantle", BedrockTerms(latency="standard"), "mantle has no"),
        (PROFILE, "", BedrockTerms(guardrail="gr"), "given together"),
        (PROFILE, "", BedrockTerms(guardrail_version="1"), "given together"),
        ("amazon.nova-pro-v1:0", "invoke", NO_TERMS, "with Claude only"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    model: str, asked: str, terms: BedrockTerms, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        placed(model, asked, terms=terms)


def test_a_base_model_that_is_no_id_is_refused() -> None:
    with pytest.raises(ValueError, match="no id"):
        placed(APPLICATION, base_model="a b")

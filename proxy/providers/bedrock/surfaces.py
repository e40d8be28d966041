"""Which of Bedrock's surfaces serves a deployment: the id of its model tells (translation.md 5.1).

`mantle` is the newer endpoint: Anthropic's own Messages API for Claude, chat completions for the
others. The runtime has InvokeModel, which takes each vendor's body, and Converse, which is one body
for all. The less is translated the better: Converse is asked last.

An id may not tell which model it is (the ARN of an application inference profile, of provisioned
throughput): the operator says it (`base_model`), and all that depends on the model goes by that.
"""

import re
from enum import Enum

import msgspec

from proxy.domain.model import NO_TERMS, BedrockTerms
from proxy.wire.http import Origin, split_base_url


class Surface(Enum):
    """One API of Bedrock's."""

    MESSAGES = "mantle, Messages API"
    CHAT = "mantle, chat completions"
    INVOKE = "runtime, InvokeModel"
    CONVERSE = "runtime, Converse"


MANTLE = (Surface.MESSAGES, Surface.CHAT)
RUNTIME_SERVICE = "bedrock"
MANTLE_SERVICE = "bedrock-mantle"

_GEOGRAPHY = re.compile(r"(?:us-gov|us|eu|jp|au|ca|apac|global)\.(?=[a-z0-9-]+\.)")
_ARN = re.compile(r"arn:aws[a-z-]*:bedrock:([a-z0-9-]+):\d*:([a-z-]+)/(.+)")
_RUNTIME_VERSION = re.compile(r"-v\d+(?::\d+)?(?::\w+)?\Z|:\d+(?::\w+)?\Z|-\d{8}\b")
_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?![\d])")
_ON_MANTLE = ("moonshotai", "moonshot", "openai", "qwen", "deepseek")


class Deployment(msgspec.Struct, frozen=True):
    """Where one model of Bedrock's is asked, and on what terms: `model` is its id there, `known_as`
    the id that tells what it can do, `region` that of the signature, which is always the host's
    (trap 48)."""

    surface: Surface
    model: str
    known_as: str
    region: str
    service: str
    origin: Origin
    prefix: str
    terms: BedrockTerms


def deployment_of(
    model: str,
    *,
    asked: str,
    region: str,
    base_url: str,
    signing_service: str,
    base_model: str = "",
    terms: BedrockTerms = NO_TERMS,
) -> Deployment:
    """`asked` is the surface an operator wants: `mantle`, `invoke`, `converse`, or empty for what
    the ids tell; `base_url` and `signing_service` override the usual ones; `base_model` is which
    model it is where `model` does not tell. Raises ValueError for an id that is none, and for terms
    that cannot be kept."""
    for id in (model, base_model):
        if not id.isascii() or re.search(r"[\s\x00-\x1f]", id) or (id and set(id) <= {"."}):
            raise ValueError(f"{id!r} is no id of a model of Bedrock's")
    if not model:
        raise ValueError("an empty id is no id of a model of Bedrock's")
    if bool(terms.guardrail) != bool(terms.guardrail_version):
        raise ValueError("`guardrail` and `guardrail_version` are given together, or neither is")
    known_as = base_model or model
    surface = _surface(model, known_as, asked, on_runtime=terms != NO_TERMS)
    if surface in MANTLE and terms != NO_TERMS:
        # What was asked for must not be left out in silence, least of all a guardrail.
        raise ValueError(
            "mantle has no guardrails, tiers or latencies; leave out `surface`, or the terms"
        )
    arn = _ARN.fullmatch(model)
    if arn is not None and not base_url and arn[1]:
        region = arn[1]  # a profile is known in its own region only
    if surface in MANTLE:
        url = base_url or f"https://bedrock-mantle.{region}.api.aws"
        service = signing_service or MANTLE_SERVICE
    else:
        china = ".cn" if region.startswith("cn-") else ""
        url = base_url or f"https://bedrock-runtime.{region}.amazonaws.com{china}"
        service = RUNTIME_SERVICE
    origin, prefix = split_base_url(url)
    return Deployment(
        surface, _id_on(surface, model), known_as, region, service, origin, prefix, terms
    )


def tells_itself(model: str) -> bool:
    """Does the id say which model it is?"""
    return bool(base_id(model))


def claude_version(model: str) -> tuple[int, int] | None:
    """`(4, 5)` for any id of Claude 4.5; None where the id does not tell."""
    found = _VERSION.search(model)
    return (int(found[1]), int(found[2] or 0)) if found is not None else None


def is_claude(model: str, *, at_least: tuple[int, int]) -> bool:
    """Is it that version or a later one? What does not tell its version is taken for new."""
    version = claude_version(model)
    return version is None or version >= at_least


def base_id(model: str) -> str:
    """The id without geography, which is all that CountTokens takes (trap 61); empty where the id
    of the model is not to be had from that of its profile."""
    arn = _ARN.fullmatch(model)
    if arn is not None:
        if arn[2] not in ("inference-profile", "foundation-model"):
            return ""
        model = arn[3]
    return _GEOGRAPHY.sub("", model, count=1)


def _surface(model: str, known_as: str, asked: str, *, on_runtime: bool) -> Surface:
    base = base_id(known_as)
    is_anthropic = "claude" in base or base.startswith("anthropic.")
    is_anthropic = is_anthropic or (not base and asked != "converse")
    if asked == "mantle":
        return Surface.MESSAGES if is_anthropic else Surface.CHAT
    if asked == "invoke":
        if not is_anthropic:
            raise ValueError(
                f"InvokeModel is spoken with Claude only, and {known_as} is none; "
                'write surface = "converse", or leave it out'
            )
        return Surface.INVOKE
    if asked == "converse":
        return Surface.CONVERSE
    is_plain = base == model and _RUNTIME_VERSION.search(model) is None and not on_runtime
    if is_anthropic:
        is_there = "claude-haiku-4-5" in base or is_claude(base, at_least=(4, 7))
        return Surface.MESSAGES if is_plain and is_there else Surface.INVOKE
    if is_plain and base.partition(".")[0] in _ON_MANTLE:
        return Surface.CHAT
    return Surface.CONVERSE


def _id_on(surface: Surface, model: str) -> str:
    """Kimi is spelt differently on each (trap 63)."""
    if surface is Surface.CHAT and model.startswith("moonshot."):
        return "moonshotai." + model.removeprefix("moonshot.")
    if surface is Surface.CONVERSE and model.startswith("moonshotai."):
        return "moonshot." + model.removeprefix("moonshotai.")
    return model

"""Which of Bedrock's surfaces serves a deployment: the id of its model tells (translation.md 5.1).

`mantle` is the newer endpoint: Anthropic's own Messages API for Claude, chat completions for the
others. The runtime has InvokeModel, which takes each vendor's body, and Converse, which is one body
for all. The less is translated the better: Converse is asked last.
"""

import re
from enum import Enum

import msgspec

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
    """Where one model of Bedrock's is asked: `model` is its id there, `region` that of the
    signature, which is always the host's (trap 48)."""

    surface: Surface
    model: str
    region: str
    service: str
    origin: Origin
    prefix: str


def deployment_of(
    model: str, *, asked: str, region: str, base_url: str, signing_service: str
) -> Deployment:
    """`asked` is the surface an operator wants: `mantle`, `invoke`, `converse`, or empty for what
    the id tells; `base_url` and `signing_service` override the usual ones. Raises ValueError for
    an id that is none."""
    if not model.isascii() or re.search(r"[\s\x00-\x1f]", model) or set(model) <= {"."}:
        raise ValueError(f"{model!r} is no id of a model of Bedrock's")
    surface = _surface(model, asked)
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
    return Deployment(surface, _id_on(surface, model), region, service, origin, prefix)


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


def _surface(model: str, asked: str) -> Surface:
    base = base_id(model)
    is_anthropic = base.startswith("anthropic.") or (not base and asked != "converse")
    if asked == "mantle":
        return Surface.MESSAGES if is_anthropic else Surface.CHAT
    if asked == "invoke":
        return Surface.INVOKE
    if asked == "converse":
        return Surface.CONVERSE
    is_plain = base == model and _RUNTIME_VERSION.search(model) is None
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

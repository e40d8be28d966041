"""Names of models as clients write them, read without looking into any catalogue.

Owns the grammar of names: aliases, native Claude ids in all the spellings seen in the field
(client-contract.md 13.1), names of the Hatz chat API. Knows no models and no callers, so a name
read here may still lead nowhere.
"""

import re
from enum import Enum

import msgspec

from proxy.domain.model import FAMILIES

PRODUCT_PREFIX = "anthropic."
"""What the catalogue puts before a native Claude id."""


class Form(Enum):
    """The kinds of names (domain.md 5). A catalogue id may have any form, and wins over all."""

    ALIAS = "alias"
    """`opus`, `sonnet`, `haiku`."""
    NATIVE = "native"
    """A Claude id of Anthropic's own API or of a cloud that sells it. Follows the mapping."""
    PRODUCT = "product"
    """A Claude id that begins with `anthropic.`: ours, perhaps decorated. Never follows it."""
    HATZ_CHAT = "hatz_chat"
    """`auto` and `agent-*`: they belong to another API."""
    OTHER = "other"


class Name(msgspec.Struct, frozen=True, gc=False):
    """An asked name, read. Everything is lower case.

    `text` is the name without its `[1m]` suffix. For Claude ids `spellings` goes from the fullest
    `claude-…` to the barest; `plain` is the barest in today's order (`claude-sonnet-3-5`), the same
    for all spellings of one model, and `date` the snapshot date taken off.
    """

    form: Form
    text: str
    family: str = ""
    spellings: tuple[str, ...] = ()
    plain: str = ""
    date: str = ""


_LONG_CONTEXT = re.compile(r"\[[a-z0-9_]{1,8}\]\Z")
_CLOUD = re.compile(r"\A(?:anthropic|bedrock|vertex_ai)/")
_REGION = re.compile(r"\A[a-z]{2,6}(?:-[a-z]{2,6})?\.(?=anthropic\.claude)")
_ENDINGS = (
    re.compile(r"[-@](?:latest|default)\Z"),
    re.compile(r"-v\d{1,2}(?::\w{1,8}){0,2}\Z"),  # Bedrock: -v1:0, -v1:0:200k; Vertex: -v2
    re.compile(r"[-@](20\d{6})\Z"),
)
_POINT = re.compile(r"(?<=\d)\.(?=\d)")
_OLD_ORDER = re.compile(r"\Aclaude-(\d{1,2}(?:-\d{1,2})?)-([a-z]+)\Z")
_DOT_ZERO = re.compile(r"\A(claude-[a-z]+-\d{1,2})-0\Z")
_WORDS = re.compile(r"[-.@:]")


def read_name(asked: str) -> Name:
    """Any text at all, read; what is no known form is `OTHER`."""
    text = asked.strip()
    if not text.isascii():
        # Lower case of some letters outside ASCII is ASCII: they must not become another name.
        return Name(Form.OTHER, text)
    text = without_long_context(text.lower())
    if text in FAMILIES:
        return Name(Form.ALIAS, text, text)
    if text == "auto" or text.startswith("agent-"):
        return Name(Form.HATZ_CHAT, text)
    sold = text
    while (cloud := _CLOUD.match(sold)) is not None:
        sold = sold[cloud.end() :]
    bare = _REGION.sub("", sold).removeprefix(PRODUCT_PREFIX)
    if not bare.startswith("claude-"):
        return Name(Form.OTHER, text)
    spellings, date = _undecorated(bare)
    form = Form.PRODUCT if sold.startswith(PRODUCT_PREFIX) else Form.NATIVE
    return Name(form, text, _family(bare), spellings, _in_order(spellings[-1]), date)


def without_long_context(text: str) -> str:
    """The name without a `[1m]`-like suffix. Clients mark a wish for a long context so."""
    return _LONG_CONTEXT.sub("", text)


def native_twin(model_id: str) -> str | None:
    """The native id that stands for a catalogue id, or None where it has none."""
    return model_id[len(PRODUCT_PREFIX) :] if model_id.startswith("anthropic.claude-") else None


def _undecorated(bare: str) -> tuple[tuple[str, ...], str]:
    """All spellings, from the given one to the one without any ending; and the date met."""
    spellings = [bare]
    date = ""
    taken = True
    while taken:
        taken = False
        for ending in _ENDINGS:
            found = ending.search(spellings[-1])
            if found is not None:
                date = date or (found[1] if found.re.groups else "")
                spellings.append(spellings[-1][: found.start()])
                taken = True
    return tuple(spellings), date


def _in_order(bare: str) -> str:
    """`claude-3-5-sonnet`, `claude-3.5-sonnet` and `claude-sonnet-3.5` are one: the last in
    today's form. `claude-opus-4-0` is what Anthropic also calls `claude-opus-4`."""
    dashed = _POINT.sub("-", bare)
    return _DOT_ZERO.sub(r"\1", _OLD_ORDER.sub(r"claude-\2-\1", dashed))


def _family(bare: str) -> str:
    for word in _WORDS.split(bare):
        if word in FAMILIES:
            return word
    return ""

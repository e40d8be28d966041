"""Anthropic's request body below its top level: messages, blocks, tools, wishes.

Only what translations read. Most values stay `msgspec.Raw`, because the same name means different
things in different blocks, and because text that is copied need never be decoded: unknown fields
and blocks must not fail a request. What cannot be read becomes a Fault
worded as Anthropic words it, with the path of the field in front. Knows no other wire.
"""

import re
from typing import Any, TypeVar

import msgspec

from proxy.domain.fault import Fault, Kind

ABSENT = msgspec.Raw()
"""A field that was not sent; empty, so untrue."""
_NULL = b"null"
_QUOTE = b'"'


class Message(msgspec.Struct, gc=False):
    """One of `messages`."""

    role: str = ""
    content: msgspec.Raw = ABSENT


class Block(msgspec.Struct, gc=False):
    """A content block of any type."""

    type: str = ""
    text: msgspec.Raw = ABSENT
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = ABSENT
    tool_use_id: str | None = None
    content: msgspec.Raw = ABSENT
    is_error: msgspec.Raw = ABSENT
    source: msgspec.Raw = ABSENT
    title: msgspec.Raw = ABSENT
    context: msgspec.Raw = ABSENT
    thinking: msgspec.Raw = ABSENT
    signature: msgspec.Raw = ABSENT
    tool_name: msgspec.Raw = ABSENT
    citations: msgspec.Raw = ABSENT
    cache_control: msgspec.Raw = ABSENT


class Source(msgspec.Struct, gc=False):
    """Where an image or a document comes from."""

    type: str = ""
    media_type: msgspec.Raw = ABSENT
    data: msgspec.Raw = ABSENT
    url: msgspec.Raw = ABSENT
    content: msgspec.Raw = ABSENT


class Tool(msgspec.Struct, gc=False):
    """One of `tools`."""

    type: str | None = None
    name: msgspec.Raw = ABSENT
    description: msgspec.Raw = ABSENT
    input_schema: msgspec.Raw = ABSENT
    strict: msgspec.Raw = ABSENT
    defer_loading: msgspec.Raw = ABSENT
    allowed_callers: list[str] | None = None
    cache_control: msgspec.Raw = ABSENT


class ToolChoice(msgspec.Struct, gc=False):
    """`tool_choice`."""

    type: str = ""
    name: msgspec.Raw = ABSENT
    disable_parallel_tool_use: bool | None = None


class Thinking(msgspec.Struct, gc=False):
    """`thinking`."""

    type: str = ""
    budget_tokens: int | None = None
    display: str | None = None


class Format(msgspec.Struct, gc=False):
    """`output_config.format`."""

    type: str = ""
    schema: msgspec.Raw = ABSENT


class OutputConfig(msgspec.Struct, gc=False):
    """`output_config`."""

    effort: str | None = None
    format: Format | None = None


class Metadata(msgspec.Struct, gc=False):
    """`metadata`."""

    user_id: str | None = None


class SearchHit(msgspec.Struct, gc=False):
    """What a `web_search_result` shows anybody."""

    title: str | None = None
    url: str | None = None


_T = TypeVar("_T")

_MESSAGES = msgspec.json.Decoder(list[Message])
_BLOCKS = msgspec.json.Decoder(list[Block])
_TOOLS = msgspec.json.Decoder(list[Tool])
_TEXT = msgspec.json.Decoder(str)
_TEXTS = msgspec.json.Decoder(list[str])
_SOURCE = msgspec.json.Decoder(Source)
_HITS = msgspec.json.Decoder(list[SearchHit])
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_OPTIONAL: dict[Any, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(kind)
    for kind in (ToolChoice, Thinking, OutputConfig, Format, Metadata)
}


def read_messages(raw: msgspec.Raw) -> list[Message]:
    """`messages`, each with a role and content that is there."""
    messages = _decoded(_MESSAGES, raw, "messages")
    for number, message in enumerate(messages):
        if message.role not in ("user", "assistant", "system"):
            what = "Input should be 'user', 'assistant' or 'system'"
            raise bad(f"messages.{number}.role: {what if message.role else 'Field required'}")
        if not message.content:
            raise bad(f"messages.{number}.content: Field required")
    return messages


def read_content(raw: msgspec.Raw, where: str) -> list[Block]:
    """Content as blocks: a string equals one text block, null and nothing equal none."""
    if not raw or is_null(raw):
        return []
    if is_text(raw):
        return [Block("text", raw)]
    return _decoded(_BLOCKS, raw, where)


def read_items(raw: msgspec.Raw, where: str) -> list[msgspec.Raw]:
    """The elements of a list as they stand."""
    return _decoded(_RAWS, raw, where)


def read_tools(raw: msgspec.Raw | None) -> list[Tool]:
    """`tools`; none where the field is absent or null."""
    return [] if raw is None or is_null(raw) else _decoded(_TOOLS, raw, "tools")


def read_source(raw: msgspec.Raw, where: str) -> Source:
    """The `source` of an image or document at `where`."""
    if not raw:
        raise bad(f"{where}.source: Field required")
    return _decoded(_SOURCE, raw, f"{where}.source")


def read_stops(raw: msgspec.Raw | None) -> list[str]:
    """`stop_sequences`."""
    return [] if raw is None or is_null(raw) else _decoded(_TEXTS, raw, "stop_sequences")


def read_optional(kind: type[_T], raw: msgspec.Raw | None, where: str) -> _T | None:
    """An object of the top level, None where it is absent or null."""
    if raw is None or is_null(raw):
        return None
    whole: _T = _decoded(_OPTIONAL[kind], raw, where)
    return whole


def read_hits(raw: msgspec.Raw) -> list[SearchHit]:
    """The results of a web search; none where it failed."""
    try:
        return _HITS.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def text_of(raw: msgspec.Raw, where: str) -> str:
    """A string decoded. `where` is its path, for a Fault."""
    json_text(raw, where)
    return _TEXT.decode(raw)


def named(value: str | None, where: str) -> str:
    """A string that must be there: an id, a name."""
    if not value:
        raise bad(f"{where}: Field required")
    return value


def json_text(raw: msgspec.Raw, where: str) -> bytes:
    """A string as it stands between its quotes: not decoded, ready to be copied into JSON."""
    whole = bytes(raw)
    if not whole.startswith(_QUOTE):
        raise bad(f"{where}: {'Input should be a valid string' if whole else 'Field required'}")
    return whole[1:-1]


def is_text(raw: msgspec.Raw) -> bool:
    """Is it a string?"""
    return memoryview(raw)[:1] == _QUOTE


def is_null(raw: msgspec.Raw) -> bool:
    """Is it null?"""
    return len(raw) == len(_NULL) and bytes(raw) == _NULL


def is_true(raw: msgspec.Raw) -> bool:
    """Is it true?"""
    return bytes(raw) == b"true"


def bad(message: str) -> Fault:
    """400 for what the client wrote."""
    return Fault(Kind.BAD_REQUEST, message)


_AT = re.compile(r"(?:(.*?) - at `\$(.*)`|(.*))", re.DOTALL)
_EXPECTED = (
    ("`str", "Input should be a valid string"),
    ("`array", "Input should be a valid list"),
    ("`object", "Input should be an object"),
    ("`int", "Input should be a valid integer"),
    ("`bool", "Input should be a valid boolean"),
)


def _decoded(decoder: "msgspec.json.Decoder[_T]", raw: msgspec.Raw, where: str) -> _T:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as problem:
        raise _worded(str(problem), where) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise bad(f"{where}: Input should be valid JSON in UTF-8") from None


def _worded(problem: str, where: str) -> Fault:
    """msgspec's words as Anthropic's: "Expected `str`, got `int` - at `$[0].type`"."""
    found = _AT.fullmatch(problem)
    assert found is not None, "the pattern takes anything"
    said, path = found[1] or found[3] or "", found[2] or ""
    path = path.replace("[", ".").replace("]", "")
    for kind, words in _EXPECTED:
        if kind in said.partition(", got")[0]:
            return bad(f"{where}{path}: {words}")
    return bad(f"{where}{path}: Input is not valid")

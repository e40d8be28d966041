"""Parts of a message as servers write them that only almost speak Anthropic's wire: what is read of
them, what they lack, what stands in. For streams (`repair.py`) and for whole replies.

Values that are the user's or the model's stay the bytes they are.
"""

import json  # noqa: TID251 - the fallback decoder of translation.md 0.2: msgspec refuses halves
from typing import Any

import msgspec

from proxy.domain.usage import Usage
from proxy.stream.thinking_signer import ThinkingSigner
from proxy.stream.torn_text import TornText, whole_text
from proxy.wire.messages import ReportedUsage
from proxy.wire.reported import merge_usage

ABSENT = msgspec.Raw()
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
BYTES_PER_TOKEN = 4
"""Of text: only for output that nobody counted."""


class TheirEvent(msgspec.Struct, gc=False):
    """One event of any type."""

    type: str | None = None
    index: msgspec.Raw = ABSENT
    message: msgspec.Raw = ABSENT
    content_block: msgspec.Raw = ABSENT
    delta: msgspec.Raw = ABSENT
    usage: msgspec.Raw = ABSENT
    error: msgspec.Raw = ABSENT
    stop_reason: msgspec.Raw = ABSENT


class TheirBlock(msgspec.Struct, gc=False):
    """A content block, or a delta of one."""

    type: str | None = None
    text: msgspec.Raw = ABSENT
    thinking: msgspec.Raw = ABSENT
    signature: msgspec.Raw = ABSENT
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = ABSENT
    partial_json: msgspec.Raw = ABSENT
    citation: msgspec.Raw = ABSENT


read_event = msgspec.json.Decoder(TheirEvent).decode
read_block = msgspec.json.Decoder(TheirBlock).decode
read_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
read_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_USAGE = msgspec.json.Decoder(ReportedUsage, strict=False)
_TEXT = msgspec.json.Decoder(str)

CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")
_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
"""Reasons of OpenAI's that slip through."""


def given(value: msgspec.Raw) -> bool:
    """Is it there, and not null?"""
    return bool(value) and bytes(value) != b"null"


def read_torn_event(data: bytes, torn: TornText) -> TheirEvent | None:
    """An event that holds halves of characters: those of its words find each other through `torn`,
    all others are none. None for what is no event even so."""
    try:
        event: Any = json.loads(data.decode("utf-8", "replace"))
        delta: Any = event.get("delta") if isinstance(event, dict) else None
        for name in _WORDS:
            if isinstance(delta, dict) and isinstance(delta.get(name), str):
                delta[name] = torn.mend(delta[name])
        return read_event(whole_text(json.dumps(event, ensure_ascii=False)).encode())
    except (*UNREADABLE, ValueError):
        return None


_WORDS = ("text", "thinking", "partial_json")


def words_of(value: msgspec.Raw) -> bytes:
    """A JSON string's inside; nothing for any other value."""
    raw = bytes(value)
    return raw[1:-1] if raw[:1] == b'"' else b""


def text_of(value: msgspec.Raw) -> str:
    """A JSON string as text; nothing for any other value, or for one that cannot be read."""
    try:
        return _TEXT.decode(value) if words_of(value) else ""
    except UNREADABLE:
        return ""


def one_line(value: bytes | msgspec.Raw) -> bytes:
    """JSON without raw line ends: they would break the framing of an event."""
    raw = bytes(value)
    if b"\n" in raw or b"\r" in raw:
        return msgspec.json.format(raw, indent=-1)
    return raw


def object_of(fields: dict[str, msgspec.Raw]) -> bytes:
    """A JSON object of values as they are."""
    pairs = [b"%b:%b" % (msgspec.json.encode(key), one_line(raw)) for key, raw in fields.items()]
    return b"{" + b",".join(pairs) + b"}"


def stop_reason(theirs: str, *, calls: int) -> str:
    """The reason a client can rely on: `tool_use` exactly when there is a call (trap 17)."""
    reason = _REASONS.get(theirs, theirs) or "end_turn"
    if reason == "end_turn" and calls:
        return "tool_use"
    return "end_turn" if reason == "tool_use" and not calls else reason


def signed(signer: ThinkingSigner) -> bytes:
    """Our signature of the thinking that was added, as it stands inside a JSON string."""
    try:
        return signer.signature().encode()
    except UNREADABLE:
        signer.words.clear()
        return b""  # half a character: nothing can vouch for that


class Counts:
    """The usage of one message as it is reported, in pieces, with nulls and zeros in between: a
    null never overwrites a number, a zero never one that is more (trap 24)."""

    __slots__ = ("estimated", "fields", "usage")

    def __init__(self) -> None:
        self.usage = Usage()
        self.fields: dict[str, msgspec.Raw] = {}
        self.estimated = False

    def merge(self, reported: msgspec.Raw) -> None:
        """A `usage` object, or whatever stands there."""
        try:
            fields = read_fields(reported) if given(reported) else {}
        except UNREADABLE:
            return
        told = {
            name: value
            for name, value in fields.items()
            if given(value) and not (bytes(value) == b"0" and name in self.fields)
        }
        try:
            merge_usage(_USAGE.decode(msgspec.json.encode(told)), self.usage)
        except UNREADABLE:
            return
        self.fields.update(told)

    def document(self, *, input_tokens: int, output_bytes: int, is_final: bool) -> bytes:
        """All of it as JSON. Where nobody counted the input, `input_tokens` stand in, and for the
        output what `output_bytes` of text come to."""
        usage = self.usage
        if not (usage.input_tokens or usage.cache_read_tokens or self._cache_writes):
            shown = input_tokens
            if is_final:
                usage.input_tokens = input_tokens
                self.estimated = True
        else:
            shown = usage.input_tokens
        if is_final and not usage.output_tokens and output_bytes:
            usage.output_tokens = max(1, output_bytes // BYTES_PER_TOKEN)
            self.estimated = True
        output = usage.output_tokens if is_final else max(1, usage.output_tokens)
        fields = {
            **self.fields,
            "input_tokens": msgspec.Raw(b"%d" % shown),
            "output_tokens": msgspec.Raw(b"%d" % output),
        }
        return object_of(fields)

    @property
    def _cache_writes(self) -> int:
        return self.usage.cache_write_5m_tokens + self.usage.cache_write_1h_tokens

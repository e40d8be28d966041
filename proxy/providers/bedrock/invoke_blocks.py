"""Messages and blocks without what Bedrock's runtime refuses inside them (translation.md 5.2).

Only what bears a mark of trouble is taken apart; every value that stays keeps its bytes. What
cannot be read stays as it is, for the model's own validation to refuse in its own words.
"""

import re
from collections.abc import Iterable

import msgspec

from proxy.domain.fault import Fault, Kind

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_CACHE_MARKS = (b'"scope"', b'"ttl"')
_SOURCE_MARKS = (b'"url"', b'"file"')
_SYSTEM_ROLE = re.compile(rb'"role"\s*:\s*"system"')
_DEPTH_MAX = 3
"""A message holds blocks, a result of a tool holds blocks: there is no more."""

Fields = dict[str, msgspec.Raw]
read_fields = msgspec.json.Decoder(Fields).decode
read_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_TEXT = msgspec.json.Decoder(str)
_encode = msgspec.json.encode


def edited_messages(messages: msgspec.Raw, *, takes_ttl: bool, takes_system: bool) -> msgspec.Raw:
    """The conversation. `takes_ttl`: caches may be asked to last; `takes_system`: a system message
    may stand among the others, else it is told by the user. Raises Fault 400 for files by URL."""
    has_system = not takes_system and _SYSTEM_ROLE.search(messages) is not None
    if not has_system and not _is_marked(messages):
        return messages
    try:
        told = [
            _edited_message(raw, number, takes_ttl=takes_ttl)
            for number, raw in enumerate(read_list(messages))
        ]
        if has_system:
            told = _with_system_folded(told)
    except _UNREADABLE:
        return messages
    return msgspec.Raw(_encode(told))


def edited_blocks(
    content: msgspec.Raw, *, takes_ttl: bool, place: str = "system", depth: int = 0
) -> msgspec.Raw:
    """A list of blocks; text alone stays as it is."""
    if not _is_marked(content) or not _is_list(content) or depth > _DEPTH_MAX:
        return content
    try:
        blocks = [
            _edited_block(raw, takes_ttl=takes_ttl, place=f"{place}.{number}", depth=depth)
            for number, raw in enumerate(read_list(content))
        ]
    except _UNREADABLE:
        return content
    return msgspec.Raw(_encode(blocks))


def without_scope(fields: Fields, *, takes_ttl: bool) -> None:
    """A mark for the cache with its kind alone, and how long it lasts where that may be asked."""
    mark = fields.get("cache_control")
    if mark is None or not is_object(mark):
        return
    kept = {
        name: raw
        for name, raw in read_fields(mark).items()
        if name == "type" or (name == "ttl" and takes_ttl)
    }
    fields["cache_control"] = msgspec.Raw(_encode(kept))


def text_of(raw: msgspec.Raw | None) -> str:
    """A JSON string as text; empty for all else."""
    try:
        return _TEXT.decode(raw) if raw is not None else ""
    except _UNREADABLE:
        return ""


def _edited_message(raw: msgspec.Raw, number: int, *, takes_ttl: bool) -> msgspec.Raw:
    if not _is_marked(raw):
        return raw
    fields = read_fields(raw)
    content = fields.get("content")
    if content is not None:
        place = f"messages.{number}.content"
        fields["content"] = edited_blocks(content, takes_ttl=takes_ttl, place=place)
    return msgspec.Raw(_encode(fields))


def _edited_block(raw: msgspec.Raw, *, takes_ttl: bool, place: str, depth: int) -> msgspec.Raw:
    if not _is_marked(raw):
        return raw
    fields = read_fields(raw)
    without_scope(fields, takes_ttl=takes_ttl)
    kind = text_of(fields.get("type"))
    if kind in ("image", "document") and "source" in fields:
        _refuse_far_source(fields["source"], f"{place}.{kind}.source")
    if "content" in fields and kind == "tool_result":
        fields["content"] = edited_blocks(
            fields["content"], takes_ttl=takes_ttl, place=f"{place}.content", depth=depth + 1
        )
    return msgspec.Raw(_encode(fields))


def _refuse_far_source(source: msgspec.Raw, place: str) -> None:
    """Bedrock fetches nothing and knows no files."""
    kind = text_of(read_fields(source).get("type"))
    if kind in ("url", "file"):
        raise Fault(
            Kind.BAD_REQUEST,
            f"{place}: This model's provider, Amazon Bedrock, takes no source of type `{kind}`.",
            hint="Send the content itself as base64.",
        )


def _with_system_folded(messages: list[msgspec.Raw]) -> list[msgspec.Raw]:
    """System messages among the others as words of the user's, in the message before or, where that
    is the assistant's, in the next; there behind results, which must follow their calls at once
    (translation.md 1.2)."""
    told: list[msgspec.Raw] = []
    waiting: list[msgspec.Raw] = []
    role_before = ""
    for raw in messages:
        fields = read_fields(raw)
        role = text_of(fields.get("role"))
        if role == "system" and role_before == "user":
            told[-1] = _with_blocks(told[-1], [], _reminders(fields.get("content")))
            continue
        if role == "system":
            waiting += _reminders(fields.get("content"))
            continue
        if waiting and role == "user":
            has_results = _begins_with_result(fields.get("content"))
            before, behind = ([], waiting) if has_results else (waiting, [])
            raw = _with_blocks(raw, before, behind)
        elif waiting:
            told.append(_raw({"role": "user", "content": waiting}))
        waiting = []
        told.append(raw)
        role_before = role
    if waiting:
        told.append(_raw({"role": "user", "content": waiting}))
    return told


def _with_blocks(
    message: msgspec.Raw, before: Iterable[msgspec.Raw], behind: Iterable[msgspec.Raw]
) -> msgspec.Raw:
    fields = read_fields(message)
    fields["content"] = _raw([*before, *_blocks(fields.get("content")), *behind])
    return _raw(fields)


def _begins_with_result(content: msgspec.Raw | None) -> bool:
    blocks = _blocks(content)
    return bool(blocks) and text_of(read_fields(blocks[0]).get("type")) == "tool_result"


def _reminders(content: msgspec.Raw | None) -> Iterable[msgspec.Raw]:
    for raw in _blocks(content):
        fields = read_fields(raw)
        text = text_of(fields.get("text"))
        if text.strip():
            fields["text"] = _raw(f"<system-reminder>\n{text}\n</system-reminder>")
            yield _raw(fields)


def _blocks(content: msgspec.Raw | None) -> list[msgspec.Raw]:
    if content is None:
        return []
    if _is_list(content):
        return read_list(content)
    return [_raw({"type": "text", "text": content})]


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(_encode(value))


def _is_list(content: msgspec.Raw) -> bool:
    return bytes(memoryview(content)[:1]) == b"["


def is_object(raw: msgspec.Raw) -> bool:
    """Is it a JSON object?"""
    return bytes(memoryview(raw)[:1]) == b"{"


def _is_marked(raw: msgspec.Raw) -> bool:
    # Inside a text every quote is escaped, so these are found in keys and short values alone.
    view = bytes(raw)
    return any(mark in view for mark in (*_CACHE_MARKS, *_SOURCE_MARKS))

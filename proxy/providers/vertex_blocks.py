"""What Google Cloud refuses below the top level of a request, found and taken out.

Each walk begins with a search for the bytes it is about: a request without them is not read. A walk
sees blocks and tools only, never a tool's input or schema: those are the user's.
"""

import re
from collections.abc import Callable

import msgspec

BASIC_SEARCH = b'"web_search_20250305"'
_SEARCH = re.compile(rb'"web_search_[0-9]{8}"')
_REFUSED_TOOL = re.compile(rb'"(?:web_fetch|code_execution|advisor)_[0-9]{8}"|"mcp_toolset"')
"""What runs on Anthropic's own machines."""
_SEARCH_FIELDS = frozenset(
    (
        *("type", "name", "max_uses", "allowed_domains", "blocked_domains", "user_location"),
        "cache_control",
    )
)
_TOOL_HINTS = ("eager_input_streaming", "allowed_callers", "input_examples")
"""Refused there (trap 37), and a tool works without them."""
_LATER = "defer_loading"
_TOOL_MARKS = re.compile(
    rb'"(?:eager_input_streaming|allowed_callers|input_examples|defer_loading|custom|mcp_toolset'
    rb'|(?:web_search|web_fetch|code_execution|advisor)_[0-9]{8})"'
)
"""All that any rule about tools is about: one search instead of one for each."""
_SCOPE = re.compile(rb'"scope"')
_OPENING = ord("[")
_REFERENCE = re.compile(rb'"type"\s*:\s*"(?:url|file)"')
_BY_REFERENCE = (b'"url"', b'"file"')
_SYSTEM = b'"system"'
_OPENED = b'{"type":"text","text":"<system-reminder>"}'
_CLOSED = b'{"type":"text","text":"</system-reminder>"}'

_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_Fields = dict[str, msgspec.Raw]
_ABSENT = msgspec.Raw()


class _Typed(msgspec.Struct, gc=False):
    type: msgspec.Raw = _ABSENT
    role: msgspec.Raw = _ABSENT
    content: msgspec.Raw = _ABSENT
    source: msgspec.Raw = _ABSENT


_TYPED = msgspec.json.Decoder(_Typed)


def are_marked(tools: msgspec.Raw) -> bool:
    """Must these tools be looked at? For the three functions below."""
    return _TOOL_MARKS.search(tools) is not None


def searches(tools: msgspec.Raw) -> bool:
    """Is one of the tools the provider's own web search?"""
    return any(_SEARCH.fullmatch(_type(tool)) for tool in _items(tools))


def refused_tool(tools: msgspec.Raw) -> str | None:
    """Where the first tool stands that is not there."""
    for number, tool in enumerate(_items(tools)):
        if _REFUSED_TOOL.fullmatch(_type(tool)):
            return f"tools.{number}.type"
    return None


def with_basic_tools(tools: msgspec.Raw, *, tool_search: bool) -> msgspec.Raw:
    """Tools without hints that are refused; newer searches, which run code, become the basic one.
    `tool_search`: may a tool be loaded later?"""

    def edit(tool: _Fields) -> bool:
        if _SEARCH.fullmatch(bytes(tool.get("type", _ABSENT))):
            dropped = set(tool) - _SEARCH_FIELDS
            is_basic = bytes(tool["type"]) == BASIC_SEARCH
            for name in dropped:
                del tool[name]
            tool["type"] = msgspec.Raw(BASIC_SEARCH)
            return bool(dropped) or not is_basic
        wrapped = tool.pop("custom", None)
        changed = wrapped is not None
        if wrapped is not None:
            # Settings of a tool that some clients wrap; what can be used is put where it belongs.
            inner = _object(wrapped) or {}
            if _LATER in inner:
                tool.setdefault(_LATER, inner[_LATER])
        for name in _TOOL_HINTS if tool_search else (*_TOOL_HINTS, _LATER):
            changed = tool.pop(name, None) is not None or changed
        return changed

    return _each(tools, _TOOL_MARKS, edit)


def without_scope(blocks: msgspec.Raw) -> msgspec.Raw:
    """Messages, system blocks or tools whose `cache_control` names no scope (translation.md 10)."""
    if _SCOPE.search(blocks) is None:
        return blocks

    def edit(block: _Fields) -> bool:
        changed = False
        control = block.get("cache_control")
        if control is not None and (inner := _object(control)) is not None and "scope" in inner:
            del inner["scope"]
            block["cache_control"] = msgspec.Raw(msgspec.json.encode(inner))
            changed = True
        content = block.get("content")
        if content is not None and _is_list(content):
            edited = _each(content, _SCOPE, edit)
            if edited is not content:
                block["content"] = edited
                changed = True
        return changed

    return _each(blocks, _SCOPE, edit)


def without_display(thinking: msgspec.Raw) -> msgspec.Raw:
    """`thinking` that does not say how it is shown."""
    fields = _object(thinking)
    if fields is None or fields.pop("display", None) is None:
        return thinking
    return msgspec.Raw(msgspec.json.encode(fields))


def referring_source(messages: msgspec.Raw) -> str | None:
    """Where the first image or document stands that is only pointed at, by address or file id."""
    if _REFERENCE.search(messages) is None:
        return None
    for number, message in enumerate(_items(messages)):
        if _REFERENCE.search(message) is None:
            continue
        try:
            content = _TYPED.decode(message).content
        except _UNREADABLE:
            continue
        place = _referring(content, f"messages.{number}.content")
        if place is not None:
            return place
    return None


def folded_system(messages: msgspec.Raw) -> msgspec.Raw:
    """The conversation with its system messages told by the user, marked as reminders. One between
    a call and its result goes behind the result, which must follow at once."""
    if _SYSTEM not in bytes(messages):
        return messages
    told: list[bytes] = []
    held: list[bytes] = []
    before = b""
    for message in _items(messages):
        try:
            read = _TYPED.decode(message)
        except _UNREADABLE:
            return messages
        role = bytes(read.role)
        if role == _SYSTEM:
            (held if before == b'"assistant"' else told).append(_reminder(bytes(read.content)))
            continue
        if role == b'"user"':
            told += [bytes(message), *held]
        else:
            told += [*held, bytes(message)]
        held = []
        before = role
    return msgspec.Raw(b"[%b]" % b",".join([*told, *held]))


def _reminder(content: bytes) -> bytes:
    blocks = (
        content[1:-1].strip() if content[:1] == b"[" else b'{"type":"text","text":%b}' % content
    )
    parts = [each for each in (_OPENED, blocks, _CLOSED) if each]
    return b'{"role":"user","content":[%b]}' % b",".join(parts)


def _referring(content: msgspec.Raw, path: str) -> str | None:
    if not _is_list(content):
        return None
    for number, raw in enumerate(_items(content)):
        if _REFERENCE.search(raw) is None:
            continue
        try:
            block = _TYPED.decode(raw)
        except _UNREADABLE:
            continue
        place = f"{path}.{number}"
        kind = bytes(block.type)
        if kind in (b'"image"', b'"document"') and _type(block.source) in _BY_REFERENCE:
            return f"{place}.{kind[1:-1].decode()}.source.type"
        if kind == b'"tool_result"':
            inner = _referring(block.content, f"{place}.content")
            if inner is not None:
                return inner
    return None


def _each(
    values: msgspec.Raw, mark: re.Pattern[bytes], edit: Callable[[_Fields], bool]
) -> msgspec.Raw:
    """A list with `edit` done to every object in which `mark` stands; the same where nothing was
    changed."""
    items = _items(values)
    changed = False
    for at, item in enumerate(items):
        if mark.search(item) is None:
            continue
        fields = _object(item)
        if fields is not None and edit(fields):
            items[at] = msgspec.Raw(msgspec.json.encode(fields))
            changed = True
    if not changed:
        return values
    return msgspec.Raw(b"[%b]" % b",".join(map(bytes, items)))


def _is_list(raw: msgspec.Raw) -> bool:
    return len(raw) > 0 and memoryview(raw)[0] == _OPENING


def _items(values: msgspec.Raw) -> list[msgspec.Raw]:
    try:
        return _LIST.decode(values)
    except _UNREADABLE:
        return []  # no list: the provider will say so


def _object(raw: msgspec.Raw) -> _Fields | None:
    try:
        return _FIELDS.decode(raw)
    except _UNREADABLE:
        return None


def _type(raw: msgspec.Raw) -> bytes:
    try:
        return bytes(_TYPED.decode(raw).type)
    except _UNREADABLE:
        return b""

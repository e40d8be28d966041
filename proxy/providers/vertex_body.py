"""A Messages request as Google Cloud takes it: its top level written anew (translation.md 6).

Hints that are not known there go in silence; what the request rests on is refused by name
(translation.md D11). All that stays keeps its bytes: prompt caches hang on them. What is changed
below the top level is `vertex_blocks.py`'s.
"""

import msgspec

from proxy.domain.call import Call
from proxy.domain.fault import Fault, Kind
from proxy.providers.compat_lessons import fields_without
from proxy.providers.vertex_blocks import (
    folded_system,
    referring_source,
    refused_tool,
    with_basic_tools,
    without_display,
    without_scope,
)
from proxy.providers.vertex_lessons import DISPLAY, SYSTEM_ROLE, VERSION
from proxy.providers.vertex_place import counted_model, is_within
from proxy.wire.body import Body
from proxy.wire.http import Piece

BODY_BYTES_MAX = 30_000_000
OCTOBER = b"2026-10-21"
BASIC_VERSION = b"vertex-2023-10-16"

_KEPT = frozenset(
    (
        *("messages", "system", "max_tokens", "stop_sequences", "stream", "temperature", "top_p"),
        *("top_k", "tools", "tool_choice", "thinking", "metadata", "output_config"),
        *("context_management", "safeguards"),
    )
)
_COUNTED = frozenset(("messages", "system", "tools", "tool_choice", "thinking", "output_config"))
"""What may stand in a request that counts."""
_HINTS = ("cache_control", "service_tier", "speed", "diagnostics", "fallbacks", "inference_geo")
"""Of what is left out, that which is counted (`hatz_dropped_fields`)."""
_NEEDED = ("container", "mcp_servers")
_EMPTY = (b"null", b"[]", b"{}", b'""')
_TEXT = msgspec.json.Decoder(str)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

Fields = dict[str, msgspec.Raw]


class Setting(msgspec.Struct, frozen=True):
    """What holds for one request beside its body."""

    region: str
    left_out: frozenset[str]
    """What was refused before: betas, fields, what `vertex_lessons.py` names."""
    tool_search: bool
    """May tools be found later on?"""
    scoped: bool
    """Did the client say that its cache marks may name a scope?"""
    marked_tools: bool
    """Is there anything about the tools to look at?"""


def message_fields(call: Call, body: Body, setting: Setting) -> Fields:
    """The fields that go on, in the client's order. Raises Fault 400 for what is not there, 413
    for what is too large."""
    if len(body.raw) > BODY_BYTES_MAX:
        raise Fault(
            Kind.TOO_LARGE,
            f"Request exceeds the maximum size: {len(body.raw)} bytes, and the model "
            f"{call.model.id} takes {BODY_BYTES_MAX}.",
        )
    _refuse_unfit(call, body, setting)
    fields = {"anthropic_version": _version(call, setting.left_out)}
    fields.update((name, raw) for name, raw in body.fields.items() if name in _KEPT)
    _take_format(fields, body.fields)
    call.dropped = tuple([name for name in _HINTS if name in body.fields])
    return _fitted(fields, setting)


def count_fields(call: Call, body: Body, upstream_model: str, setting: Setting) -> Fields:
    """The same for a request that counts, which names its model."""
    fields = {"anthropic_version": _version(call, setting.left_out)}
    fields["model"] = msgspec.Raw(msgspec.json.encode(counted_model(upstream_model)))
    fields.update((name, raw) for name, raw in body.fields.items() if name in _COUNTED)
    return _fitted(fields, setting)


def pieces_of(fields: Fields) -> list[Piece]:
    """The JSON object, nothing of it copied."""
    pieces: list[Piece] = []
    opening = b"{"
    for name, raw in fields.items():
        pieces += (b'%b"%b":' % (opening, name.encode()), memoryview(raw))
        opening = b","
    pieces.append(b"}")
    return pieces


def _version(call: Call, left_out: frozenset[str]) -> msgspec.Raw:
    """The client's dialect: whoever speaks the newer one relies on it, until it is refused."""
    asked = call.arrival.headers.get(b"anthropic-version", b"")
    is_october = asked.strip() == OCTOBER and VERSION not in left_out
    return msgspec.Raw(b'"%b"' % (OCTOBER if is_october else BASIC_VERSION))


def _fitted(fields: Fields, setting: Setting) -> Fields:
    if setting.scoped:
        for name in ("system", "messages", "tools"):
            if name in fields:
                fields[name] = without_scope(fields[name])
    if setting.marked_tools:
        fields["tools"] = with_basic_tools(fields["tools"], tool_search=setting.tool_search)
    left_out = setting.left_out
    if left_out:
        fields = fields_without(fields, left_out)
        if SYSTEM_ROLE in left_out:
            fields["messages"] = folded_system(fields["messages"])
        if DISPLAY in left_out and "thinking" in fields:
            fields["thinking"] = without_display(fields["thinking"])
    return fields


def _refuse_unfit(call: Call, body: Body, setting: Setting) -> None:
    fields = body.fields
    for name in _NEEDED:
        value = fields.get(name)
        if value is not None and b"".join(bytes(value).split()) not in _EMPTY:
            raise _unfit(f"{name}: not supported by the model {call.model.id}")
    if setting.marked_tools and (place := refused_tool(fields["tools"])) is not None:
        raise _unfit(f"{place}: not supported by the model {call.model.id}")
    place = referring_source(fields["messages"])
    if place is not None:
        raise _unfit(f"{place}: the model {call.model.id} takes sources of the type base64 only")
    geo = _text(fields.get("inference_geo"))
    if geo and not is_within(setting.region, geo):
        raise _unfit(
            f"inference_geo: the model {call.model.id} cannot be promised to run in {geo}. "
            "Leave the field out or choose another model."
        )


def _take_format(fields: Fields, asked: Fields) -> None:
    """`output_format` is the older spelling of `output_config.format`."""
    legacy = asked.get("output_format")
    if legacy is None or bytes(legacy) == b"null":
        return
    config = fields.get("output_config")
    held = {} if config is None or bytes(config) == b"null" else _object(config)
    if held is not None:
        held.setdefault("format", legacy)
        fields["output_config"] = msgspec.Raw(msgspec.json.encode(held))


def _object(raw: msgspec.Raw) -> Fields | None:
    try:
        return msgspec.json.decode(raw, type=Fields)
    except _UNREADABLE:
        return None  # the provider will say what is wrong with it


def _text(raw: msgspec.Raw | None) -> str:
    try:
        return _TEXT.decode(raw) if raw is not None else ""
    except _UNREADABLE:
        return ""


def _unfit(message: str) -> Fault:
    return Fault(Kind.BAD_REQUEST, message)

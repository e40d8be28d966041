"""Replies of chat completions, streamed or whole: only the fields we read, believed as little as
needed.

Fields that some provider fills with something else are `Any` (strings as a rule) or `Raw`. What
msgspec refuses but other decoders let pass (half a character as an escape, NaN, bytes that are no
UTF-8) goes through a second, slow decoder: providers do send it (translation.md 0.2).
"""

import json  # noqa: TID251 - the fallback decoder of translation.md 0.2: msgspec and orjson refuse
import math
from collections.abc import Iterable
from typing import Any

import msgspec

NOTHING = msgspec.Raw(b"null")
_EMPTY = (b"null", b'""', b"{}", b"[]", b"false")
UNREADABLE = "NaN"
"""Stands for arguments that held a number JSON does not know: no JSON either."""


class Function(msgspec.Struct, gc=False):
    """What is called. `arguments` is a JSON string as a rule, an object from some servers."""

    name: Any = None
    arguments: msgspec.Raw = NOTHING


class ToolCall(msgspec.Struct):
    """One call, or a fragment of one."""

    index: Any = None
    id: Any = None
    function: Function | None = None


class Delta(msgspec.Struct):
    """What a choice says: the next bit of a stream, or a whole message."""

    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: msgspec.Raw = NOTHING
    refusal: Any = None
    tool_calls: list[ToolCall | None] | None = None
    function_call: Function | None = None


class Choice(msgspec.Struct):
    """One of the answers; we ask for one only."""

    index: Any = None
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: Any = None
    stop_reason: Any = None
    """vLLM: the stop sequence that matched."""
    usage: msgspec.Raw = NOTHING


class _Groq(msgspec.Struct):
    usage: msgspec.Raw = NOTHING


class Chunk(msgspec.Struct):
    """One event of a stream, or a whole reply."""

    choices: list[Choice] | None = None
    usage: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING
    service_tier: Any = None
    x_groq: _Groq | None = None
    is_loose: bool = False
    """Read by the second decoder: its texts may hold halves of characters."""


class _Bare(msgspec.Struct):
    """What is left where a reply has no choices."""

    object: Any = None
    message: Any = None
    detail: Any = None


_CHUNK = msgspec.json.Decoder(Chunk)
_BARE = msgspec.json.Decoder(_Bare)
_TEXT = msgspec.json.Decoder(str)
_OPAQUE = msgspec.json.Decoder(msgspec.Raw)
_LIST = msgspec.json.Decoder(list[Any])
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_chunk(data: bytes) -> Chunk | None:
    """A chunk or a whole reply; None when it is neither, whatever decoder is asked."""
    try:
        return _CHUNK.decode(data)
    except _BROKEN:
        return _read_loosely(data)


def read_details(raw: msgspec.Raw) -> tuple[str, bytes]:
    """The text of `reasoning_details`, and the details as JSON; empty when they are no list."""
    whole = bytes(raw)
    try:
        entries = _LIST.decode(whole)
    except _BROKEN:
        return "", b""
    said = [
        text
        for entry in entries
        if isinstance(entry, dict)
        for text in (entry.get("text") or entry.get("summary"),)
        if isinstance(text, str)
    ]
    return "".join(said), whole


def is_said(raw: msgspec.Raw) -> bool:
    """Is there anything in a field that may be null, empty or absent?"""
    return raw is not NOTHING and bytes(raw) not in _EMPTY


def read_text(raw: bytes | msgspec.Raw) -> str | None:
    """The string a JSON value is, None for any other value. May hold halves of characters."""
    try:
        return _TEXT.decode(raw)
    except _BROKEN:
        try:
            text = json.loads(bytes(raw).decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return None
        return text if isinstance(text, str) else None


def read_json(text: bytes) -> bytes | None:
    """`text` without the space around it if it is one JSON value in UTF-8, else None."""
    try:
        text.decode()
        return bytes(_OPAQUE.decode(text))
    except _BROKEN:
        return None


def complains(data: bytes) -> bool:
    """Is an object without choices an error by another name (vLLM's `object: error`, FastAPI's
    `detail`)?"""
    try:
        bare = _BARE.decode(data)
    except _BROKEN:
        return False
    return bare.object == "error" or bool(bare.message) or bool(bare.detail)


def parts_of(content: list[Any]) -> Iterable[tuple[bool, str]]:
    """Content in parts: is it thinking (Mistral's), and its text."""
    for part in content:
        if isinstance(part, str):
            yield False, part
        elif isinstance(part, dict):
            thinking = part.get("thinking")
            if isinstance(thinking, str):
                yield True, thinking
            elif isinstance(thinking, list):
                for _, text in parts_of(thinking):
                    yield True, text
            elif isinstance(part.get("text"), str):
                yield False, part["text"]


# ---------------------------------------------------------------- the second decoder


def _read_loosely(data: bytes) -> Chunk | None:
    try:
        top = json.loads(data.decode("utf-8", "replace"))
        if not isinstance(top, dict):
            return None
        groq = top.get("x_groq")
        return Chunk(
            choices=[_choice(choice) for choice in _objects(top.get("choices"))],
            usage=_raw(top.get("usage")),
            error=_raw(top.get("error")),
            service_tier=top.get("service_tier"),
            x_groq=_Groq(_raw(groq.get("usage"))) if isinstance(groq, dict) else None,
            is_loose=True,
        )
    except (ValueError, RecursionError):
        return None


def _choice(choice: dict[str, Any]) -> Choice:
    return Choice(
        index=choice.get("index"),
        delta=_delta(choice.get("delta")),
        message=_delta(choice.get("message")),
        finish_reason=choice.get("finish_reason"),
        stop_reason=choice.get("stop_reason"),
        usage=_raw(choice.get("usage")),
    )


def _delta(delta: object) -> Delta | None:
    if not isinstance(delta, dict):
        return None
    return Delta(
        content=delta.get("content"),
        reasoning_content=delta.get("reasoning_content"),
        reasoning=delta.get("reasoning"),
        reasoning_details=_raw(delta.get("reasoning_details")),
        refusal=delta.get("refusal"),
        tool_calls=[
            ToolCall(call.get("index"), call.get("id"), _function(call.get("function")))
            for call in _objects(delta.get("tool_calls"))
        ],
        function_call=_function(delta.get("function_call")),
    )


def _function(function: object) -> Function | None:
    if not isinstance(function, dict):
        return None
    arguments = function.get("arguments")
    if not _is_finite(arguments):
        arguments = UNREADABLE
    return Function(function.get("name"), _raw(arguments))


def _objects(values: object) -> list[dict[str, Any]]:
    if not isinstance(values, list):
        return []
    return [value for value in values if isinstance(value, dict)]


def _raw(value: object) -> msgspec.Raw:
    """A value as JSON again; a number JSON does not know becomes null."""
    if value is None:
        return NOTHING
    return msgspec.Raw(json.dumps(_finite(value)).encode())


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return value


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return True

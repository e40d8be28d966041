"""A Messages request as the body of InvokeModel (translation.md 5.2): the client's values as they
are, without what Bedrock refuses.

Bedrock takes a fixed list of fields and answers 400 to any other. Hints are left out; what a
request rests on (a container, tools that run at Anthropic, files by URL) is refused here. What is
inside messages and tools is looked at only where a mark of trouble is found in their bytes
(`invoke_blocks.py`): all else goes on byte for byte, and the prompt's cache with it.
"""

from collections.abc import Mapping

import msgspec

from proxy.domain.fault import Fault, Kind
from proxy.providers.bedrock.betas import (
    COMPACTION,
    CONTEXT_MANAGEMENT,
    EFFORT,
    SEARCH_RESULTS,
    betas_for_bedrock,
)
from proxy.providers.bedrock.counting import counting
from proxy.providers.bedrock.invoke_blocks import edited_blocks, edited_messages
from proxy.providers.bedrock.invoke_tools import edited_tools
from proxy.providers.bedrock.surfaces import claude_version, is_claude
from proxy.wire.body import Body

BODY_BYTES_MAX = 20_000_000
_VERSION = msgspec.Raw(b'"bedrock-2023-05-31"')
_OCTOBER = b"2026-10-21"
_TAKEN = frozenset(
    (
        *("max_tokens", "messages", "system", "stop_sequences", "temperature", "top_p", "top_k"),
        *("tools", "tool_choice", "thinking", "metadata", "output_config", "context_management"),
        "safeguards",
    )
)
_ELSEWHERE = frozenset(("model", "stream", "output_format"))
"""Not lost: in the path, or in another field."""
_RESTS_ON = ("container", "mcp_servers")
_EMPTY = (b"null", b"[]", b"{}", b'""')
_EDITS = {"clear_tool_uses_20250919": CONTEXT_MANAGEMENT, "compact_20260112": COMPACTION}
"""Edits of the context that the runtime makes, each with its beta."""
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_Fields = dict[str, msgspec.Raw]
_read_fields = msgspec.json.Decoder(_Fields).decode


class _Edit(msgspec.Struct):
    type: str = ""


class Written(msgspec.Struct, frozen=True):
    """A body, and the names of the client's fields that are not in it."""

    body: bytes
    dropped: tuple[str, ...]


def invoke_body(
    body: Body,
    headers: Mapping[bytes, bytes],
    model: str,
    left_out: frozenset[str],
) -> Written:
    """`left_out` is what the deployment has refused before: betas and fields. Raises Fault 400 for
    what Bedrock has not, 413 for what is too large for it."""
    theirs = body.fields
    for name in _RESTS_ON:
        if name in theirs and bytes(theirs[name]) not in _EMPTY:
            raise Fault(
                Kind.BAD_REQUEST, f"{name}: Not supported by this model's provider, Amazon Bedrock."
            )
    betas = betas_for_bedrock(headers.get(b"anthropic-beta", b""), left_out)
    is_october = headers.get(b"anthropic-version") == _OCTOBER and claude_version(model) is not None
    is_october = is_october and is_claude(model, at_least=(4, 7))
    fields: _Fields = {
        "anthropic_version": msgspec.Raw(b'"%b"' % _OCTOBER) if is_october else _VERSION
    }
    fields |= {name: raw for name, raw in theirs.items() if name in _TAKEN}
    _put_output_config(fields, theirs, model, betas)
    _put_context_management(fields, betas)
    takes_ttl = is_claude(model, at_least=(4, 5))
    fields["messages"] = edited_messages(
        fields["messages"], takes_ttl=takes_ttl, takes_system=is_october
    )
    if "system" in fields:
        fields["system"] = edited_blocks(fields["system"], takes_ttl=takes_ttl)
    if "tools" in fields:
        fields["tools"] = edited_tools(fields["tools"], betas, takes_ttl=takes_ttl)
    if b'"search_result"' in bytes(fields["messages"]) and SEARCH_RESULTS not in betas:
        betas += betas_for_bedrock(SEARCH_RESULTS.encode(), left_out)
    if betas:
        fields["anthropic_beta"] = msgspec.Raw(msgspec.json.encode(betas))
    written = msgspec.json.encode(fields)
    if len(written) > BODY_BYTES_MAX:
        raise Fault(
            Kind.TOO_LARGE,
            f"The request has {len(written)} bytes; this model's provider, Amazon Bedrock, takes "
            f"{BODY_BYTES_MAX}.",
        )
    dropped = [name for name in theirs if name not in fields and name not in _ELSEWHERE]
    return Written(written, tuple(dropped))


def counting_body(written: bytes) -> bytes:
    """The body of CountTokens around one of InvokeModel, which must ask for some output."""
    fields = _read_fields(written)
    fields.setdefault("max_tokens", msgspec.Raw(b"1"))
    return counting("invokeModel", {"body": msgspec.json.encode(fields)})


def _put_output_config(fields: _Fields, theirs: _Fields, model: str, betas: list[str]) -> None:
    """Effort where the model takes it, with its beta; a format wherever it is known to be kept."""
    config = _object(fields.pop("output_config", None))
    legacy = theirs.get("output_format")
    if legacy is not None and bytes(legacy) not in _EMPTY:
        config.setdefault("format", legacy)
    if not _takes_effort(model):
        config.pop("effort", None)
    if "effort" not in config and EFFORT in betas:
        betas.remove(EFFORT)
    if "format" in config and not is_claude(model, at_least=(4, 5)):
        raise Fault(
            Kind.BAD_REQUEST, "output_config.format: This model does not answer by a schema."
        )
    if config:
        fields["output_config"] = msgspec.Raw(msgspec.json.encode(config))


def _takes_effort(model: str) -> bool:
    return is_claude(model, at_least=(4, 6)) or "opus-4-5" in model


def _put_context_management(fields: _Fields, betas: list[str]) -> None:
    """The edits that the runtime makes, with their betas; a beta goes where its edit does."""
    wanted = _object(fields.pop("context_management", None))
    kept: list[msgspec.Raw] = []
    kinds: set[str] = set()
    for raw in _list(wanted.get("edits")):
        kind = _kind(raw)
        if kind in _EDITS:
            kept.append(raw)
            kinds.add(kind)
    for kind, beta in _EDITS.items():
        if kind in kinds and beta not in betas:
            betas.append(beta)
        elif kind not in kinds and beta in betas:
            betas.remove(beta)
    if kept:
        wanted["edits"] = msgspec.Raw(msgspec.json.encode(kept))
        fields["context_management"] = msgspec.Raw(msgspec.json.encode(wanted))


def _kind(raw: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(raw, type=_Edit).type
    except _UNREADABLE:
        return ""


def _object(raw: msgspec.Raw | None) -> _Fields:
    try:
        return _read_fields(raw) if raw is not None else {}
    except _UNREADABLE:
        return {}


def _list(raw: msgspec.Raw | None) -> list[msgspec.Raw]:
    try:
        return msgspec.json.decode(raw, type=list[msgspec.Raw]) if raw is not None else []
    except _UNREADABLE:
        return []

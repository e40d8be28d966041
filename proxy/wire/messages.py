"""Anthropic's replies: only the fields we read."""

import msgspec


class CacheCreation(msgspec.Struct):
    """How cache writes divide among the two lifetimes."""

    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    thinking_tokens: int | None = None


class _ServerToolUse(msgspec.Struct):
    web_search_requests: int | None = None


class ReportedUsage(msgspec.Struct):
    """A `usage` object as it stands on the wire."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None
    output_tokens_details: _OutputDetails | None = None
    server_tool_use: _ServerToolUse | None = None


class _StartedMessage(msgspec.Struct):
    model: str = ""
    usage: ReportedUsage | None = None


class MessageStart(msgspec.Struct):
    """`message_start`."""

    message: _StartedMessage


class _Stop(msgspec.Struct):
    stop_reason: str | None = None


class MessageDelta(msgspec.Struct):
    """`message_delta`."""

    delta: _Stop | None = None
    usage: ReportedUsage | None = None


class Reply(msgspec.Struct):
    """A whole message, not streamed."""

    model: msgspec.Raw
    usage: ReportedUsage | None = None
    stop_reason: str | None = None


class Count(msgspec.Struct):
    """The answer of count_tokens."""

    input_tokens: int


read_start = msgspec.json.Decoder(MessageStart).decode
read_delta = msgspec.json.Decoder(MessageDelta).decode
read_reply = msgspec.json.Decoder(Reply).decode
read_count = msgspec.json.Decoder(Count).decode


def count_body(tokens: int) -> bytes:
    """A reply to a count of tokens."""
    return b'{"input_tokens":%d}' % tokens

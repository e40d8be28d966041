"""Anthropic's replies: only the fields we read, and the one we write.

Counts merge per field: a value that is null or absent never overwrites one that was reported
(translation.md 4.2, trap 24).
"""

import msgspec

from proxy.domain.usage import Usage
from proxy.wire.top_level import with_value


class _CacheCreation(msgspec.Struct):
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
    cache_creation: _CacheCreation | None = None
    output_tokens_details: _OutputDetails | None = None
    server_tool_use: _ServerToolUse | None = None

    def merge_into(self, usage: Usage) -> None:
        """Overwrite what this report states; leave the rest."""
        if self.input_tokens is not None:
            usage.input_tokens = self.input_tokens
        if self.output_tokens is not None:
            usage.output_tokens = self.output_tokens
        if self.cache_read_input_tokens is not None:
            usage.cache_read_tokens = self.cache_read_input_tokens
        self._merge_cache_writes(usage)
        details = self.output_tokens_details
        if details is not None and details.thinking_tokens is not None:
            usage.thinking_tokens = details.thinking_tokens
        tools = self.server_tool_use
        if tools is not None and tools.web_search_requests is not None:
            usage.web_searches = tools.web_search_requests

    def _merge_cache_writes(self, usage: Usage) -> None:
        split = self.cache_creation
        if split is not None and split.ephemeral_1h_input_tokens is not None:
            usage.cache_write_1h_tokens = split.ephemeral_1h_input_tokens
        if split is not None and split.ephemeral_5m_input_tokens is not None:
            usage.cache_write_5m_tokens = split.ephemeral_5m_input_tokens
        total = self.cache_creation_input_tokens
        if total is not None and total != usage.cache_write_5m_tokens + usage.cache_write_1h_tokens:
            # Without a split all of it counts as written for five minutes (translation.md 10).
            usage.cache_write_5m_tokens = max(0, total - usage.cache_write_1h_tokens)


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


_TOP = msgspec.json.Decoder(dict[str, msgspec.Raw])


def with_reply_model(body: bytes, reply: Reply, name: bytes) -> bytes:
    """The reply's bytes with the top-level model exchanged for the JSON string `name`.

    A reply states its model before its content, as a rule; the bytes `"model":"…"` ahead of any
    `"content"` can only be the top-level key. Otherwise the top level is written anew, which leaves
    the bytes of every value as they were.
    """
    needle = b'"model":' + bytes(reply.model)
    at = body.find(needle, 0, 512)
    if at >= 0 and body.find(b'"content"', 0, at) < 0 and body.find(b"{", 1, at) < 0:
        return body[: at + 8] + name + body[at + len(needle) :]
    return b"".join(with_value(_TOP.decode(body), "model", name))

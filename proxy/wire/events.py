"""Ready-made bytes of Anthropic's stream events (client-contract.md 8.3).

A delta is a constant opening, the text as it stands inside a JSON string, and a constant close. No
order is kept here: that is `stream/message_writer.py`'s.
"""

from typing import Final

import msgspec

from proxy.domain.usage import Usage

LF: Final = 10
"""What ends a line, and stands in no JSON string. A number: what C looks for at its quickest."""
PING = b'event: ping\ndata: {"type":"ping"}\n\n'
MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
DELTA_CLOSE = b'"}}\n\n'
"""Behind the text of a delta, whatever its kind."""
TEXT, THINKING, ARGUMENTS, SIGNATURE = (
    b'{"type":"text_delta","text":"',
    b'{"type":"thinking_delta","thinking":"',
    b'{"type":"input_json_delta","partial_json":"',
    b'{"type":"signature_delta","signature":"',
)
"""The kinds of delta."""
TEXT_BLOCK = b'{"type":"text","text":""}'
THINKING_BLOCK = b'{"type":"thinking","thinking":"","signature":""}'

_encode = msgspec.json.encode
_decode_text = msgspec.json.Decoder(str).decode


def escaped(text: str) -> bytes:
    """`text` as it stands inside a JSON string. Raises UnicodeEncodeError for half a character."""
    return _encode(text)[1:-1]


def unescaped(words: bytes) -> bytes:
    """What `words`, as they stand inside a JSON string, say."""
    return _decode_text(b'"%b"' % words).encode("utf-8", "replace")


def message_start(message_id: str, model: str, usage: Usage) -> bytes:
    """The beginning. One token is said to be out already, as Anthropic does."""
    return (
        b'event: message_start\ndata: {"type":"message_start","message":{"id":%b,"type":"message",'
        b'"role":"assistant","model":%b,"content":[],"stop_reason":null,"stop_sequence":null,'
        b'"stop_details":null,"usage":{"input_tokens":%d,"cache_creation_input_tokens":%d,'
        b'"cache_read_input_tokens":%d,"output_tokens":1}}}\n\n'
    ) % (
        _encode(message_id),
        _encode(model),
        usage.input_tokens,
        usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        usage.cache_read_tokens,
    )


def block_start(index: int, block: bytes) -> bytes:
    """A block opens; `block` is its JSON."""
    return (
        b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,'
        b'"content_block":%b}\n\n' % (index, block)
    )


def call_block(call_id: str, name: str, given: bytes = b"{}") -> bytes:
    """A `tool_use` block; `given` is its input as JSON, empty while it streams."""
    return b'{"type":"tool_use","id":%b,"name":%b,"input":%b}' % (
        _encode(call_id),
        _encode(name),
        given,
    )


def delta_opening(index: int, kind: bytes) -> bytes:
    """All of a delta that stands before its text; good for every delta of the block."""
    return (
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":%b'
        % (index, kind)
    )


def block_stop(index: int) -> bytes:
    """A block closes."""
    return b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n' % index


def message_delta(stop: bytes, usage: bytes) -> bytes:
    """How it ended; both are JSON, `stop` the fields of the delta without braces."""
    return b'event: message_delta\ndata: {"type":"message_delta","delta":{%b},"usage":%b}\n\n' % (
        stop,
        usage,
    )


def stop_fields(reason: str, sequence: str | None, explanation: str | None) -> bytes:
    """Why it ended, as fields of an object. Both of the first are always there: clients read them
    unguarded (translation.md trap 11). `stop_details` belong to a refusal only."""
    fields = b'"stop_reason":%b,"stop_sequence":%b' % (_encode(reason), _encode(sequence))
    if reason != "refusal":
        return fields
    return fields + b',"stop_details":{"type":"refusal","category":null,"explanation":%b}' % (
        _encode(explanation)
    )


def usage_document(usage: Usage, service_tier: str = "", *, has_searched: bool = False) -> bytes:
    """The final counts as JSON (client-contract.md 8.2). Searches are counted where there were
    any, also if none worked (`has_searched`)."""
    written = [
        b'{"input_tokens":%d,"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d,'
        b'"cache_creation":{"ephemeral_5m_input_tokens":%d,"ephemeral_1h_input_tokens":%d},'
        b'"output_tokens":%d'
        % (
            usage.input_tokens,
            usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
            usage.cache_read_tokens,
            usage.cache_write_5m_tokens,
            usage.cache_write_1h_tokens,
            usage.output_tokens,
        )
    ]
    if usage.thinking_tokens:
        written.append(b',"output_tokens_details":{"thinking_tokens":%d}' % usage.thinking_tokens)
    if usage.web_searches or has_searched:
        written.append(
            b',"server_tool_use":{"web_search_requests":%d,"web_fetch_requests":0}'
            % usage.web_searches
        )
    if service_tier:
        written.append(b',"service_tier":%b' % _encode(service_tier))
    written.append(b"}")
    return b"".join(written)


def whole_message(
    message_id: str, model: str, blocks: list[bytes], stop: bytes, usage: bytes
) -> bytes:
    """A message as one JSON document; `stop` as in `message_delta`."""
    details = b"" if b'"stop_details"' in stop else b',"stop_details":null'
    return (
        b'{"id":%b,"type":"message","role":"assistant","model":%b,"content":[%b],%b%b,"usage":%b}'
        % (_encode(message_id), _encode(model), b",".join(blocks), stop, details, usage)
    )

"""Streams as Anthropic sends them, byte for byte; the `.sse` files are the contract's examples."""

from pathlib import Path

import orjson

_HERE = Path(__file__).parent / "streams"


def event(kind: str, **fields: object) -> bytes:
    """One event as bytes: `event:` line, `data:` line, blank line."""
    data = orjson.dumps({"type": kind, **fields})
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)


def message_start(model: str = "claude-sonnet-4-6", **usage: object) -> bytes:
    """`message_start` with a model and counts; by default 30 tokens in, 1 out."""
    message = {
        "id": "msg_01K",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage or {"input_tokens": 30, "output_tokens": 1},
    }
    return event("message_start", message=message)


def text_delta(text: str, index: int = 0) -> bytes:
    """One piece of text."""
    delta = {"type": "text_delta", "text": text}
    return event("content_block_delta", index=index, delta=delta)


def message_delta(stop_reason: str = "end_turn", **usage: object) -> bytes:
    """`message_delta` with the reason of the end; by default 7 tokens out."""
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    return event("message_delta", delta=delta, usage=usage or {"output_tokens": 7})


def in_crlf(stream: bytes) -> bytes:
    """The same stream with CR LF at the ends of lines."""
    return stream.replace(b"\n", b"\r\n")


def text_stream(texts: list[str], **usage: object) -> bytes:
    """A whole message of one text block."""
    return b"".join(
        [
            message_start(),
            event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
            *map(text_delta, texts),
            event("content_block_stop", index=0),
            message_delta(**usage),
            MESSAGE_STOP,
        ]
    )


PING = event("ping")
MESSAGE_STOP = event("message_stop")
OVERLOADED = event("error", error={"type": "overloaded_error", "message": "Overloaded"})

TEXT = (_HERE / "text.sse").read_bytes()
THINKTOOLS = (_HERE / "thinktools.sse").read_bytes()
WEBSEARCH = (_HERE / "websearch.sse").read_bytes()
ERROR = (_HERE / "error.sse").read_bytes()
MINIMAL = (_HERE / "minimal.sse").read_bytes()

LONG = text_stream([f"word {n} " for n in range(200)], output_tokens=412)
UNICODE = text_stream(
    ["nai\u0308ve \u2028line\u2029 \u0085", "\U0001f469\u200d\U0001f4bb 漢字", "\ufeff\u0000"]
)
LOOKALIKE = text_stream(
    [
        "event: message_stop\ndata: {}\n\nevent: error\n\n",
        '\\n\\nevent: message_stop "model":"x"',
        '{"message":{"model":"y"}}\r\n\r\nevent: message_delta',
    ]
)
"""Text that quotes the wire format; in JSON its line ends and quotes are escaped."""

PINGS = PING + message_start() + PING + b": keep-alive\n\n" + TEXT.split(b"\n\n", 1)[1]
EMPTY = message_start() + message_delta() + MESSAGE_STOP
"""No block at all: the empty answer."""

WHOLE = {
    "text": TEXT,
    "thinktools": THINKTOOLS,
    "websearch": WEBSEARCH,
    "minimal": MINIMAL,
    "unicode": UNICODE,
    "lookalike": LOOKALIKE,
    "pings": PINGS,
    "empty": EMPTY,
    "text-crlf": in_crlf(TEXT),
    "thinktools-crlf": in_crlf(THINKTOOLS),
    "unicode-crlf": in_crlf(UNICODE),
}
"""Short streams that end with `message_stop`, by name."""

BROKEN_OFF = {"error": ERROR, "error-crlf": in_crlf(ERROR), "error-first": OVERLOADED}
"""Streams that the provider ends with an error of its own."""

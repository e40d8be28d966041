"""AWS event streams, written: frames with their checksums, and frames spoilt on purpose.

Written from Amazon's description of the format, apart from the reader that is under test.
"""

import base64
import json
import struct
import zlib
from typing import Any

from tests.kit.grammar import frames_of

Value = bool | int | bytes | str


def frame(headers: dict[str, Value], payload: bytes) -> bytes:
    """One frame."""
    block = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    prelude += struct.pack(">I", zlib.crc32(prelude))
    whole = prelude + block + payload
    return whole + struct.pack(">I", zlib.crc32(whole))


def _header(name: str, value: Value) -> bytes:
    written = bytes([len(name.encode())]) + name.encode()
    match value:
        case bool():
            return written + (b"\x00" if value else b"\x01")
        case int():
            return written + b"\x05" + struct.pack(">q", value)
        case bytes():
            return written + b"\x06" + struct.pack(">H", len(value)) + value
        case str():
            encoded = value.encode()
            return written + b"\x07" + struct.pack(">H", len(encoded)) + encoded


def event(kind: str, payload: bytes) -> bytes:
    """An event of a modelled kind with a JSON payload."""
    return frame(
        {
            ":event-type": kind,
            ":content-type": "application/json",
            ":message-type": "event",
        },
        payload,
    )


def chunk(inner: dict[str, Any] | bytes, padding: str = "abcdefgh") -> bytes:
    """What InvokeModelWithResponseStream says: the model's own event, in base64, padded."""
    if not isinstance(inner, bytes):
        inner = json.dumps(inner, ensure_ascii=False, separators=(",", ":")).encode()
    text = base64.b64encode(inner).decode()
    return event("chunk", json.dumps({"bytes": text, "p": padding}, separators=(",", ":")).encode())


def exception(kind: str, message: str, **more: Any) -> bytes:
    """A modelled exception in the middle of a stream."""
    return frame(
        {
            ":exception-type": kind,
            ":content-type": "application/json",
            ":message-type": "exception",
        },
        json.dumps({"message": message, **more}).encode(),
    )


def error(code: str, message: str) -> bytes:
    """An error that is not modelled: all of it stands in the headers."""
    return frame({":error-code": code, ":error-message": message, ":message-type": "error"}, b"")


def spoilt(whole: bytes, at: int) -> bytes:
    """One bit of it turned."""
    return whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :]


METRICS = {
    "inputTokenCount": 30,
    "outputTokenCount": 7,
    "invocationLatency": 1200,
    "firstByteLatency": 300,
}


def chunks_of(stream: bytes, **metrics: int) -> list[bytes]:
    """A stream of Anthropic's as Bedrock sends it: no pings, measures with the last event."""
    frames = []
    for _, data in frames_of(stream):
        inner = json.loads(data)
        if inner["type"] == "ping":
            continue
        if inner["type"] == "message_stop":
            inner["amazon-bedrock-invocationMetrics"] = {**METRICS, **metrics}
            data = json.dumps(inner, separators=(",", ":")).encode()
        # The padding is as long as Amazon likes, against those who measure.
        frames.append(chunk(data, "abcdefghijklmnopqrstuvwxyz"[: 1 + len(data) % 25]))
    return frames

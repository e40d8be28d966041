"""How a score looks on Bedrock's InvokeModelWithResponseStream: the events of `bench.score`, each
in a frame of AWS's event streams, base64 inside and two checksums around it.

The score stands in the path, for InvokeModel's body names no model.
"""

import binascii
import functools
import re
import struct
import zlib

import orjson

from bench import score as scores
from bench.score import Score

_PATH = re.compile(rb"/model/([a-z0-9-]+)/invoke(-with-response-stream)?\Z")
_COMMON_HEADERS = (
    b"x-amzn-requestid: 00000000-0000-4000-8000-000000000000\r\n"
    b"x-amzn-bedrock-content-type: application/json\r\n"
    b"server: bench\r\n"
)
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n"
    b"transfer-encoding: chunked\r\n" + _COMMON_HEADERS + b"\r\n"
)
_PADDING = b"abcdefghijklmnopqrstuvwxyz"
_MEASURES = {
    "inputTokenCount": 25,
    "outputTokenCount": 150,
    "invocationLatency": 1200,
    "firstByteLatency": 300,
}
_SSE_DATA = re.compile(rb"data: (.*)\n")


def score_in(path: bytes) -> Score | None:
    """The score that a path asks for, None for another path or for no score."""
    match = _PATH.match(path)
    return scores.parse(match[1].decode()) if match is not None else None


def _header(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(value)) + value


_HEADERS = (
    _header(b":event-type", b"chunk")
    + _header(b":content-type", b"application/json")
    + _header(b":message-type", b"event")
)


def frame(inner: bytes) -> bytes:
    """An event as a frame."""
    payload = b'{"bytes":"%b","p":"%b"}' % (
        binascii.b2a_base64(inner, newline=False),
        _PADDING[: 1 + len(inner) % len(_PADDING)],
    )
    prelude = struct.pack(">II", 16 + len(_HEADERS) + len(payload), len(_HEADERS))
    head = prelude + struct.pack(">I", zlib.crc32(prelude)) + _HEADERS + payload
    return head + struct.pack(">I", zlib.crc32(head))


def _framed(stream: bytes) -> bytes:
    """Server-sent events, each a frame and an HTTP chunk of its own; there are no pings."""
    inner = [data for data in _SSE_DATA.findall(stream) if not data.startswith(b'{"type":"ping"')]
    return b"".join([scores.http_chunk(frame(data)) for data in inner])


class _Delta:
    """One delta, to be filled as the templates of other wires are: the checksums come last."""

    _inner = _SSE_DATA.findall(scores.DELTA)[0]

    def __mod__(self, numbers: tuple[int, int], /) -> bytes:
        """With sequence number and stamp, as an HTTP chunk."""
        return scores.http_chunk(frame(self._inner % numbers))


_DELTA = _Delta()


@functools.lru_cache(maxsize=64)
def message_reply(score: Score) -> bytes:
    """A whole HTTP reply that is not streamed."""
    _, _, body = scores.message_reply(score).partition(b"\r\n\r\n")
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
    return head % len(body) + _COMMON_HEADERS + b"\r\n" + body


@functools.lru_cache(maxsize=64)
def opening(score: Score) -> bytes:
    """Head and first frames of a stream."""
    return _STREAM_HEAD + _framed(scores.opening(score))


@functools.lru_cache(maxsize=64)
def closing(score: Score) -> bytes:
    """Last frames of a stream, Amazon's measures in the very last, and the end of its chunks."""
    *most, _ = scores.closing(score).split(b"event: message_stop")
    stop = {"type": "message_stop", "amazon-bedrock-invocationMetrics": _MEASURES}
    return _framed(most[0]) + scores.http_chunk(frame(orjson.dumps(stop))) + b"0\r\n\r\n"


def _delta_chunk(score: Score) -> _Delta:
    return _DELTA


NOTATION = scores.Notation(message_reply, opening, _delta_chunk, closing)

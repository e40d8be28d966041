"""What the fast upstream plays, and the bytes it plays.

The upstream model's name is the score: the gateway forwards the body's `model` and little else, so
`bench-paced-500at20` says "500 text deltas, one each 20 ms" without any side channel. Upstream and
checker share this file: one writes the events, the other knows what must arrive. No IO here.
"""

import dataclasses
import functools
import re
from collections.abc import Callable
from typing import NamedTuple, Protocol

import orjson

# How one process of the bench tells another what it needs to know.
KEY_VARIABLE = "BENCH_KEY"
PATH_VARIABLE = "BENCH_PATH"
PREFIX_VARIABLE = "BENCH_MODEL_PREFIX"

PREFIX = b'"bench-'
"""How a score's name begins in a JSON body; nothing else in the bench's bodies begins so."""

NAME_BYTES_MAX = 64
EVENTS_MAX = 100_000
PERIOD_MS_MAX = 10_000
TEXT_BYTES = 40
MESSAGE_TEXT_BYTES = 640

_NAME = re.compile(r"bench-(?:(message)|burst-(\d+)by(\d+)|paced-(\d+)at(\d+))\Z")


@dataclasses.dataclass(frozen=True)
class Score:
    """One reply. `events` counts text deltas; 0 of them is a reply that is not streamed.

    With a period each event is written when its time comes; without one, `events_per_write` of
    them are written as fast as the socket takes them.
    """

    events: int = 0
    events_per_write: int = 1
    period_ms: int = 0

    @property
    def name(self) -> str:
        """The upstream model's name that asks for this score."""
        if not self.events:
            return "bench-message"
        if self.period_ms:
            return f"bench-paced-{self.events}at{self.period_ms}"
        return f"bench-burst-{self.events}by{self.events_per_write}"

    @property
    def streamed(self) -> bool:
        """Whether the reply is an event stream."""
        return self.events > 0


@functools.lru_cache(maxsize=256)
def parse(name: str) -> Score | None:
    """The score behind a model's name, or None for a name that is none."""
    match = _NAME.match(name)
    if match is None:
        return None
    message, burst, per_write, paced, period = match.groups()
    if message:
        return Score()
    events = int(burst or paced)
    if not 0 < events <= EVENTS_MAX:
        return None
    if burst:
        return Score(events, events_per_write=max(1, int(per_write)))
    if not 0 < int(period) <= PERIOD_MS_MAX:
        return None
    return Score(events, period_ms=int(period))


# ---------------------------------------------------------------- a delta, of fixed length

_FILLER = b" of the answer"
DELTA_HEAD = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"'
)
DELTA_TAIL = _FILLER + b'"}}'
NUMBERS = b"%06d %019d"
DELTA = DELTA_HEAD + NUMBERS + DELTA_TAIL + b"\n\n"
"""Text: sequence number, time of writing (monotonic ns, the machine's shared clock), words."""

SEQUENCE = slice(len(DELTA_HEAD), len(DELTA_HEAD) + 6)
STAMP = slice(len(DELTA_HEAD) + 7, len(DELTA_HEAD) + 26)
TEXT_TAIL = _FILLER.decode()


def http_chunk(event: bytes) -> bytes:
    """An event as an HTTP chunk of its own."""
    return b"%x\r\n%s\r\n" % (len(event), event)


DELTA_CHUNK = b"%x\r\n" % len(DELTA % (0, 0)) + DELTA + b"\r\n"
"""One delta as its own HTTP chunk, to be filled with sequence number and stamp."""


# ---------------------------------------------------------------- whole replies

# About what the provider sends, so that a proxy's header work is real.
_COMMON_HEADERS = (
    b"request-id: req_011CbenchbenchbenchBENCH\r\n"
    b"anthropic-organization-id: 00000000-0000-4000-8000-000000000000\r\n"
    b"anthropic-ratelimit-requests-limit: 4000\r\n"
    b"anthropic-ratelimit-requests-remaining: 3999\r\n"
    b"server: bench\r\n"
)
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n" + _COMMON_HEADERS + b"\r\n"
)

_USAGE_START = {
    "input_tokens": 25,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 1,
    "service_tier": "standard",
}


def _event(name: str, **fields: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps({"type": name, **fields}))


def _message(model: str, content: list[object], **ends: object) -> dict[str, object]:
    return {
        "id": "msg_01BenchBenchBenchBenchBe",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        **ends,
    }


def message_text() -> str:
    """What a reply that is not streamed says."""
    words = "The gateway forwards this text as it is, and nobody looks inside. "
    return (words * (MESSAGE_TEXT_BYTES // len(words) + 1))[:MESSAGE_TEXT_BYTES]


@functools.lru_cache(maxsize=64)
def message_reply(score: Score) -> bytes:
    """A whole HTTP reply that is not streamed; its body has about 1 kB."""
    body = orjson.dumps(
        _message(
            score.name,
            [{"type": "text", "text": message_text()}],
            stop_reason="end_turn",
            usage={**_USAGE_START, "output_tokens": 150},
        )
    )
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
    return head % len(body) + _COMMON_HEADERS + b"\r\n" + body


@functools.lru_cache(maxsize=64)
def opening(score: Score) -> bytes:
    """Head and first events of a stream: all that comes before the first delta."""
    start = _message(score.name, [], usage=_USAGE_START)
    block = {"type": "text", "text": ""}
    return (
        _STREAM_HEAD
        + http_chunk(_event("message_start", message=start))
        + http_chunk(_event("content_block_start", index=0, content_block=block))
        + http_chunk(_event("ping"))
    )


@functools.lru_cache(maxsize=64)
def closing(score: Score) -> bytes:
    """Last events of a stream and the end of its chunks."""
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    usage = {**_USAGE_START, "output_tokens": max(1, score.events)}
    return (
        http_chunk(_event("content_block_stop", index=0))
        + http_chunk(_event("message_delta", delta=delta, usage=usage))
        + http_chunk(_event("message_stop"))
        + b"0\r\n\r\n"
    )


def _delta_chunk(score: Score) -> bytes:
    return DELTA_CHUNK


class Template(Protocol):
    """What is to be filled with two numbers; bytes are one."""

    def __mod__(self, numbers: tuple[int, int], /) -> bytes: ...


class Notation(NamedTuple):
    """How a wire writes a score down. `delta_chunk` is still to be filled with two numbers."""

    message_reply: Callable[[Score], bytes]
    opening: Callable[[Score], bytes]
    delta_chunk: Callable[[Score], Template]
    closing: Callable[[Score], bytes]


NOTATION = Notation(message_reply, opening, _delta_chunk, closing)


@functools.lru_cache(maxsize=64)
def burst_writes(score: Score, notation: Notation = NOTATION) -> tuple[bytes, ...]:
    """An unpaced stream as the pieces it is written in; each event is a chunk of its own."""
    delta = notation.delta_chunk(score)
    deltas = [delta % (i, 0) for i in range(score.events)]
    step = score.events_per_write
    pieces = [b"".join(deltas[i : i + step]) for i in range(0, len(deltas), step)]
    pieces[0] = notation.opening(score) + pieces[0]
    pieces[-1] += notation.closing(score)
    return tuple(pieces)

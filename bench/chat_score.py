"""How a score looks on the chat wire: the chunks an OpenAI-like provider would send for it.

The text of each delta is that of `bench.score`: whoever translates it back gives the same stream.
The envelope is as large as life: every chunk names id, model, fingerprint and an empty usage.
"""

import functools

import orjson

from bench import score as scores
from bench.score import Score

PATH = b"/v1/chat/completions"

_COMMON_HEADERS = (
    b"x-request-id: req_011CbenchbenchbenchBENCH\r\n"
    b"openai-organization: bench\r\n"
    b"openai-processing-ms: 120\r\n"
    b"openai-version: 2020-10-01\r\n"
    b"x-ratelimit-limit-requests: 10000\r\n"
    b"x-ratelimit-remaining-requests: 9999\r\n"
    b"server: bench\r\n"
)
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n" + _COMMON_HEADERS + b"\r\n"
)
_SLOT = "~"
"""Stands where a delta's number and time go; no score's name holds one."""


def _envelope(score: Score, kind: str) -> dict[str, object]:
    return {
        "id": "chatcmpl-BenchBenchBenchBenchBenchBenc",
        "object": kind,
        "created": 1_760_000_000,
        "model": score.name,
        "service_tier": "default",
        "system_fingerprint": "fp_bench00000",
    }


def _chunk(score: Score, delta: dict[str, object], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    chunk = {**_envelope(score, "chat.completion.chunk"), "choices": [choice], "usage": None}
    return _event(orjson.dumps(chunk))


def _event(data: bytes) -> bytes:
    return scores.http_chunk(b"data: %s\n\n" % data)


def _usage(completion: int) -> dict[str, object]:
    return {
        "prompt_tokens": 25,
        "completion_tokens": completion,
        "total_tokens": 25 + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


@functools.lru_cache(maxsize=64)
def message_reply(score: Score) -> bytes:
    """A whole HTTP reply that is not streamed."""
    message = {"role": "assistant", "content": scores.message_text(), "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    body = orjson.dumps(
        {**_envelope(score, "chat.completion"), "choices": [choice], "usage": _usage(150)}
    )
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
    return head % len(body) + _COMMON_HEADERS + b"\r\n" + body


@functools.lru_cache(maxsize=64)
def opening(score: Score) -> bytes:
    """Head and first chunk of a stream."""
    return _STREAM_HEAD + _chunk(score, {"role": "assistant", "content": "", "refusal": None})


@functools.lru_cache(maxsize=64)
def delta_chunk(score: Score) -> bytes:
    """One delta as its own HTTP chunk, to be filled with sequence number and stamp."""
    text = _SLOT * len(scores.NUMBERS % (0, 0)) + scores.TEXT_TAIL
    before, _, after = _chunk(score, {"content": text}).partition(
        _SLOT.encode() * len(scores.NUMBERS % (0, 0))
    )
    return before + scores.NUMBERS + after


@functools.lru_cache(maxsize=64)
def closing(score: Score) -> bytes:
    """Last chunks of a stream, `[DONE]` and the end of its HTTP chunks."""
    used = {
        **_envelope(score, "chat.completion.chunk"),
        "choices": [],
        "usage": _usage(max(1, score.events)),
    }
    return _chunk(score, {}, "stop") + _event(orjson.dumps(used)) + _event(b"[DONE]") + b"0\r\n\r\n"


NOTATION = scores.Notation(message_reply, opening, delta_chunk, closing)

"""Reads a chat stream as strictly as a client would."""

from typing import Any

import orjson


def chunks(stream: bytes) -> list[dict[str, Any]]:
    """The chunks of a stream that ends as it should."""
    *events, done, nothing = stream.split(b"\n\n")
    assert (done, nothing) == (b"data: [DONE]", b"")
    return [orjson.loads(event.removeprefix(b"data: ")) for event in events]


def said_in(stream: bytes) -> list[str]:
    """The text deltas of a stream whose chunks are in order."""
    role, *told, finish, usage = chunks(stream)
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert finish["choices"][0] == {
        "index": 0,
        "delta": {},
        "logprobs": None,
        "finish_reason": "stop",
    }
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == len(told)
    assert {chunk["object"] for chunk in (role, *told, finish, usage)} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in (role, *told, finish, usage)}) == 1
    return [chunk["choices"][0]["delta"]["content"] for chunk in told]

import json
from typing import Any

import pytest

from proxy.demo import openai_wire
from proxy.demo.envelope import Envelope
from proxy.demo.refusal import Refusal
from proxy.demo.script import ORDINARY, THOUGHT, Ask, Reply, Thinking, answer

ENVELOPE = Envelope(serial="aa00000001", model="kimi-k2-thinking", input_tokens=12, created_s=7)
ASKS = {
    "text": (Ask(text="hi"), "stop"),
    "thinking": (Ask(text="THINK", thinking=Thinking.SHOWN), "stop"),
    "tools": (Ask(text='Please CALL:t:{"a":1} END CALL:u:{} END'), "tool_calls"),
    "cut": (Ask(text="hi", tokens_max=3), "length"),
    "empty": (Ask(text="hi", stop_sequences=("Hello",)), "stop"),
}


def reply_to(name: str) -> Reply:
    reply = answer(ASKS[name][0])
    assert isinstance(reply, Reply)
    return reply


def chunks(name: str, *, include_usage: bool = True) -> list[dict[str, Any]]:
    frames = openai_wire.frames(reply_to(name), ENVELOPE, include_usage=include_usage)
    raw = b"".join(frame.data for frame in frames).decode()
    *events, done = raw.removesuffix("\n\n").split("\n\n")
    assert done == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in events]


def folded(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """What a client puts together from the deltas."""
    message: dict[str, Any] = {"content": "", "reasoning_content": "", "tool_calls": []}
    for part in parts:
        for choice in part["choices"]:
            delta = choice["delta"]
            message["content"] += delta.get("content", "")
            message["reasoning_content"] += delta.get("reasoning_content", "")
            for call in delta.get("tool_calls", []):
                index = call.pop("index")
                if index == len(message["tool_calls"]):
                    message["tool_calls"].append(call)
                else:
                    grown = message["tool_calls"][index]["function"]
                    grown["arguments"] += call["function"]["arguments"]
    return message


@pytest.mark.parametrize("name", ASKS)
def test_every_stream_says_what_the_whole_completion_says(name: str) -> None:
    parts = chunks(name)
    whole = json.loads(openai_wire.whole(reply_to(name), ENVELOPE))
    (choice,) = whole["choices"]
    message = folded(parts)
    assert message["content"] == (choice["message"]["content"] or "")
    assert message["reasoning_content"] == choice["message"].get("reasoning_content", "")
    assert message["tool_calls"] == choice["message"].get("tool_calls", [])
    finishes = [part["choices"][0]["finish_reason"] for part in parts if part["choices"]]
    assert finishes[:-1] == [None] * (len(finishes) - 1)
    assert finishes[-1] == choice["finish_reason"] == ASKS[name][1]
    assert parts[-1]["usage"] == whole["usage"]
    assert {part["id"] for part in parts} == {whole["id"]}


def test_thinking_is_reasoning_content() -> None:
    message = folded(chunks("thinking"))
    assert (message["reasoning_content"], message["content"]) == (THOUGHT, ORDINARY)


def test_the_first_chunk_has_the_role() -> None:
    assert chunks("text")[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}


def test_usage_comes_last_and_only_when_asked_for() -> None:
    parts = chunks("thinking")
    assert all(part["usage"] is None for part in parts[:-1])
    assert parts[-1]["choices"] == []
    reply = reply_to("thinking")
    assert parts[-1]["usage"] == {
        "prompt_tokens": 12,
        "completion_tokens": reply.output_tokens,
        "total_tokens": 12 + reply.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reply.thinking_tokens},
    }
    assert not any("usage" in part for part in chunks("text", include_usage=False))


def test_an_answer_without_text_has_empty_content_but_a_call_has_none() -> None:
    empty = json.loads(openai_wire.whole(reply_to("empty"), ENVELOPE))
    assert empty["choices"][0]["message"]["content"] == ""
    reply = answer(Ask(text="CALL:t:{} END"))
    assert isinstance(reply, Reply)
    called = json.loads(openai_wire.whole(reply, ENVELOPE))
    assert called["choices"][0]["message"]["content"] is None


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, "invalid_request_error", None),
        (401, "invalid_request_error", "invalid_api_key"),
        (429, "rate_limit_exceeded", None),
        (500, "server_error", None),
    ],
)
def test_the_error_envelope(status: int, kind: str, code: str | None) -> None:
    error = json.loads(openai_wire.error_body(Refusal(status, "no")))["error"]
    assert error == {"message": "no", "type": kind, "param": None, "code": code}
    assert openai_wire.error_frame(Refusal(status)).startswith(b'data: {"error":')

import json
from typing import Any

import pytest

from proxy.demo import openai_wire
from proxy.demo.envelope import Envelope
from proxy.demo.openai_wire import Manner
from proxy.demo.refusal import Refusal
from proxy.demo.script import ORDINARY, THOUGHT, Ask, Reply, Thinking, answer
from proxy.demo.vendors import VENDORS, vendor_of

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


# ------------------------------------------------------------ vendors

LOOKS = Ask(text='CALL:a:{"x":1} END CALL:b:{"y":2} END', thinking=Thinking.SHOWN)
THINKS = Ask(text="CACHED 5", thinking=Thinking.SHOWN, thinks_unasked=True)


def told(model: str, ask: Ask, **manner: Any) -> list[Any]:
    """The frames of a vendor's stream: comments and `[DONE]` as text, chunks as objects."""
    reply = answer(ask)
    assert isinstance(reply, Reply)
    row = Manner(vendor_of(model), **manner)
    frames = openai_wire.frames(reply, ENVELOPE, include_usage=True, manner=row)
    said = b"".join(frame.data for frame in frames).decode().removesuffix("\n\n")
    return [
        json.loads(frame[6:]) if frame.startswith("data: {") else frame
        for frame in said.split("\n\n")
    ]


def deltas(frames: list[Any]) -> list[dict[str, Any]]:
    chosen = [
        frame["choices"][0] for frame in frames if isinstance(frame, dict) if frame["choices"]
    ]
    return [choice["delta"] for choice in chosen]


def arguments_of(message: dict[str, Any]) -> list[Any]:
    given = [call["function"]["arguments"] for call in message["tool_calls"]]
    return [json.loads(each) if isinstance(each, str) else each for each in given]


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_every_vendor_streams_what_it_says_at_once(vendor: Any) -> None:
    for ask in (LOOKS, THINKS):
        reply = answer(ask)
        assert isinstance(reply, Reply)
        manner = Manner(vendor, calls_before=2)
        whole = json.loads(openai_wire.whole(reply, ENVELOPE, manner))["choices"][0]["message"]
        message: dict[str, Any] = {"content": "", "thought": "", "calls": {}}
        for delta in deltas(told(vendor.models[0], ask, calls_before=2)):
            message["content"] += delta.get("content") or ""
            message["thought"] += delta.get(vendor.reasoning_field) or ""
            for part in delta.get("tool_calls", []):
                call = message["calls"].setdefault(part["index"], part)
                if call is not part:
                    call["function"]["arguments"] += part["function"]["arguments"]
        assert message["content"] == (whole["content"] or "")
        assert message["thought"] == whole.get(vendor.reasoning_field, "")
        streamed = [{k: v for k, v in c.items() if k != "index"} for c in message["calls"].values()]
        assert streamed == whole.get("tool_calls", [])
        if ask is LOOKS:
            assert arguments_of(whole) == [{"x": 1}, {"y": 2}]


def test_openai_hides_its_thoughts_and_pads_its_chunks() -> None:
    frames = told("gpt-5", THINKS, padded=True)
    assert not any("reasoning" in key for delta in deltas(frames) for key in delta)
    assert frames[-2]["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
    padding = [frame["obfuscation"] for frame in frames[:-2]]
    assert all(padding)
    assert len(set(map(len, padding))) > 5
    assert "obfuscation" not in told("gpt-5", THINKS)[0]


def test_azure_begins_with_a_frame_without_a_choice() -> None:
    first = told("azure-gpt-4o", Ask(text="hi"))[0]
    assert (first["choices"], "prompt_filter_results" in first) == ([], True)


def test_moonshot_numbers_calls_over_the_conversation_and_sends_them_turn_by_turn() -> None:
    parts = [
        delta["tool_calls"][0] for delta in deltas(told("kimi-k2.6", LOOKS, calls_before=3))[1:-1]
    ]
    assert [part["id"] for part in parts[:2]] == ["functions.a:3", "functions.b:4"]
    assert [part["index"] for part in parts] == [0, 1, 0, 1]


def test_moonshot_says_usage_in_the_last_choice_too() -> None:
    frames = told("kimi-k2.6", THINKS)
    assert frames[-3]["choices"][0]["usage"] == frames[-2]["usage"]
    assert frames[-2]["usage"]["cached_tokens"] == 5
    reply = answer(THINKS)
    assert isinstance(reply, Reply)
    unasked = list(
        openai_wire.frames(
            reply, ENVELOPE, include_usage=False, manner=Manner(vendor_of("kimi-k2.6"))
        )
    )
    assert b'"usage":{"prompt_tokens":12' in unasked[-2].data


def test_deepseek_comments_nulls_and_usage_in_the_finish_chunk() -> None:
    frames = told("deepseek-v4", THINKS)
    assert frames[0] == frames[1] == ": keep-alive"
    assert frames[3]["choices"][0]["delta"] == {"content": None, "reasoning_content": "The"}
    assert frames[-2]["choices"][0]["finish_reason"] == "stop"
    assert frames[-2]["usage"]["prompt_cache_hit_tokens"] == 5
    reply = answer(THINKS)
    assert isinstance(reply, Reply)
    manner = Manner(vendor_of("deepseek-v4"))
    assert openai_wire.whole(reply, ENVELOPE, manner).startswith(b"\n\n")


def test_vllm_says_reasoning_usage_so_far_and_what_stopped_it() -> None:
    ask = Ask(text="hi", stop_sequences=("demo",), thinking=Thinking.SHOWN, thinks_unasked=True)
    frames = told("vllm-qwen", ask, continuous_usage=True)
    assert frames[1]["choices"][0]["delta"] == {"reasoning": "The"}
    so_far = [frame["usage"]["completion_tokens"] for frame in frames[1:-3]]
    assert so_far == list(range(1, len(so_far) + 1))
    last = frames[-3]["choices"][0]
    assert (last["finish_reason"], last["stop_reason"]) == ("stop", "demo")
    assert frames[-3]["usage"] == frames[-2]["usage"]


def test_ollama_sends_whole_calls_as_objects_and_no_done() -> None:
    frames = told("ollama-x", LOOKS)
    first, second = deltas(frames)[1:3]
    assert first["content"] is None
    assert first["tool_calls"][0]["function"]["arguments"] == {"x": 1}
    assert second["tool_calls"][0]["id"] == "call_1"
    assert "usage" in frames[-1]


def test_anybody_can_be_asked_to_send_calls_turn_by_turn() -> None:
    ask = Ask(text="INTERLEAVE " + LOOKS.text)
    parts = [delta["tool_calls"][0]["index"] for delta in deltas(told("gpt-4o", ask))[1:-1]]
    assert parts == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("model", "begins", "ends"),
    [
        ("gpt-4o", b'data: {"error":{"message":', b'"code":null}}\n\n'),
        ("kimi-k2.6", b'data: {"error":{"message":"The engine is', b'overloaded_error"}}\n\n'),
        ("vllm-qwen", b'data: {"error":', b"data: [DONE]\n\n"),
        ("deepseek-v4", b'data: {"id":', b"data: [DONE]\n\n"),
        ("openrouter-x", b'data: {"id":', b"data: [DONE]\n\n"),
    ],
)
def test_every_vendor_fails_in_its_own_way(model: str, begins: bytes, ends: bytes) -> None:
    said = openai_wire.failure(ENVELOPE, Manner(vendor_of(model)))
    assert said.startswith(begins)
    assert said.endswith(ends)


def test_the_failures_that_come_as_chunks_say_so_in_the_finish_reason() -> None:
    def chunk(model: str) -> dict[str, Any]:
        said = openai_wire.failure(ENVELOPE, Manner(vendor_of(model))).split(b"\n\n")[0]
        read: dict[str, Any] = json.loads(said[6:])
        return read

    assert chunk("deepseek-v4")["choices"][0]["finish_reason"] == "insufficient_system_resource"
    routed = chunk("openrouter-x")
    assert routed["choices"][0]["finish_reason"] == "error"
    assert routed["error"]["code"] == 502

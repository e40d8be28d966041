"""What a model said comes back to it as it said it: text, thinking, ids and arguments of its calls.

Providers insist on it (traps 25 to 27), and their prompt caches hit only then.
"""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.dialect import Dialect
from proxy.providers.openai_chat.request import chat_request
from proxy.stream.chat_reply import whole_reply
from proxy.wire.body import read_body
from tests.kit.patience import examples
from tests.providers.openai_chat.asking import SEAL, ask, dialect_of, make_call
from tests.providers.openai_chat.conversations import request_of

Json = dict[str, Any]
USER: Json = {"role": "user", "content": "Read it."}
LONG = "mcp__" + "long_name_" * 9
TOOLS = [{"name": name, "input_schema": {}} for name in ("read", "write", LONG)]
PLACES = [
    ("moonshot", "kimi-k2-thinking"),
    ("moonshot", "kimi-k2.6"),
    ("moonshot", "kimi-k3"),
    ("mantle", "moonshotai.kimi-k2-thinking"),
    ("deepseek", "deepseek-v4"),
    ("openrouter", "x-ai/grok-4"),
    ("vllm", "Qwen/Qwen3-32B"),
]

calls = st.lists(
    st.tuples(
        st.sampled_from(["read", "write", LONG]),
        st.sampled_from(
            ["{}", '{"n": 1.0}', '{"b":1000000000000000000000000000000,"a":"\\u00e9"}']
        ),
    ),
    min_size=1,
    max_size=4,
)


def answered(reply: Json, dialect: Dialect, model: str, display: str) -> tuple[Json, Json]:
    """What the client holds of `reply`, and what is sent back of it with the next turn."""
    thinking = {"type": "adaptive", "display": display}
    raw = request_of([USER], tools=TOOLS, thinking=thinking)
    call, _ = make_call(raw)
    call.message_id = "msg_gw_" + "0" * 22
    call.input_tokens = 10
    call.expected = chat_request(
        call, read_body(raw, needs_max_tokens=True), model, dialect, SEAL
    ).expected
    whole = whole_reply(call, dialect, SEAL, json.dumps(reply).encode())
    content = msgspec.json.decode(whole.body, type=dict[str, msgspec.Raw])["content"]
    blocks = json.loads(bytes(content))
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "ok"}
        for block in blocks
        if block["type"] == "tool_use"
    ]
    # The client's bytes, so that numbers are its own: Python would write them otherwise.
    mark = '"the content"'
    grown = request_of(
        [
            USER,
            {"role": "assistant", "content": "the content"},
            {"role": "user", "content": [*results, {"type": "text", "text": "Go on."}]},
        ],
        tools=TOOLS,
        thinking=thinking,
    ).replace(mark.encode(), bytes(content))
    return blocks, json.loads(ask(grown, dialect, model).body)["messages"][1]


@pytest.mark.parametrize(("row", "model"), PLACES)
@pytest.mark.parametrize("display", ["summarized", "omitted"])
@examples(25)
@given(calls, st.sampled_from(["", "I will."]), st.sampled_from(["Hm.", "One\n\ntwo \u00e9"]))
def test_what_was_said_comes_back(
    row: str, model: str, display: str, said: list[tuple[str, str]], text: str, thought: str
) -> None:
    dialect = dialect_of(row, model)
    names = chat_names()
    tool_calls = [
        {
            "index": at,
            "id": f"functions.{name[:9]}:{at}",
            "type": "function",
            "function": {"name": names[name], "arguments": arguments},
        }
        for at, (name, arguments) in enumerate(said)
    ]
    field = "reasoning" if dialect.replay_field == "reasoning" else "reasoning_content"
    message = {"role": "assistant", "content": text, field: thought, "tool_calls": tool_calls}
    reply = {
        "id": "c",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
    }
    _, back = answered(reply, dialect, model, display)
    assert back["content"] == (text or None)
    assert back[field] == thought
    assert [
        (call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in back["tool_calls"]
    ] == [
        (call["id"], call["function"]["name"], call["function"]["arguments"]) for call in tool_calls
    ]


def chat_names() -> dict[str, str]:
    """The tools' names as the provider has them."""
    sent = json.loads(ask(request_of([USER], tools=TOOLS)).body)["tools"]
    return {
        tool["name"]: function["function"]["name"]
        for tool, function in zip(TOOLS, sent, strict=True)
    }


def test_details_of_openrouter_come_back_element_for_element() -> None:
    dialect = dialect_of("openrouter", "openai/gpt-5")
    details = [
        {"type": "reasoning.summary", "summary": "Hm.", "index": 0},
        {"type": "reasoning.encrypted", "data": "q1w2", "index": 1},
    ]
    message = {"role": "assistant", "content": "Yes.", "reasoning_details": details}
    reply = {
        "id": "c",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
    }
    for display in ("summarized", "omitted"):
        blocks, back = answered(reply, dialect, "openai/gpt-5", display)
        assert [block["type"] for block in blocks] == ["thinking", "text"]
        assert back["reasoning_details"] == details

"""Whatever is asked: what goes to chat completions is in its order, or is refused in words.

Every tool message follows its call with nothing in between, every call has one result, ids keep the
provider's rule, and nothing but a Fault is ever raised.
"""

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.fault import Fault
from proxy.providers.openai_chat.dialects import ROWS
from tests.kit.patience import examples
from tests.providers.openai_chat.asking import ask, count, dialect_of, make_model
from tests.providers.openai_chat.conversations import (
    any_conversations,
    conversations,
    request_of,
)

MODELS = (
    "model-1",
    "kimi-k2-thinking",
    "kimi-k2.6",
    "gpt-5.4",
    "o3",
    "mistral-large",
    "deepseek-v4",
    "anthropic/claude-sonnet-5",
    "qwen3",
)
rows = st.sampled_from(sorted(ROWS))
models = st.sampled_from(MODELS)
ID_RULES = {
    "any": re.compile(r".+", re.DOTALL),
    "chars_40": re.compile(r".{1,40}", re.DOTALL),
    "chars_64": re.compile(r"[A-Za-z0-9_-]{1,64}"),
    "alphanumeric_9": re.compile(r"[A-Za-z0-9]{9}"),
}
TOOL = {"name": "read", "input_schema": {"type": "object", "properties": {}}}


def check_order(messages: list[dict[str, Any]], tool_id: str) -> None:
    """Raises AssertionError for an order that chat completions refuses."""
    assert messages
    waiting: list[str] = []
    for message in messages:
        role = message["role"]
        if role == "tool":
            assert waiting, "a result without a call, or out of order"
            assert message["tool_call_id"] == waiting.pop(0)
            assert isinstance(message["content"], str)
            continue
        assert not waiting, f"{role} stands between a call and its result"
        if role == "assistant":
            calls = message.get("tool_calls", [])
            waiting = [call["id"] for call in calls]
            assert len(set(waiting)) == len(waiting)
            assert all(ID_RULES[tool_id].fullmatch(call_id) for call_id in waiting)
            assert all(isinstance(json.loads(c["function"]["arguments"]), dict) for c in calls)
            assert (
                calls
                or message["content"]
                or message.get("reasoning_content") is not None
                or (message.get("reasoning") or message.get("reasoning_details"))
            )
        else:
            assert message["content"], f"an empty {role} message"
    assert not waiting, "a call without a result"


@examples(300)
@given(any_conversations, rows, models, st.booleans(), st.booleans())
def test_any_conversation_is_in_order_or_refused(
    messages: list[dict[str, Any]], row: str, model: str, vision: bool, october: bool
) -> None:
    headers = {b"anthropic-version": b"2026-10-21" if october else b"2023-06-01"}
    try:
        written = ask(
            request_of(messages, tools=[TOOL]),
            row,
            model,
            model=make_model(vision=vision),
            headers=headers,
        )
    except Fault as fault:
        assert fault.status == 400
        assert fault.message
        return
    dialect = dialect_of(row, model)
    check_order(json.loads(written.body)["messages"], dialect.tool_id)


@examples(200)
@given(conversations(), rows, models)
def test_what_agents_write_is_never_refused(
    messages: list[dict[str, Any]], row: str, model: str
) -> None:
    written = ask(request_of(messages, tools=[TOOL]), row, model)
    check_order(json.loads(written.body)["messages"], dialect_of(row, model).tool_id)
    called = {
        block["id"]
        for message in messages
        if isinstance(message["content"], list)
        for block in message["content"]
        if block["type"] == "tool_use"
    }
    assert written.expected.seen_tool_ids == called


@examples(200)
@given(any_conversations, rows, models, st.booleans())
def test_counting_refuses_nothing_for_its_content(
    messages: list[dict[str, Any]], row: str, model: str, vision: bool
) -> None:
    body = count(
        request_of(messages, tools=[TOOL, {"type": "computer_20250124", "name": "computer"}]),
        row,
        model,
        model=make_model(vision=vision),
    )
    sent = json.loads(body)
    assert sent.keys() == {"model", "messages", "tools"}
    check_order(sent["messages"], dialect_of(row, model).tool_id)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "id", "role", "content"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@examples(400)
@given(
    st.lists(st.dictionaries(st.sampled_from(["role", "content"]), values), min_size=1, max_size=3),
    st.dictionaries(
        st.sampled_from(
            [
                *("system", "tools", "tool_choice", "thinking", "output_config", "output_format"),
                *("metadata", "stop_sequences", "temperature", "top_k", "container"),
                *("inference_geo", "service_tier", "mcp_servers"),
            ]
        ),
        values,
        max_size=4,
    ),
    rows,
)
def test_nonsense_is_refused_and_nothing_else(
    messages: list[Any], fields: dict[str, Any], row: str
) -> None:
    raw = request_of(messages, **fields)
    for run in (ask, count):
        try:
            made = run(raw, row)
        except Fault as fault:
            assert fault.status == 400
            assert fault.message
        else:
            body = made if isinstance(made, bytes) else made.body
            assert json.loads(body)["messages"]

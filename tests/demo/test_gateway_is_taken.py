"""What the gateway writes, the vendors played here take: two readings of the same manuals agree."""

import json
from typing import Any

import pytest

from proxy.demo.openai_request import judged, read_body
from proxy.demo.vendors import vendor_of
from tests.cases.test_openai_request_cases import CASES, halves
from tests.kit.case_file import Case
from tests.providers.openai_chat.asking import ask


def wanted_of(case: Case) -> bytes:
    """The body that goes upstream; nothing where the case is about a refusal or a count."""
    heads, _ = halves(case.given)
    _, written = halves(case.expected)
    return written if "counting" not in heads and "messages" in json.loads(written) else b""


TRANSLATED = [case for case in CASES if wanted_of(case)]


@pytest.mark.parametrize("case", TRANSLATED, ids=lambda case: case.name)
def test_no_request_of_the_shelf_is_refused(case: Case) -> None:
    body, model = read_body(wanted_of(case))
    assert judged(body, model).model == model


SCHEMA = {
    "type": "object",
    "properties": {"command": {"type": "string"}, "timeout": {"type": "number"}},
    "required": ["command"],
}
CALL = {"type": "tool_use", "id": "toolu_01A", "name": "Bash", "input": {"command": "ls"}}
OTHER = CALL | {"id": "toolu_01B"}
RESULTS = [
    {"type": "tool_result", "tool_use_id": "toolu_01B", "content": "b", "is_error": True},
    {"type": "tool_result", "tool_use_id": "toolu_01A", "content": [{"type": "text", "text": "a"}]},
]
AGENT: dict[str, Any] = {
    "model": "haiku",
    "max_tokens": 8000,
    "stream": True,
    "temperature": 1,
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: a=b"},
        {"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}},
    ],
    "tools": [
        {"name": "Bash", "description": "Run.", "input_schema": SCHEMA},
        {"name": "mcp__" + "x" * 80, "input_schema": {"properties": {}}, "strict": True},
    ],
    "thinking": {"type": "adaptive"},
    "output_config": {"effort": "medium"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "metadata": {"user_id": '{"session_id":"1"}'},
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Do it."}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                {"type": "text", "text": "Doing it."},
                CALL,
                OTHER,
            ],
        },
        {"role": "user", "content": [*RESULTS, {"type": "text", "text": "Go on."}]},
        {"role": "system", "content": "<total_tokens>5</total_tokens>"},
    ],
}
CHOICES: list[dict[str, Any]] = [
    {},
    {"tool_choice": {"type": "any"}},
    {"tool_choice": {"type": "tool", "name": "Bash", "disable_parallel_tool_use": True}},
    {"tool_choice": {"type": "none"}},
    {"thinking": {"type": "disabled"}, "output_config": {}},
    {"tools": [], "stop_sequences": list("abcdef"), "top_k": 4, "top_p": 0.5},
    {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
]


@pytest.mark.parametrize("changes", CHOICES, ids=lambda changes: "+".join(changes) or "as is")
@pytest.mark.parametrize(
    ("row", "model"),
    [
        ("openai", "gpt-4o"),
        ("openai", "o3"),
        ("openai", "gpt-5"),
        ("openai", "gpt-5.1"),
        ("openai", "gpt-5.4"),
        ("azure", "azure-gpt-4o"),
        ("moonshot", "moonshot-v1-8k"),
        ("moonshot", "kimi-k2.6"),
        ("moonshot", "kimi-k2-thinking"),
        ("moonshot", "kimi-k3"),
        ("mantle", "moonshotai.kimi-k2-thinking"),
        ("deepseek", "deepseek-v4"),
        ("deepseek", "deepseek-chat"),
        ("openrouter", "openrouter/x"),
        ("vllm", "vllm-qwen3"),
        ("ollama", "ollama-qwen3"),
    ],
)
def test_an_agents_turn_is_taken_by_everybody(
    row: str, model: str, changes: dict[str, Any]
) -> None:
    asked = AGENT | changes
    if "top_p" in changes:
        asked.pop("temperature")
    written = json.loads(ask(asked, row, model).body)
    request = judged(written, model)
    assert request.vendor is vendor_of(model)
    assert request.ask.tool_results == ("a", "Error: b")
    assert "Go on." in request.ask.text

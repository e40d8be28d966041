from typing import Any

import pytest

from tests.demo.chat import read, refused, tool, user

NAMED = {"type": "function", "function": {"name": "weather"}}
TOOLS = [tool()]
OFF = {"thinking": {"type": "disabled"}}

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (
        "gpt-5",
        {"max_tokens": 5},
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead.",
    ),
    ("o3", {"max_tokens": 5}, "Use 'max_completion_tokens' instead."),
    ("o3", {"parallel_tool_calls": False, "tools": TOOLS}, "'parallel_tool_calls' is not supp"),
    ("o3", {"stop": ["a"]}, "'stop' is not supported with this model."),
    ("gpt-5", {"temperature": 0.5}, "'temperature' does not support 0.5 with this model. Only the"),
    ("gpt-5", {"top_p": 0.5}, "Unsupported parameter: 'top_p'"),
    ("gpt-5", {"reasoning_effort": "max"}, "Supported values are: 'minimal', 'low', 'medium'"),
    ("gpt-5", {"max_completion_tokens": 999_999}, "max_tokens is too large: 999999."),
    ("gpt-4o", {"reasoning_effort": "low"}, "Unsupported parameter: 'reasoning_effort'"),
    ("gpt-4o", {"top_k": 5}, "Unknown parameter: 'top_k'."),
    ("gpt-4o", {"thinking": {"type": "enabled"}}, "Unknown parameter: 'thinking'."),
    ("gpt-4o", {"stop": list("abcde")}, "Invalid 'stop': array too long."),
    ("gpt-4o", {"stream_options": {"include_usage": True}}, "only allowed when 'stream' is enab"),
    ("gpt-4o", {"metadata": {"a": "b"}}, "only allowed when 'store' is enabled"),
    ("gpt-4o", {"safety_identifier": "x" * 65}, "Invalid 'safety_identifier': string too long."),
    ("gpt-4o", {"prompt_cache_key": "x" * 65}, "Invalid 'prompt_cache_key': string too long."),
    ("gpt-4o", {"parallel_tool_calls": True}, "only allowed when 'tools' are specified"),
    ("gpt-4o", {"tool_choice": "auto"}, "'tool_choice' is only allowed when 'tools' are specif"),
    (
        "gpt-4o",
        {"tools": [tool("other")], "tool_choice": NAMED},
        "Tool choice 'weather' not found in 'tools' parameter.",
    ),
    (
        "gpt-5.4",
        {"tools": TOOLS, "reasoning_effort": "low"},
        "Function tools with reasoning_effort are not supported for gpt-5.4 in "
        "/v1/chat/completions.",
    ),
    ("gpt-5.6-sol", {"tools": TOOLS}, "Function tools with reasoning_effort are not supported"),
    ("kimi-k2.6", {"temperature": 0.5}, "invalid temperature: only 1 is allowed for this model"),
    ("kimi-k2.6", {"temperature": 1, **OFF}, "invalid temperature: only 0.6 is allowed for this"),
    ("kimi-k2.6", {"top_p": 1}, "invalid top_p: only 0.95 is allowed for this model"),
    (
        "kimi-k2.6",
        {"tools": TOOLS, "tool_choice": "required"},
        "tool_choice 'required' is incompatible with thinking enabled",
    ),
    (
        "kimi-k2-thinking",
        {"tools": TOOLS, "tool_choice": NAMED},
        "tool_choice 'specified' is incompatible with thinking enabled",
    ),
    ("moonshot-v1-8k", {"tools": TOOLS, "tool_choice": "required"}, "tool_choice 'required'"),
    ("kimi-k2-thinking", OFF, "invalid thinking: only type=enabled is allowed for this model"),
    ("kimi-k2.6", {"stop": list("abcdef")}, "Invalid 'stop': array too long."),
    (
        "deepseek-v4",
        {"response_format": {"type": "json_schema", "json_schema": {}}},
        "This response_format type is unavailable now",
    ),
]


@pytest.mark.parametrize(("model", "changes", "words"), REFUSED)
def test_a_vendor_refuses_what_it_does_not_take(
    model: str, changes: dict[str, Any], words: str
) -> None:
    refusal = refused(model, **changes)
    assert refusal.status == 400
    assert words in refusal.words


TAKEN: list[tuple[str, dict[str, Any]]] = [
    ("gpt-5", {"max_completion_tokens": 5, "temperature": 1, "reasoning_effort": "minimal"}),
    ("gpt-4o", {"max_tokens": 5, "temperature": 0.2, "stop": list("abcd")}),
    ("gpt-4o", {"stream": True, "stream_options": {"include_usage": True}}),
    ("gpt-4o", {"tools": TOOLS, "tool_choice": "required", "parallel_tool_calls": False}),
    ("gpt-4o", {"tools": TOOLS, "tool_choice": NAMED}),
    ("gpt-5.1", {"tools": TOOLS, "reasoning_effort": "low"}),
    ("gpt-5.4", {"tools": TOOLS}),
    ("gpt-5.4", {"tools": TOOLS, "reasoning_effort": "none"}),
    ("gpt-5.6", {"tools": TOOLS, "reasoning_effort": "none"}),
    ("gpt-5.6", {"reasoning_effort": "xhigh"}),
    ("kimi-k2.6", {"temperature": 1, "top_p": 0.95, "max_tokens": 9}),
    ("kimi-k2.6", {"tools": TOOLS, "tool_choice": NAMED, **OFF}),
    ("kimi-k2-thinking", {"thinking": {"type": "enabled"}}),
    ("moonshot-v1-8k", {"temperature": 0.3}),
    ("deepseek-v4", {"response_format": {"type": "json_object"}}),
    ("vllm-qwen", {"top_k": 3, "chat_template_kwargs": {}, "tool_choice": "required"}),
    ("m", {"whatever": 1, "metadata": {"a": "b"}, "stop": list("abcdef")}),
]


@pytest.mark.parametrize(("model", "changes"), TAKEN)
def test_a_vendor_takes_what_it_takes(model: str, changes: dict[str, Any]) -> None:
    assert read(model, messages=[user("hi")], **changes).model == model


def test_openai_names_the_parameter_and_the_kind_of_mistake() -> None:
    refusal = refused("gpt-5", max_tokens=5)
    assert (refusal.param, refusal.code) == ("max_tokens", "unsupported_parameter")

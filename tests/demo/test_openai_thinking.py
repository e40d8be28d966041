from typing import Any

import pytest

from proxy.demo.openai_thinking import effort, thinking_is_on
from proxy.demo.vendors import vendor_of


@pytest.mark.parametrize(
    ("model", "asked", "is_on"),
    [
        ("m", {}, True),
        ("m", {"reasoning_effort": "none"}, False),
        ("gpt-4o", {"reasoning_effort": "high"}, False),
        ("o3", {}, True),
        ("gpt-5.1", {}, False),
        ("gpt-5.1", {"reasoning_effort": "low"}, True),
        ("gpt-5.6", {}, True),
        ("gpt-5.6", {"reasoning_effort": "none"}, False),
        ("moonshot-v1-8k", {}, False),
        ("kimi-k2.6", {}, True),
        ("kimi-k2.6", {"thinking": {"type": "disabled"}}, False),
        ("kimi-k2-thinking", {"thinking": {"type": "disabled"}}, True),
        ("deepseek-v4", {"thinking": {"type": "disabled"}}, False),
        ("openrouter-x", {"reasoning": {"enabled": False}}, False),
        ("openrouter-x", {"reasoning": {"effort": "low"}}, True),
        ("vllm-qwen", {"chat_template_kwargs": {"enable_thinking": False}}, False),
        ("vllm-granite", {"chat_template_kwargs": {"thinking": False}}, False),
        ("vllm-qwen", {"chat_template_kwargs": {"enable_thinking": True}}, True),
    ],
)
def test_every_vendor_is_told_in_its_own_way(
    model: str, asked: dict[str, Any], is_on: bool
) -> None:
    assert thinking_is_on(asked, vendor_of(model)) is is_on


def test_the_effort_that_holds_is_the_one_asked_for_else_the_vendors() -> None:
    assert effort({}, vendor_of("gpt-5.1")) == "none"
    assert effort({}, vendor_of("gpt-5.6")) == "medium"
    assert effort({"reasoning_effort": "high"}, vendor_of("gpt-5.1")) == "high"

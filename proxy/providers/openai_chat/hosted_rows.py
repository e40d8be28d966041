"""Rows of the table: providers that run models for others (translation.md 1.10)."""

from typing import Any

import msgspec

from proxy.domain.dialect import Dialect
from proxy.providers.openai_chat.row import Row, Rule

KIMI_THINKS: dict[str, Any] = {
    "sampling": "drop",
    "thinks_unasked": True,
    "reasoning_family": "kimi",
    "reasoning_replay": "tool_turns",
    "replay_placeholder": " ",
    "tool_choice_required": False,
    "tool_choice_named": False,
}
"""Thinking models of Moonshot, wherever they run: calls must come back with the thinking that led
to them, temperature is fixed, and no call can be forced."""

_OPENAI_THINKS: dict[str, Any] = {
    "system_role": "developer",
    "reasoning": "effort",
    "sampling": "drop",
    "thinks_unasked": True,
}
_FROM_NONE = ("none", "low", "medium", "high")

_OPENAI_RULES: tuple[Rule, ...] = (
    (r"^o[1-9]", {**_OPENAI_THINKS, "parallel_flag": False}),
    (r"^gpt-[5-9]", {**_OPENAI_THINKS, "efforts": ("minimal", "low", "medium", "high")}),
    (
        r"^gpt-(5\.\d|[6-9])",
        {"sampling": "drop_when_thinking", "thinks_unasked": False, "efforts": _FROM_NONE},
    ),
    (r"^gpt-(5\.([2-9]|\d\d)|[6-9])", {"efforts": (*_FROM_NONE, "xhigh")}),
    (r"^gpt-(5\.([3-9]|\d\d)|[6-9])", {"effort_with_tools": False}),
    # These think unless told otherwise, and refuse tools unless told (litellm #34569).
    (r"^gpt-(5\.([6-9]|\d\d)|[6-9])", {"none_with_tools": True, "thinks_unasked": True}),
    (
        r"^gpt-[5-9].*-chat",
        {"system_role": "system", "reasoning": "none", "sampling": "pass", "thinks_unasked": False},
    ),
)

OPENAI = Row(
    Dialect(
        max_tokens_field="max_completion_tokens",
        tools_max=128,
        tool_id="chars_40",
        prefill="refuse",
        pdf=True,
        structured="json_schema",
        parallel_flag=True,
        strict_tools=True,
        no_obfuscation=True,
        user_field="safety_identifier",
        prompt_cache_key=True,
        service_tier=True,
    ),
    _OPENAI_RULES,
)

AZURE = Row(
    msgspec.structs.replace(OPENAI.dialect, key_header="api-key", no_obfuscation=False),
    _OPENAI_RULES,
)

MOONSHOT = Row(
    Dialect(
        count="moonshot",
        prefill="partial",
        empty_tool_result="(no output)",
        image_url=False,
        structured="json_object",
        tool_choice_required=False,
        tool_choice_named=False,
        prompt_cache_key=True,
        reasoning_family="kimi",
    ),
    (
        (r"kimi-k2-thinking|k2\.7", {**KIMI_THINKS, "reasoning": "thinking_always"}),
        (r"k2\.7", {"reasoning_replay": "always"}),
        (r"k2\.[56]", {**KIMI_THINKS, "reasoning": "thinking_toggle"}),
        (
            r"k3",
            {
                **KIMI_THINKS,
                "reasoning": "effort_always",
                "efforts": ("low", "high", "max"),
                "reasoning_replay": "always",
                "max_tokens_field": "max_completion_tokens",
                "structured": "json_schema",
            },
        ),
    ),
)

_DEEPSEEK_THINKS: dict[str, Any] = {
    "thinks_unasked": True,
    "sampling": "drop_when_thinking",
    "reasoning_replay": "tool_turns",
    "replay_placeholder": "",
    "forced_while_thinking": False,
}
DEEPSEEK = Row(
    Dialect(
        prefill="prefix",
        structured="json_object",
        reasoning="thinking_effort",
        efforts=("low", "high", "max"),
        reasoning_family="deepseek",
        **_DEEPSEEK_THINKS,
    ),
    (
        (
            r"deepseek-chat",
            {
                "reasoning": "none",
                "thinks_unasked": False,
                "reasoning_replay": "never",
            },
        ),
        (r"deepseek-reasoner", {"reasoning": "thinking_always"}),
        # The first generation refuses its own thinking.
        (r"-r1", {"reasoning": "thinking_always", "reasoning_replay": "never"}),
    ),
)

OPENROUTER = Row(
    Dialect(
        top_k=True,
        pdf=True,
        pdf_url=True,
        structured="json_schema",
        parallel_flag=True,
        reasoning="openrouter",
        efforts=("minimal", "low", "medium", "high", "xhigh"),
        reasoning_family="openrouter",
        reasoning_replay="always",
        replay_field="reasoning",
        replay_details=True,
        user_field="user",
    ),
    (
        (r"^anthropic/", {"cache_marks": True, "reasoning_family": "openrouter-anthropic"}),
        (r"^google/", {"cache_marks": True, "reasoning_family": "openrouter-google"}),
        (r"^qwen/", {"cache_marks": True, "reasoning_family": "openrouter-qwen"}),
        (
            r"^openai/",
            {
                "max_tokens_field": "max_completion_tokens",
                "tools_max": 128,
                "tool_id": "chars_40",
                "reasoning_family": "openrouter-openai",
            },
        ),
        (r"^x-ai/", {"reasoning_family": "openrouter-x-ai"}),
        (r"^mistralai/", {"tool_id": "alphanumeric_9"}),
        (r"^deepseek/", {"reasoning_family": "deepseek", "replay_placeholder": ""}),
        (r"^deepseek/deepseek-(r1|chat)", {"replay_placeholder": None}),
        (r"kimi", {"reasoning_family": "kimi"}),
        (
            r"kimi-(k2-thinking|k2\.[567]|k3)",
            {**KIMI_THINKS, "sampling": "pass", "reasoning_replay": "always"},
        ),
    ),
)

MANTLE = Row(
    Dialect(prefill="refuse"),
    (
        (
            r"gpt-oss",
            {
                "max_tokens_field": "max_completion_tokens",
                "reasoning": "effort",
                "reasoning_family": "gpt-oss",
                "thinks_unasked": True,
                "think_tags": ("reasoning",),
                "tool_id": "chars_40",
            },
        ),
        (r"deepseek", {"reasoning_family": "deepseek"}),
        (
            r"kimi-k2-thinking",
            {
                **KIMI_THINKS,
                # 16k although the context is 256k (trap 63).
                "max_output_tokens": 16384,
                "reasoning": "thinking_always",
                "replay_field": "reasoning",
                "think_tags": ("reasoning", "think"),
                "kimi_tool_repair": True,
            },
        ),
        (
            r"kimi-k2\.[56]",
            {
                **KIMI_THINKS,
                "replay_field": "reasoning",
                "think_tags": ("reasoning", "think"),
                "kimi_tool_repair": True,
            },
        ),
    ),
)

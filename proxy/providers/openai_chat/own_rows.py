"""Rows of the table: servers one runs oneself, with open models (translation.md 1.10)."""

from proxy.domain.dialect import Dialect
from proxy.providers.openai_chat.row import Row, Rule

_OPEN_MODELS: tuple[Rule, ...] = (
    (
        r"qwen-?3|glm",
        {"reasoning": "template_enable_thinking", "thinks_unasked": True},
    ),
    (r"qwen", {"reasoning_family": "qwen"}),
    (r"glm", {"reasoning_family": "glm"}),
    (r"deepseek", {"reasoning": "template_thinking", "reasoning_family": "deepseek"}),
    (r"deepseek-r1", {"reasoning": "none", "reasoning_replay": "never", "thinks_unasked": True}),
    (r"granite", {"reasoning": "template_thinking", "reasoning_family": "granite"}),
    (
        r"gpt-oss",
        {"reasoning": "effort", "reasoning_family": "gpt-oss", "thinks_unasked": True},
    ),
    (r"kimi", {"reasoning_family": "kimi"}),
    (
        r"kimi-k2(-thinking|\.7)",
        {
            "reasoning": "thinking_always",
            "thinks_unasked": True,
            "replay_placeholder": " ",
        },
    ),
    (
        r"kimi-k2\.[56]",
        {"reasoning": "template_thinking", "thinks_unasked": True, "replay_placeholder": " "},
    ),
    (r"mistral|mixtral|magistral|devstral", {"tool_id": "alphanumeric_9"}),
)
"""Open models on servers one runs oneself: what their chat templates know."""

VLLM = Row(
    Dialect(
        count="vllm",
        mid_system="fold",
        prefill="continue",
        top_k=True,
        stop="native",
        structured="json_schema",
        parallel_flag=True,
        reasoning_replay="tool_turns",
        replay_field="both",
        usage="continuous",
    ),
    _OPEN_MODELS,
)

LLAMA_CPP = Row(
    Dialect(
        mid_system="fold",
        null_content=False,
        top_k=True,
        structured="json_schema",
        parallel_flag=True,
        reasoning_replay="tool_turns",
        think_tags=("think",),
    ),
    _OPEN_MODELS,
)

OLLAMA = Row(
    Dialect(
        mid_system="fold",
        null_content=False,
        image_url=False,
        structured="json_schema",
        tool_choice_required=False,
        tool_choice_named=False,
        tool_choice_none=False,
        think_tags=("think",),
    ),
    (
        (
            r"gpt-oss",
            {
                "reasoning": "effort",
                "reasoning_family": "gpt-oss",
                "reasoning_replay": "tool_turns",
                "replay_field": "reasoning",
                "thinks_unasked": True,
            },
        ),
        (
            r"qwen3|deepseek-r1|deepseek-v3\.[1-9]",
            {
                "reasoning": "effort",
                "efforts": ("none", "low", "medium", "high"),
                "thinks_unasked": True,
            },
        ),
    ),
)

"""The table of servers: rows, rules by the name of the model, the operator's quirks."""

import msgspec
import pytest

from proxy.domain.dialect import Dialect
from proxy.providers.openai_chat.dialects import ROWS, dialect_for
from proxy.providers.openai_chat.reasoning import EFFORTS


def test_every_kind_of_server_has_a_row() -> None:
    assert set(ROWS) == {
        *("", "generic", "openai", "azure", "moonshot", "deepseek", "openrouter", "vllm"),
        *("llama.cpp", "ollama", "mantle"),
    }
    assert dialect_for("", "x") == dialect_for("generic", "x") == Dialect()


@pytest.mark.parametrize("row", sorted(ROWS))
def test_every_rule_changes_fields_that_exist_to_values_they_take(row: str) -> None:
    for pattern, fields in ROWS[row].rules:
        changed = {**msgspec.structs.asdict(ROWS[row].dialect), **fields}
        dialect = msgspec.convert(changed, Dialect)
        assert set(dialect.efforts) <= set(EFFORTS), pattern


@pytest.mark.parametrize(
    ("row", "model", "fields"),
    [
        ("openai", "gpt-4.1", {"reasoning": "none", "sampling": "pass", "parallel_flag": True}),
        ("openai", "o3-mini", {"reasoning": "effort", "sampling": "drop", "parallel_flag": False}),
        ("openai", "gpt-5-mini", {"efforts": ("minimal", "low", "medium", "high")}),
        ("openai", "gpt-5", {"thinks_unasked": True, "sampling": "drop"}),
        ("openai", "gpt-5.1", {"efforts": ("none", "low", "medium", "high")}),
        ("openai", "gpt-5.2", {"effort_with_tools": True, "thinks_unasked": False}),
        ("openai", "gpt-5.3-codex", {"effort_with_tools": False}),
        ("openai", "gpt-5.5", {"effort_with_tools": False, "none_with_tools": False}),
        ("openai", "gpt-5.6-terra", {"none_with_tools": True, "thinks_unasked": True}),
        ("openai", "gpt-5.10", {"none_with_tools": True}),
        ("openai", "gpt-6", {"none_with_tools": True, "max_tokens_field": "max_completion_tokens"}),
        ("openai", "gpt-5-chat-latest", {"reasoning": "none", "sampling": "pass"}),
        ("azure", "gpt-5.2", {"key_header": "api-key", "no_obfuscation": False}),
        ("moonshot", "kimi-k2-0905-preview", {"reasoning": "none", "reasoning_replay": "never"}),
        ("moonshot", "kimi-k2-thinking", {"reasoning": "thinking_always"}),
        ("moonshot", "kimi-k2.5", {"reasoning": "thinking_toggle"}),
        ("moonshot", "kimi-k2.6", {"reasoning_replay": "tool_turns", "replay_placeholder": " "}),
        ("moonshot", "kimi-k2.7-code", {"reasoning_replay": "always", "sampling": "drop"}),
        ("moonshot", "kimi-k3", {"reasoning": "effort_always", "reasoning_replay": "always"}),
        ("moonshot", "kimi-k3", {"max_tokens_field": "max_completion_tokens"}),
        ("deepseek", "deepseek-v4", {"replay_placeholder": "", "reasoning": "thinking_effort"}),
        ("deepseek", "deepseek-chat", {"reasoning": "none", "reasoning_replay": "never"}),
        ("deepseek", "deepseek-reasoner", {"reasoning": "thinking_always"}),
        ("deepseek", "DeepSeek-R1", {"reasoning_replay": "never"}),
        ("openrouter", "anthropic/claude-opus-5", {"cache_marks": True}),
        ("openrouter", "x-ai/grok-4", {"cache_marks": False, "replay_details": True}),
        ("openrouter", "openai/gpt-5", {"tool_id": "chars_40", "tools_max": 128}),
        ("openrouter", "moonshotai/kimi-k2-thinking", {"reasoning_family": "kimi"}),
        ("vllm", "Qwen/Qwen3-235B", {"reasoning": "template_enable_thinking"}),
        ("vllm", "deepseek-ai/DeepSeek-V3.2", {"reasoning": "template_thinking"}),
        ("vllm", "openai/gpt-oss-120b", {"reasoning": "effort"}),
        ("vllm", "mistralai/Magistral-Small", {"tool_id": "alphanumeric_9"}),
        ("vllm", "acme/own", {"reasoning": "none", "reasoning_family": ""}),
        ("llama.cpp", "Qwen3-8B-Q4", {"reasoning": "template_enable_thinking"}),
        ("ollama", "llama3.3", {"reasoning": "none", "null_content": False}),
        ("ollama", "gpt-oss:20b", {"reasoning": "effort"}),
        ("mantle", "moonshotai.kimi-k2-thinking", {"max_output_tokens": 16384}),
        ("mantle", "moonshotai.kimi-k2-thinking", {"replay_field": "reasoning"}),
        ("mantle", "moonshotai.kimi-k2-thinking", {"kimi_tool_repair": True}),
        ("mantle", "moonshotai.kimi-k2-thinking", {"think_tags": ("reasoning", "think")}),
        ("mantle", "openai.gpt-oss-120b", {"max_tokens_field": "max_completion_tokens"}),
    ],
)
def test_a_model_changes_its_row(row: str, model: str, fields: dict[str, object]) -> None:
    dialect = dialect_for(row, model)
    assert {name: getattr(dialect, name) for name in fields} == fields


def test_kimi_is_one_family_wherever_it_runs() -> None:
    places = [
        ("moonshot", "kimi-k2-thinking"),
        ("mantle", "moonshotai.kimi-k2-thinking"),
        ("openrouter", "moonshotai/kimi-k2-thinking"),
        ("vllm", "moonshotai/Kimi-K2-Thinking"),
    ]
    assert {dialect_for(row, model).reasoning_family for row, model in places} == {"kimi"}


def test_quirks_come_last() -> None:
    quirks = {"sampling": "pass", "efforts": ["low"], "replay_placeholder": None, "tools_max": 7}
    dialect = dialect_for("moonshot", "kimi-k3", quirks)
    assert dialect.sampling == "pass"
    assert dialect.efforts == ("low",)
    assert dialect.replay_placeholder is None
    assert dialect.tools_max == 7


def test_an_unknown_quirk_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="no quirk 'max_token_field'; did you mean 'max_tokens_f"):
        dialect_for("generic", "x", {"max_token_field": "max_tokens"})


def test_an_unknown_quirk_that_is_near_nothing_lists_them() -> None:
    with pytest.raises(ValueError, match=r"no quirk 'zzz'; there are .*sampling"):
        dialect_for("generic", "x", {"zzz": 1})


@pytest.mark.parametrize(
    ("quirks", "said"),
    [
        ({"pdf": "yes"}, "quirk pdf: Expected `bool`, got `str`"),
        ({"stop": "never"}, "quirk stop: Invalid enum value 'never'"),
        ({"efforts": "high"}, "quirk efforts: Expected `array`, got `str`"),
        ({"tools_max": None}, "quirk tools_max: Expected `int`, got `null`"),
    ],
)
def test_a_quirk_of_a_wrong_type_is_named(quirks: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        dialect_for("generic", "x", quirks)


def test_an_unknown_row_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="no dialect 'moonshoot'; did you mean 'moonshot'"):
        dialect_for("moonshoot", "x")

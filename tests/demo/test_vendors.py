import pytest

from proxy.demo.vendors import GENERIC, VENDORS, vendor_of


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("m", "generic"),
        ("claude-opus-4-7", "generic"),
        ("gpt-4o", "openai"),
        ("gpt-5", "openai-gpt-5"),
        ("gpt-5-mini", "openai-gpt-5"),
        ("gpt-5.1", "openai-gpt-5.1"),
        ("gpt-5.4", "openai-gpt-5.3"),
        ("gpt-5.6-terra", "openai-gpt-5.6"),
        ("o3-mini", "openai-o"),
        ("azure-gpt-4o", "azure"),
        ("moonshot-v1-8k", "moonshot"),
        ("kimi-k2-0905-preview", "moonshot"),
        ("kimi-k2.6", "moonshot-toggle"),
        ("Kimi-K2-Thinking", "moonshot-always"),
        ("kimi-k3", "moonshot-effort"),
        ("moonshotai.kimi-k2-thinking", "mantle"),
        ("deepseek-v4-pro", "deepseek"),
        ("deepseek-chat", "deepseek-chat"),
        ("deepseek-r1", "deepseek-r1"),
        ("openrouter/anything", "openrouter"),
        ("vllm-qwen3", "vllm"),
        ("ollama-llama", "ollama"),
    ],
)
def test_the_model_id_chooses_who_is_played(model: str, name: str) -> None:
    assert vendor_of(model).name == name


def test_no_beginning_belongs_to_two_rows() -> None:
    beginnings = [beginning for vendor in VENDORS for beginning in vendor.models]
    assert len(beginnings) == len(set(beginnings))
    assert all(beginnings)


def test_whoever_wants_thoughts_back_also_tells_them() -> None:
    for vendor in VENDORS:
        if vendor.replay != "never":
            assert vendor.reasoning_field
            assert vendor.replay_words


def test_templates_name_only_what_is_filled_in() -> None:
    for vendor in (*VENDORS, GENERIC):
        vendor.call_id.format(serial="s", block=0, name="n", number=0, asked=0)
        vendor.fixed_words.format(name="n", given=0, value=1)
        vendor.replay_words.format(index=1)
        for words in (vendor.overflow, vendor.overflow_total):
            filled = words.format(prompt=11, wanted=22, total=33, window=44)
            assert not words or "44" in filled or vendor.name == "ollama"

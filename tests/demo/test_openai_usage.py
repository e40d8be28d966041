from typing import Any

import pytest

from proxy.demo.openai_usage import Counted, usage
from proxy.demo.vendors import vendor_of

COUNTED = Counted(prompt=900, completion=40, reasoning=12, cached=600)
TOTALS = {"prompt_tokens": 900, "completion_tokens": 40, "total_tokens": 940}
CACHED = {"prompt_tokens_details": {"cached_tokens": 600}}
REASONED = {"completion_tokens_details": {"reasoning_tokens": 12}}


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("gpt-5", CACHED | REASONED),
        ("kimi-k2.6", {"cached_tokens": 600}),
        (
            "deepseek-v4",
            CACHED | REASONED | {"prompt_cache_hit_tokens": 600, "prompt_cache_miss_tokens": 300},
        ),
        ("vllm-qwen", CACHED),
        ("ollama-x", {}),
    ],
)
def test_every_vendor_spells_usage_in_its_own_way(model: str, more: dict[str, Any]) -> None:
    assert usage(COUNTED, vendor_of(model)) == TOTALS | more


@pytest.mark.parametrize(
    ("model", "more"), [("kimi-k2.6", {}), ("vllm-qwen", {"prompt_tokens_details": None})]
)
def test_some_say_nothing_of_a_cache_that_did_not_help(model: str, more: dict[str, Any]) -> None:
    assert usage(COUNTED._replace(cached=0), vendor_of(model)) == TOTALS | more


def test_no_more_is_cached_than_was_sent() -> None:
    told = usage(COUNTED._replace(cached=5000), vendor_of("kimi-k2.6"))
    assert told["cached_tokens"] == 900

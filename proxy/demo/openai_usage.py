"""The usage object of a chat reply as each vendor spells it. Pure."""

from typing import NamedTuple

from proxy.demo.vendor import Vendor


class Counted(NamedTuple):
    """Tokens of one reply, or of what has been sent of it. `cached` is part of `prompt`."""

    prompt: int
    completion: int
    reasoning: int
    cached: int


def usage(counted: Counted, vendor: Vendor) -> dict[str, object]:
    """What stands behind `usage`."""
    cached = min(counted.cached, counted.prompt)
    told: dict[str, object] = {
        "prompt_tokens": counted.prompt,
        "completion_tokens": counted.completion,
        "total_tokens": counted.prompt + counted.completion,
    }
    match vendor.usage_details:
        case "openai":
            return told | {
                "prompt_tokens_details": {"cached_tokens": cached},
                "completion_tokens_details": {"reasoning_tokens": counted.reasoning},
            }
        case "moonshot":
            return told | ({"cached_tokens": cached} if cached else {})
        case "deepseek":
            return told | {
                "prompt_tokens_details": {"cached_tokens": cached},
                "completion_tokens_details": {"reasoning_tokens": counted.reasoning},
                "prompt_cache_hit_tokens": cached,
                "prompt_cache_miss_tokens": counted.prompt - cached,
            }
        case "vllm":
            details = {"cached_tokens": cached} if cached else None
            return told | {"prompt_tokens_details": details}
        case "bare":
            return told

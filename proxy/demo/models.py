"""The models the demo upstream lists. It answers for any other id too: it is always the same
program that speaks, and a catalogue in front of it may call it what it likes.
"""

from collections.abc import Mapping
from typing import NamedTuple

PAGE_MAX = 1000
_PAGE = 20


class DemoModel(NamedTuple):
    """One entry of the list."""

    model_id: str
    display_name: str
    released: str
    line: str | None
    context_tokens: int = 200_000
    output_tokens: int = 64_000

    def for_anthropic(self) -> dict[str, object]:
        """As the Models API shows it."""
        return {
            "type": "model",
            "id": self.model_id,
            "display_name": self.display_name,
            "created_at": f"{self.released}T00:00:00Z",
            "max_input_tokens": self.context_tokens,
            "max_tokens": self.output_tokens,
            "lifecycle": "active",
            "line": self.line,
            "capabilities": None,
            "deprecated_at": None,
            "retires_at": None,
        }

    def for_openai(self) -> dict[str, object]:
        """As OpenAI's list shows it."""
        return {
            "id": self.model_id,
            "object": "model",
            "created": 1_760_000_000,
            "owned_by": "demo",
        }


MODELS = (
    DemoModel("claude-opus-5-5", "Claude Opus 5.5 (demo)", "2026-09-15", "opus", 1_000_000),
    DemoModel("claude-sonnet-5-5", "Claude Sonnet 5.5 (demo)", "2026-09-15", "sonnet", 1_000_000),
    DemoModel("claude-haiku-5-5", "Claude Haiku 5.5 (demo)", "2026-09-15", "haiku"),
    DemoModel("claude-opus-4-7", "Claude Opus 4.7 (demo)", "2026-04-16", "opus", 1_000_000),
    DemoModel("claude-haiku-4-5", "Claude Haiku 4.5 (demo)", "2025-10-15", "haiku"),
    DemoModel("kimi-k2-thinking", "Kimi K2 Thinking (demo)", "2025-11-06", None, 262_144, 32_768),
)


def find(model_id: str) -> DemoModel | None:
    """The listed model of that id."""
    return next((model for model in MODELS if model.model_id == model_id), None)


def page(query: Mapping[str, str]) -> dict[str, object] | None:
    """A page of the Anthropic list, None where its parameters are wrong."""
    limit = query.get("limit", str(_PAGE))
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:6]) <= PAGE_MAX:
        return None
    ids = [model.model_id for model in MODELS]
    rows = [model.for_anthropic() for model in MODELS]
    if (before := query.get("before_id")) in ids:
        rows = rows[: ids.index(before)]
        shown = rows[-int(limit) :]
    else:
        after = query.get("after_id")
        rows = rows[ids.index(after) + 1 :] if after in ids else rows
        shown = rows[: int(limit)]
    return {
        "data": shown,
        "has_more": len(shown) < len(rows),
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
    }

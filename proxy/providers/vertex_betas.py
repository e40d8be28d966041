"""Which of a client's betas Google Cloud takes (translation.md 6).

There an unknown beta is refused, and clients send new ones every month: those that are known to
work go on, the others are left out, together with their fields (trap 39).
"""

from collections.abc import Iterable

from proxy.domain.headers import Headers

SEARCH_BETA = "web-search-2025-03-05"
TOOL_SEARCH_BETA = "tool-search-tool-2025-10-19"
SCOPE_BETA = b"prompt-caching-scope"
"""Not taken there; who sends it may have written scopes into its cache marks."""
_KNOWN = frozenset(
    (
        *(TOOL_SEARCH_BETA, SEARCH_BETA, "compact-2026-01-12", "context-1m-2025-08-07"),
        *("context-management-2025-06-27", "interleaved-thinking-2025-05-14"),
    )
)
_KNOWN_BEGINNINGS = (
    *("computer-use-", "dangerous-tool-use-", "thinking-", "per-turn-control-"),
    "mid-conversation-tool-changes-",
)
_ALIASES = {"advanced-tool-use-2025-11-20": TOOL_SEARCH_BETA}
"""What is one beta at Anthropic and another here."""


def accepted_betas(headers: Headers, more: Iterable[str] = ()) -> list[str]:
    """The betas to send on, each once, in the client's order. `more` are those the operator knows
    to work; one that ends in `*` stands for all that begin so."""
    asked = headers.get(b"anthropic-beta")
    if not asked:
        return []
    beginnings = (*_KNOWN_BEGINNINGS, *[beta[:-1] for beta in more if beta.endswith("*")])
    kept: dict[str, None] = {}
    for each in asked.decode("latin-1").split(","):
        beta = each.strip()
        beta = _ALIASES.get(beta, beta)
        if beta in _KNOWN or beta.startswith(beginnings) or beta in more:
            kept[beta] = None
    return list(kept)

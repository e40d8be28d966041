"""Anthropic's betas on Bedrock's runtime: in a field of the body, and only those it takes.

The table is what was found on live endpoints (translation.md 5.3). It moves, so a beta it does not
know is sent, and left out for a while once the deployment has refused it.
"""

from collections.abc import Iterable

from proxy.providers.bedrock.lessons import UNKNOWN_BETAS
from proxy.providers.compat_lessons import is_left_out

CONTEXT_MANAGEMENT = "context-management-2025-06-27"
COMPACTION = "compact-2026-01-12"
TOOL_SEARCH = "tool-search-tool-2025-10-19"
EFFORT = "effort-2025-11-24"
SEARCH_RESULTS = "search-results-2025-06-09"
EXAMPLES_PREFIX = "tool-examples-"

_KNOWN = frozenset(
    (
        *("computer-use-2024-10-22", "computer-use-2025-01-24", "computer-use-2025-11-24"),
        *("context-1m-2025-08-07", CONTEXT_MANAGEMENT, COMPACTION, EFFORT, TOOL_SEARCH),
        *("dev-full-thinking-2025-05-14", "fine-grained-tool-streaming-2025-05-14"),
        *("interleaved-thinking-2025-05-14", "model-context-window-exceeded-2025-08-26"),
        *("mcp-client-2025-04-04", "mcp-client-2025-11-20", "output-128k-2025-02-19"),
        *("pdfs-2024-09-25", SEARCH_RESULTS, "token-counting-2024-11-01"),
        *("token-efficient-tools-2025-02-19", "web-search-2025-03-05"),
        *("dangerous-tool-use-2026-09-03", "thinking-binding-controls-2026-08-01"),
    )
)
_REFUSED = (
    *("prompt-caching-", "extended-cache-ttl-", "files-api-", "code-execution-", "memory-"),
    *("oauth-", "claude-code-", "fast-mode-"),
)
"""How those begin that it never takes; what they ask for is taken out of the body as well."""
_ALIASES = {"advanced-tool-use-2025-11-20": TOOL_SEARCH}


def betas_for_bedrock(header: bytes, left_out: frozenset[str]) -> list[str]:
    """Of the client's `anthropic-beta` those that go on, each once."""
    if not header:
        return []
    names = [name.strip() for name in header.decode("ascii", "ignore").split(",")]
    return list(dict.fromkeys(_taken(names, left_out)))


def _taken(names: Iterable[str], left_out: frozenset[str]) -> Iterable[str]:
    for given in names:
        name = _ALIASES.get(given, given)
        if not name or name.startswith(_REFUSED) or is_left_out(name, left_out):
            continue
        if UNKNOWN_BETAS in left_out and not is_known(name):
            continue
        yield name


def is_known(name: str) -> bool:
    """Was it taken when last seen? The family of mid-conversation betas always was."""
    return name in _KNOWN or name.startswith("mid-conversation-")

"""Which client is this? A user agent in, a name people recognise out.

Rows are grouped by this label and support asks for it, so it holds no version: versions stay in the
row's user agent. The known names are those seen on the wire (client-contract.md 12).
"""

from functools import lru_cache
from typing import Final

from proxy.domain.headers import Headers

SESSION_ID_CHARS_MAX: Final = 128
USER_AGENT_CHARS_MAX: Final = 256
LABEL_CHARS_MAX: Final = 40

_CLAUDE_CODE_KINDS: Final = (
    ("claude-desktop", "Claude Desktop"),
    ("agent-sdk/", "Claude Agent SDK"),
)
_BY_START: Final = (
    ("ai/", "AI SDK"),
    ("ai-sdk/", "AI SDK"),
    ("curl/", "curl"),
    ("opencode/", "OpenCode"),
)
_BY_LANGUAGE: Final = (
    ("/python", "Anthropic Python SDK"),
    ("/js", "Anthropic TypeScript SDK"),
)


def client_label(user_agent: str) -> str:
    """The client's name, the agent's own first word if we do not know it, or empty."""
    return _label(user_agent[:USER_AGENT_CHARS_MAX])


def client_of(headers: Headers) -> str:
    """The label of whoever sent these headers, read once for all requests with the same head."""
    if headers.client is None:
        headers.user_agent = headers.text(b"user-agent")[:USER_AGENT_CHARS_MAX]
        headers.session_id = headers.text(b"x-claude-code-session-id")[:SESSION_ID_CHARS_MAX]
        headers.client = client_label(headers.user_agent)
    return headers.client


@lru_cache(maxsize=512)  # agents are few and come with every request; at most 128 kB is kept
def _label(user_agent: str) -> str:
    agent = user_agent.strip().lower()
    if agent.startswith(("claude-cli/", "claude-code/")):
        # One engine inside three products; its comment tells them apart.
        for mark, label in _CLAUDE_CODE_KINDS:
            if mark in agent:
                return label
        return "Claude Code"
    for start, label in _BY_START:
        if agent.startswith(start):
            return label
    first, _, _ = agent.partition(" ")
    if "anthropic" in first:  # also AsyncAnthropic, AnthropicBedrock, AnthropicVertex
        for mark, label in _BY_LANGUAGE:
            if mark in first:
                return label
    return user_agent.strip().partition(" ")[0].partition("/")[0][:LABEL_CHARS_MAX]

"""A user agent in, a name people recognise out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.ledger.client_label import LABEL_CHARS_MAX, client_label


@pytest.mark.parametrize(
    ("user_agent", "label"),
    [
        ("claude-cli/2.1.330 (external, cli)", "Claude Code"),
        ("claude-cli/2.1.330 (external, sdk-cli)", "Claude Code"),
        ("claude-code/2.1.330", "Claude Code"),
        ("claude-cli/2.1.330 (external, sdk-py, agent-sdk/0.2.187)", "Claude Agent SDK"),
        ("claude-cli/2.1.330 (external, sdk-ts, agent-sdk/0.3.330)", "Claude Agent SDK"),
        ("claude-cli/2.1.330 (external, claude-desktop-3p)", "Claude Desktop"),
        ("Anthropic/Python 2.12.0", "Anthropic Python SDK"),
        ("AsyncAnthropic/Python 0.125.0", "Anthropic Python SDK"),
        ("Anthropic/JS 1.12.0", "Anthropic TypeScript SDK"),
        ("ai/6.0.326 ai-sdk/provider-utils/4.0.64 runtime/node.js/v20.20.2", "AI SDK"),
        ("ai-sdk/anthropic/3.0.139 ai-sdk/provider-utils/4.0.64 runtime/node.js/v20", "AI SDK"),
        ("curl/8.5.0", "curl"),
        ("opencode/1.2.3", "OpenCode"),
        ("Bun/1.4.4", "Bun"),
        ("python-requests/2.31.0", "python-requests"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "Mozilla"),
        ("Anthropic/Cobol 1", "Anthropic"),
        ("   ", ""),
        ("", ""),
    ],
)
def test_a_client_is_named_by_its_user_agent(user_agent: str, label: str) -> None:
    assert client_label(user_agent) == label


@given(st.text(max_size=600))
def test_any_user_agent_gets_a_short_name_without_its_version(user_agent: str) -> None:
    label = client_label(user_agent)
    assert len(label) <= LABEL_CHARS_MAX
    assert "/" not in label

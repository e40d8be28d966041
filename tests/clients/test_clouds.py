"""Real clients of Claude on clouds of others, which look at every request they get."""

from typing import Any

import msgspec
import pytest

from tests.clients.driving import Seen
from tests.clients.serving import CLAUDE_ON_VERTEX, Gateway

GREETING = "Hello from the demo model!"
CLOUDS = [CLAUDE_ON_VERTEX]

every_python = pytest.mark.parametrize("seen", ["python-new", "python-old"], indirect=True)
claude_code = pytest.mark.parametrize("seen", ["claude-code"], indirect=True)
clouds = pytest.mark.parametrize("model", CLOUDS)


def asked_of(gateway: Gateway, model: str) -> list[dict[str, Any]]:
    """The bodies that the cloud of a model received, none of which it may have to complain of."""
    cloud = {CLAUDE_ON_VERTEX: gateway.vertex}[model]
    assert cloud.complaints == []
    return [msgspec.json.decode(asked.body) for asked in cloud.asked]


@every_python
@clouds
@pytest.mark.parametrize("way", ["plain", "streamed"])
def test_a_text_is_the_same_whole_and_streamed(seen: Seen, model: str, way: str) -> None:
    message = seen["cloud_text"][model][way]
    assert (message["model"], message["stop_reason"]) == (model, "end_turn")
    assert message["text"].startswith(GREETING)
    assert message["input_tokens"] > 0 and message["output_tokens"] > 0
    types = [type for type in seen["cloud_text"][model]["types"] if type != "ping"]
    assert types[:2] == ["message_start", "content_block_start"]
    assert types[-3:] == ["content_block_stop", "message_delta", "message_stop"]


@every_python
@clouds
@pytest.mark.parametrize("way", ["plain", "streamed", "thinking"])
def test_two_parallel_tools_make_a_round(seen: Seen, model: str, way: str) -> None:
    played = seen["cloud_tool_round"][model][way]
    assert [tool["input"] for tool in played["first"]["tools"]] == [
        {"city": "Rome"},
        {"city": "Oslo"},
    ]
    assert "Rome: 21 degrees" in played["second"]["text"]


@every_python
@clouds
def test_thinking_comes_signed_and_goes_back_as_it_came(
    seen: Seen, gateway: Gateway, model: str
) -> None:
    played = seen["cloud_thinking"][model]
    [signature] = played["first"]["signatures"]
    assert signature and played["next"]["text"]
    replayed = [
        block["signature"]
        for body in asked_of(gateway, model)
        if f"And now? {model}" in str(body["messages"][-1])
        for block in body["messages"][1]["content"]
        if block["type"] == "thinking"
    ]
    assert replayed and set(replayed) == {signature}


@every_python
@clouds
def test_what_only_anthropic_knows_is_no_reason_to_refuse(seen: Seen, model: str) -> None:
    assert seen["cloud_wide_request"][model]["text"].startswith(GREETING)


@every_python
@clouds
def test_tokens_are_counted_by_the_cloud(seen: Seen, model: str) -> None:
    counted = seen["cloud_count_tokens"][model]
    assert counted["tokens"] > 0 and counted["count"] == "exact"


@claude_code
def test_claude_code_runs_tools_and_gets_its_thinking_back(seen: Seen, gateway: Gateway) -> None:
    run = seen[f"cloud_tools {CLAUDE_ON_VERTEX}"]
    assert run["exit"] == 0, run["stderr"]
    assert run["tools"] == ["Bash", "Bash"]
    assert sorted(run["tool_results"]) == ["hi-again-43", "hi-from-bash-42"]
    assert "hi-from-bash-42" in run["result"]
    assert run["models"] == [CLAUDE_ON_VERTEX]
    assert run["blocks"][0] == "thinking"
    assert run["retries"] == []
    posts = [e for e in run["exchanges"] if e["method"] == "POST"]
    assert {e["status"] for e in posts} == {200}
    thoughts = [
        block
        for body in asked_of(gateway, CLAUDE_ON_VERTEX)
        if "hi-from-bash-42" in str(body["messages"][-1])
        for message in body["messages"]
        if message["role"] == "assistant"
        for block in message["content"]
        if block["type"] == "thinking"
    ]
    assert thoughts and all(block["signature"] and block["thinking"] for block in thoughts)

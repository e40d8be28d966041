"""Scenes of Claude on clouds of others: the SDK must not be able to tell it from Anthropic's."""

import os

from python_client import CLAUDE_ON_VERTEX, Wire, ask, client_of, said, tool_round, turn

CLOUDS = os.environ.get("CLIENTS_CLOUDS", CLAUDE_ON_VERTEX).split(",")
CACHED = {"type": "ephemeral"}


def scene_cloud_text():
    seen = {}
    for model in CLOUDS:
        events = list(client_of().messages.create(**ask("Say hello.", model=model), stream=True))
        seen[model] = {
            "plain": said(turn(ask("Say hello.", model=model), streamed=False)),
            "streamed": said(turn(ask("Say hello.", model=model))),
            "types": [event.type for event in events],
        }
    return seen


def scene_cloud_tool_round():
    return {
        model: {
            "plain": tool_round(model, streamed=False),
            "streamed": tool_round(model),
            "thinking": tool_round(model, thinking={"type": "adaptive"}),
        }
        for model in CLOUDS
    }


def scene_cloud_thinking():
    """Thinking is signed, and goes back as it came."""
    seen = {}
    for model in CLOUDS:
        asked = ask("THINK about it.", model=model, thinking={"type": "adaptive"})
        first = turn(asked)
        asked["messages"] += [
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": f"And now? {model}"},
        ]
        seen[model] = {"first": said(first), "next": said(turn(asked))}
    return seen


def scene_cloud_wide_request():
    """Whatever only Anthropic itself knows is no reason to refuse."""
    seen = {}
    for model in CLOUDS:
        message = client_of().beta.messages.create(
            **ask([{"type": "text", "text": "Say hello.", "cache_control": CACHED}], model=model),
            system=[{"type": "text", "text": "Be brief.", "cache_control": CACHED}],
            metadata={"user_id": "u" * 200},
            service_tier="auto",
            context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
            extra_body={"a_field_of_the_future": {"deep": [1, 2.50, None]}},
            extra_headers={"anthropic-beta": "context-management-2025-06-27,unknown-2031-01-01"},
        )
        seen[model] = said(message)
    return seen


def scene_cloud_count_tokens():
    seen = {}
    for model in CLOUDS:
        wire = Wire()
        counted = client_of(wire).messages.count_tokens(
            model=model, messages=[{"role": "user", "content": "How many tokens are these?"}]
        )
        seen[model] = {"tokens": counted.input_tokens, "count": wire.exchanges[0]["count"]}
    return seen

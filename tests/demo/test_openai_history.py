from typing import Any

import pytest

from tests.demo.chat import calls, picture, read, refused, result, tool, user

DATA = "data:image/png;base64,aGk="
HTTP = "https://example.com/cat.png"
THOUGHT = {"reasoning_content": "I should look."}
ROUND = [user("q"), calls("c1"), result("c1")]
KIMI_ROUND = [user("q"), calls("functions.weather:0", **THOUGHT), result("functions.weather:0")]

REFUSED: list[tuple[str, list[dict[str, Any]], str]] = [
    (
        "gpt-4o",
        [user("q"), calls("c1", "c2"), result("c1"), user("x")],
        "An assistant message with 'tool_calls' must be followed by tool messages responding to "
        "each 'tool_call_id'. The following tool_call_ids did not have response messages: c2",
    ),
    ("gpt-4o", [user("q"), calls("c1")], "did not have response messages: c1"),
    ("gpt-4o", [user("q"), calls("c1"), user("x"), result("c1")], "response messages: c1"),
    ("gpt-4o", [result("c1")], "messages with role 'tool' must be a response to a preceeding"),
    ("gpt-4o", [*ROUND, user("x"), result("c1")], "must be a response to a preceeding message"),
    (
        "gpt-4o",
        [user("q"), calls("c1"), result("c2")],
        "'tool_call_id' of 'c2' not found in 'tool_calls' of previous message",
    ),
    (
        "gpt-4o",
        [user("q"), calls("x" * 41), result("x" * 41)],
        "Invalid 'messages[1].tool_calls[0].id': string too long.",
    ),
    ("gpt-4o", [user("q"), calls("c1", **THOUGHT)], "'messages[1].reasoning_content'."),
    (
        "gpt-4o",
        [user([{"type": "text", "text": "q", "cache_control": {}}])],
        "Unknown parameter: 'messages[0].content[0].cache_control'.",
    ),
    ("gpt-4o", [{"role": "assistant", "content": None}], "expected a string, got null."),
    (
        "gpt-4o",
        [user("q"), calls("c1"), result("c1", picture(DATA)["content"])],
        "Image URLs are only allowed for messages with role 'user', but this message with role "
        "'tool' contains an image URL.",
    ),
    (
        "kimi-k2-thinking",
        ROUND,
        "thinking is enabled but reasoning_content is missing in assistant tool call message at "
        "index 1",
    ),
    ("kimi-k2.6", [user("q"), calls("c1", reasoning_content=""), result("c1")], "at index 1"),
    ("kimi-k2.6", [user("q"), calls("c1", **THOUGHT)], "did not have response messages: c1"),
    ("kimi-k2.6", [user("q"), result("c9")], "Invalid request: tool_call_id c9 is not found"),
    ("kimi-k2.6", [picture(HTTP)], "Invalid request: unsupported image url: https://example.com"),
    (
        "kimi-k2.6",
        [user("q"), {"role": "assistant", "content": ""}, user("x")],
        "the message at position 1 with role 'assistant' must not be empty",
    ),
    ("deepseek-v4", ROUND, "The `reasoning_content` in the thinking mode must be passed back"),
    ("deepseek-v4", [user("q"), calls("c1", **THOUGHT)], "(insufficient tool messages following"),
    ("deepseek-r1", KIMI_ROUND, "reasoning_content is not allowed in input messages"),
    ("deepseek-v4", [picture(DATA)], "unknown variant `image_url`, expected `text`"),
    ("m", [{"role": "robot", "content": "x"}], "Invalid value for 'messages[0].role'."),
]


@pytest.mark.parametrize(("model", "messages", "words"), REFUSED)
def test_a_vendor_refuses_a_wrong_history(
    model: str, messages: list[dict[str, Any]], words: str
) -> None:
    assert words in refused(model, messages=messages, tools=[tool()]).words


OFF = {"thinking": {"type": "disabled"}}

TAKEN: list[tuple[str, list[dict[str, Any]], dict[str, Any]]] = [
    ("gpt-4o", ROUND, {}),
    ("gpt-4o", [user("q"), calls("c1", "c2"), result("c2"), result("c1"), user("x")], {}),
    ("gpt-4o", [*ROUND, calls("c2"), result("c2")], {}),
    ("gpt-4o", [picture(HTTP), picture(DATA)], {}),
    ("kimi-k2-thinking", KIMI_ROUND, {}),
    ("kimi-k2-thinking", [user("q"), calls("c1", reasoning_content=" "), result("c1")], {}),
    ("kimi-k2-thinking", [user("q"), {"role": "assistant", "content": "a"}, user("x")], {}),
    ("kimi-k2.6", ROUND, OFF),
    ("moonshot-v1-8k", ROUND, {}),
    ("kimi-k2.6", [picture(DATA)], {}),
    ("deepseek-v4", [user("q"), calls("c1", reasoning_content=""), result("c1")], {}),
    ("deepseek-v4", ROUND, OFF),
    ("deepseek-chat", ROUND, {}),
    ("deepseek-r1", ROUND, {}),
    ("vllm-qwen", [user("q"), calls("c1"), user("x"), result("c7")], {}),
    ("m", [result("c1"), calls("x" * 99, **THOUGHT)], {}),
]


@pytest.mark.parametrize(("model", "messages", "changes"), TAKEN)
def test_a_vendor_takes_a_right_history(
    model: str, messages: list[dict[str, Any]], changes: dict[str, Any]
) -> None:
    assert read(model, messages=messages, tools=[tool()], **changes).input_tokens > 0


def test_the_calls_of_a_conversation_are_counted() -> None:
    messages = [user("q"), calls("a", "b"), result("a"), result("b"), calls("c"), result("c")]
    assert read("m", messages=messages).calls_before == 3

"""Vercel's AI SDK through the gateway: the newest and the major before it.

It posts to `/messages` without a version in the path and checks every event and block against its
own strict shapes, so its silence about them is a finding too.
"""

from typing import Any

import pytest

from tests.clients.driving import Seen
from tests.clients.serving import CLAUDE_ELSEWHERE, GPT, KIMI

HAIKU = "anthropic.claude-haiku-4-5"
OPUS = "anthropic.claude-opus-5-5"
GREETING = "Hello from the demo model!"
VERSIONS = {"ai-sdk-new": "7.0.173", "ai-sdk-old": "6.0.326"}

pytestmark = pytest.mark.parametrize("seen", list(VERSIONS), indirect=True)


THOUGHT = "The user wants to see me think."
foreign = pytest.mark.parametrize("model", [KIMI, GPT])


def assert_is_the_greeting(result: dict[str, Any], model: str = HAIKU) -> None:
    """A plain text answer of the demo model, whole."""
    assert result["text"].startswith(GREETING)
    assert result["finish"] == "stop"
    assert result["model"] == model
    assert result["id"].startswith("msg_")
    assert result["input_tokens"] > 0
    assert result["output_tokens"] > 10


def test_the_driven_sdk_is_the_one_we_mean(seen: Seen) -> None:
    assert seen["version"] == VERSIONS[seen.client]


def test_a_text_is_generated_over_the_short_path(seen: Seen) -> None:
    assert_is_the_greeting(seen["text"])
    exchange = seen["text"]["exchange"]
    assert exchange["path"] == "/v1/anthropic/messages"
    assert exchange["version"] == "2023-06-01"
    assert exchange["credentials"] == ["x-api-key"]
    assert exchange["request_id"]


def test_a_token_opens_as_a_key_does(seen: Seen) -> None:
    assert_is_the_greeting(seen["auth_token"])
    assert seen["auth_token"]["exchange"]["credentials"] == ["authorization"]


def test_a_stream_arrives_word_by_word_without_complaint(seen: Seen) -> None:
    streamed = seen["stream"]
    assert_is_the_greeting(streamed)
    assert streamed["errors"] == []
    assert len(streamed["pieces"]) > 10
    assert "".join(streamed["pieces"]) == streamed["text"] == seen["text"]["text"]
    assert "finish:stop" in streamed["types"]


def test_pings_into_a_silence_are_no_reason_to_complain(seen: Seen) -> None:
    silence = seen["silence"]
    assert_is_the_greeting(silence)
    assert silence["errors"] == []


def test_an_alias_is_answered_under_the_models_own_name(seen: Seen) -> None:
    assert_is_the_greeting(seen["alias"], OPUS)


def test_a_temperature_is_no_reason_to_refuse(seen: Seen) -> None:
    assert_is_the_greeting(seen["temperature"])


def test_two_parallel_tools_make_a_round(seen: Seen) -> None:
    played = seen["tool_round"]
    assert played["ran"] == ["Rome", "Oslo", "Rome", "Oslo"]
    assert played["steps"] == 2
    assert played["statuses"] == [200, 200, 200, 200]
    for result in (played["plain"], played["streamed"]):
        assert "Rome: 21 degrees" in result["text"]
        assert "Oslo: 21 degrees" in result["text"]
        assert result["finish"] == "stop"
    assert played["streamed"]["errors"] == []
    assert {"tool-call", "tool-result"} <= set(played["streamed"]["types"])


def test_thinking_streams_before_the_text(seen: Seen) -> None:
    thinking = seen["thinking"]
    assert_is_the_greeting(thinking, OPUS)
    assert thinking["reasoning"].startswith("The user wants to see me think.")
    assert {"reasoning-start", "reasoning-delta", "reasoning-end"} <= set(thinking["types"])
    assert thinking["errors"] == []


def test_structured_output_parses(seen: Seen) -> None:
    parsed = seen["structured"]["parsed"]
    assert set(parsed) == {"city", "degrees"}
    assert isinstance(parsed["degrees"], int)


# ------------------------------------------------------------------ models of the OpenAI wire


@foreign
@pytest.mark.parametrize("way", ["plain", "streamed"])
def test_a_foreign_model_is_read_without_complaint(seen: Seen, model: str, way: str) -> None:
    result = seen["foreign_text"][model][way]
    assert_is_the_greeting(result, model)
    assert result["reasoning"] is None  # not asked for
    assert result.get("errors", []) == []


@foreign
def test_a_foreign_stream_arrives_word_by_word(seen: Seen, model: str) -> None:
    streamed = seen["foreign_text"][model]["streamed"]
    assert len(streamed["pieces"]) > 10
    assert "".join(streamed["pieces"]) == streamed["text"]


@foreign
@pytest.mark.parametrize("scene", ["foreign_tool_round", "foreign_thinking_round"])
def test_two_parallel_tools_make_a_round_on_a_foreign_model(
    seen: Seen, scene: str, model: str
) -> None:
    played = seen[scene][model]
    assert played["ran"] == ["Rome", "Oslo", "Rome", "Oslo"]
    assert played["steps"] == 2
    assert played["statuses"] == [200, 200, 200, 200]
    for result in (played["plain"], played["streamed"]):
        assert "Rome: 21 degrees" in result["text"]
        assert "Oslo: 21 degrees" in result["text"]
        assert result["finish"] == "stop"
        assert bool(result["reasoning"]) == (model == KIMI)
    assert played["streamed"]["errors"] == []


def test_kimi_gets_back_what_it_thought_before_its_calls(seen: Seen) -> None:
    sent = [
        message["reasoning_content"]
        for messages in seen["foreign_thinking_round"]["sent"]
        for message in messages
        if "reasoning_content" in message
    ]
    assert len(sent) == 2  # whole and streamed
    assert all(thought.startswith(THOUGHT) for thought in sent)


@pytest.mark.parametrize("way", ["plain", "streamed"])
def test_kimis_thinking_comes_before_the_text(seen: Seen, way: str) -> None:
    result = seen["foreign_thinking"][KIMI][way]
    assert_is_the_greeting(result, KIMI)
    assert result["reasoning"].startswith(THOUGHT)
    assert result.get("errors", []) == []


def test_hidden_thinking_is_asked_for_without_complaint(seen: Seen) -> None:
    for result in seen["foreign_thinking"][GPT].values():
        assert_is_the_greeting(result, GPT)
        assert result["reasoning"] is None


def test_an_image_is_seen_or_refused(seen: Seen) -> None:
    assert_is_the_greeting(seen["foreign_image"]["message"], GPT)
    refused = seen["foreign_image"]["refused"]
    assert (refused["status"], refused["type"]) == (400, "invalid_request_error")
    assert "image input is not supported" in refused["message"]


@foreign
def test_structured_output_of_a_foreign_model_parses(seen: Seen, model: str) -> None:
    played = seen["foreign_structured"][model]
    for parsed in (played["parsed"], played["streamed"]):
        assert set(parsed) == {"city", "degrees"}
        assert isinstance(parsed["degrees"], int)
    assert played["errors"] == []


@foreign
def test_a_foreign_error_is_an_api_call_error(seen: Seen, model: str) -> None:
    too_long = seen["foreign_errors"]["too_long"][model]
    assert (too_long["status"], too_long["type"]) == (400, "invalid_request_error")
    assert too_long["message"].startswith("prompt is too long: ")
    busy = seen["foreign_errors"]["busy"][model]
    assert (busy["status"], busy["type"], busy["retryable"]) == (429, "rate_limit_error", True)


@foreign
@pytest.mark.parametrize("scene", ["in_stream", "cut_short"])
def test_a_foreign_stream_that_fails_midway_ends_in_one_error(
    seen: Seen, scene: str, model: str
) -> None:
    heard = seen["foreign_errors"][scene][model]
    assert heard["pieces"]
    assert len(heard["errors"]) == 1
    assert heard["errors"][0]["type"] in ("overloaded_error", "api_error")
    assert "finish:error" in heard["types"]


# ------------------------------------------------------------------ web search

searching = pytest.mark.parametrize("model", [KIMI, GPT, CLAUDE_ELSEWHERE])


@searching
@pytest.mark.parametrize("way", ["plain", "streamed", "second"])
def test_its_web_search_tool_finds_sources_and_cites(seen: Seen, model: str, way: str) -> None:
    result = seen["search"][model][way]
    query = "the sun" if way == "second" else "the moon"
    assert result["calls"] == [
        {"name": "web_search", "input": {"query": query}, "by_provider": True}
    ]
    [pages] = result["results"]
    assert [page["title"].partition(":")[0] for page in pages] == [query] * 5
    found = [page["url"] for page in pages]
    assert [source["url"] for source in result["sources"][:5]] == found
    [cited] = result["cited"]
    assert cited["url"] == found[0]
    # A Claude quotes the page as it was told of it, for others the gateway finds the sentence.
    assert f"{query} was first described in" in cited["text"]
    assert result["finish"] == "stop"
    assert result["model"] == model


@searching
def test_a_search_is_streamed_without_complaint(seen: Seen, model: str) -> None:
    streamed = seen["search"][model]["streamed"]
    assert streamed["errors"] == []
    assert {"tool-call", "tool-result", "source", "finish:stop"} <= set(streamed["types"])
    assert streamed["text"] == seen["search"][model]["plain"]["text"]


@searching
def test_the_conversation_goes_on_after_searches(seen: Seen, model: str) -> None:
    third = seen["search"][model]["third"]
    assert third["text"].startswith(GREETING)
    assert (third["calls"], third["sources"]) == ([], [])


# ------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("scene", "status", "type_", "retryable"),
    [
        ("wrong_key", 401, "authentication_error", False),
        ("unknown_model", 404, "not_found_error", False),
        ("upstream_429", 429, "rate_limit_error", True),
        ("upstream_529", 529, "overloaded_error", True),
    ],
)
def test_an_error_is_raised_as_an_api_call_error(
    seen: Seen, scene: str, status: int, type_: str, retryable: bool
) -> None:
    error = seen["errors"][scene]
    assert error["class"] == "AI_APICallError"
    assert error["status"] == status
    assert error["type"] == type_
    assert error["retryable"] is retryable
    assert error["message"]


@pytest.mark.parametrize("scene", ["in_stream", "broken_off"])
def test_a_stream_that_fails_midway_ends_in_one_error(seen: Seen, scene: str) -> None:
    heard = seen["errors"][scene]
    assert heard["pieces"]
    assert len(heard["errors"]) == 1
    assert heard["errors"][0]["type"] in ("overloaded_error", "api_error")
    assert heard["errors"][0]["message"]
    assert "finish:error" in heard["types"]

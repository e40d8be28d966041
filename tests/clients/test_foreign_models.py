"""The official SDKs on models of the OpenAI wire: they must not be able to tell them from Claude.

Behind the gateway the demo upstream plays Moonshot and OpenAI as they are: Kimi refuses calls that
come back without the thinking that led to them, GPT refuses `max_tokens` and orphaned results.
"""

from typing import Any

import pytest

from tests.clients.driving import Seen
from tests.clients.serving import GPT, KIMI

SDKS = ["python-new", "python-old", "typescript-new", "typescript-old"]
OPUS = "anthropic.claude-opus-5-5"
GREETING = "Hello from the demo model!"
THOUGHT = "The user wants to see me think."

every_sdk = pytest.mark.parametrize("seen", SDKS, indirect=True)
python_sdks = pytest.mark.parametrize("seen", SDKS[:2], indirect=True)
both = pytest.mark.parametrize("model", [KIMI, GPT])
ways = pytest.mark.parametrize("way", ["plain", "streamed"])


def assert_is_the_greeting(message: dict[str, Any], model: str) -> None:
    """A plain text answer of the demo model, whole."""
    assert message["type"] == "message"
    assert message["role"] == "assistant"
    assert message["id"].startswith("msg_gw_")
    assert message["model"] == model
    assert message["blocks"] == ["text"]
    assert message["text"].startswith(GREETING)
    assert message["stop_reason"] == "end_turn"
    assert message["input_tokens"] > 0
    assert message["output_tokens"] > 10


@every_sdk
@both
@ways
def test_a_text_is_the_same_whole_and_streamed(seen: Seen, model: str, way: str) -> None:
    message = seen["foreign_text"][model][way]
    assert_is_the_greeting(message, model)
    assert message["text"] == seen["foreign_text"][model]["plain"]["text"]


@every_sdk
@both
def test_the_raw_stream_is_one_legal_sentence(seen: Seen, model: str) -> None:
    types = [t for t in seen["foreign_text"][model]["types"] if t != "ping"]
    deltas = types.count("content_block_delta")
    assert types == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * deltas,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert deltas > 10


@python_sdks
@both
def test_what_only_claude_knows_is_no_reason_to_refuse(seen: Seen, model: str) -> None:
    assert_is_the_greeting(seen["foreign_wide_request"][model], model)


# ------------------------------------------------------------------ tools


@every_sdk
@both
@pytest.mark.parametrize("way", ["plain", "streamed", "thinking"])
def test_two_parallel_tools_make_a_round(seen: Seen, model: str, way: str) -> None:
    played = seen["foreign_tool_round"][model][way]
    first, second = played["first"], played["second"]
    assert first["stop_reason"] == "tool_use"
    assert [t["name"] for t in first["tools"]] == ["get_weather", "get_weather"]
    assert [t["input"] for t in first["tools"]] == [{"city": "Rome"}, {"city": "Oslo"}]
    assert len({t["id"] for t in first["tools"]}) == 2
    assert second["stop_reason"] == "end_turn"
    assert "Rome: 21 degrees" in second["text"]
    assert "Oslo: 21 degrees" in second["text"]
    # Kimi's is shown unasked where there are tools: it has to come back with the calls.
    assert ("thinking" in first["blocks"]) == (model == KIMI)


# ------------------------------------------------------------------ thinking


@every_sdk
@ways
def test_thinking_arrives_signed_and_comes_first(seen: Seen, way: str) -> None:
    message = seen["foreign_thinking"]["shown"][way]
    assert message["blocks"] == ["thinking", "text", "tool_use"]
    assert message["thinking"].startswith(THOUGHT)
    assert [signature[:10] for signature in message["signatures"]] == ["GWs1.kimi."]


@every_sdk
@ways
def test_omitted_thinking_travels_in_its_signature(seen: Seen, way: str) -> None:
    message = seen["foreign_thinking"]["omitted"][way]
    assert message["blocks"] == ["thinking", "text", "tool_use"]
    assert message["thinking"] == ""
    assert [signature[:10] for signature in message["signatures"]] == ["GWs1.kimi."]


@every_sdk
@pytest.mark.parametrize("display", ["shown", "omitted"])
def test_the_model_gets_its_own_thinking_back(seen: Seen, display: str) -> None:
    played = seen["foreign_thinking"][display]
    [before] = played["sent_back"]
    assert before["reasoning_content"].startswith(THOUGHT)
    assert before["tool_calls"][0]["id"] == "functions.get_weather:0"  # as Kimi itself wrote it
    assert "Rome: 21 degrees" in played["next"]["text"]


# ------------------------------------------------------------------ images, structure, stops


@every_sdk
def test_an_image_reaches_the_model_that_sees(seen: Seen) -> None:
    played = seen["foreign_image"]
    assert_is_the_greeting(played["message"], GPT)
    [asked] = played["sent"][0]
    assert asked["content"][1]["image_url"]["url"] == f"data:image/png;base64,{played['data']}"


@every_sdk
def test_an_image_for_the_model_that_is_blind_is_refused(seen: Seen) -> None:
    refused = seen["foreign_image"]["refused"]
    assert (refused["class"], refused["status"]) == ("BadRequestError", 400)
    assert refused["message"].startswith("messages.0.content.1: ")
    assert KIMI in refused["message"]


@every_sdk
def test_an_image_in_a_tool_result_is_shown_behind_the_results_or_left_out(seen: Seen) -> None:
    played = seen["foreign_image"]
    assert "image 1 attached below" in played["from_tool"][GPT]["text"]
    assert "image omitted" in played["from_tool"][KIMI]["text"]
    omitted, shown = played["sent"][-2:]
    assert [message["role"] for message in shown] == ["user", "assistant", "tool", "user"]
    assert shown[-1]["content"][-1]["image_url"]["url"].endswith(played["data"])
    assert [message["role"] for message in omitted] == ["user", "assistant", "tool"]


@every_sdk
@both
def test_structured_output_parses(seen: Seen, model: str) -> None:
    for parsed in (
        seen["foreign_structured"][model]["parsed"],
        seen["foreign_structured"][model]["streamed"],
    ):
        assert set(parsed) == {"city", "degrees"}
        assert isinstance(parsed["city"], str)
        assert isinstance(parsed["degrees"], int)


@every_sdk
@both
@ways
def test_a_stop_sequence_ends_the_text_and_is_named(seen: Seen, model: str, way: str) -> None:
    message = seen["foreign_stop_sequences"][model][way]
    assert message["stop_reason"] == "stop_sequence"
    assert message["stop_sequence"] == "only a small"
    assert message["text"] == f"{GREETING} I am not a real language model, "


@every_sdk
@pytest.mark.parametrize(("model", "worth"), [(KIMI, {"exact"}), (GPT, {"estimate", "calibrated"})])
def test_tokens_are_counted_and_the_worth_is_told(seen: Seen, model: str, worth: set[str]) -> None:
    counted = seen["foreign_count_tokens"][model]
    assert 0 < counted["short"] < counted["with_tools"]
    assert len(counted["worth"]) == 2
    assert set(counted["worth"]) <= worth


# ------------------------------------------------------------------ from model to model


@every_sdk
def test_a_conversation_moves_from_model_to_model(seen: Seen) -> None:
    turns = seen["foreign_travel"]["turns"]
    assert [t["model"] for t in turns] == [m for m in (KIMI, OPUS, KIMI, GPT, OPUS) for _ in "123"]
    calls, answers, thoughts = turns[::3], turns[1::3], turns[2::3]
    assert [len(t["tools"]) for t in calls] == [2] * 5
    assert all("Oslo: 21 degrees" in t["text"] for t in answers)
    assert all(t["text"].startswith(GREETING) for t in thoughts)
    assert ["thinking" in t["blocks"] for t in thoughts] == [True, True, True, False, True]


@every_sdk
def test_no_model_gets_signatures_of_another(seen: Seen) -> None:
    travel = seen["foreign_travel"]
    ours = [s for t in travel["turns"] if t["model"] == KIMI for s in t["signatures"]]
    claudes = [s for t in travel["turns"] if t["model"] == OPUS for s in t["signatures"]]
    assert ours and claudes
    for body in travel["sent"]:
        is_claude = body["path"] == "/v1/messages"
        written = repr(body)
        assert not any(signature in written for signature in ours)
        assert is_claude or not any(signature in written for signature in claudes)
    # What Claude itself thought comes back to it, also after the others have spoken.
    assert any(claudes[0] in repr(body) for body in travel["sent"][-3:])


@every_sdk
def test_kimi_gets_back_its_own_thinking_and_no_other(seen: Seen) -> None:
    last = [body for body in seen["foreign_travel"]["sent"] if body["model"] == "kimi-k2-thinking"]
    thoughts = [m["reasoning_content"] for m in last[-1]["messages"] if m.get("tool_calls")]
    own, claudes, own_later = thoughts
    assert own.startswith(THOUGHT)
    assert own_later.startswith(THOUGHT)
    assert claudes == " "  # it demands something there


# ------------------------------------------------------------------ errors


@every_sdk
@both
def test_a_prompt_that_is_too_long_is_refused_in_anthropics_words(seen: Seen, model: str) -> None:
    error = seen["foreign_errors"]["too_long"][model]
    assert (error["class"], error["status"]) == ("BadRequestError", 400)
    assert error["type"] == "invalid_request_error"
    assert error["message"].startswith("prompt is too long: ")
    assert error["message"].endswith(" tokens > 10 maximum")


@every_sdk
@both
def test_a_busy_provider_is_a_rate_limit(seen: Seen, model: str) -> None:
    for error in (
        seen["foreign_errors"]["busy"][model],
        seen["foreign_errors"]["refused_streaming"][model],
    ):
        assert (error["class"], error["status"]) == ("RateLimitError", 429)
        assert error["type"] == "rate_limit_error"
        assert error["request_id"]


@every_sdk
@both
def test_trouble_with_our_own_key_is_not_the_callers(seen: Seen, model: str) -> None:
    error = seen["foreign_errors"]["key"][model]
    assert (error["status"], error["type"]) == (502, "api_error")
    assert error["exchanges"][0]["retry_allowed"] == "false"


@every_sdk
@pytest.mark.parametrize("scene", ["in_stream", "broken_off", "cut_short"])
def test_a_stream_that_fails_midway_raises_after_what_was_heard(seen: Seen, scene: str) -> None:
    error = seen["foreign_errors"][scene]
    assert error["class"] == ("APIStatusError" if seen.is_python else "APIError")
    assert error["type"] in ("overloaded_error", "api_error")
    assert error["body"]["request_id"] == error["request_id"]
    assert error["heard"]
    assert GREETING.startswith(error["heard"][:5])

"""The official SDKs through the gateway: Python and TypeScript, the newest and one old major.

The four drivers play the same scenes, so most tests hold for all four; where the SDKs differ, the
table says how.
"""

from typing import Any

import pytest

from tests.clients.driving import Seen
from tests.clients.serving import MODELS

SDKS = ["python-new", "python-old", "typescript-new", "typescript-old"]
VERSIONS = {
    "python-new": "2.12.0",
    "python-old": "0.125.0",
    "typescript-new": "1.12.0",
    "typescript-old": "0.137.0",
}
HAIKU = "anthropic.claude-haiku-4-5"
OPUS = "anthropic.claude-opus-5-5"
GREETING = "Hello from the demo model!"
THOUGHT = "The user wants to see me think."
IDS = {id for id, *_ in MODELS}

every_sdk = pytest.mark.parametrize("seen", SDKS, indirect=True)
python_sdks = pytest.mark.parametrize("seen", SDKS[:2], indirect=True)


def assert_is_the_greeting(message: dict[str, Any], model: str = HAIKU) -> None:
    """A plain text answer of the demo model, whole."""
    assert message["type"] == "message"
    assert message["role"] == "assistant"
    assert message["id"].startswith("msg_")
    assert message["model"] == model
    assert message["blocks"] == ["text"]
    assert message["text"].startswith(GREETING)
    assert message["stop_reason"] == "end_turn"
    assert message["input_tokens"] > 0
    assert message["output_tokens"] > 10


@every_sdk
def test_the_driven_sdk_is_the_one_we_mean(seen: Seen) -> None:
    assert seen["version"] == VERSIONS[seen.client]
    version = "2026-10-21" if seen.is_new else "2023-06-01"
    assert seen["text"]["exchange"]["version"] == version


# ------------------------------------------------------------------ text


@every_sdk
def test_a_message_comes_back_whole(seen: Seen) -> None:
    assert_is_the_greeting(seen["text"])
    assert seen["text"]["exchange"]["content_type"].startswith("application/json")


@every_sdk
def test_a_message_carries_the_request_id_of_its_headers(seen: Seen) -> None:
    exchange = seen["text"]["exchange"]
    assert exchange["request_id"]
    assert exchange["x_request_id"] == exchange["request_id"]
    assert seen["text"]["request_id"] == exchange["request_id"]


@every_sdk
def test_a_request_id_the_client_sets_is_taken_over(seen: Seen) -> None:
    assert seen["request_id"]["message"] == "drive-me_42"
    assert seen["request_id"]["exchange"]["request_id"] == "drive-me_42"
    assert seen["request_id"]["exchange"]["x_request_id"] == "drive-me_42"


@python_sdks
def test_a_request_id_the_client_sets_is_on_a_refusal_too(seen: Seen) -> None:
    refusal = seen["request_id"]["refusal"]
    assert refusal["request_id"] == "drive-me_43"
    assert refusal["body"]["request_id"] == "drive-me_43"


@every_sdk
def test_the_stream_helper_hears_every_word_and_folds_them(seen: Seen) -> None:
    streamed = seen["stream_helper"]
    assert_is_the_greeting(streamed)
    assert len(streamed["pieces"]) > 10
    assert "".join(streamed["pieces"]) == streamed["text"] == seen["text"]["text"]
    assert streamed["exchange"]["content_type"].startswith("text/event-stream")
    assert streamed["exchange"]["request_id"]


@every_sdk
def test_the_raw_stream_is_one_legal_sentence(seen: Seen) -> None:
    raw = seen["stream_raw"]
    types = [t for t in raw["types"] if t != "ping"]
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
    assert raw["model"] == HAIKU
    assert raw["input_tokens_first"] > 0
    assert raw["output_tokens_last"] == deltas


@python_sdks
def test_a_long_stream_loses_nothing(seen: Seen) -> None:
    whole = " ".join(f"word{number}" for number in range(1, 401))
    assert seen["stream_long"]["text"] == whole
    assert seen["stream_long"]["pieces"] == 400
    assert seen["stream_long"]["output_tokens"] == 400


@python_sdks
def test_the_asynchronous_client_streams_and_asks_at_once(seen: Seen) -> None:
    assert_is_the_greeting(seen["asynchronous"]["plain"])
    assert_is_the_greeting(seen["asynchronous"]["streamed"])
    assert set(seen["asynchronous"]["listed"]) == IDS


@every_sdk
def test_a_silent_upstream_is_waited_for(seen: Seen) -> None:
    assert_is_the_greeting(seen["silence"])


@python_sdks
def test_pings_keep_a_silent_stream_alive(seen: Seen) -> None:
    events = seen["silence"]["events"]
    start, first_word = events.index("message_start"), events.index("content_block_delta")
    assert "ping" in events[:start]
    assert "ping" in events[first_word:]
    assert events[-1] == "message_stop"
    assert seen["silence"]["opened_s"] < 5  # the stream was open before the upstream spoke


@python_sdks
def test_a_refusal_after_the_stream_was_opened_is_an_event(seen: Seen) -> None:
    refused = seen["silence"]["refused"]
    assert refused["class"] == "APIStatusError"
    assert refused["status"] == 200
    assert refused["type"] == "overloaded_error"
    assert refused["body"]["request_id"] == refused["request_id"]


# ------------------------------------------------------------------ models


@every_sdk
@pytest.mark.parametrize("way", ["exact", "alias", "native"])
def test_the_model_is_named_as_it_is_served(seen: Seen, way: str) -> None:
    assert seen["model_names"][way]["model"] == OPUS
    assert seen["model_names"][way]["streamed"] == OPUS


@python_sdks
@pytest.mark.parametrize(
    ("way", "served"),
    [
        ("native_dated", HAIKU),
        ("long_context", "anthropic.claude-sonnet-5-5"),
        ("other_vendor", "moonshot.kimi-k2-thinking"),
    ],
)
def test_other_spellings_of_a_model_are_understood(seen: Seen, way: str, served: str) -> None:
    assert seen["model_names"][way]["model"] == served
    assert seen["model_names"][way]["streamed"] == served


@python_sdks
def test_the_headers_tell_what_was_asked_and_how_it_was_resolved(seen: Seen) -> None:
    names = seen["model_names"]
    assert {n["requested_model"] == n["asked"] for n in names.values()} == {True}
    assert names["exact"]["resolved_via"] == "exact"
    assert names["alias"]["resolved_via"] == "alias"
    assert names["native"]["resolved_via"] == "native"


@every_sdk
def test_the_model_list_is_paged_by_the_client_itself(seen: Seen) -> None:
    models = seen["models"]
    assert set(models["whole"]) == IDS
    assert models["has_more"] is False
    assert models["paged"] == models["whole"]
    first, *rest = [path.partition("?")[2] for path in models["requests"]]
    assert first == "limit=2"
    ends = models["whole"][1::2][: len(rest)]
    assert len(rest) == (len(IDS) - 1) // 2
    assert rest == [f"limit=2&after_id={end}" for end in ends]


@every_sdk
def test_a_model_is_retrieved(seen: Seen) -> None:
    one = seen["models"]["one"]
    assert one["id"] == HAIKU
    assert one["type"] == "model"
    assert one["display_name"] == "Claude Haiku 4.5"
    assert one["created_at"].startswith("2025-10-15")
    assert seen["models"]["alias"] == OPUS


@every_sdk
@pytest.mark.parametrize("which", ["unknown", "slash"])
def test_a_model_that_is_not_there_is_not_found(seen: Seen, which: str) -> None:
    refusal = seen["models"][which]
    assert refusal["class"] == "NotFoundError"
    assert refusal["type"] == "not_found_error"
    assert refusal["request_id"]


@every_sdk
def test_a_slash_in_a_model_id_travels_encoded(seen: Seen) -> None:
    assert seen["models"]["slash_path"].endswith("/v1/models/vertex_ai%2Fclaude")


@every_sdk
def test_tokens_are_counted(seen: Seen) -> None:
    counted = seen["count_tokens"]
    assert 0 < counted["short"] < counted["with_tools"]
    assert counted["beta_alias"] == counted["short"]
    assert counted["request_id"]


# ------------------------------------------------------------------ tools, thinking, structure


@every_sdk
@pytest.mark.parametrize("way", ["plain", "streamed"])
def test_two_parallel_tools_make_a_round(seen: Seen, way: str) -> None:
    first, second = seen["tool_round"][way]["first"], seen["tool_round"][way]["second"]
    assert first["stop_reason"] == "tool_use"
    assert [t["name"] for t in first["tools"]] == ["get_weather", "get_weather"]
    assert [t["input"] for t in first["tools"]] == [{"city": "Rome"}, {"city": "Oslo"}]
    assert len({t["id"] for t in first["tools"]}) == 2
    assert second["stop_reason"] == "end_turn"
    assert "Rome: 21 degrees" in second["text"]
    assert "Oslo: 21 degrees" in second["text"]


@every_sdk
@pytest.mark.parametrize("way", ["plain", "streamed"])
def test_thinking_arrives_with_its_seal(seen: Seen, way: str) -> None:
    message = seen["thinking"][way]
    assert message["blocks"] == ["thinking", "text"]
    assert message["thinking"].startswith(THOUGHT)
    assert len(message["signatures"]) == 1
    assert message["signatures"][0]
    assert message["model"] == OPUS


@every_sdk
def test_thinking_streams_and_may_be_sent_back(seen: Seen) -> None:
    assert seen["thinking"]["deltas"] == ["signature_delta", "text_delta", "thinking_delta"]
    assert_is_the_greeting(seen["thinking"]["next"], OPUS)


@every_sdk
def test_structured_output_parses(seen: Seen) -> None:
    parsed = seen["structured"]["parsed"]
    assert set(parsed) == {"city", "degrees"}
    assert isinstance(parsed["city"], str)
    assert isinstance(parsed["degrees"], int)


@python_sdks
def test_fields_we_do_not_know_are_no_reason_to_refuse(seen: Seen) -> None:
    assert_is_the_greeting(seen["wide_request"])


@pytest.mark.parametrize("seen", ["python-old"], indirect=True)
def test_the_first_api_version_still_takes_sampling_parameters(seen: Seen) -> None:
    assert_is_the_greeting(seen["temperature"])


@every_sdk
@pytest.mark.parametrize("way", ["", "streamed_"])
def test_the_tool_runner_comes_to_its_end(seen: Seen, way: str) -> None:
    last = seen["tool_runner"]["streamed" if way else "last"]
    assert "Rome: 21 degrees" in last["text"]
    assert "Oslo: 21 degrees" in last["text"]
    assert last["stop_reason"] == "end_turn"
    assert seen["tool_runner"]["ran"] == ["Rome", "Oslo", "Rome", "Oslo"]
    walk = [
        (exchange["thread"], exchange["status"], exchange["messages"])
        for exchange in seen["tool_runner"][f"{way}exchanges"]
    ]
    if seen.is_new:
        # It tries a thread, is told that we hold none, and sends the whole conversation from then.
        assert walk == [("create", 400, 1), (None, 200, 1), (None, 200, 3)]
    else:
        assert walk == [(None, 200, 1), (None, 200, 3)]


# ------------------------------------------------------------------ credentials and paths


@every_sdk
@pytest.mark.parametrize(
    "way", ["api_key", "auth_token", "both_equal", "only_bearer_good", "only_x_api_key_good"]
)
def test_a_good_key_opens_in_either_header(seen: Seen, way: str) -> None:
    through = seen["credentials"][way]
    assert through["text"].startswith(GREETING)
    api_key = ["authorization"] if seen.is_new else ["x-api-key"]
    sent = {"api_key": api_key, "auth_token": ["authorization"]}
    assert through["credentials"] == sent.get(way, ["authorization", "x-api-key"])


@every_sdk
def test_both_spellings_of_every_path_answer(seen: Seen) -> None:
    spellings = seen["spellings"]
    assert spellings["messages"]["content"][0]["text"].startswith(GREETING)
    assert spellings["messages_query"]["content"][0]["text"].startswith(GREETING)
    assert spellings["count"]["input_tokens"] > 0
    assert {m["id"] for m in spellings["models"]["data"]} == IDS
    assert spellings["model"]["id"] == HAIKU


@python_sdks
def test_a_base_url_typed_with_a_slash_or_a_version_at_its_end_works(seen: Seen) -> None:
    assert seen["spellings"]["slash_ended"].startswith(GREETING)
    assert seen["spellings"]["v1_twice"].startswith(GREETING)  # the SDK asks for /v1/v1/messages


# ------------------------------------------------------------------ errors

# scene: status, error type, class (new SDKs; the old ones where they differ), requests made
ERRORS: dict[str, tuple[int, str, str, dict[str, str], int]] = {
    "wrong_key": (401, "authentication_error", "AuthenticationError", {}, 1),
    "unknown_model": (404, "not_found_error", "NotFoundError", {}, 1),
    "no_messages": (400, "invalid_request_error", "BadRequestError", {}, 1),
    "messages_no_list": (400, "invalid_request_error", "BadRequestError", {}, 1),
    "upstream_400": (400, "invalid_request_error", "BadRequestError", {}, 1),
    "upstream_404": (404, "not_found_error", "NotFoundError", {}, 1),
    "upstream_413": (
        413,
        "request_too_large",
        "ContentTooLargeError",
        {"python-old": "RequestTooLargeError", "typescript-old": "APIError"},
        1,
    ),
    "upstream_429": (429, "rate_limit_error", "RateLimitError", {}, 1),
    "upstream_429_retried": (429, "rate_limit_error", "RateLimitError", {}, 2),
    "upstream_500": (500, "api_error", "InternalServerError", {}, 1),
    "upstream_503": (
        503,
        "api_error",
        "ServiceUnavailableError",
        {"python-old": "InternalServerError", "typescript-old": "InternalServerError"},
        1,
    ),
    "upstream_529": (
        529,
        "overloaded_error",
        "OverloadedError",
        {"typescript-old": "InternalServerError"},
        1,
    ),
}


@every_sdk
@pytest.mark.parametrize("scene", ERRORS)
def test_an_error_is_raised_as_the_sdks_own_class(seen: Seen, scene: str) -> None:
    status, type_, class_, otherwise, requests = ERRORS[scene]
    error = seen["errors"][scene]
    assert error["status"] == status
    assert error["type"] == type_
    assert error["class"] == otherwise.get(seen.client, class_)
    assert error["message"]
    assert error["request_id"] == error["body"]["request_id"]
    assert error["request_id"] == error["exchanges"][-1]["request_id"]
    assert len(error["exchanges"]) == requests


@every_sdk
def test_a_wrong_key_is_refused_at_once_and_for_good(seen: Seen) -> None:
    error = seen["errors"]["wrong_key"]
    assert error["exchanges"][0]["retry_allowed"] == "false"
    assert error["seconds"] < 5
    assert "API key" in error["message"]
    assert seen["errors"]["wrong_key_models"]["class"] == "AuthenticationError"


@every_sdk
def test_an_unknown_model_is_named_in_the_refusal(seen: Seen) -> None:
    assert "no-such-model" in seen["errors"]["unknown_model"]["message"]


@every_sdk
def test_an_unknown_path_is_not_found(seen: Seen) -> None:
    assert seen["errors"]["unknown_path"]["class"] == "NotFoundError"
    assert seen["errors"]["unknown_path"]["type"] == "not_found_error"


@every_sdk
def test_the_upstreams_own_words_are_kept(seen: Seen) -> None:
    errors = seen["errors"]
    assert errors["upstream_400"]["message"] == "The demo model was asked to refuse this request."
    assert errors["upstream_413"]["message"] == "Request exceeds the maximum size"
    assert errors["upstream_529"]["message"] == "Overloaded"


@every_sdk
def test_the_upstreams_wait_is_obeyed_before_the_next_try(seen: Seen) -> None:
    assert 0.9 < seen["errors"]["upstream_429_retried"]["seconds"] < 8


@every_sdk
@pytest.mark.parametrize("status", [401, 402, 403])
def test_trouble_with_our_own_upstream_key_is_not_the_callers(seen: Seen, status: int) -> None:
    error = seen["errors"][f"upstream_{status}"]
    assert error["status"] == 502
    assert error["type"] == "api_error"
    assert "provider" in error["message"]  # not the upstream's words: "invalid x-api-key" misleads
    assert len(error["exchanges"]) == 1
    assert error["exchanges"][0]["retry_allowed"] == "false"


@every_sdk
def test_a_stream_refused_before_its_first_byte_is_a_status(seen: Seen) -> None:
    error = seen["errors"]["upstream_529_streaming"]
    assert error["status"] == 529
    assert error["type"] == "overloaded_error"
    assert error["heard"] == ""


@every_sdk
@pytest.mark.parametrize("scene", ["in_stream", "broken_off"])
def test_a_stream_that_fails_midway_raises_after_what_was_heard(seen: Seen, scene: str) -> None:
    error = seen["errors"][scene]
    # The old and the new SDKs agree: Python keeps the status 200, TypeScript knows none.
    assert error["class"] == ("APIStatusError" if seen.is_python else "APIError")
    assert error["status"] == (200 if seen.is_python else None)
    assert error["type"] in ("overloaded_error", "api_error")
    assert error["message"]
    assert error["request_id"]
    assert error["heard"]
    assert GREETING.startswith(error["heard"][:5])


@every_sdk
def test_a_broken_upstream_ends_in_our_own_error_with_our_request_id(seen: Seen) -> None:
    error = seen["errors"]["broken_off"]
    assert error["body"]["request_id"] == error["request_id"]


@pytest.mark.parametrize("seen", ["typescript-new", "typescript-old"], indirect=True)
@pytest.mark.parametrize("scene", ["in_stream_raw", "broken_off_raw"])
def test_the_raw_iterator_raises_where_the_stream_fails(seen: Seen, scene: str) -> None:
    error = seen["errors"][scene]
    assert error["class"] == "APIError"
    assert error["types"][0] == "message_start"
    assert "content_block_delta" in error["types"]
    assert "message_stop" not in error["types"]

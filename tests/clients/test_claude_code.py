"""Claude Code in print mode through the gateway."""

import json
from typing import Any

import pytest

from tests.clients.driving import Seen
from tests.clients.serving import CLAUDE_ELSEWHERE, GPT, KIMI, MODELS

HAIKU = "anthropic.claude-haiku-4-5"
OPUS = "anthropic.claude-opus-5-5"
GREETING = "Hello from the demo model!"
MESSAGES = "/v1/anthropic/v1/messages?beta=true"

pytestmark = pytest.mark.parametrize("seen", ["claude-code"], indirect=True)


def assert_is_the_greeting(run: dict[str, Any], model: str = OPUS) -> None:
    """One turn of text, answered without a retry."""
    assert run["timed_out"] is False
    assert run["exit"] == 0, run["stderr"]
    assert run["is_error"] is False
    assert run["result"].startswith(GREETING)
    assert run["models"] == [model]
    assert run["turns"] == 1
    assert run["retries"] == []
    assert run["usage"]["input_tokens"] > 1000  # the client's own prompt is long
    assert run["usage"]["output_tokens"] > 10


def asked(run: dict[str, Any]) -> list[tuple[str, int]]:
    """What the witness saw, without the start-up probe, which the client may leave out."""
    return [
        (exchange["path"], exchange["status"])
        for exchange in run["exchanges"]
        if exchange["method"] != "HEAD"
    ]


def test_the_driven_client_is_the_one_we_mean(seen: Seen) -> None:
    assert seen["version"] == "2.1.330 (Claude Code)"


def test_a_turn_with_an_auth_token(seen: Seen) -> None:
    assert_is_the_greeting(seen["auth_token"])


def test_a_turn_with_an_api_key(seen: Seen) -> None:
    run = seen["api_key"]
    assert_is_the_greeting(run)
    assert asked(run) == [(MESSAGES, 200)]
    assert run["exchanges"][-1]["credentials"] == ["x-api-key"]


def test_a_turn_with_both_where_only_the_token_is_ours(seen: Seen) -> None:
    run = seen["both_token_good"]
    assert_is_the_greeting(run)
    assert run["exchanges"][-1]["credentials"] == ["authorization", "x-api-key"]


def test_a_turn_with_a_key_helper_which_fills_both_headers(seen: Seen) -> None:
    run = seen["api_key_helper"]
    assert_is_the_greeting(run)
    assert run["exchanges"][-1]["credentials"] == ["authorization", "x-api-key"]


def test_a_tool_round_runs_the_command(seen: Seen) -> None:
    run = seen["tool_round"]
    assert run["exit"] == 0, run["stderr"]
    assert run["tools"] == ["Bash"]
    assert run["tool_results"] == ["hi-from-bash-42"]
    assert "hi-from-bash-42" in run["result"]
    assert run["turns"] == 2
    assert run["models"] == [OPUS]
    assert run["retries"] == []


def test_a_silent_upstream_is_waited_for(seen: Seen) -> None:
    assert_is_the_greeting(seen["silence"])
    assert seen["silence"]["seconds"] > 8


def test_opus_is_expanded_by_the_client_and_resolved_by_us(seen: Seen) -> None:
    run = seen["opus"]
    assert_is_the_greeting(run)
    assert [e["model"] for e in run["exchanges"] if e["model"]] == ["claude-opus-5-5"]
    assert run["exchanges"][-1]["stream"] is True


def test_thinking_reaches_the_client(seen: Seen) -> None:
    run = seen["thinking"]
    assert_is_the_greeting(run)
    assert run["blocks"] == ["thinking", "text"]
    assert run["usage"]["output_tokens_details"]["thinking_tokens"] > 0


def test_a_product_id_is_served_as_typed(seen: Seen) -> None:
    assert_is_the_greeting(seen["product_id"], HAIKU)


def test_another_vendors_model_is_served_as_typed(seen: Seen) -> None:
    assert_is_the_greeting(seen["other_vendor"], KIMI)


@pytest.mark.parametrize(
    ("scene", "model"), [("kimi_tools", KIMI), ("mapped_tools", KIMI), ("gpt_tools", GPT)]
)
def test_a_tool_round_on_a_model_of_the_openai_wire(seen: Seen, scene: str, model: str) -> None:
    run = seen[scene]
    assert run["exit"] == 0, run["stderr"]
    assert run["tools"] == ["Bash", "Bash"]
    assert sorted(run["tool_results"]) == ["hi-again-43", "hi-from-bash-42"]
    assert "hi-from-bash-42" in run["result"]
    assert "hi-again-43" in run["result"]
    assert run["models"] == [model]
    thought = ["thinking"] if model == KIMI else []  # GPT keeps its thoughts to itself
    assert run["blocks"] == [*thought, "tool_use", "tool_use", *thought, "text"]
    assert run["retries"] == []
    assert run["usage"]["input_tokens"] > 1000


def test_haiku_goes_where_its_user_has_mapped_it(seen: Seen) -> None:
    exchanges = seen["mapped_tools"]["exchanges"]
    assert [(e["model"], e["status"]) for e in exchanges] == [("claude-haiku-5-5", 200)] * 2


@pytest.mark.parametrize(
    ("scene", "told"),
    [("gpt_image", "image 1 attached below"), ("kimi_image", "image omitted")],
)
def test_a_picture_a_tool_has_read_is_shown_or_left_out(seen: Seen, scene: str, told: str) -> None:
    run = seen[scene]
    assert run["exit"] == 0, run["stderr"]
    assert run["tools"] == ["Read"]
    assert run["tool_results"][0][0]["type"] == "image"
    assert told in run["result"]
    assert run["retries"] == []


def test_structured_output_on_a_model_of_the_openai_wire(seen: Seen) -> None:
    run = seen["kimi_structured"]
    assert run["exit"] == 0, run["stderr"]
    assert run["tools"] == ["StructuredOutput"]
    assert json.loads(run["result"]) == {"city": "Rome", "degrees": 3}


def test_an_agent_runs_on_the_same_model(seen: Seen) -> None:
    run = seen["kimi_agent"]
    assert run["exit"] == 0, run["stderr"]
    assert run["tools"] == ["Agent"]
    asked_for = {(e["model"], e["status"]) for e in run["exchanges"] if e["method"] == "POST"}
    assert asked_for == {(KIMI, 200)}
    assert run["retries"] == []


@pytest.mark.parametrize(
    ("scene", "model"), [("kimi_search", KIMI), ("claude_search", CLAUDE_ELSEWHERE)]
)
def test_its_own_web_search_searches_through_us(seen: Seen, scene: str, model: str) -> None:
    run = seen[scene]
    assert run["exit"] == 0, run["stderr"]
    assert run["tools"] == ["WebSearch"]
    assert run["models"] == [model]
    [report] = run["searches"]  # "Did 1 search" in the terminal
    assert (report["query"], report["searchCount"]) == ("the moon", 1)
    found, said = report["results"]
    assert [page["title"][:9] for page in found["content"]] == ["the moon:"] * 5
    # Claude is told of pages in blocks, which it cites; the others in words.
    told = "Search results for" if model == KIMI else found["content"][0]["title"][:8]
    assert said.startswith("The tool answered: ") and told in said
    [shown] = run["tool_results"]
    for page in found["content"]:
        assert json.dumps(page, separators=(",", ":")) in shown  # behind "Links: "
    assert "https://forum.example.org/the-moon/1" in run["result"]
    assert run["retries"] == []
    # The turn, the side request that searches, and the turn with its result.
    posts = [e for e in run["exchanges"] if e["method"] == "POST"]
    assert [(e["model"], e["status"]) for e in posts] == [(model, 200)] * 3


def test_a_search_that_fails_is_named_and_the_model_goes_on(seen: Seen) -> None:
    run = seen["search_in_trouble"]
    assert run["exit"] == 0, run["stderr"]
    [report] = run["searches"]
    assert report["results"][0] == "Web search error: unavailable"
    assert "Web search error: unavailable" in run["result"]
    assert run["retries"] == []


def test_while_search_is_off_the_user_reads_whom_to_ask(seen: Seen) -> None:
    run = seen["no_search"]
    assert run["exit"] == 0, run["stderr"]
    assert run["searches"] == []
    assert run["tool_results"] == [
        "API Error: 400 Web search is not enabled for this gateway. "
        "Ask your administrator to enable Anthropic gateway web search."
    ]
    assert "Ask your administrator" in run["result"]
    assert run["retries"] == []


def test_a_prompt_that_is_too_long_is_understood(seen: Seen) -> None:
    """The client has read both numbers out of our words, and asks no second time."""
    run = seen["kimi_too_long"]
    assert run["exit"] == 1
    assert run["result"].startswith("Prompt is too long")
    assert "(limit 10)" in run["result"]
    assert [e["status"] for e in run["exchanges"]] == [400]


def test_a_stream_that_ends_too_early_is_no_answer(seen: Seen) -> None:
    run = seen["kimi_cut_short"]
    assert run["exit"] == 1
    assert "Server error mid-response" in run["result"]
    # Once a block was whole it asks three times more, streaming.
    assert [(e["stream"], e["status"]) for e in run["exchanges"]] == [(True, 200)] * 4


def test_a_stream_cut_in_its_first_block_is_asked_for_whole(seen: Seen) -> None:
    run = seen["gpt_cut_short"]
    assert_is_the_greeting(run, GPT)
    assert [(e["stream"], e["status"]) for e in run["exchanges"]] == [(True, 200), (False, 200)]


def test_discovery_finds_our_claude_models_with_their_names(seen: Seen) -> None:
    run = seen["discovery"]
    assert_is_the_greeting(run)
    assert ("/v1/anthropic/v1/models?limit=1000", 200) in asked(run)
    # The client itself drops every id without "claude" or "anthropic" in it.
    ours = {id: name for id, name, *_ in MODELS if id.startswith("anthropic.")}
    assert {model["id"]: model["display_name"] for model in run["discovered"]} == ours


def test_a_wrong_key_stops_it_at_once_with_our_words(seen: Seen) -> None:
    run = seen["wrong_key"]
    assert run["exit"] == 1
    assert run["result"].startswith("Failed to authenticate. API Error: 401 ")
    assert "API key in Authorization" in run["result"]
    assert asked(run) == [(MESSAGES, 401)]
    assert run["seconds"] < 20


def test_an_unknown_model_is_explained_by_the_client(seen: Seen) -> None:
    run = seen["unknown_model"]
    assert run["exit"] == 1
    assert "issue with the selected model (no-such-model)" in run["result"]
    assert asked(run) == [(MESSAGES, 404), (MESSAGES, 404)]  # streaming, then once without


def test_a_stream_that_fails_midway_is_asked_for_again_without_streaming(seen: Seen) -> None:
    run = seen["in_stream_error"]
    first, *others = [e for e in run["exchanges"] if e["method"] == "POST"]
    assert (first["stream"], first["status"]) == (True, 200)
    # Without streaming the demo upstream is overloaded too, and the client says so in the end.
    assert {(e["stream"], e["status"]) for e in others} == {(False, 529)}
    assert run["exit"] == 1
    assert "529 Overloaded" in run["result"]


def test_a_refusal_by_the_upstream_is_shown_in_its_words(seen: Seen) -> None:
    run = seen["refused_400"]
    assert run["exit"] == 1
    assert run["result"] == "API Error: 400 The demo model was asked to refuse this request."

"""Web searches that the gateway makes, through the official SDKs: to them they are Anthropic's own.

Three models that cannot search by themselves: two of the OpenAI wire, and a Claude where it has no
search. Each conversation has three turns, sent back as the SDK has them.
"""

import re
from typing import Any

import pytest

from tests.clients.driving import Seen
from tests.clients.serving import CLAUDE_ELSEWHERE, GPT, KIMI

SDKS = ["python-new", "python-old", "typescript-new", "typescript-old"]
OPUS = "anthropic.claude-opus-5-5"
NOT_ENABLED = (
    "Web search is not enabled for this gateway. "
    "Ask your administrator to enable Anthropic gateway web search."
)

every_sdk = pytest.mark.parametrize("seen", SDKS, indirect=True)
python_sdks = pytest.mark.parametrize("seen", SDKS[:2], indirect=True)
models = pytest.mark.parametrize("model", [KIMI, GPT, CLAUDE_ELSEWHERE])
ways = pytest.mark.parametrize("way", ["plain", "streamed"])


def blocks_of(message: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [block for block in message["content"] if block["type"] == kind]


def shape_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The content without what is made anew each time: ids and what is sealed."""
    [search_id] = [block["id"] for block in blocks_of(message, "server_tool_use")]

    def bared(value: Any) -> Any:
        if isinstance(value, dict):
            sealed = ("encrypted_content", "encrypted_index")
            return {
                name: "sealed" if name in sealed else bared(part) for name, part in value.items()
            }
        if isinstance(value, list):
            return [bared(part) for part in value]
        return "the search" if value == search_id else value

    shape: list[dict[str, Any]] = bared(message["content"])
    return shape


@every_sdk
@models
@ways
def test_a_search_is_shown_with_its_result_and_cited(seen: Seen, model: str, way: str) -> None:
    message = seen["search"][model][way]
    thought = ["thinking"] if model == KIMI else []
    assert [block["type"] for block in message["content"]] == [
        *(*thought, "text", "server_tool_use", "web_search_tool_result"),
        *(*thought, "text", "text"),
    ]
    assert message["model"] == model
    assert message["stop_reason"] == "end_turn"
    [call] = blocks_of(message, "server_tool_use")
    [result] = blocks_of(message, "web_search_tool_result")
    assert call["id"].startswith("srvtoolu_gw")
    assert (call["name"], call["input"]) == ("web_search", {"query": "the moon"})
    assert result["tool_use_id"] == call["id"]
    assert len(result["content"]) == 5
    for page in result["content"]:
        assert set(page) == {"type", "url", "title", "encrypted_content", "page_age"}
        assert page["encrypted_content"].startswith("GWc1.")
    cited = blocks_of(message, "text")[1]
    [citation] = cited["citations"]
    assert citation["type"] == "web_search_result_location"
    assert citation["url"] == result["content"][0]["url"]
    assert citation["title"] == result["content"][0]["title"]
    assert citation["encrypted_index"].startswith("GWc1.")
    assert 0 < len(citation["cited_text"]) <= 150
    assert "[[" not in "".join(block["text"] for block in blocks_of(message, "text"))


@every_sdk
@models
def test_the_sdks_accumulator_makes_the_same_of_the_stream(seen: Seen, model: str) -> None:
    played = seen["search"][model]
    plain, streamed = played["plain"], played["streamed"]
    assert shape_of(streamed) == shape_of(plain)
    for name in ("input_tokens", "output_tokens", "server_tool_use"):
        assert streamed["usage"][name] == plain["usage"][name]
    assert played["events"].count("message_start") == 1
    assert played["events"].count("message_stop") == 1


@every_sdk
@models
@ways
def test_every_round_and_the_search_are_in_the_usage(seen: Seen, model: str, way: str) -> None:
    usage = seen["search"][model][way]["usage"]
    assert usage["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 0}
    # Both rounds: the second one alone has the pages in its prompt.
    assert usage["input_tokens"] > 600
    assert usage["output_tokens"] > 40


@python_sdks
@models
def test_the_parts_are_of_the_sdks_own_types(seen: Seen, model: str) -> None:
    for way in ("plain", "streamed", "second"):
        message = seen["search"][model][way]
        assert {"ServerToolUseBlock", "WebSearchToolResultBlock"} < set(message["classes"])
        assert message["classes_of_citations"] == ["CitationsWebSearchResultLocation"]


# ------------------------------------------------------------------ the turns after it


@every_sdk
@models
def test_the_conversation_goes_on_for_a_second_and_a_third_turn(seen: Seen, model: str) -> None:
    played = seen["search"][model]
    [call] = blocks_of(played["second"], "server_tool_use")
    assert call["input"] == {"query": "the sun"}
    [result] = blocks_of(played["second"], "web_search_tool_result")
    assert [page["title"][:7] for page in result["content"]] == ["the sun"] * 5
    assert [block["type"] for block in played["third"]["content"]][-1] == "text"
    assert blocks_of(played["third"], "server_tool_use") == []
    assert played["third"]["stop_reason"] == "end_turn"


@every_sdk
@models
def test_the_model_gets_back_what_it_was_told_the_first_time(seen: Seen, model: str) -> None:
    """Prompt caches hit: what was sent before stands at the beginning of what is sent later."""
    sent = [body["messages"] for body in seen["search"][model]["sent"]]
    assert len(sent) == 7  # two rounds each: plain, streamed, second; one: third
    round_2, turn_2, turn_2_round_2, turn_3 = sent[3:]
    assert turn_2[: len(round_2)] == round_2
    assert turn_2_round_2[: len(turn_2)] == turn_2
    assert turn_3[: len(turn_2_round_2)] == turn_2_round_2
    written = repr(turn_3)
    assert "GWc1." not in written
    if model == CLAUDE_ELSEWHERE:
        assert "[[" not in written
        assert written.count("'type': 'search_result'") == 10
        assert written.count("'citations': {'enabled': True}") == 10
        return
    for number in range(1, 11):  # over all turns, not from 1 again
        assert f"[[{number}]] the {'moon' if number < 6 else 'sun'}: " in written


@every_sdk
@ways
def test_a_claude_that_cites_by_itself_is_not_asked_to(seen: Seen, way: str) -> None:
    """Its own citations, of a page it was told of as a search result (translation.md 9.10)."""
    played = seen["search"][CLAUDE_ELSEWHERE]
    for body in played["sent"]:
        assert "double square brackets" not in repr(body["tools"])
    [result] = blocks_of(played[way], "web_search_tool_result")
    cited = blocks_of(played[way], "text")[1]
    [citation] = cited["citations"]
    page = next(page for page in result["content"] if page["url"] == citation["url"])
    assert citation["title"] == page["title"]
    # Claude's words, cut as Anthropic cuts them.
    assert citation["cited_text"] in cited["text"].replace("The tool answered: ", "")


@every_sdk
@models
def test_the_model_gets_back_the_ids_it_gave(seen: Seen, model: str) -> None:
    last = seen["search"][model]["sent"][-1]["messages"]
    calls = [call["id"] for message in last for call in message.get("tool_calls") or ()]
    if model == CLAUDE_ELSEWHERE:
        blocks = [b for m in last if isinstance(m["content"], list) for b in m["content"]]
        calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
    assert len(calls) == len(set(calls)) == 2
    form = {KIMI: r"functions\.web_search:\d+", GPT: r"call_\w+", CLAUDE_ELSEWHERE: r"toolu_\w+"}
    for call_id in calls:
        assert re.fullmatch(form[model], call_id)


@every_sdk
@models
@ways
def test_a_tool_of_the_clients_beside_a_search_is_never_swallowed(
    seen: Seen, model: str, way: str
) -> None:
    message = seen["search_beside_a_tool"][model][way]
    assert message["stop_reason"] == "tool_use"
    kinds = [b["type"] for b in message["content"] if b["type"] not in ("text", "thinking")]
    assert sorted(kinds) == ["server_tool_use", "tool_use", "web_search_tool_result"]
    assert kinds.index("server_tool_use") < kinds.index("web_search_tool_result")
    [call] = blocks_of(message, "tool_use")
    assert (call["name"], call["input"]) == ("get_weather", {"city": "Rome"})
    [result] = blocks_of(message, "web_search_tool_result")
    assert len(result["content"]) == 5


@every_sdk
@models
def test_after_the_tools_result_the_model_goes_on(seen: Seen, model: str) -> None:
    second = seen["search_beside_a_tool"][model]["second"]
    assert second["stop_reason"] == "end_turn"
    assert "Rome: 21 degrees" in "".join(b["text"] for b in blocks_of(second, "text"))


@every_sdk
def test_what_was_found_goes_with_the_conversation_to_other_models(seen: Seen) -> None:
    travel = seen["search_travel"]
    turns = travel["turns"]
    assert [t["model"] for t in turns] == [KIMI, CLAUDE_ELSEWHERE, OPUS, GPT, KIMI]
    assert [len(blocks_of(t, "server_tool_use")) for t in turns] == [1, 1, 0, 0, 0]
    assert [t["stop_reason"] for t in turns] == ["end_turn"] * 5
    assert len(travel["sent"]) == 7
    for body in travel["sent"]:
        written = repr(body["messages"])
        assert "GWc1." not in written and "encrypted_" not in written
        if len(body["messages"]) > 2:
            assert "https://forum.example.org/the-moon/1" in written
    native = travel["sent"][4]
    assert native["model"] == "claude-opus-5-5"
    # It has its own search and would refuse blocks of ours.
    assert native["tools"] == [{"type": "web_search_20260318", "name": "web_search"}]
    assert "srvtoolu_" not in repr(native["messages"])


# ------------------------------------------------------------------ trouble


@every_sdk
@ways
def test_a_search_that_fails_is_a_result_and_costs_nothing(seen: Seen, way: str) -> None:
    message = seen["search_in_trouble"]["failing"][way]
    [result] = blocks_of(message, "web_search_tool_result")
    assert result["content"] == {
        "type": "web_search_tool_result_error",
        "error_code": "unavailable",
    }
    assert "Search failed: unavailable." in blocks_of(message, "text")[-1]["text"]
    searches = message["usage"]["server_tool_use"]
    assert searches == {"web_search_requests": 0, "web_fetch_requests": 0}


@every_sdk
@ways
def test_a_search_that_finds_nothing_has_no_pages(seen: Seen, way: str) -> None:
    message = seen["search_in_trouble"]["nothing"][way]
    [result] = blocks_of(message, "web_search_tool_result")
    assert result["content"] == []
    assert message["usage"]["server_tool_use"]["web_search_requests"] == 1


@every_sdk
@models
def test_while_search_is_off_the_caller_is_told_whom_to_ask(seen: Seen, model: str) -> None:
    error = seen["search_off"][model]
    assert (error["class"], error["status"]) == ("BadRequestError", 400)
    assert (error["type"], error["message"]) == ("invalid_request_error", NOT_ENABLED)

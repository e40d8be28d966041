"""Web search through a whole gateway: what the client sees is one message, on both wires, streamed
and not, and what is asked, booked and held is what it has to be."""

import asyncio

import msgspec
import pytest

from tests.kit.journey import ask
from tests.kit.rude_firecrawl import refused
from tests.kit.turns import (
    CHAT,
    CLIENT_TOOL,
    COMPAT,
    KIMI,
    TOOL,
    call,
    kinds,
    read,
    search,
    stage,
    text,
    thought,
)

WIRES = pytest.mark.parametrize("wire", (CHAT, COMPAT))
BOTH = pytest.mark.parametrize("stream", (True, False))


@WIRES
@BOTH
async def test_turns_and_a_search_are_one_message(tmp_path, wire, stream):
    async with stage(tmp_path, wire) as on:
        on.plays(
            on.turn(thought("Hm."), text("Let me look."), search("the tides"), used=(100, 10)),
            on.turn(thought("So."), text("It is high [[1]]. Really."), used=(300, 20)),
        )
        thinks = {"type": "enabled", "budget_tokens": 1024}
        body = ask(KIMI, stream=stream, tools=[TOOL], thinking=thinks, max_tokens=4000)
        reply = await on.here.post(body)
        said = read(reply)
        assert kinds(said) == [
            *("thinking", "text", "server_tool_use", "web_search_tool_result"),
            *("thinking", "text", "text"),
        ]
        _, words, asked, found, _, cited, after = said["content"]
        assert words["text"] == "Let me look."
        assert asked["input"] == {"query": "the tides"} and asked["name"] == "web_search"
        assert asked["id"] == found["tool_use_id"] and asked["id"].startswith("srvtoolu_")
        urls = [hit["url"] for hit in found["content"]]
        assert urls == [
            "https://site1.example.org/the-tides",
            "https://site2.example.org/the-tides",
        ]
        assert set(found["content"][0]) == {
            *("type", "url", "title", "encrypted_content", "page_age"),
        }
        assert (cited["text"], after["text"]) == ("It is high ", ". Really.")
        (citation,) = cited["citations"]
        assert citation["type"] == "web_search_result_location"
        assert (citation["url"], citation["title"]) == (urls[0], found["content"][0]["title"])
        assert citation["encrypted_index"] and citation["cited_text"]
        usage = said["usage"]
        assert (usage["input_tokens"], usage["output_tokens"]) == (400, 30)
        assert usage["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 0}
        assert (said["stop_reason"], said["model"]) == ("end_turn", KIMI)
        fees, turns = await on.fees_and_turns(reply.id, 3)
        assert [(row.input_tokens, row.output_tokens) for row in turns] == [(100, 10), (300, 20)]
        assert {row.outcome for row in turns} == {"completed"}
        assert {row.streamed for row in [*fees, *turns]} == {stream}, "as the client asked"
        (fee,) = fees
        assert (fee.web_searches, fee.outcome, fee.input_tokens) == (1, "completed", 0)
        assert fee.credits > 0
        assert on.service.queries() == ["the tides"]
        assert not on.here.open_streams


@WIRES
async def test_the_model_sees_its_own_turn_and_the_pages_again(tmp_path, wire):
    async with stage(tmp_path, wire) as on:
        on.plays(
            on.turn(thought("Hm."), text("I look."), search("the tides")), on.turn(text("High."))
        )
        thinks = {"type": "enabled", "budget_tokens": 1024}
        tools = [TOOL, CLIENT_TOOL]
        read(await on.here.post(ask(KIMI, tools=tools, thinking=thinks, max_tokens=4000)))
        first, second = on.sent(0), on.sent(1)
        before, after = first["messages"], second["messages"]
        assert after[: len(before)] == before
        assert second["tools"] == first["tools"]
        more = msgspec.json.encode(after[len(before) :]).decode()
        assert "I look." in more and "Hm." in more and "the tides" in more
        assert "untrusted web content" in more and "[[1]]" in more and "[[2]]" in more
        assert more.count("call_s1") == 2 and "srvtoolu_" not in more and "GWc1." not in more


@WIRES
async def test_searches_at_once_are_answered_in_the_order_of_their_calls(tmp_path, wire):
    async with stage(tmp_path, wire) as on:
        on.plays(
            on.turn(search("one", "call_1"), search("two", "call_2"), search("three", "call_3")),
            on.turn(search("four", "call_4")),
            on.turn(text("Done. [[7]]")),
        )
        reply = await on.here.post(ask(KIMI, tools=[TOOL]))
        said = read(reply)
        searched = [b for b in said["content"] if b["type"] == "server_tool_use"]
        results = [b for b in said["content"] if b["type"] == "web_search_tool_result"]
        assert [b["input"]["query"] for b in searched] == ["one", "two", "three", "four"]
        assert [b["tool_use_id"] for b in results] == [b["id"] for b in searched]
        assert len({b["id"] for b in searched}) == 4
        assert said["usage"]["server_tool_use"]["web_search_requests"] == 4
        assert said["content"][-1]["citations"][0]["url"] == "https://site1.example.org/four"
        fees, turns = await on.fees_and_turns(reply.id, 7)
        assert (len(fees), len(turns)) == (4, 3)


@WIRES
@BOTH
async def test_a_model_that_does_not_search_costs_no_search(tmp_path, wire, stream):
    async with stage(tmp_path, wire) as on:
        on.plays(on.turn(text("Hello.")))
        reply = await on.here.post(ask(KIMI, stream=stream, tools=[TOOL]))
        said = read(reply)
        assert kinds(said) == ["text"]
        assert said["usage"].get("server_tool_use") is None
        assert on.service.asked == [] and on.service.connections == 0
        fees, turns = await on.fees_and_turns(reply.id, 1)
        assert not fees and len(turns) == 1


@WIRES
@BOTH
async def test_calls_of_the_clients_tools_come_last_and_are_never_lost(tmp_path, wire, stream):
    async with stage(tmp_path, wire) as on:
        on.plays(
            on.turn(
                text("Both."),
                call("look", '{"at":1}', "call_1"),
                search("tides", "call_2"),
                call("look", '{"at":2}', "call_3"),
            )
        )
        reply = await on.here.post(ask(KIMI, stream=stream, tools=[TOOL, CLIENT_TOOL]))
        said = read(reply)
        assert said["stop_reason"] == "tool_use"
        assert kinds(said) == [
            *("text", "tool_use", "server_tool_use", "web_search_tool_result", "tool_use"),
        ]
        calls = [block for block in said["content"] if block["type"] == "tool_use"]
        assert [block["input"] for block in calls] == [{"at": 1}, {"at": 2}]
        fees, turns = await on.fees_and_turns(reply.id, 2)
        assert (len(fees), len(turns)) == (1, 1)


@WIRES
async def test_a_forced_search_is_made_even_if_the_model_makes_none(tmp_path, wire):
    async with stage(tmp_path, wire) as on:
        on.plays(on.turn(text("I know it already.")), on.turn(text("High. [[1]]")))
        body = ask(
            KIMI,
            tools=[TOOL],
            tool_choice={"type": "tool", "name": "web_search"},
            messages=[{"role": "user", "content": "Perform a web search for the query: tides"}],
        )
        said = read(await on.here.post(body))
        assert on.service.queries() == ["tides"]
        assert kinds(said) == ["text", "server_tool_use", "web_search_tool_result", "text"]
        choice = on.sent(1)["tool_choice"]
        assert choice in ("auto", {"type": "auto"})


@WIRES
async def test_past_max_uses_the_model_hears_so_and_is_asked_without_calls(tmp_path, wire):
    async with stage(tmp_path, wire) as on:
        on.plays(
            on.turn(search("one", "call_1"), search("two", "call_2")), on.turn(text("Enough."))
        )
        reply = await on.here.post(ask(KIMI, tools=[{**TOOL, "max_uses": 1}]))
        said = read(reply)
        results = [b for b in said["content"] if b["type"] == "web_search_tool_result"]
        assert isinstance(results[0]["content"], list)
        assert results[1]["content"] == {
            "type": "web_search_tool_result_error",
            "error_code": "max_uses_exceeded",
        }
        assert on.service.queries() == ["one"]
        assert said["usage"]["server_tool_use"]["web_search_requests"] == 1
        assert on.sent(1)["tool_choice"] in ("none", {"type": "none"})


@WIRES
async def test_both_lists_of_domains_are_refused_before_anybody_is_asked(tmp_path, wire):
    async with stage(tmp_path, wire) as on:
        tool = {**TOOL, "allowed_domains": ["a.example"], "blocked_domains": ["b.example"]}
        reply = await on.here.post(ask(KIMI, tools=[tool]))
        assert reply.status == 400
        assert "allowed_domains or blocked_domains" in reply.error["message"]
        assert not on.there.asked and not on.service.asked
        assert await on.here.refusals(reply.id)


async def test_after_ten_rounds_the_turn_pauses_and_goes_on_when_it_is_sent_again(tmp_path):
    async with stage(tmp_path) as on:
        on.plays(*[on.turn(search(f"number {n}", f"call_{n}")) for n in range(10)])
        question = {"role": "user", "content": "Look."}
        reply = await on.here.post(ask(KIMI, tools=[TOOL], messages=[question]))
        said = read(reply)
        assert said["stop_reason"] == "pause_turn"
        assert len(said["content"]) == 20
        assert len(on.there.asked) == 10
        on.plays(on.turn(text("At last. [[20]]")))
        messages = [question, {"role": "assistant", "content": said["content"]}]
        said = read(await on.here.post(ask(KIMI, tools=[TOOL], messages=messages)))
        assert said["stop_reason"] == "end_turn"
        assert said["content"][0]["citations"][0]["url"] == "https://site2.example.org/number-9"
        assert len(on.there.asked) == 11


@WIRES
@BOTH
async def test_a_search_left_over_is_made_first_and_its_result_opens_the_answer(
    tmp_path, wire, stream
):
    left = {"type": "server_tool_use", "id": "srvtoolu_01", "name": "web_search"}
    messages = [
        {"role": "user", "content": "Look twice."},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Yes."},
                left | {"input": {"query": "tides"}},
                {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "Nothing."}],
        },
    ]
    async with stage(tmp_path, wire) as on:
        on.plays(on.turn(text("High. [[1]]")))
        tools = [TOOL, CLIENT_TOOL]
        said = read(await on.here.post(ask(KIMI, stream=stream, tools=tools, messages=messages)))
        assert kinds(said) == ["web_search_tool_result", "text"]
        assert said["content"][0]["tool_use_id"] == "srvtoolu_01"
        assert said["content"][1]["citations"]
        assert said["usage"]["server_tool_use"]["web_search_requests"] == 1
        assert "untrusted web content" in on.there.asked[0].body.decode()


async def test_a_search_left_over_behind_new_words_is_refused(tmp_path):
    left = {"type": "server_tool_use", "id": "srvtoolu_01", "name": "web_search", "input": {}}
    messages = [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": [left]},
        {"role": "user", "content": "Never mind."},
    ]
    async with stage(tmp_path) as on:
        reply = await on.here.post(ask(KIMI, tools=[TOOL], messages=messages))
        assert reply.status == 400
        assert "`srvtoolu_01` was found without a corresponding" in reply.error["message"]
        assert not on.there.asked


@WIRES
async def test_a_search_left_over_is_refused_where_the_tool_is_not_there_any_more(tmp_path, wire):
    left = {"type": "server_tool_use", "id": "srvtoolu_01", "name": "web_search", "input": {}}
    messages = [{"role": "user", "content": "Look."}, {"role": "assistant", "content": [left]}]
    async with stage(tmp_path, wire) as on:
        for tools in ({}, {"tools": [CLIENT_TOOL]}):
            reply = await on.here.post(ask(KIMI, messages=messages, **tools))
            assert reply.status == 400
            assert reply.error["message"] == (
                "messages.1: `web_search` tool use with id `srvtoolu_01` was found without a "
                "corresponding `web_search_tool_result` block, but no `web_search` tool was "
                "provided"
            )
        assert not on.there.asked


@WIRES
@BOTH
async def test_a_search_cut_off_by_max_tokens_is_dropped(tmp_path, wire, stream):
    async with stage(tmp_path, wire) as on:
        cut = ("call", "call_1", "web_search", '{"query":"the ti')
        on.plays(on.turn(text("I look."), cut, stop="max_tokens"))
        reply = await on.here.post(ask(KIMI, stream=stream, tools=[TOOL]))
        said = read(reply)
        assert (kinds(said), said["stop_reason"]) == (["text"], "max_tokens")
        assert not on.service.asked
        await on.here.row(reply.id)


@pytest.mark.parametrize(
    ("wire", "given"), [(CHAT, '{"q":1}'), (COMPAT, '{"query":" "}'), (COMPAT, "[1]")]
)
async def test_arguments_without_a_query_are_an_error_the_model_hears(tmp_path, wire, given):
    async with stage(tmp_path, wire) as on:
        broken = ("call", "call_1", "web_search", given)
        on.plays(on.turn(broken), on.turn(text("Well.")))
        said = read(await on.here.post(ask(KIMI, tools=[TOOL])))
        assert kinds(said) == ["server_tool_use", "web_search_tool_result", "text"]
        assert said["content"][1]["content"]["error_code"] == "invalid_tool_input"
        assert not on.service.asked
        assert "Search failed: invalid_tool_input." in on.there.asked[1].body.decode()


async def test_a_stop_sequence_in_a_later_turn_is_told_as_one(tmp_path):
    async with stage(tmp_path) as on:
        on.plays(on.turn(search("tides")), on.turn(text("High ENOUGH and more")))
        body = ask(KIMI, tools=[TOOL], stop_sequences=["ENOUGH"])
        said = read(await on.here.post(body))
        assert (said["stop_reason"], said["stop_sequence"]) == ("stop_sequence", "ENOUGH")
        assert said["content"][-1]["text"] == "High "


@pytest.mark.parametrize(("when", "status"), [("auto", 400), ("error", 400), ("message", 200)])
async def test_switched_off_a_search_that_is_the_whole_point_is_refused(tmp_path, when, status):
    async with stage(tmp_path, search=f'when_disabled = "{when}"', on=False) as on:
        on.plays(on.turn(search("tides")), on.turn(text("I may not.")))
        reply = await on.here.post(ask(KIMI, tools=[TOOL]))
        assert reply.status == status
        sentence = "Ask your administrator to enable Anthropic gateway web search."
        if status == 400:
            assert sentence in reply.error["message"] and not on.there.asked
            (refusal,) = await on.here.refusals(reply.id)
            assert refusal.reason == "web_search_disabled"
        else:
            assert read(reply)["content"][1]["content"]["error_code"] == "unavailable"
            assert sentence in on.there.asked[1].body.decode()


@pytest.mark.parametrize(("when", "status"), [("auto", 200), ("error", 400), ("message", 200)])
async def test_switched_off_a_tool_among_others_does_not_stop_the_conversation(
    tmp_path, when, status
):
    async with stage(tmp_path, search=f'when_disabled = "{when}"', on=False) as on:
        on.plays(on.turn(search("tides")), on.turn(text("I may not.")))
        reply = await on.here.post(ask(KIMI, tools=[TOOL, CLIENT_TOOL]))
        assert reply.status == status
        if status == 200:
            said = read(reply)
            assert kinds(said) == ["server_tool_use", "web_search_tool_result", "text"]
            assert said["usage"]["output_tokens"] == 20
            fees, turns = await on.fees_and_turns(reply.id, 2)
            assert (len(fees), len(turns)) == (0, 2)
            assert "enable Anthropic gateway web search." in on.there.asked[1].body.decode()
        else:
            assert not on.there.asked


async def test_a_search_stands_in_the_support_record_and_in_metrics(tmp_path):
    async with stage(tmp_path) as on:
        on.plays(on.turn(search("a private matter")), on.turn(text("High.")))
        reply = await on.here.post(ask(KIMI, tools=[TOOL]))
        await on.fees_and_turns(reply.id, 3)
        client = await on.here.client()
        record = (await client.get(f"/v1/requests/{reply.id}")).body.decode()
        assert record.count('"web_search"') == 1
        assert "private" not in record
        for _ in range(100):  # they are gathered a few times a second
            metrics = (await client.get("/metrics")).body.decode()
            if "hatz_web_searches_total{" in metrics:
                break
            await asyncio.sleep(0.02)
        assert 'hatz_web_searches_total{outcome="found"} 1.0' in metrics
        client.close()


async def test_a_search_service_that_has_to_be_looked_after_is_told_to_the_operator(tmp_path):
    async with stage(tmp_path) as on:
        play = on.service.play()
        play.perform_all(*refused(402, error="Insufficient credits"))
        on.plays(on.turn(search(play.cue)), on.turn(text("Anyway.")))
        read(await on.here.post(ask(KIMI, tools=[TOOL])))
        client = await on.here.client()
        health = (await client.get("/readyz")).body.decode()
        assert "credits are used up" in health
        client.close()


@BOTH
async def test_what_cannot_be_translated_is_refused_and_recorded(tmp_path, stream):
    messages = [{"role": "user", "content": [{"type": "container_upload", "file_id": "file_1"}]}]
    async with stage(tmp_path) as on:
        reply = await on.here.post(ask(KIMI, stream=stream, tools=[TOOL], messages=messages))
        assert reply.status == 400
        assert reply.error["message"].startswith("messages.0.content.0")
        (refusal,) = await on.here.refusals(reply.id)
        assert refusal.status == 400
        assert not on.there.asked and not on.here.open_streams

"""A conversation with searches in it, sent again: for a second and a third turn, by others,
altered, and to a provider that searches by itself."""

import re

import msgspec
import pytest

from tests.kit.journey import COUNT, ask, gateway, provider
from tests.kit.turns import (
    CHAT,
    CLIENT_TOOL,
    COMPAT,
    KIMI,
    TOOL,
    Stage,
    kinds,
    read,
    search,
    stage,
    text,
    thought,
)

WIRES = pytest.mark.parametrize("wire", (CHAT, COMPAT))
BOTH = pytest.mark.parametrize("stream", (True, False))
THINKS = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4000}
QUESTION = {"role": "user", "content": "How is the tide?"}


def answered(said) -> dict:
    return {"role": "assistant", "content": said["content"]}


async def searched(on: Stage, *, stream: bool = True) -> list[dict]:
    """A conversation of one question, its search and its answer."""
    on.plays(
        on.turn(thought("Hm."), text("I look."), search("tides")),
        on.turn(thought("So."), text("High. [[1]] Really.")),
    )
    body = ask(KIMI, stream=stream, tools=[TOOL], messages=[QUESTION], **THINKS)
    return [QUESTION, answered(read(await on.here.post(body)))]


@WIRES
@BOTH
async def test_the_model_sees_what_it_saw_before_for_a_second_and_a_third_turn(
    tmp_path, wire, stream
):
    async with stage(tmp_path, wire) as on:
        messages = await searched(on, stream=stream)
        seen = on.sent(1)["messages"]
        for turn in ("And now?", "And then?"):
            messages = [*messages, {"role": "user", "content": turn}]
            on.plays(on.turn(text(f"Still. [[2]] {turn}")))
            body = ask(KIMI, stream=stream, tools=[TOOL], messages=messages, **THINKS)
            said = read(await on.here.post(body))
            assert kinds(said) == ["text", "text"]
            assert said["content"][0]["citations"][0]["url"] == "https://site2.example.org/tides"
            messages = [*messages, answered(said)]
            now = on.sent(len(on.there.asked) - 1)["messages"]
            # To the byte, or the provider's cache is lost.
            assert msgspec.json.encode(now[: len(seen)]) == msgspec.json.encode(seen)
            assert "[[" in str(now[len(seen)])
            assert "GWc1." not in str(now)
            seen = now
        assert on.service.queries() == ["tides"]


def calls_and_answers(body: dict) -> list[str]:
    """Ids of calls, and of the answers to them, as a chat server is sent them."""
    told = []
    for message in body["messages"]:
        told += [call["id"] for call in message.get("tool_calls", ())]
        told += [message["tool_call_id"]] if message["role"] == "tool" else []
    return told


@BOTH
async def test_kimi_sees_the_ids_it_gave_itself(tmp_path, stream):
    """It numbers its calls, and calls go wrong where others have other ids (translation.md D7)."""
    one, two, three = (f"functions.web_search:{number}" for number in range(3))
    async with stage(tmp_path) as on:
        on.plays(
            on.turn(search("tides", one), search("moon", two)),
            on.turn(search("sun", three)),
            on.turn(text("High.")),
        )
        body = ask(KIMI, stream=stream, tools=[TOOL], messages=[QUESTION])
        said = read(await on.here.post(body))
        assert calls_and_answers(on.sent(1)) == [one, two, one, two]
        assert calls_and_answers(on.sent(2)) == [one, two, one, two, three, three]
        for block in said["content"]:
            if block["type"] == "server_tool_use":
                assert re.fullmatch("srvtoolu_gw[a-zA-Z0-9_]+", block["id"])
        messages = [QUESTION, answered(said), {"role": "user", "content": "Go on."}]
        on.plays(on.turn(search("wind", one)), on.turn(text("Well.")))
        said = read(await on.here.post(ask(KIMI, stream=stream, tools=[TOOL], messages=messages)))
        assert calls_and_answers(on.sent(3)) == [one, two, one, two, three, three]
        # It began to count anew: still no two calls have one id where they stand together.
        assert calls_and_answers(on.sent(4))[6:] == [one, one]
        ids = [b["id"] for b in said["content"] if b["type"] == "server_tool_use"]
        assert len(ids) == len(set(ids)) == 1


async def test_a_search_of_nobodys_has_an_id_of_ours(tmp_path):
    async with stage(tmp_path) as on:
        on.plays(on.turn(text("I know it.")), on.turn(text("High.")))
        body = ask(KIMI, tools=[TOOL], tool_choice={"type": "any"}, messages=[QUESTION])
        read(await on.here.post(body))
        call, answer = calls_and_answers(on.sent(1))
        assert call == answer and re.fullmatch("srvtoolu_gw[a-zA-Z0-9]{24}", call)


@WIRES
async def test_numbers_go_on_behind_those_of_earlier_turns(tmp_path, wire):
    async with stage(tmp_path, wire) as on:
        messages = [*await searched(on), {"role": "user", "content": "And the moon?"}]
        on.plays(on.turn(search("moon", "call_9")), on.turn(text("Full. [[3]]")))
        said = read(await on.here.post(ask(KIMI, tools=[TOOL], messages=messages)))
        assert said["content"][-1]["citations"][0]["url"] == "https://site1.example.org/moon"


@WIRES
@pytest.mark.parametrize("tools", ([], [CLIENT_TOOL]))
async def test_history_is_told_also_without_the_tool(tmp_path, wire, tools):
    async with stage(tmp_path, wire) as on:
        messages = [*await searched(on), {"role": "user", "content": "Sum it up."}]
        on.plays(on.turn(text("High.")))
        more = {"tools": tools} if tools else {}
        assert kinds(read(await on.here.post(ask(KIMI, messages=messages, **more)))) == ["text"]
        sent = on.there.asked[-1].body.decode()
        assert "GWc1." not in sent and "untrusted web content" in sent


@WIRES
async def test_an_altered_token_is_refused(tmp_path, wire):
    async with stage(tmp_path, wire) as on:
        messages = [*await searched(on), {"role": "user", "content": "Go on."}]
        hit = messages[1]["content"][3]["content"][0]
        token = hit["encrypted_content"]
        hit["encrypted_content"] = token[:40] + ("A" if token[40] != "A" else "B") + token[41:]
        for tools in ({"tools": [TOOL]}, {}):
            reply = await on.here.post(ask(KIMI, messages=messages, **tools))
            assert reply.status == 400
            assert "encrypted_content" in reply.error["message"]
            assert reply.error["message"].startswith("messages.1.content.3.")
        assert len(on.there.asked) == 2


async def test_an_altered_citation_is_refused(tmp_path):
    async with stage(tmp_path) as on:
        messages = [*await searched(on), {"role": "user", "content": "Go on."}]
        (citation,) = messages[1]["content"][-2]["citations"]
        citation["encrypted_index"] = citation["encrypted_index"][:-4] + "AAAA"
        for tools in ({"tools": [TOOL]}, {}):
            reply = await on.here.post(ask(KIMI, messages=messages, **tools))
            assert reply.status == 400
            assert reply.error["message"] == (
                "messages.1.content.5.citations.0: Invalid encrypted_index"
            )
            assert await on.here.refusals(reply.id)
        assert len(on.there.asked) == 2


@WIRES
async def test_a_token_of_another_tenant_is_refused(tmp_path, wire):
    async with stage(tmp_path, wire) as on:
        messages = [*await searched(on), {"role": "user", "content": "Go on."}]
        other, _, _ = await on.here.enrol("x@elsewhere.example", "Elsewhere", None)
        client = await on.here.client()
        client.key = other
        reply = await client.post(ask(KIMI, tools=[TOOL], messages=messages))
        client.close()
        assert reply.status == 400
        assert "encrypted_content" in reply.error["message"]
        assert len(on.there.asked) == 2


@BOTH
async def test_going_on_at_anthropic_itself_none_of_our_tokens_get_there(tmp_path, stream):
    async with stage(tmp_path) as on:
        messages = [*await searched(on), {"role": "user", "content": "Go on."}]
    async with provider() as native, gateway(tmp_path, [native]) as here:
        body = ask("haiku", stream=stream, tools=[TOOL], messages=messages)
        reply = await here.post(body)
        assert reply.status == 200
        sent = native.asked[0].body.decode()
        assert "GWc1." not in sent and "srvtoolu_gw" not in sent
        assert "https://site1.example.org/tides" in sent and "I look." in sent
        assert msgspec.json.decode(native.asked[0].body)["tools"] == [TOOL], "it searches itself"
        counted = await here.post(body, COUNT)
        assert counted.status == 200
        assert "GWc1." not in native.asked[1].body.decode()


async def test_going_on_at_anthropic_with_an_altered_token_is_refused_here(tmp_path):
    async with stage(tmp_path) as on:
        messages = [*await searched(on), {"role": "user", "content": "Go on."}]
    hit = messages[1]["content"][3]["content"][0]
    hit["encrypted_content"] = hit["encrypted_content"][:-4] + "AAAA"
    async with provider() as native, gateway(tmp_path, [native]) as here:
        reply = await here.post(ask("haiku", tools=[TOOL], messages=messages))
        assert reply.status == 400
        assert "encrypted_content" in reply.error["message"]
        assert not native.asked


@WIRES
async def test_a_conversation_that_began_at_anthropic_goes_on_with_titles(tmp_path, wire):
    messages = [
        QUESTION,
        {
            "role": "assistant",
            "content": [
                {
                    "type": "server_tool_use",
                    "id": "srvtoolu_01",
                    "name": "web_search",
                    "input": {"query": "tides"},
                },
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "srvtoolu_01",
                    "content": [
                        {
                            "type": "web_search_result",
                            "url": "https://sea.example/",
                            "title": "The sea",
                            "encrypted_content": "EqgfCioIARgBIiQ3YTAwMjY1Mi1mZjM5",
                            "page_age": None,
                        }
                    ],
                },
                {"type": "text", "text": "High."},
            ],
        },
        {"role": "user", "content": "Go on."},
    ]
    async with stage(tmp_path, wire) as on:
        on.plays(on.turn(text("Well.")))
        assert kinds(read(await on.here.post(ask(KIMI, tools=[TOOL], messages=messages))))
        sent = on.there.asked[0].body.decode()
        assert "https://sea.example/" in sent and "EqgfCioIARgB" not in sent


@WIRES
async def test_tokens_are_counted_with_the_tool_and_the_history_whatever_is_switched_off(
    tmp_path, wire
):
    async with stage(tmp_path, wire) as on:
        messages = [*await searched(on), {"role": "user", "content": "Go on."}]
        few = await on.here.post(ask(KIMI, messages=[QUESTION]), COUNT)
        many = await on.here.post(ask(KIMI, tools=[TOOL], messages=messages), COUNT)
        assert (few.status, many.status) == (200, 200)
        if wire == CHAT:
            count = msgspec.json.decode(few.body), msgspec.json.decode(many.body)
            assert count[0]["input_tokens"] + 100 < count[1]["input_tokens"]
        for asked in on.there.asked:
            assert b"GWc1." not in asked.body and b"web_search_20250305" not in asked.body
    async with stage(tmp_path, wire, on=False, search='when_disabled = "error"') as on:
        reply = await on.here.post(ask(KIMI, tools=[TOOL], messages=[QUESTION]), COUNT)
        assert reply.status == 200

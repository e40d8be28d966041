"""A Claude where it has no search of its own: it is told of pages in `search_result` blocks, cites
them by itself, and the client sees what it would of Anthropic's search (translation.md 9.10)."""

import msgspec
import pytest

from tests.kit.journey import COUNT, ask, until
from tests.kit.turns import (
    CLIENT_TOOL,
    COMPAT,
    KIMI,
    TOOL,
    Stage,
    Steps,
    call,
    cited,
    kinds,
    message,
    read,
    search,
    stage,
    text,
    thought,
)

CLAUDE = "anthropic.claude-haiku-4-5"
BOTH = pytest.mark.parametrize("stream", (True, False))
LATE = pytest.mark.parametrize("late", (True, False))
THINKS = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4000}
QUESTION = {"role": "user", "content": "How is the tide?"}
SITE_1 = "https://site1.example.org/tides"
SITE_2 = "https://site2.example.org/tides"


def blocks_of(content, kind: str) -> list[dict]:
    return [block for block in content if block["type"] == kind]


def told_pages(body: dict) -> list[dict]:
    """The `search_result` blocks of a request."""
    return [
        page
        for message in body["messages"]
        if not isinstance(message["content"], str)
        for block in blocks_of(message["content"], "tool_result")
        for page in block["content"]
        if not isinstance(block["content"], str)
    ]


def answered(said) -> dict:
    return {"role": "assistant", "content": said["content"]}


async def searched(on: Stage, *, stream: bool = True, late: bool = False) -> list[dict]:
    """A conversation of one question, its search and its answer."""
    on.plays(
        on.turn(thought("Hm."), text("I look."), search("tides", "toolu_01A")),
        on.turn(
            thought("So."),
            text("As they say, "),
            cited("it is high", SITE_1, SITE_2, late=late),
            text(". And "),
            cited("[[1]] soon low", SITE_2, late=late),
            text("."),
        ),
    )
    body = ask(CLAUDE, stream=stream, tools=[TOOL], messages=[QUESTION], **THINKS)
    return [QUESTION, answered(read(await on.here.post(body)))]


@BOTH
@LATE
async def test_its_own_citations_become_those_of_a_web_search(tmp_path, stream, late):
    async with stage(tmp_path, COMPAT) as on:
        _, said = await searched(on, stream=stream, late=late)
        content = said["content"]
        assert [block["type"] for block in content] == [
            *("thinking", "text", "server_tool_use", "web_search_tool_result"),
            *("thinking", "text", "text", "text", "text", "text"),
        ]
        _, _, *texts = blocks_of(content, "text")
        assert [block["text"] for block in texts] == [
            *("it is high", ". And ", "[[1]] soon low", "."),
        ]
        pages = content[3]["content"]
        high, _, low, _ = texts
        assert [each["url"] for each in high["citations"]] == [SITE_1, SITE_2]
        assert [each["url"] for each in low["citations"]] == [SITE_2]
        for each in [*high["citations"], *low["citations"]]:
            assert each.keys() == {"type", "url", "title", "encrypted_index", "cited_text"}
            assert each["type"] == "web_search_result_location"
            assert each["encrypted_index"].startswith("GWc1.")
            assert each["cited_text"] == f"What {each['url']} says."
            assert each["title"] in [page["title"] for page in pages]
        assert "citations" not in texts[1] and "citations" not in texts[3]


async def test_it_is_told_of_pages_in_blocks_it_can_cite(tmp_path):
    async with stage(tmp_path, COMPAT) as on:
        await searched(on)
        first, second = on.sent(0), on.sent(1)
        assert "[[1]]" not in first["tools"][0]["description"], "nobody asks it for marks"
        assert second["tools"] == first["tools"]
        pages = told_pages(second)
        assert [page["source"] for page in pages] == [SITE_1, SITE_2]
        for page in pages:
            assert page["type"] == "search_result"
            assert page["citations"] == {"enabled": True}
            assert page["title"] and page["content"][0]["text"]
        *_, said, _ = second["messages"]
        assert [block["type"] for block in said["content"]] == ["thinking", "text", "tool_use"]
        assert said["content"][0]["signature"] == "sig-of-theirs"


@BOTH
async def test_it_sees_what_it_saw_before_for_a_second_and_a_third_turn(tmp_path, stream):
    async with stage(tmp_path, COMPAT) as on:
        messages = await searched(on, stream=stream)
        seen = on.sent(1)["messages"]
        for turn in ("And now?", "And then?"):
            messages = [*messages, {"role": "user", "content": turn}]
            on.plays(on.turn(text("Still "), cited("high", SITE_2), text(".")))
            body = ask(CLAUDE, stream=stream, tools=[TOOL], messages=messages, **THINKS)
            said = read(await on.here.post(body))
            assert kinds(said) == ["text", "text", "text"]
            assert said["content"][1]["citations"][0]["url"] == SITE_2
            messages = [*messages, answered(said)]
            now = on.sent(len(on.there.asked) - 1)["messages"]
            # To the byte, or the provider's cache is lost.
            assert msgspec.json.encode(now[: len(seen)]) == msgspec.json.encode(seen)
            assert "GWc1." not in str(now) and "web_search_result_location" not in str(now)
            seen = now
        assert on.service.queries() == ["tides"]


@BOTH
async def test_what_it_cited_before_another_search_is_the_same_in_that_round_and_later(
    tmp_path, stream
):
    async with stage(tmp_path, COMPAT) as on:
        on.plays(
            on.turn(search("tides", "toolu_01A")),
            on.turn(
                text("They say "),
                cited("high", SITE_1),
                text(" and "),
                cited("low", SITE_2),
                cited(" by a book", "A book."),
                search("moon", "toolu_01B"),
            ),
            on.turn(text("Full.")),
        )
        said = read(
            await on.here.post(ask(CLAUDE, stream=stream, tools=[TOOL], messages=[QUESTION]))
        )
        third = on.sent(2)["messages"]
        told = blocks_of(third[-2]["content"], "text")
        assert [block["text"] for block in told] == ["They say ", "high and low", " by a book"]
        assert told[2]["citations"][0]["type"] == "char_location", "not ours: it stays"
        messages = [QUESTION, answered(said), {"role": "user", "content": "Go on."}]
        on.plays(on.turn(text("Well.")))
        read(await on.here.post(ask(CLAUDE, stream=stream, tools=[TOOL], messages=messages)))
        assert msgspec.json.encode(on.sent(3)["messages"][: len(third)]) == msgspec.json.encode(
            third
        )


@BOTH
async def test_a_citation_of_no_words_is_none(tmp_path, stream):
    async with stage(tmp_path, COMPAT) as on:
        on.plays(on.turn(search("tides")), on.turn(cited("", SITE_1), text("High.")))
        said = read(await on.here.post(ask(CLAUDE, stream=stream, tools=[TOOL])))
        assert kinds(said) == ["server_tool_use", "web_search_tool_result", "text"]
        assert "citations" not in said["content"][2]


@pytest.mark.parametrize(
    "source", ["https://elsewhere.example/", "a page of the document"], ids=["page", "document"]
)
async def test_citations_of_what_nobody_searched_for_go_on_as_they_are(tmp_path, source):
    async with stage(tmp_path, COMPAT) as on:
        on.plays(on.turn(search("tides")), on.turn(cited("High", source)))
        said = read(await on.here.post(ask(CLAUDE, tools=[TOOL])))
        (citation,) = said["content"][-1]["citations"]
        assert citation["type"] in ("search_result_location", "char_location")
        assert source in citation.values()


DOCUMENT = {
    "type": "document",
    "source": {"type": "text", "media_type": "text/plain", "data": "A book."},
}
RESULT = {
    "type": "search_result",
    "source": "https://rag.example/",
    "title": "Ours",
    "content": [{"type": "text", "text": "Own knowledge."}],
}


@pytest.mark.parametrize("own", [DOCUMENT, RESULT], ids=["document", "search_result"])
async def test_sources_of_the_clients_keep_their_own_choice_of_citations(tmp_path, own):
    """Anthropic refuses requests in which some cite and others do not."""
    question = {"role": "user", "content": [own, {"type": "text", "text": "Look."}]}
    async with stage(tmp_path, COMPAT) as on:
        on.plays(on.turn(search("tides")), on.turn(text("High. [[1]]")))
        said = read(await on.here.post(ask(CLAUDE, tools=[TOOL], messages=[question])))
        assert said["content"][-1]["citations"][0]["url"] == SITE_1
        assert '"enabled":true' not in on.there.asked[1].body.decode()
        assert on.sent(1)["messages"][0] == question


@pytest.mark.parametrize(
    ("model", "field"),
    [(CLAUDE, "output_config"), (CLAUDE, "output_format"), (KIMI, "output_config")],
)
async def test_an_answer_that_has_to_fit_a_schema_is_not_cut_by_citations(tmp_path, model, field):
    schema = {"type": "json_schema", "schema": {"type": "object"}}
    wanted = {"output_config": {"format": schema}} if field == "output_config" else {field: schema}
    async with stage(tmp_path, COMPAT) as on:
        on.plays(on.turn(search("tides")), on.turn(text('{"tide":"high [[1]]"}')))
        said = read(await on.here.post(ask(model, tools=[TOOL], messages=[QUESTION], **wanted)))
        assert kinds(said) == ["server_tool_use", "web_search_tool_result", "text"]
        assert said["content"][2]["text"] == '{"tide":"high [[1]]"}'
        assert "cite" not in on.sent(0)["tools"][0]["description"]
        assert '"citations"' not in on.there.asked[1].body.decode()


async def test_a_conversation_goes_from_it_to_one_that_marks_and_back(tmp_path):
    async with stage(tmp_path, COMPAT) as on:
        messages = [*await searched(on), {"role": "user", "content": "Go on."}]
        on.plays(on.turn(text("Higher. [[2]] Yes.")))
        said = read(await on.here.post(ask(KIMI, tools=[TOOL], messages=messages)))
        assert said["content"][0]["citations"][0]["url"] == SITE_2
        told = on.there.asked[2].body.decode()
        assert "it is high[[1]][[2]]" in told, "its citations as the other writes them"
        messages += [answered(said), {"role": "user", "content": "And?"}]
        on.plays(on.turn(cited("So", SITE_1)))
        said = read(await on.here.post(ask(CLAUDE, tools=[TOOL], messages=messages)))
        assert said["content"][0]["citations"][0]["url"] == SITE_1
        back = on.sent(3)
        assert back["messages"][-2]["content"] == [{"type": "text", "text": "Higher.  Yes."}]
        assert len(told_pages(back)) == 2


async def test_pages_that_anthropic_itself_found_are_cited_as_well(tmp_path):
    page = {
        **{"type": "web_search_result", "url": "https://sea.example/", "title": "The sea"},
        **{"encrypted_content": "EqgfCioIARgBIiQ3YTAwMjY1Mi1mZjM5", "page_age": None},
    }
    use = {"type": "server_tool_use", "id": "srvtoolu_01", "name": "web_search"}
    result = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_01", "content": [page]}
    content = [use | {"input": {"query": "tides"}}, result, {"type": "text", "text": "High."}]
    messages = [
        QUESTION,
        {"role": "assistant", "content": content},
        {"role": "user", "content": "Where is that from?"},
    ]
    async with stage(tmp_path, COMPAT) as on:
        on.plays(on.turn(cited("From the sea", "https://sea.example/")))
        said = read(await on.here.post(ask(CLAUDE, tools=[TOOL], messages=messages)))
        (citation,) = said["content"][0]["citations"]
        assert citation["type"] == "web_search_result_location"
        assert (citation["url"], citation["title"]) == ("https://sea.example/", "The sea")
        on.plays(on.turn(text("Well.")))
        messages += [answered(said), {"role": "user", "content": "Go on."}]
        read(await on.here.post(ask(KIMI, tools=[TOOL], messages=messages)))
        assert "[[0]]" not in on.there.asked[1].body.decode()


async def test_what_it_cites_reaches_the_client_before_what_follows_it(tmp_path):
    async with stage(tmp_path, COMPAT) as on:
        on.plays(on.turn(search("tides")))
        steps = Steps(on.turn(cited("High", SITE_1), text(" and more."), cited("Low", SITE_2)))
        on.there.plays.append(steps.play)
        client = await on.here.client()
        client.send(ask(CLAUDE, tools=[TOOL]))
        await client.head()
        await until(lambda: len(on.there.asked) == 2)
        steps.go_past(b'"High"')
        body = b""
        while b"web_search_result_location" not in body:
            body += await client.piece()
        assert b'"High"' in body and b"and more." not in body
        steps.finish()
        rest, whole = await client.rest()
        assert whole
        assert kinds(message(body + rest))[-3:] == ["text", "text", "text"]
        client.close()


@BOTH
async def test_calls_of_the_clients_tools_are_there_beside_its_citations(tmp_path, stream):
    async with stage(tmp_path, COMPAT) as on:
        on.plays(
            on.turn(search("tides", "toolu_01A")),
            on.turn(cited("High", SITE_1), call("look", '{"at":1}', "toolu_01B")),
        )
        body = ask(CLAUDE, stream=stream, tools=[TOOL, CLIENT_TOOL], messages=[QUESTION])
        said = read(await on.here.post(body))
        assert kinds(said)[-2:] == ["text", "tool_use"]
        assert said["stop_reason"] == "tool_use"
        on.plays(on.turn(text("Thanks.")))
        result = {"type": "tool_result", "tool_use_id": "toolu_01B", "content": "Nothing."}
        messages = [QUESTION, answered(said), {"role": "user", "content": [result]}]
        tools = [TOOL, CLIENT_TOOL]
        assert kinds(read(await on.here.post(ask(CLAUDE, tools=tools, messages=messages))))
        *_, last = on.sent(2)["messages"]
        assert last["content"] == [result]


async def test_a_count_is_of_what_it_is_told(tmp_path):
    async with stage(tmp_path, COMPAT) as on:
        messages = [*await searched(on), {"role": "user", "content": "Go on."}]
        body = ask(CLAUDE, tools=[TOOL], messages=messages)
        assert (await on.here.post(body, COUNT)).status == 200
        on.plays(on.turn(text("Well.")))
        read(await on.here.post(body))
        counted, asked = on.sent(2), on.sent(3)
        assert counted["messages"] == asked["messages"]
        assert counted["tools"] == asked["tools"]

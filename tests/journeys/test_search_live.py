"""Nothing of a message with searches waits for what comes later (issue 5, point 2), nothing is left
behind when somebody leaves, and nobody is kept waiting in silence."""

import asyncio
import gc

import pytest

from proxy.gateway.search_turns import SearchTurns
from proxy.wire.body import Body
from tests.kit.grammar import check_ends
from tests.kit.journey import Line, ask, event, until
from tests.kit.rude_firecrawl import found, page
from tests.kit.turns import (
    CHAT,
    CLIENT_TOOL,
    COMPAT,
    KIMI,
    TOOL,
    Stage,
    Steps,
    call,
    kinds,
    message,
    plays_turn,
    search,
    stage,
    text,
    turn,
)

WIRES = pytest.mark.parametrize("wire", (CHAT, COMPAT))


async def seen(client, words: bytes) -> bytes:
    """The body up to where `words` stand."""
    body = b""
    while words not in body:
        piece = await client.piece()
        assert piece, f"the body ended before {words!r}"
        body += piece
    return body


def settled(on: Stage) -> bool:
    """Does nobody hold anything of a limit any more?"""
    return on.here.open_streams == 0


@WIRES
async def test_every_word_reaches_the_client_before_what_follows_it(tmp_path, wire):
    async with stage(tmp_path, wire) as on:
        play = on.service.play()
        first = Steps(on.turn(text("I look."), search(f"tides {play.cue}")))
        second = Steps(on.turn(text("High. "), text("Low. ")))
        on.there.plays += [first.play, second.play]
        client = await on.here.client()
        client.send(ask(KIMI, tools=[TOOL]))
        await client.head()
        first.go_past(b"I look.")
        body = await seen(client, b"I look.")
        assert not on.service.asked, "the words came before the search"
        first.finish()
        body += await seen(client, b"partial_json")
        await asyncio.to_thread(play.arrived.wait, 5)
        assert len(on.there.asked) == 1
        play.perform_all(*found(page(1)))
        body += await seen(client, b"web_search_tool_result")
        await until(lambda: len(on.there.asked) == 2)
        second.go_past(b"High.")
        body += await seen(client, b"High.")
        assert b"Low." not in body
        second.finish()
        rest, whole = await client.rest()
        assert whole
        said = message(body + rest)
        assert kinds(said)[:3] == ["text", "server_tool_use", "web_search_tool_result"]
        client.close()


@WIRES
async def test_a_search_begins_while_the_model_still_speaks(tmp_path, wire):
    async with stage(tmp_path, wire) as on:
        one = on.turn(search("tides", "call_1"), text("And meanwhile this. "), text("And that."))
        steps = Steps(one)
        on.there.plays += [steps.play, plays_turn(on.turn(text("Done.")))]
        client = await on.here.client()
        client.send(ask(KIMI, tools=[TOOL]))
        steps.go_past(b"And meanwhile")
        await until(lambda: on.service.asked)
        assert len(on.there.asked) == 1
        steps.finish()
        reply = await client.reply()
        # The result stands behind all the model said in that turn.
        said = kinds(message(reply.body))
        assert said[:2] == ["server_tool_use", "text"]
        assert said[-2:] == ["web_search_tool_result", "text"]
        client.close()


async def test_a_whole_turn_in_one_read_is_told_in_its_order(tmp_path):
    async with stage(tmp_path) as on:
        pieces = on.turn(
            text("I look."), search("tides", "call_1"), search("moon", "call_2"), text("So.")
        ).pieces

        async def play(line: Line) -> None:
            line.head()
            line.chunk(b"".join(pieces))
            line.end()

        on.there.plays += [play]
        on.plays(on.turn(text("Done.")))
        reply = await on.here.post(ask(KIMI, tools=[TOOL]))
        assert [kind for kind in kinds(message(reply.body)) if kind != "text"] == [
            *("server_tool_use", "server_tool_use"),
            *("web_search_tool_result", "web_search_tool_result"),
        ]


async def test_a_whole_turn_of_events_in_one_read_is_told_in_its_order(tmp_path):
    async with stage(tmp_path, COMPAT) as on:
        pieces = on.turn(search("tides", "call_1"), text("So."), search("moon", "call_2")).pieces

        async def play(line: Line) -> None:
            line.head()
            line.chunk(b"".join(pieces))
            line.end()

        on.there.plays += [play]
        on.plays(on.turn(text("Done.")))
        reply = await on.here.post(ask(KIMI, tools=[TOOL]))
        assert kinds(message(reply.body)) == [
            *("server_tool_use", "text", "server_tool_use"),
            *("web_search_tool_result", "web_search_tool_result", "text"),
        ]


@WIRES
async def test_pings_come_while_a_search_takes_its_time(tmp_path, wire, quick_wheel):
    async with stage(tmp_path, wire) as on:
        play = on.service.play()
        on.plays(on.turn(text("I look."), search(play.cue)), on.turn(text("High.")))
        client = await on.here.client()
        client.send(ask(KIMI, tools=[TOOL]))
        await client.head()
        body = await seen(client, b"event: ping")
        body += await seen(client, b"event: ping")
        assert body.index(b"server_tool_use") < body.index(b"event: ping")
        play.perform_all(*found(page(1)))
        rest, _ = await client.rest()
        message(body + rest)
        client.close()


@WIRES
async def test_pings_come_while_what_the_model_says_has_to_wait(tmp_path, wire, quick_wheel):
    async with stage(tmp_path, wire) as on:
        one = on.turn(
            search("tides", "call_1"), call("look", '{"at":1}', "call_2"), text("Still here. ")
        )
        steps = Steps(one)
        on.there.plays.append(steps.play)
        client = await on.here.client()
        client.send(ask(KIMI, tools=[TOOL, CLIENT_TOOL]))
        steps.go_past(b"call_2")
        await client.head()
        body = await seen(client, b"event: ping") + await seen(client, b"event: ping")
        assert b'"look"' not in body
        steps.finish()
        rest, _ = await client.rest()
        assert kinds(message(body + rest))[-1] == "tool_use"
        client.close()


@WIRES
@pytest.mark.parametrize("stream", (True, False))
async def test_whoever_leaves_during_a_search_takes_it_along(tmp_path, wire, stream):
    async with stage(tmp_path, wire) as on:
        play = on.service.play()
        on.plays(on.turn(search(play.cue)))
        client = await on.here.client()
        client.send(ask(KIMI, stream=stream, tools=[TOOL]))
        await asyncio.to_thread(play.arrived.wait, 5)
        await until(lambda: len(on.there.asked) == 1)
        client.close()
        assert await asyncio.to_thread(play.gone.wait, 5), "the search was cancelled"
        await until(lambda: settled(on))
        (row,) = await on.here.rows(on.there.asked[0].id)
        assert (row.outcome, row.provider) == ("completed", "p0")
        assert len(on.there.asked) == 1


@WIRES
async def test_whoever_leaves_during_a_turn_takes_search_and_provider_along(tmp_path, wire):
    async with stage(tmp_path, wire) as on:
        play = on.service.play()
        one = on.turn(search(play.cue), text("Meanwhile. "), text("More."))
        steps = Steps(one)
        on.there.plays.append(steps.play)
        client = await on.here.client()
        client.send(ask(KIMI, tools=[TOOL]))
        steps.go_past(b"Meanwhile")
        await asyncio.to_thread(play.arrived.wait, 5)
        client.close()
        assert await asyncio.to_thread(play.gone.wait, 5)
        await until(lambda: steps.line is not None and steps.line.gone.is_set())
        (row,) = await on.here.rows(on.there.asked[0].id)
        assert row.outcome == "client_gone"
        await until(lambda: settled(on))


async def test_the_house_stops_during_a_search_in_good_order(tmp_path):
    async with stage(tmp_path) as on:
        play = on.service.play()
        on.plays(on.turn(text("I look."), search(play.cue)))
        client = await on.here.client()
        client.send(ask(KIMI, tools=[TOOL]))
        await client.head()
        body = await seen(client, b"partial_json")
        await asyncio.to_thread(play.arrived.wait, 5)
        closing = asyncio.create_task(on.here.house.close())
        rest, _ = await client.rest()
        assert check_ends(body + rest) == "error"
        assert "restarting" in message(body + rest)["error"]["message"]
        assert await asyncio.to_thread(play.gone.wait, 5)
        await closing
        client.close()
        await on.here._books.database.close()
        on.here.close = _nothing  # it is closed


async def _nothing() -> None:
    return None


async def test_nothing_of_a_message_is_kept_once_it_is_over(tmp_path):
    async with stage(tmp_path) as on:
        client = await on.here.client()
        on.plays(on.turn(search("tides")), on.turn(text("High.")))
        gc.collect()
        gc.disable()
        try:
            message((await client.post(ask(KIMI, tools=[TOOL]))).body)
            await asyncio.sleep(0.05)
            left = [type(x).__name__ for x in gc.get_objects() if isinstance(x, SearchTurns | Body)]
            assert left == []
        finally:
            gc.enable()
        client.close()


@WIRES
async def test_a_client_that_does_not_read_holds_up_a_later_turn(tmp_path, wire):
    many = 3000
    sent = 0
    pieces = turn(wire, *[text(f"{n} " + "x" * 3000) for n in range(many)]).pieces

    async def play(line: Line) -> None:
        nonlocal sent
        line.head()
        for piece in pieces:
            line.chunk(piece)
            await line.drained()
            await asyncio.sleep(0)
            sent += 1
        line.end()

    async with stage(tmp_path, wire, upstream="held_bytes_max = 65536") as on:
        on.plays(on.turn(search("tides")))
        on.there.plays.append(play)
        client = await on.here.client()
        client.send(ask(KIMI, tools=[TOOL]))
        await client.head()
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.3)
        assert 0 < sent < len(pieces)
        body, whole = await client.rest()
        assert whole and body.count(b"text_delta") >= many
        assert check_ends(body) == "message_stop"
        client.close()


async def test_pings_of_the_provider_are_not_the_clients(tmp_path):
    async with stage(tmp_path, COMPAT) as on:
        ping = event("ping", b'{"type":"ping"}')
        one = on.turn(text("Hello."))
        one.pieces[1:1] = [ping, ping]
        on.plays(one)
        reply = await on.here.post(ask(KIMI, tools=[TOOL]))
        assert b"event: ping" not in reply.body
        assert kinds(message(reply.body)) == ["text"]

"""Whatever becomes of a search, of the model or of a limit: the answer still arrives in good order,
nothing of anybody's leaks, and what was spent is written down and given back."""

import asyncio
import contextlib
import socket

import pytest

from proxy.domain.fault import Fault, Kind
from tests.kit.journey import ask, error_body, plays_refusal, until
from tests.kit.rude_firecrawl import (
    CLOSE,
    RESET,
    Pause,
    cut_short,
    dribbled,
    found,
    html,
    huge,
    page,
    redirect,
    refused,
    said,
)
from tests.kit.turns import (
    CHAT,
    COMPAT,
    KIMI,
    TOOL,
    breaks_off,
    kinds,
    message,
    plays_turn,
    read,
    search,
    stage,
    text,
)

WIRES = pytest.mark.parametrize("wire", (CHAT, COMPAT))
BOTH = pytest.mark.parametrize("stream", (True, False))
SECRET = "the words of the service"
TROUBLES = {
    "429 for long": ([refused(429, "retry-after: 60", error=SECRET)], "too_many_requests"),
    "429 twice": ([refused(429, "retry-after: 0", error=SECRET)] * 2, "too_many_requests"),
    "402": ([refused(402, error=SECRET)], "unavailable"),
    "401": ([refused(401, error=SECRET)], "unavailable"),
    "403": ([refused(403, error=SECRET)], "unavailable"),
    "400": ([refused(400, error=SECRET)], "invalid_tool_input"),
    "404": ([html(404)], "unavailable"),
    "500 twice": ([refused(500, error=SECRET)] * 2, "unavailable"),
    "HTML twice": ([html()] * 2, "unavailable"),
    "cut short twice": ([cut_short()] * 2, "unavailable"),
    "reset twice": ([[RESET]] * 2, "unavailable"),
    "closed twice": ([[CLOSE]] * 2, "unavailable"),
    "success: false twice": ([said(b'{"success":false,"error":"x"}')] * 2, "unavailable"),
    "malformed twice": ([said(b'{"success":true,"data":7}')] * 2, "unavailable"),
    "huge": ([huge(12_000_000)], "unavailable"),
    "elsewhere": ([redirect("http://169.254.169.254/latest/meta-data/")], "unavailable"),
}
CURED = {
    "429 once": [refused(429, "retry-after: 0"), found(page(1))],
    "500 once": [refused(502), found(page(1))],
    "cut short once": [cut_short(), found(page(1))],
    "dribbled": [dribbled(page(1))],
    "nothing found": [found()],
    "flat": [found(page(1), flat=True)],
    "slow": [found(page(1))],
}


@pytest.mark.parametrize("name", TROUBLES)
async def test_a_search_that_fails_does_not_stop_the_answer(tmp_path, name, caplog):
    performances, code = TROUBLES[name]
    async with stage(tmp_path) as on:
        play = on.service.play()
        for steps in performances:
            play.perform_all(*steps)
        on.plays(on.turn(text("I look."), search(f"tides {play.cue}")), on.turn(text("Anyway.")))
        reply = await on.here.post(ask(KIMI, tools=[TOOL]))
        told = read(reply)
        assert kinds(told) == ["text", "server_tool_use", "web_search_tool_result", "text"]
        assert told["content"][2]["content"] == {
            "type": "web_search_tool_result_error",
            "error_code": code,
        }
        assert told["content"][3]["text"] == "Anyway."
        assert told["usage"]["server_tool_use"] == {
            "web_search_requests": 0,
            "web_fetch_requests": 0,
        }
        assert f"Search failed: {code}." in on.there.asked[1].body.decode()
        fees, turns = await on.fees_and_turns(reply.id, 2)
        assert (fees, len(turns)) == ([], 2)
        for hidden in (SECRET, "sk-of-the-house", "127.0.0.1", "nginx"):
            assert hidden not in reply.body.decode()
            assert hidden not in on.there.asked[1].body.decode()
        assert f"tides {play.cue}" not in caplog.text
        assert len(on.service.asked) == len(performances)


@pytest.mark.parametrize("name", CURED)
@BOTH
async def test_a_search_that_is_mended_counts_once(tmp_path, name, stream):
    async with stage(tmp_path) as on:
        play = on.service.play()
        on.plays(on.turn(search(f"tides {play.cue}")), on.turn(text("High.")))
        asking = asyncio.create_task(on.here.post(ask(KIMI, stream=stream, tools=[TOOL])))
        if name == "slow":
            await asyncio.to_thread(play.arrived.wait, 5)
            await asyncio.sleep(0.5)
        for steps in CURED[name]:
            play.perform_all(*steps)
        reply = await asking
        told = read(reply)
        assert isinstance(told["content"][1]["content"], list)
        assert told["usage"]["server_tool_use"]["web_search_requests"] == 1
        fees, turns = await on.fees_and_turns(reply.id, 3)
        assert (len(fees), len(turns)) == (1, 2)


async def test_a_search_service_that_is_down_does_not_stop_the_answer(tmp_path):
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}"
        await _answers_anyway(tmp_path, url)


async def _answers_anyway(tmp_path, url):
    async with stage(tmp_path, service_url=url) as on:
        on.plays(on.turn(search("tides")), on.turn(text("Anyway.")))
        told = read(await on.here.post(ask(KIMI, tools=[TOOL])))
        assert told["content"][1]["content"]["error_code"] == "unavailable"
        assert told["content"][2]["text"] == "Anyway."


async def test_every_row_tells_its_own_time(tmp_path):
    async with stage(tmp_path) as on:
        play = on.service.play()
        play.perform_all(Pause(0.4), *found(page(1)))
        on.plays(on.turn(search(f"tides {play.cue}")), on.turn(text("High.")))
        reply = await on.here.post(ask(KIMI, tools=[TOOL]))
        (fee,), (first, second) = await on.fees_and_turns(reply.id, 3)
        assert fee.ended_at - fee.started_at >= 400
        assert first.started_at <= fee.started_at
        assert first.ended_at - first.started_at < 400
        assert second.started_at >= fee.ended_at - 1
        assert second.ended_at - second.started_at < 400


@WIRES
@BOTH
async def test_a_model_that_fails_at_once_is_told_by_its_status(tmp_path, wire, stream):
    async with stage(tmp_path, wire) as on:
        on.there.usual = plays_refusal(429, error_body("rate_limit_error", "Slow down."))
        reply = await on.here.post(ask(KIMI, stream=stream, tools=[TOOL]))
        assert reply.status == 429
        assert reply.error["type"] == "rate_limit_error"
        (row,) = await on.here.rows(reply.id)
        assert (row.outcome, row.status) == ("upstream_error", 429)


@WIRES
async def test_a_model_that_fails_in_a_later_turn_ends_the_message_with_an_error(tmp_path, wire):
    async with stage(tmp_path, wire) as on:
        on.plays(on.turn(text("I look."), search("tides")))
        on.there.usual = plays_refusal(500, error_body("api_error", "Broken."))
        reply = await on.here.post(ask(KIMI, tools=[TOOL]))
        told = message(reply.body)
        assert kinds(told) == ["text", "server_tool_use", "web_search_tool_result"]
        assert told["error"]["type"] == "api_error"
        fees, turns = await on.fees_and_turns(reply.id, 3)
        assert len(fees) == 1
        assert [row.outcome for row in turns] == ["completed", "upstream_error"]
        assert turns[1].credits == 0


@WIRES
async def test_a_model_that_breaks_off_in_a_later_turn_ends_the_message_with_an_error(
    tmp_path, wire
):
    async with stage(tmp_path, wire) as on:
        on.plays(on.turn(text("I look."), search("tides")))
        on.there.plays.append(breaks_off(on.turn(text("High.")), b"High."))
        reply = await on.here.post(ask(KIMI, tools=[TOOL]))
        told = message(reply.body)
        assert "error" in told
        assert told["content"][-1]["text"] == "High."
        _, turns = await on.fees_and_turns(reply.id, 3)
        assert [row.outcome for row in turns] == ["completed", "partial"]
        assert turns[1].output_tokens > 0


@WIRES
async def test_not_streamed_a_later_turn_that_fails_is_told_by_a_status(tmp_path, wire):
    async with stage(tmp_path, wire) as on:
        on.plays(on.turn(search("tides")))
        on.there.usual = plays_refusal(500, error_body("api_error", "Broken."))
        reply = await on.here.post(ask(KIMI, stream=False, tools=[TOOL]))
        assert reply.status >= 500
        assert reply.error["type"] == "api_error"
        fees, turns = await on.fees_and_turns(reply.id, 3)
        assert (len(fees), len(turns)) == (1, 2)


@contextlib.contextmanager
def counted_tickets(desk):
    """Tickets of the desk that were neither settled nor given back."""
    open_ones: list[object] = []
    names = ("admit", "ask", "admit_free")
    before = {name: getattr(desk, name) for name in names}

    def watched(ticket):
        if ticket is None:
            return None
        open_ones.append(ticket)
        settle = ticket.settle

        def settled(credits, tokens):
            open_ones.remove(ticket)
            settle(credits, tokens)

        return _Watched(settled)

    async def ask_others(*args, **more):
        return watched(await before["ask"](*args, **more))

    desk.admit = lambda *args, **more: watched(before["admit"](*args, **more))
    desk.admit_free = lambda *args, **more: watched(before["admit_free"](*args, **more))
    desk.ask = ask_others
    try:
        yield open_ones
    finally:
        for name in names:
            delattr(desk, name)


class _Watched:
    def __init__(self, settle) -> None:
        self.settle = settle


@WIRES
@pytest.mark.parametrize("how", ["well", "fails", "leaves", "search fails"])
async def test_every_ticket_of_a_message_is_settled_once(tmp_path, wire, how):
    async with stage(tmp_path, wire) as on:
        play = on.service.play()
        on.plays(on.turn(search(play.cue)))
        if how == "fails":
            on.there.usual = plays_refusal(500, error_body("api_error", "Broken."))
        else:
            on.there.usual = plays_turn(on.turn(text("High.")))
        if how == "search fails":
            play.perform_all(*refused(402))
        elif how != "leaves":
            play.perform_all(*found(page(1)))
        with counted_tickets(on.here.house._desk) as open_ones:
            client = await on.here.client()
            client.send(ask(KIMI, tools=[TOOL]))
            if how == "leaves":
                await asyncio.to_thread(play.arrived.wait, 5)
                client.close()
            else:
                await client.reply()
            await until(lambda: not open_ones)
            await until(lambda: not on.here.open_streams)
            client.close()


async def test_a_limit_crossed_by_the_first_turn_pauses_before_the_second(tmp_path):
    async with stage(tmp_path) as on:
        on.plays(on.turn(text("I look."), search("tides"), used=(4000, 500)))
        desk = on.here.house._desk
        asked = []

        async def refuses(*args, **more):
            asked.append(more["estimate_credits"])
            raise Fault(Kind.RATE_LIMITED, "The month is over.")

        desk.ask = refuses
        reply = await on.here.post(ask(KIMI, tools=[TOOL]))
        told = read(reply)
        assert told["stop_reason"] == "pause_turn"
        assert kinds(told) == ["text", "server_tool_use", "web_search_tool_result"]
        assert len(asked) == len(on.there.asked) == 1
        fees, turns = await on.fees_and_turns(reply.id, 2)
        assert (len(fees), len(turns)) == (1, 1)


async def test_storage_that_fails_before_a_further_turn_ends_the_message(tmp_path):
    async with stage(tmp_path) as on:
        on.plays(on.turn(text("I look."), search("tides")))

        async def breaks(*args, **more):
            raise OSError("the disk is gone")

        on.here.house._desk.ask = breaks
        reply = await on.here.post(ask(KIMI, tools=[TOOL]))
        told = message(reply.body)
        assert told["error"]["type"] == "api_error"
        assert "disk" not in reply.body.decode()
        assert not on.here.open_streams

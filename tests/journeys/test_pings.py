"""Silence: the client hears pings, between events only, until the provider's time is over."""

import asyncio

import pytest

from tests.kit.journey import (
    BLOCK,
    PING,
    START,
    TEXT,
    WHOLE,
    Line,
    ask,
    delta,
    events,
    gateway,
    plays_then_waits,
    provider,
    renamed,
    terminals,
)

pytestmark = pytest.mark.usefixtures("quick_wheel")
SOON = "commit_after_s = 0.1\nping_after_s = 0.1"


async def test_a_silent_provider_gets_its_client_a_200_and_pings(tmp_path):
    go = asyncio.Event()

    async def play(line: Line) -> None:
        await go.wait()
        line.head()
        line.chunk(TEXT)
        line.end()

    async with provider() as there, gateway(tmp_path, [there], upstream=SOON) as here:
        there.usual = play
        client = await here.client()
        client.send(ask())
        head = await client.head()
        assert head.status == 200 and head.headers["content-type"].startswith("text/event-stream")
        assert await client.piece() == PING
        assert await client.piece() == PING
        go.set()
        rest, whole = await client.rest()
        assert whole and rest.replace(PING, b"") == renamed(TEXT).replace(PING, b"")
        row = await here.row(head.id)
        assert row.outcome == "completed" and row.first_byte_ms >= 100
        client.close()


async def test_trouble_after_the_commit_is_told_in_the_stream(tmp_path):
    async def play(line: Line) -> None:
        await asyncio.sleep(0.3)
        line.whole(529, b'{"type":"error","error":{"type":"overloaded_error","message":"Later"}}')

    async with provider() as there, gateway(tmp_path, [there], upstream=SOON) as here:
        there.usual = play
        reply = await here.post(ask())
        assert reply.status == 200
        *pings, (name, said) = reply.events
        assert {each for each, _ in pings} == {"ping"}
        assert name == "error" and said["request_id"] == reply.id
        assert said["error"] == {"type": "overloaded_error", "message": "Later"}
        row = await here.row(reply.id)
        assert (row.outcome, row.status) == ("upstream_error", 200)


async def test_a_ping_never_stands_inside_an_event(tmp_path):
    half, rest = delta("Hello")[:50], delta("Hello")[50:]
    go = asyncio.Event()

    async def play(line: Line) -> None:
        line.head()
        line.chunk(START + BLOCK + half)
        await go.wait()
        line.chunk(rest + TEXT[len(START + BLOCK) :])
        line.end()

    async with provider() as there, gateway(tmp_path, [there], upstream=SOON) as here:
        there.usual = play
        client = await here.client()
        client.send(ask())
        await client.head()
        seen = await client.until(PING)
        go.set()
        seen += (await client.rest())[0]
        assert terminals(seen) == ["message_stop"]
        assert ("content_block_delta", events(delta("Hello"))[0][1]) in events(seen)
        client.close()


async def test_pings_of_the_provider_are_passed_on(tmp_path):
    async with provider() as there, gateway(tmp_path, [there]) as here:

        async def play(line: Line) -> None:
            line.head()
            line.chunk(PING + b": comment\n\n" + PING)
            await asyncio.sleep(0.02)
            line.chunk(TEXT)
            line.end()

        there.usual = play
        reply = await here.post(ask())
        assert reply.body == PING + b": comment\n\n" + PING + renamed(TEXT)


async def test_a_whole_reply_is_never_pinged(tmp_path):
    async def play(line: Line) -> None:
        await asyncio.sleep(0.4)
        line.whole(200, WHOLE)

    async with provider() as there, gateway(tmp_path, [there], upstream=SOON) as here:
        there.usual = play
        reply = await here.post(ask(stream=False))
        assert (reply.status, reply.body) == (200, renamed(WHOLE))


async def test_a_stream_that_falls_silent_for_too_long_ends_in_one_timeout(tmp_path):
    async with provider() as there, gateway(tmp_path, [there], "idle_timeout_s = 0.1") as here:
        there.usual = plays_then_waits(START + BLOCK + delta("Hel")[:-9])
        reply = await here.post(ask())
        assert reply.status == 200 and terminals(reply.body) == ["error"]
        assert reply.events[-1][1]["error"]["type"] == "timeout_error"
        assert reply.events[-1][1]["request_id"] == reply.id
        row = await here.row(reply.id)
        assert (row.outcome, row.error_type, row.input_tokens) == ("partial", "timeout_error", 12)
        await asyncio.wait_for(there.lines[0].gone.wait(), 1)

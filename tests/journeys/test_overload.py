"""More requests than there is room for: some wait, the rest hear it at once, nobody hangs, health
is told throughout, and the moment it is over everything is carried again."""

import asyncio
import time

from tests.kit.journey import Line, ask, gateway, plays_text, provider, until

ROOM = 20
QUEUE = 10
SERVER = f"in_flight_max = {ROOM}\nqueue_max = {QUEUE}\nqueue_wait_s = 1.5"


async def test_a_rush_is_carried_queued_or_turned_away_and_is_over_at_once(
    tmp_path,
):
    release = asyncio.Event()

    async def waits(line: Line) -> None:
        await release.wait()
        await plays_text(line)

    async with provider() as there, gateway(tmp_path, [there], server=SERVER) as here:
        there.usual = waits
        rush = [asyncio.create_task(here.post(ask())) for _ in range(300)]
        await until(lambda: sum(each.done() for each in rush) == 300 - ROOM - QUEUE)
        assert len(there.asked) == ROOM
        refused = [each.result() for each in rush if each.done()]
        assert {reply.status for reply in refused} == {529}
        assert {reply.error["type"] for reply in refused} == {"overloaded_error"}
        assert {reply.headers["retry-after"] for reply in refused} == {"1", "2", "3"}
        assert {reply.headers["x-hatz-reason"] for reply in refused} == {"overloaded"}

        client = await here.client()
        took = []
        for path in ("/healthz", "/readyz", "/metrics", "/v1/chat/models", "/v1/me") * 4:
            begun_s = time.monotonic()
            assert (await client.get(path)).status == 200, path
            took.append(time.monotonic() - begun_s)
        print("office_reply_ms_worst", round(max(took) * 1000, 1))

        release.set()
        statuses = [(await each).status for each in rush]
        assert statuses.count(200) >= ROOM
        assert set(statuses) == {200, 529}, "nobody hangs, nobody is told anything else"
        after = await asyncio.gather(*[here.post(ask()) for _ in range(ROOM)])
        assert {reply.status for reply in after} == {200}
        counted = (await client.get("/metrics")).body
        assert b'hatz_refusals_total{reason="overloaded"} %d.0' % statuses.count(529) in counted
        client.close()
        assert here.house._turnstile.in_flight == 0


async def test_whoever_waits_in_the_queue_is_answered_when_there_is_room(tmp_path):
    release = asyncio.Event()

    async def waits(line: Line) -> None:
        await release.wait()
        await plays_text(line)

    async with (
        provider() as there,
        gateway(
            tmp_path, [there], server="in_flight_max = 16\nqueue_max = 8\nqueue_wait_s = 60"
        ) as here,
    ):
        there.usual = waits
        calls = [asyncio.create_task(here.post(ask())) for _ in range(24)]
        await until(lambda: len(there.asked) == 16)
        leaver = await here.client()
        await until(lambda: here.house._turnstile.waiting == 8)
        leaver.send(ask())
        assert (await leaver.reply()).status == 529
        leaver.close()
        calls[-1].cancel()
        release.set()
        statuses = [(await each).status for each in calls[:-1]]
        assert statuses == [200] * 23
        await until(lambda: here.house._turnstile.in_flight == 0)
        assert len(there.asked) in (23, 24)


async def test_a_queue_that_does_not_move_is_told_so_in_time(tmp_path):
    async def never(line: Line) -> None:
        await asyncio.Event().wait()

    async with (
        provider() as there,
        gateway(
            tmp_path, [there], server="in_flight_max = 1\nqueue_max = 5\nqueue_wait_s = 0.3"
        ) as here,
    ):
        there.usual = never
        held = asyncio.create_task(here.post(ask()))
        await until(lambda: len(there.asked) == 1)
        begun_s = time.monotonic()
        reply = await here.post(ask())
        assert reply.status == 529 and time.monotonic() - begun_s >= 0.3
        held.cancel()
        await asyncio.wait([held])

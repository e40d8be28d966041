"""`kill -9` under load: every generation whose end a client saw is in the books, none twice."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from proxy.config.load import load
from proxy.storage.opening import open_storage
from tests.kit.journey import (
    BLOCK,
    ENDING,
    PROVIDER_KEY,
    START,
    Client,
    Line,
    Served,
    ask,
    delta,
    provider,
    seed_of,
    served,
    until,
)

STREAMS = 200
KILLS = 3
CUT_OFF = (asyncio.IncompleteReadError, ConnectionError)


async def paced(line: Line) -> None:
    """A stream of half a second, give or take."""
    chance = random.Random(line.asked.id)
    line.head()
    line.chunk(START + BLOCK)
    for _ in range(4):
        await asyncio.sleep(chance.uniform(0.05, 0.2))
        line.chunk(delta("word "))
    line.chunk(ENDING)
    line.end()


class Crowd:
    """Clients that ask one thing after the other, and remember which replies they saw end."""

    def __init__(self, here: Served, round_: int) -> None:
        self._here = here
        self._round = round_
        self.begun: set[str] = set()
        self.seen_whole: set[str] = set()
        self.cut_off = 0
        self.open = 0

    async def one(self, number: int) -> None:
        client = await Client.connect(self._here.port, self._here.key)
        turn = 0
        try:
            while True:
                request_id = f"r{self._round}-{number}-{turn}"
                turn += 1
                self.begun.add(request_id)
                client.send(ask(), x_request_id=request_id)
                await client.head()
                self.open += 1
                try:
                    await self._read(client, request_id)
                finally:
                    self.open -= 1
        except CUT_OFF:
            self.cut_off += 1
        finally:
            client.close()

    async def _read(self, client: Client, request_id: str) -> None:
        """What counts is that the last event came; the end of the body may be lost behind it."""
        body = b""
        while piece := await client.piece():
            body += piece
            if body.endswith(ENDING[-40:]):
                self.seen_whole.add(request_id)


async def test_killed_at_any_moment_nothing_seen_is_lost_and_nothing_doubled(tmp_path):
    chance = random.Random(seed_of("kill"))
    seen_whole: set[str] = set()
    begun: set[str] = set()
    async with provider() as there:
        there.usual = paced
        with served(tmp_path, [there.port]) as here:
            for round_ in range(KILLS):
                crowd = Crowd(here, round_)
                clients = [asyncio.create_task(crowd.one(number)) for number in range(STREAMS)]
                await until(lambda crowd=crowd: crowd.open > STREAMS // 2)
                await until(lambda crowd=crowd: len(crowd.seen_whole) > STREAMS // 2)
                await asyncio.sleep(chance.uniform(0.0, 0.3))
                here.kill()
                await asyncio.gather(*clients)
                assert crowd.cut_off == STREAMS
                seen_whole |= crowd.seen_whole
                begun |= crowd.begun
                here.start()
            rows, sums = await _rows(tmp_path, seen_whole)
            used = await _used(here)
    counts = Counter(rows)
    assert seen_whole <= set(counts), "the end was seen and is not in the books"
    assert set(counts.values()) == {1}, "a generation is in the books twice"
    assert set(counts) <= begun
    assert len(counts) < len(begun), "no generation was under way when it was killed"
    credits, of_tenant, of_users, requests = sums
    assert credits > 0
    assert credits == of_tenant == of_users, "the sums of the month are not those of the rows"
    assert requests == len(counts)
    assert used == pytest.approx(credits / 1_000_000, abs=1e-6)


async def _rows(folder: Path, wanted: set[str]) -> tuple[list[str], tuple[int, ...]]:
    """The request ids in the books of the gateway started last, once all wanted are there (or
    2 s have gone), and once more a little later: nothing may come twice. Beside them what the rows
    cost, what the sums of tenant and users say, and how many requests."""
    settings = load(folder / "gateway.toml", {"PROVIDER_KEY": PROVIDER_KEY})
    storage = await open_storage(settings, {})
    ids: list[str] = []
    try:
        for _ in range(20):
            rows = await storage.database.fetch("SELECT request_id FROM entries")
            before, ids = ids, [str(row[0]) for row in rows]
            if wanted <= set(ids) and len(ids) == len(before):
                break
            await asyncio.sleep(0.1)
        sums = await storage.database.fetch(
            "SELECT (SELECT sum(credits_in + credits_out + credits_actions) FROM entries),"
            " (SELECT sum(credits) FROM month_use WHERE user_id = ''),"
            " (SELECT sum(credits) FROM month_use WHERE user_id <> ''),"
            " (SELECT sum(requests) FROM month_use WHERE user_id = '')"
        )
    finally:
        await storage.database.close()
    return ids, sums[0]


async def _used(here: Served) -> float:
    """What the gateway itself says was used this month, in credits."""
    client = await Client.connect(here.port, here.key)
    reply = await client.get("/v1/usage")
    client.close()
    assert reply.status == 200
    used: float = msgspec.json.decode(reply.body)["credits_used"]
    return used

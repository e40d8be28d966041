"""Whatever is killed under load: every reply ends properly, nothing hangs, the books are right.

`make chaos` lets it rage for longer: CHAOS_S seconds, with CHAOS_SEED.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.crowd import Crowd, Seen
from tests.chaos.storm import Storm
from tests.kit.installation import Installation, installation
from tests.kit.journey import seed_of
from tests.kit.servers import Postgres, Redis

SECONDS = float(os.environ.get("CHAOS_S", "12"))
CALM_S = 1.0
BACK_S = 60.0
"""A worker that dies young is started again after pauses of up to ten seconds."""
RESTART_S = 15.0
"""A connection may break so long after a worker was killed: perhaps nobody is at its port."""
GROWTH = 1.3
GROWTH_BYTES = 16 << 20
"""Memory of the largest worker may be so much above what it was under the same load before."""


@pytest.fixture
def here(tmp_path: Path, postgres: Postgres, redis_server: Redis) -> Iterator[Installation]:
    with installation(tmp_path, postgres, redis_server) as running:
        yield running


async def test_every_reply_ends_and_the_books_hold_what_clients_saw(here: Installation) -> None:
    seed = int(os.environ.get("CHAOS_SEED", str(seed_of("chaos"))))
    calm = Crowd(here, seed)
    await _asks_for(calm, 4 * CALM_S)
    plateau_bytes = max(each.resident_bytes() for each in here.gateways)

    storm, crowd = Storm(here, seed + 1), Crowd(here, seed + 1)
    crowd.start()
    await storm.rage(SECONDS)
    end_s = time.monotonic() + BACK_S
    while not await asyncio.to_thread(here.is_calm):
        assert time.monotonic() < end_s, "not every worker came back"
        await asyncio.sleep(0.1)
    await crowd.stop()

    after = Crowd(here, seed + 2)
    await _asks_for(after, 2 * CALM_S)
    left_bytes = max(each.resident_bytes() for each in here.gateways)
    seen = [*calm.seen, *crowd.seen, *after.seen]
    rows = await _rows(here, {each.request_id for each in seen if each.verdict == "whole"})
    sums = _sums(here)
    figures = f"{dict(storm.blows)} {dict(crowd.verdicts())} seed {seed}"
    print(f"\n{figures}, plateau {plateau_bytes >> 20} MB, left {left_bytes >> 20} MB")

    for quiet in (calm, after):
        assert not [each for each in quiet.seen if each.verdict not in ("whole", "failed")], figures
    assert set(crowd.verdicts()) <= {"whole", "failed", "cut"}, figures
    assert crowd.verdicts()["whole"] > len(crowd.seen) / 4, figures
    assert not [each for each in crowd.seen if each.verdict == "cut" and not _excused(each, storm)]
    _the_books_are_right(seen, rows)
    assert len(set(sums)) == 1, f"the month of the tenant, of its users and the rows: {sums}"
    assert left_bytes < plateau_bytes * GROWTH + GROWTH_BYTES


async def _asks_for(crowd: Crowd, seconds: float) -> None:
    crowd.start()
    await asyncio.sleep(seconds)
    await crowd.stop()


def _excused(seen: Seen, storm: Storm) -> bool:
    """Only the death of a worker may cut a connection."""
    return any(
        seen.began_s - RESTART_S < killed_s < seen.ended_s for killed_s in storm.worker_killed_s
    )


async def _rows(here: Installation, wanted: set[str]) -> list[tuple[str, str, int]]:
    """Request id, outcome and output tokens of each row, once all wanted are there and no more
    come."""
    name = here.database.rpartition("/")[2]
    sql = "SELECT request_id, outcome, output_tokens FROM entries"
    rows: list[tuple[str, str, int]] = []
    end_s = time.monotonic() + 30
    while True:
        before = len(rows)
        said = (await asyncio.to_thread(here.postgres.ask, sql, name)).splitlines()
        rows = [(id, outcome, int(n)) for id, outcome, n in (line.split("|") for line in said)]
        if wanted <= {id for id, _, _ in rows} and len(rows) == before:
            return rows
        assert time.monotonic() < end_s, f"missing: {wanted - {id for id, _, _ in rows}}"
        await asyncio.sleep(0.5)


def _sums(here: Installation) -> list[str]:
    """Requests and credits: of the tenant's month, of its users', of the rows."""
    return here.postgres.ask(
        "SELECT sum(requests), sum(credits) FROM month_use WHERE user_id = ''"
        " UNION ALL SELECT sum(requests), sum(credits) FROM month_use WHERE user_id <> ''"
        " UNION ALL SELECT count(*), sum(credits_in + credits_out + credits_actions) FROM entries",
        here.database.rpartition("/")[2],
    ).splitlines()


def _the_books_are_right(seen: list[Seen], rows: list[tuple[str, str, int]]) -> None:
    assert set(Counter(id for id, _, _ in rows).values()) == {1}, "a generation is there twice"
    booked = {id: (outcome, tokens) for id, outcome, tokens in rows}
    assert set(booked) <= {each.request_id for each in seen}
    for each in seen:
        if each.verdict == "whole":
            assert booked[each.request_id] == ("completed", each.output_tokens), each
        elif each.verdict == "failed" and each.request_id in booked:
            assert booked[each.request_id][0] != "completed", each

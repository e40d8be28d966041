"""Workers tell each other what they hold: whole, once, and only while they live."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.domain.fault import Fault
from proxy.limits.counters import BEAT_S, SILENT_S, MemoryCounters, SharedCounters
from proxy.storage.held import Held
from proxy.storage.migrations import migrate
from proxy.storage.sqlite import SqliteDatabase
from tests.limits.stores import Clock, Wall, make_counters


@pytest.fixture
async def held(tmp_path: Path) -> AsyncIterator[Held]:
    database = await SqliteDatabase.open(tmp_path / "gateway.db")
    await migrate(database)
    yield Held(database)
    await database.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def on(held: Held, clock: Clock, worker: str) -> SharedCounters:
    return SharedCounters(held, worker, clock=clock, wall_ms=clock.wall_ms)


async def test_one_process_has_no_others() -> None:
    counters = MemoryCounters()
    assert counters.alone
    assert await counters.exchange({"a": 1}) == {}
    await counters.close()


async def test_everyone_hears_the_sum_of_all_others(held: Held, clock: Clock) -> None:
    one, two, three = (on(held, clock, name) for name in ("one", "two", "three"))
    assert await one.exchange({"a": 10, "b": 1}) == {}
    assert await two.exchange({"a": 5}) == {"a": 10, "b": 1}
    assert await three.exchange({}) == {"a": 15, "b": 1}
    assert await one.exchange({"a": 10, "b": 1}) == {"a": 5}


async def test_telling_the_same_again_counts_it_once(held: Held, clock: Clock) -> None:
    one, two = on(held, clock, "one"), on(held, clock, "two")
    for _ in range(3):
        await one.exchange({"a": 10})
    assert await two.exchange({}) == {"a": 10}
    await one.exchange({"a": 4, "b": 2})
    assert await two.exchange({}) == {"a": 4, "b": 2}
    await one.exchange({})
    assert await two.exchange({}) == {}


async def test_a_worker_that_says_nothing_is_dead_after_a_while(held: Held, clock: Clock) -> None:
    one, two = on(held, clock, "one"), on(held, clock, "two")
    await one.exchange({"a": 10})
    assert await two.exchange({}) == {"a": 10}
    clock.turn(SILENT_S)
    assert await two.exchange({}) == {"a": 10}
    clock.turn(0.1)
    assert await two.exchange({}) == {}
    assert {row[0] for row in await held.rows()} == {"two"}


async def test_a_worker_that_was_thought_dead_tells_everything_again(
    held: Held, clock: Clock
) -> None:
    one, two = on(held, clock, "one"), on(held, clock, "two")
    await one.exchange({"a": 10, "b": 20})
    await two.exchange({})
    clock.turn(SILENT_S + 1)
    await two.exchange({})
    # It finds its rows gone with the first exchange and has them back with the second at the
    # latest, although nothing changed for itself.
    await one.exchange({"a": 10, "b": 20})
    await one.exchange({"a": 10, "b": 20})
    assert await two.exchange({}) == {"a": 10, "b": 20}


async def test_a_worker_with_nothing_new_gives_a_sign_now_and_then(clock: Clock) -> None:
    wall = Wall()
    one, two = make_counters(wall, clock, "one"), make_counters(wall, clock, "two")
    await one.exchange({"a": 10})
    for _ in range(50):
        clock.turn(0.2)
        await one.exchange({"a": 10})
        assert await two.exchange({}) == {"a": 10}
    assert wall.writes <= 2 * (1 + 50 * 0.2 / BEAT_S)


@pytest.mark.parametrize("jump_ms", [-3_600_000, 3_600_000])
async def test_a_wall_clock_that_jumps_kills_nobody(clock: Clock, jump_ms: int) -> None:
    wall = Wall()
    one, two = make_counters(wall, clock, "one"), make_counters(wall, clock, "two")
    await one.exchange({"a": 10})
    await two.exchange({})
    clock.ms += jump_ms
    for _ in range(10):
        clock.s += 1
        await one.exchange({"a": 10})
        assert await two.exchange({}) == {"a": 10}


async def test_after_a_failure_everything_is_told_again(clock: Clock) -> None:
    wall = Wall()
    one, two = make_counters(wall, clock, "one"), make_counters(wall, clock, "two")
    await one.exchange({"a": 10})
    wall.away = True
    with pytest.raises(Fault):
        await one.exchange({"a": 11})
    wall.away = False
    wall.held.clear()
    await one.exchange({"a": 11})
    assert await two.exchange({}) == {"a": 11}


async def test_who_leaves_holds_nothing(held: Held, clock: Clock) -> None:
    one, two = on(held, clock, "one"), on(held, clock, "two")
    await one.exchange({"a": 10})
    await one.close()
    assert await two.exchange({}) == {}


async def test_who_leaves_amid_an_exchange_holds_nothing_either(held: Held, clock: Clock) -> None:
    one, two = on(held, clock, "one"), on(held, clock, "two")
    await one.exchange({"a": 10})
    for turns in range(6):
        exchange = asyncio.create_task(one.exchange({"a": 11 + turns}))
        for _ in range(turns):
            await asyncio.sleep(0)
        exchange.cancel()
        await asyncio.gather(exchange, return_exceptions=True)
        await one.close()
        assert await two.exchange({}) == {}
        await one.exchange({"a": 10})
        assert await two.exchange({}) == {"a": 10}

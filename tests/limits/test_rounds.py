"""Rounds: one at a time, shared, with patience; a line that is lost is tried again, not begged."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest

from proxy.domain.fault import Fault
from proxy.limits import rounds as rounds_module
from proxy.limits.book import READ_ALONE_S, READ_EVERY_S, TENANT, Books
from proxy.limits.burst import Meters
from proxy.limits.counters import SILENT_S, Counters, MemoryCounters
from proxy.limits.rounds import Rounds
from proxy.limits.window import Months
from tests.limits.stores import NOW_MS, Clock, Ledger, Wall, make_counters, make_entry

MONTHS = Months("UTC")
NOVEMBER = MONTHS.of(NOW_MS)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make(ledger: Ledger, clock: Clock, counters: Counters) -> tuple[Rounds, Books]:
    books = Books(MONTHS, shared=not counters.alone)
    books.get(NOVEMBER, TENANT, "tenant_1", limited=True)
    return Rounds(books, Meters(), ledger, counters, clock=clock), books


async def test_sums_are_read_when_they_are_due_and_not_more_often(clock: Clock) -> None:
    ledger = Ledger()
    rounds, _ = make(ledger, clock, make_counters(Wall(), clock, "one"))
    for _ in range(10):
        await rounds.agree()
    assert ledger.readings == 1
    clock.turn(READ_EVERY_S)
    await rounds.agree()
    assert ledger.readings == 2


async def test_alone_only_what_was_stored_here_is_read_soon(clock: Clock) -> None:
    ledger = Ledger()
    rounds, books = make(ledger, clock, MemoryCounters())
    await rounds.agree()
    clock.turn(READ_EVERY_S)
    await rounds.agree()
    assert ledger.readings == 1
    books.stored([make_entry(5)], own=True)
    await rounds.agree()
    assert ledger.readings == 2
    clock.turn(READ_ALONE_S)
    await rounds.agree()
    assert ledger.readings == 3


async def test_who_comes_during_a_round_waits_for_the_next(clock: Clock) -> None:
    ledger = Ledger()
    ledger.held_up = asyncio.Event()
    rounds, books = make(ledger, clock, MemoryCounters())
    first = asyncio.create_task(rounds.agree())
    await asyncio.sleep(0)
    (book,) = books
    book.wanted = True
    others = [asyncio.create_task(rounds.agree()) for _ in range(20)]
    await asyncio.sleep(0)
    ledger.held_up.set()
    await asyncio.gather(first, *others)
    assert rounds.made == 2
    assert ledger.readings == 2


async def test_a_round_whose_leader_left_is_made_by_the_next_in_line(clock: Clock) -> None:
    ledger = Ledger()
    ledger.held_up = asyncio.Event()
    ledger.sums["2026-11", "tenant_1", ""] = 7
    rounds, books = make(ledger, clock, MemoryCounters())
    leader = asyncio.create_task(rounds.agree())
    await asyncio.sleep(0)
    follower = asyncio.create_task(rounds.agree())
    await asyncio.sleep(0)
    leader.cancel()
    ledger.held_up.set()
    await follower
    (book,) = books
    assert (book.loaded, book.total) == (True, 7)


async def test_a_lost_line_is_noted_once_and_tried_again_with_pauses(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    ledger, wall = Ledger(), Wall()
    rounds, _ = make(ledger, clock, make_counters(wall, clock, "one"))
    wall.away = ledger.away = True
    for _ in range(100):
        clock.turn(0.1)
        await rounds.agree()
    assert rounds.storage.trouble == rounds.others.trouble == "It does not answer."
    assert 8 <= rounds.others.failures <= 16
    assert len(caplog.records) == 2
    wall.away = ledger.away = False
    clock.turn(1.1)
    await rounds.agree()
    assert not rounds.storage.lost
    assert not rounds.others.lost
    assert [record.levelno for record in caplog.records[2:]] == [logging.WARNING] * 2


async def test_what_was_heard_last_means_nothing_after_a_while(clock: Clock) -> None:
    wall = Wall()
    rounds, books = make(Ledger(), clock, make_counters(wall, clock, "one"))
    (book,) = books
    await make_counters(wall, clock, "two").exchange({book.name: 50})
    await rounds.agree()
    assert book.others == 50
    wall.away = True
    await rounds.agree()
    assert book.others == 50
    clock.turn(SILENT_S + 0.1)
    await rounds.agree()
    assert book.others == 0


async def test_nobody_waits_for_ever(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds_module, "PATIENCE_S", 0.01)
    ledger = Ledger()
    ledger.held_up = asyncio.Event()
    rounds, books = make(ledger, clock, MemoryCounters())
    await rounds.agree()
    assert rounds.storage.trouble == "no answer in time"
    (book,) = books
    assert not book.loaded
    assert book.wanted


async def test_what_was_stored_while_a_reading_failed_is_not_lost(clock: Clock) -> None:
    ledger = Ledger()
    rounds, books = make(ledger, clock, MemoryCounters())
    await rounds.agree()
    (book,) = books
    ledger.away = True
    books.stored([make_entry(5)], own=True)
    clock.turn(READ_EVERY_S)
    await rounds.agree()
    assert (book.total, book.fresh, book.covered) == (5, 5, 0)


async def test_it_is_known_when_the_rounds_have_stopped(clock: Clock) -> None:
    rounds, _ = make(Ledger(), clock, MemoryCounters())

    async def sleep(_: float) -> None:
        raise RuntimeError("nobody expected this")

    with pytest.raises(RuntimeError):
        await rounds.run(1.0, sleep, lambda _: None)
    assert rounds.stopped


async def test_signing_off_fails_quietly(clock: Clock) -> None:
    wall = Wall()
    rounds, _ = make(Ledger(), clock, make_counters(wall, clock, "one"))
    wall.away = True
    await rounds.close()
    with pytest.raises(Fault):
        await wall.rows()


async def test_where_nothing_has_a_limit_nobody_is_asked(clock: Clock) -> None:
    wall = Wall()
    books, meters = Books(MONTHS, shared=True), Meters()
    ledger = Ledger()
    rounds = Rounds(books, meters, ledger, make_counters(wall, clock, "one"), clock=clock)
    books.get(NOVEMBER, TENANT, "tenant_1", limited=False)
    await rounds.agree()
    assert (wall.writes, ledger.readings) == (0, 0)
    # The first limit: what the others stored before is not held against it.
    ledger.sums["2026-11", "tenant_1", ""] = 500
    names = books.get(NOVEMBER, TENANT, "tenant_1", limited=True)
    await make_counters(wall, clock, "two").exchange({names.name: 7, names.stored_name: 500})
    await rounds.agree()
    assert names.total == 507
    # Once it is swept, the others are told that nothing is held, and that is all.
    names.reserved += 1
    await rounds.agree()
    assert wall.held["one"][1] == {names.name: 1}
    names.reserved -= 1
    books.sweep(set())
    await rounds.agree()
    assert wall.held["one"][1] == {}
    writes = wall.writes
    clock.turn(60)
    await rounds.agree()
    assert wall.writes == writes


async def test_after_an_outage_what_was_stored_meanwhile_counts_once(clock: Clock) -> None:
    wall, ledger = Wall(), Ledger()
    rounds, books = make(ledger, clock, make_counters(wall, clock, "one"))
    (book,) = books
    other = make_counters(wall, clock, "two")
    await other.exchange({book.name: 50})
    await rounds.agree()
    wall.away = True
    for _ in range(8):
        clock.turn(1)
        await rounds.agree()
    assert (rounds.others.lost, book.total) == (True, 0)
    readings = ledger.readings
    await rounds.agree()
    assert ledger.readings == readings  # being deaf is no reason to read all the time
    ledger.sums["2026-11", "tenant_1", ""] = 50
    wall.away = False
    clock.turn(2)
    await other.exchange({book.stored_name: 50, book.name: 3})
    await rounds.agree()
    assert book.total == 53


async def test_a_cancellation_that_is_lost_on_its_way_ends_it_all_the_same(clock: Clock) -> None:
    """As `asyncio.wait_for` loses it up to Python 3.11, when its answer comes at that moment."""

    class Forgetful(Ledger):
        async def used(self, *args: Any) -> tuple[Mapping[str, int], Mapping[str, int]]:
            try:
                reading.set()
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass
            return {}, {}

    reading = asyncio.Event()
    rounds, _ = make(Forgetful(), clock, MemoryCounters())
    running = asyncio.create_task(rounds.run(0, asyncio.sleep, lambda _: None))
    await reading.wait()
    running.cancel()
    done, _ = await asyncio.wait([running], timeout=5)
    assert done == {running}
    assert running.cancelled()

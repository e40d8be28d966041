"""What holds for any order of events among several workers over one storage.

After everything settled and was stored, and the workers talked, all of them know exactly what the
ledger says. Meanwhile no worker ever knows less than what was stored before its last reading and
what it holds itself; and an allowance is never passed by more than was stated.
"""

import asyncio
from collections.abc import Coroutine
from itertools import chain
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proxy.config.settings import Limits
from proxy.domain.caller import Caller
from proxy.domain.entry import Entry
from proxy.domain.fault import Fault
from proxy.limits.counters import MemoryCounters
from proxy.limits.desk import Desk
from proxy.limits.ticket import Ticket
from tests.kit.patience import examples
from tests.limits.stores import (
    CREDIT,
    DEAR,
    DECEMBER_MS,
    NOW_MS,
    Clock,
    Ledger,
    Wall,
    make_caller,
    make_counters,
    make_desk,
    make_entry,
)

LIMIT = 1_000 * CREDIT
USERS = ("user_1", "user_2")
MONTHS = {"2026-11": NOW_MS, "2026-12": DECEMBER_MS}

WORKER = st.integers(0, 2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), WORKER, st.sampled_from(USERS), st.integers(0, 300)),
        st.tuples(st.just("settle"), WORKER, st.integers(0, 300), st.integers(0, 9)),
        st.tuples(st.just("release"), WORKER, st.just(0), st.integers(0, 9)),
        st.tuples(st.just("store"), WORKER, st.booleans(), st.integers(1, 5)),
        st.tuples(st.just("agree"), WORKER, st.just(0), st.just(0)),
        st.tuples(st.just("turn"), WORKER, st.just(0), st.sampled_from([1, 11, 40])),
        st.tuples(st.just("jump"), WORKER, st.just(0), st.sampled_from([-90_000, 90_000])),
        st.tuples(st.just("month"), WORKER, st.just(0), st.just(0)),
        st.tuples(st.just("deaf"), WORKER, st.just(0), st.just(0)),
        st.tuples(st.just("kill"), WORKER, st.integers(0, 2), st.just(0)),
        st.tuples(st.just("stop"), WORKER, st.integers(0, 2), st.just(0)),
    ),
    max_size=60,
)


class Workers:
    """Three workers, what each has under way, and what waits in its journal."""

    def __init__(self, *, alone: bool = False) -> None:
        self.clock = Clock()
        self.ledger = Ledger()
        self.wall = Wall()
        self.callers = {
            user: make_caller(user, credits=LIMIT, role_credits=LIMIT) for user in USERS
        }
        self.desks = [
            make_desk(
                self.ledger,
                self.clock,
                MemoryCounters() if alone else make_counters(self.wall, self.clock, f"w{number}"),
            )
            for number in range(1 if alone else 3)
        ]
        self.open: list[list[tuple[Ticket, Caller, int]]] = [[] for _ in self.desks]
        self.journals: list[list[Entry]] = [[] for _ in self.desks]
        self.untold: list[list[list[Entry]]] = [[] for _ in self.desks]
        self.charged: dict[tuple[str, str], int] = {}
        self._begun = len(self.desks)

    async def step(self, what: str, worker: int, detail: Any, number: int) -> None:
        worker %= len(self.desks)
        desk = self.desks[worker]
        match what:
            case "enter":
                await self.enter(worker, self.callers[detail], number)
            case "settle":
                self.settle(worker, number, detail * CREDIT)
            case "release":
                self.settle(worker, number, None)
            case "store":
                self.store(worker, number, told=detail)
            case "agree":
                await desk.rounds.agree()
            case "turn":
                self.clock.turn(number / 10)
                desk.tick(self.clock.s)
            case "jump":
                self.clock.ms += number * 1000
            case "month":
                self.clock.ms = DECEMBER_MS
            case "deaf":
                self.wall.away = not self.wall.away
            case "kill":
                self.restart(worker, by=detail % len(self.desks))
            case "stop":
                await self.stop(worker, by=detail % len(self.desks))

    async def enter(self, worker: int, caller: Caller, credits: int) -> bool:
        asked: dict[str, Any] = {
            "estimate_credits": credits * CREDIT,
            "estimate_tokens": 1,
            "now_ms": self.clock.ms,
        }
        desk = self.desks[worker]
        try:
            ticket = desk.admit(caller, DEAR, **asked) or await desk.ask(caller, DEAR, **asked)
        except Fault:
            return False
        self.open[worker].append((ticket, caller, self.clock.ms))
        return True

    def settle(self, worker: int, which: int, credits: int | None) -> None:
        if not self.open[worker]:
            return
        ticket, caller, started_at = self.open[worker].pop(which % len(self.open[worker]))
        if credits is None:
            ticket.release()
            return
        ticket.settle(credits)
        ticket.settle(credits)
        entry = make_entry(credits, user=caller.user_id, started_at=started_at)
        self.journals[worker].append(entry)
        for owner in ("", caller.user_id):
            key = (self.desks[0].months.of(started_at).key, owner)
            self.charged[key] = self.charged.get(key, 0) + credits

    def store(self, worker: int, rows: int, *, told: bool) -> None:
        """Move rows from journal to storage; the worker hears of it now, or with the next ones."""
        for batch in self.untold[worker]:
            self.desks[worker].stored(batch)
        self.untold[worker].clear()
        batch, rest = self.journals[worker][:rows], self.journals[worker][rows:]
        self.journals[worker] = rest
        for entry in batch:
            self.ledger.add([entry], self.desks[0].months.of(entry.started_at).key)
        if batch:
            if told:
                self.desks[worker].stored(batch)
            else:
                self.untold[worker].append(batch)

    async def stop(self, worker: int, *, by: int) -> None:
        """The worker ends as it should: what is under way ends first."""
        while self.open[worker]:
            self.settle(worker, 0, CREDIT)
        await self.desks[worker].close()
        self.restart(worker, by=by)

    def restart(self, worker: int, *, by: int) -> None:
        """The worker is gone, and with it the calls it had under way: they never became rows. Its
        journal is replayed by another one, or by its successor."""
        self.open[worker].clear()
        left, self.journals[worker] = self.journals[worker], []
        for entry in left:
            self.ledger.add([entry], self.desks[worker].months.of(entry.started_at).key)
        before = [entry for batch in self.untold[worker] for entry in batch]
        self.untold[worker].clear()
        self.desks[worker] = make_desk(
            self.ledger,
            self.clock,
            make_counters(self.wall, self.clock, f"w{self._begun}"),
        )
        self._begun += 1
        # Rows that lie in storage, but of which nobody had heard, are replayed all the same:
        # storage knows them by their event.
        self.desks[by].stored([*before, *left], own=False)

    async def finish(self) -> None:
        self.wall.away = False
        for worker in range(len(self.desks)):
            while self.open[worker]:
                self.settle(worker, 0, CREDIT)
            self.store(worker, len(self.journals[worker]), told=True)
        # Long enough for those that were killed to be thought dead.
        for _ in range(8):
            self.clock.turn(1.1)
            for desk in self.desks:
                await desk.rounds.agree()

    def known(self, desk: Desk) -> dict[tuple[str, str], int]:
        return {
            (book.period.key, "" if book.whose == "tenant" else book.id): book.known
            for book in desk._books
            if book.loaded
        }


def played(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


@examples(150)
@given(STEPS)
def test_after_settling_every_worker_knows_what_the_ledger_says(
    steps: list[tuple[str, int, Any, int]],
) -> None:
    async def test() -> None:
        workers = Workers()
        for step in steps:
            await workers.step(*step)
            for number, desk in enumerate(workers.desks):
                journal = [*workers.journals[number], *chain(*workers.untold[number])]
                for book in desk._books:
                    assert min(book.reserved, book.unstored, book.fresh, book.others) >= 0
                    mine = sum(
                        entry.credits_out
                        for entry in journal
                        if desk.months.of(entry.started_at).key == book.period.key
                        and (book.whose == "tenant" or entry.user_id == book.id)
                    )
                    assert book.unstored == mine
                    assert book.known == book.spent + book.reserved + book.others
        await workers.finish()
        assert workers.charged == {
            (period, user): credits for (period, _, user), credits in workers.ledger.sums.items()
        }
        for desk in workers.desks:
            assert desk.open_tickets == 0
            for owner, known in workers.known(desk).items():
                assert known == workers.charged.get(owner, 0)

    played(test())


@examples(100)
@given(
    st.booleans(),
    st.lists(
        st.tuples(WORKER, st.integers(1, 40), st.sampled_from(["", "agree", "settle", "store"])),
        min_size=20,
        max_size=120,
    ),
)
def test_an_allowance_is_passed_by_less_than_one_request_where_the_margin_covers_an_exchange(
    alone: bool, steps: list[tuple[int, int, str]]
) -> None:
    """The workers exchange after every step, so at most one request is let in unseen: A is 40
    credits, and a margin of 8 percent holds 2A. What is charged is what was estimated: C is 0."""

    async def test() -> None:
        workers = Workers(alone=alone)
        if not alone:
            for number, _ in enumerate(workers.desks):
                workers.desks[number] = make_desk(
                    workers.ledger,
                    workers.clock,
                    make_counters(workers.wall, workers.clock, f"w{number}"),
                    settings=Limits(margin=0.08),
                )
        for caller in workers.callers.values():
            for desk in workers.desks:
                await desk.load(caller, NOW_MS)
        caller = make_caller(credits=LIMIT)
        total = largest = 0
        for number, credits, what in steps:
            worker = number % len(workers.desks)
            if await workers.enter(worker, caller, credits):
                total += credits
                largest = max(largest, credits)
            if what == "settle" and workers.open[worker]:
                ticket, _, _ = workers.open[worker][0]
                workers.settle(worker, 0, ticket._credits)
            if what == "store":
                workers.store(worker, 5, told=True)
            for desk in workers.desks:
                await desk.rounds.agree()
            workers.clock.turn(0.1)
            assert total * CREDIT < LIMIT + largest * CREDIT

    played(test())

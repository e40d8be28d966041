"""One worker process that hammers one tenant until the allowance is used up.

    python -m tests.limits.hammer WORKER sqlite|redis DATABASE-URL REDIS-URL SECONDS

Waits for a line on its standard input, then runs several callers at once, each taking a ticket,
"working" for a moment, settling and leaving a row for a journal, which stores in batches and tells
the desk. Prints what it did as JSON.
"""

import asyncio
import sys
import time

import msgspec

from proxy.config.settings import Limits
from proxy.domain.entry import Entry
from proxy.domain.fault import Fault
from proxy.domain.terms import TenantTerms
from proxy.limits.counters import SharedCounters
from proxy.limits.counters_redis import RedisCounters
from proxy.limits.desk import Desk
from proxy.storage.database import Database
from proxy.storage.held import Held
from proxy.storage.month_use import MonthUse
from proxy.storage.opening import open_database
from tests.limits.stores import CREDIT, DEAR, make_caller, make_entry

LIMIT = 100_000 * CREDIT
ESTIMATE = CREDIT
MARGIN = 0.02
CALLERS = 8
WORK_S = 0.02
BATCH_S = 0.05

_ADD = (
    "INSERT INTO month_use (period, tenant_id, user_id, credits, requests) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (period, tenant_id, user_id) DO UPDATE SET"
    " credits = month_use.credits + excluded.credits,"
    " requests = month_use.requests + excluded.requests"
)


class Done(msgspec.Struct):
    admitted: int = 0
    refused: int = 0
    asked: int = 0
    failed: int = 0
    finally_refused: int = 0


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


async def store(database: Database, desk: Desk, rows: list[Entry]) -> None:
    """As the ledger does it: sums in one transaction, then the desk hears of it."""
    if rows:
        batch = rows[:]
        rows.clear()
        period = desk.months.of(batch[0].started_at).key
        credits = sum(row.credits_out for row in batch)
        await database.run(
            [(_ADD, (period, "tenant_1", user, credits, len(batch))) for user in ("", "user_1")]
        )
        desk.stored(batch)


async def hammer(worker: str, kind: str, database_url: str, redis_url: str, seconds: float) -> Done:
    database = await open_database(database_url)
    counters = (
        RedisCounters.open(redis_url, worker)
        if kind == "redis"
        else SharedCounters(Held(database), worker, clock=time.monotonic, wall_ms=wall_ms)
    )
    desk = Desk(
        Limits(margin=MARGIN),
        MonthUse(database),
        counters,
        clock=time.monotonic,
        wall_ms=wall_ms,
    )
    exchange = asyncio.create_task(desk.run())
    caller = make_caller(terms=TenantTerms(credits=LIMIT))
    done = Done()
    rows: list[Entry] = []
    until = time.monotonic() + seconds

    async def call() -> bool:
        """One request; False: the allowance is used up for good."""
        now_ms = wall_ms()
        try:
            ticket = desk.admit(
                caller, DEAR, estimate_credits=ESTIMATE, estimate_tokens=1, now_ms=now_ms
            ) or await desk.ask(
                caller, DEAR, estimate_credits=ESTIMATE, estimate_tokens=1, now_ms=now_ms
            )
        except Fault as fault:
            if fault.reason != "tenant_limit":
                done.failed += 1
            done.refused += 1
            done.finally_refused += fault.retry is False
            await asyncio.sleep(0.02)
            return fault.retry is not False
        done.admitted += 1
        await asyncio.sleep(WORK_S)
        ticket.settle(ESTIMATE)
        rows.append(make_entry(ESTIMATE, started_at=now_ms))
        return True

    async def calls() -> None:
        while time.monotonic() < until and await call():
            pass

    over = asyncio.Event()

    async def journal() -> None:
        while not over.is_set():
            await asyncio.sleep(BATCH_S)
            await store(database, desk, rows)

    storing = asyncio.create_task(journal())
    await asyncio.gather(*[calls() for _ in range(CALLERS)])
    over.set()
    await storing  # not cancelled: a batch half stored would be lost
    exchange.cancel()
    await asyncio.gather(exchange, return_exceptions=True)
    await store(database, desk, rows)
    done.asked = desk.asked
    await desk.close()
    await database.close()
    return done


if __name__ == "__main__":
    name, which, database_at, redis_at, how_long = sys.argv[1:]
    sys.stdin.readline()
    result = asyncio.run(hammer(name, which, database_at, redis_at, float(how_long)))
    print(msgspec.json.encode(result).decode())

"""Sums of the ledger by calendar month, for each tenant and user: what limits are compared with.

A sum is written in the very transaction that writes the rows it is of, so it is theirs always. A
month is named like '2026-11' and is one of the installation's zone; the zone that sums were begun
with is kept, because sums of another one cannot be added to them.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from proxy.domain.entry import Entry
from proxy.domain.fault import Fault, Kind
from proxy.storage.database import Database, Statement

PeriodOf = Callable[[int], str]
"""The month a moment (Unix milliseconds) is in; the same for all of a quarter of an hour."""
_Part = tuple[int, str, str]
"""A quarter of an hour since the epoch, a tenant, a user."""

SUMS_PER_STATEMENT = 32
QUARTER_MS = 900_000
"""All zones of our day are whole quarters of an hour away from UTC, so a month ends with one."""
FILL_MS = 7 * 86_400_000

_BEGUN = "month_use"
_TENANT = ""  # the user_id of the row that is the whole tenant's


class Added(NamedTuple):
    """What is added to one sum. `credits` are micro-credits."""

    period: str
    tenant_id: str
    user_id: str
    credits: int
    requests: int


@lru_cache(maxsize=8)
def months_of(zone: str) -> PeriodOf:
    """Names months of a time zone such as `Europe/Berlin`. Fast for moments close together."""
    info = dt.UTC if zone == "UTC" else ZoneInfo(zone)

    @lru_cache(maxsize=4096)
    def of_quarter(quarter: int) -> str:
        return dt.datetime.fromtimestamp(quarter * QUARTER_MS / 1000, info).strftime("%Y-%m")

    return lambda at_ms: of_quarter(at_ms // QUARTER_MS)


def sums_of(entries: Iterable[Entry], period_of: PeriodOf) -> list[Added]:
    """What some rows add to the sums of their tenants and users; in an order that is always the
    same, so that two transactions which add to the same sums never wait for each other in turn."""
    parts: dict[_Part, list[int]] = {}
    for entry in entries:
        part = (entry.started_at // QUARTER_MS, entry.tenant_id, entry.user_id)
        credits = entry.credits_in + entry.credits_out + entry.credits_actions
        if part in parts:
            sums = parts[part]
            sums[0] += credits
            sums[1] += 1
        else:
            parts[part] = [credits, 1]
    return _months(parts, period_of)


def added(sums: Sequence[Added]) -> list[Statement]:
    """The statements that add to the sums; for one transaction with the rows."""
    statements: list[Statement] = []
    start = 0
    while start < len(sums):
        # Few different lengths: a database remembers each statement it has seen.
        number = min(SUMS_PER_STATEMENT, 1 << (len(sums) - start).bit_length() - 1)
        some = sums[start : start + number]
        statements.append((_add(number), list(chain.from_iterable(some))))
        start += number
    return statements


async def begin_months(database: Database, zone: str) -> None:
    """Once: sum up the rows that were there before there were sums. Safe to call at every start,
    by several processes at once."""
    find = "SELECT value FROM installation WHERE name = ?"
    if await database.fetch(find, (_BEGUN,)):
        return
    sums = await _sums_of_all(database, months_of(zone))
    record: Statement = (
        "INSERT INTO installation (name, value) VALUES (?, ?)",
        (_BEGUN, msgspec.json.encode({"zone": zone}).decode()),
    )
    try:
        await database.run([record, *added(sums)])
    except Fault as fault:
        # Another process was faster, and may have added new rows since.
        if fault.kind is not Kind.CONFLICT or not await database.fetch(find, (_BEGUN,)):
            raise


async def _sums_of_all(database: Database, period_of: PeriodOf) -> list[Added]:
    [(first, last)] = await database.fetch("SELECT min(started_at), max(started_at) FROM entries")
    if first is None:
        return []
    sums: dict[tuple[str, str, str], list[int]] = {}
    for start in range(first, last + 1, FILL_MS):
        rows = await database.fetch(
            f"SELECT started_at / {QUARTER_MS}, tenant_id, user_id,"
            " CAST(sum(credits_in + credits_out + credits_actions) AS BIGINT), count(*)"
            " FROM entries WHERE started_at >= ? AND started_at < ?"
            f" GROUP BY started_at / {QUARTER_MS}, tenant_id, user_id",
            (start, start + FILL_MS),
        )
        for sum_ in _months({row[:3]: row[3:] for row in rows}, period_of):
            found = sums.setdefault(sum_[:3], [0, 0])
            found[0] += sum_.credits
            found[1] += sum_.requests
    return [Added(*key, *sums[key]) for key in sorted(sums)]


def _months(parts: Mapping[_Part, Sequence[int]], period_of: PeriodOf) -> list[Added]:
    """Users' parts added up to months, the tenants' beside them."""
    months: dict[tuple[str, str, str], list[int]] = {}
    for (quarter, tenant_id, user_id), (credits, requests) in parts.items():
        period = period_of(quarter * QUARTER_MS)
        for owner in {user_id, _TENANT}:
            sums = months.setdefault((period, tenant_id, owner), [0, 0])
            sums[0] += credits
            sums[1] += requests
    return [Added(*key, *months[key]) for key in sorted(months)]


@lru_cache(maxsize=SUMS_PER_STATEMENT)
def _add(number: int) -> str:
    row = f"({', '.join('?' * len(Added._fields))})"
    return (
        f"INSERT INTO month_use ({', '.join(Added._fields)}) VALUES {', '.join([row] * number)}"
        " ON CONFLICT (period, tenant_id, user_id) DO UPDATE"
        " SET credits = month_use.credits + excluded.credits,"
        " requests = month_use.requests + excluded.requests"
    )

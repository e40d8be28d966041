"""Queries: the ledger's rows and their sums, and the record of refused requests.

Rows are written in batches, and writing one twice is writing it once: a journal may be replayed
without asking what arrived. The sums of a month (storage/months.py) and those that pages read
(storage/kept_sums.py) grow in the same transaction, so they are those of the rows at any moment.
Columns are the fields of `Entry` and `Refusal` by name.
"""

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Literal, NamedTuple, TypeVar

import msgspec
from msgspec.structs import astuple

from proxy.domain.entry import Entry
from proxy.domain.fault import Fault, Kind
from proxy.domain.refusal import Refusal
from proxy.storage.database import Database, Row, Statement
from proxy.storage.kept_sums import sums_added
from proxy.storage.months import PeriodOf, added, months_of, sums_of
from proxy.storage.writing import new_id

REFUSALS_KEPT_MAX = 100_000
REFUSALS_BETWEEN_PRUNINGS = 1_000
DAY_MS = 86_400_000

By = Literal["model", "user", "day"]


class UsageSum(NamedTuple):
    """One row of a report. `credits` are micro-credits, `cache_tokens` read and written ones."""

    label: str
    requests: int
    input_tokens: int
    output_tokens: int
    cache_tokens: int
    credits: int


_ENTRY = ", ".join(Entry.__struct_fields__)
ROWS_PER_STATEMENT = 128
"""A driver gives up the interpreter for each statement it runs and then waits to get it back: row
by row, the two threads disturb each other more than the rows cost."""
_REFUSAL = ", ".join(Refusal.__struct_fields__)
_INSERT_REFUSAL = (
    f"INSERT INTO refusals (id, {_REFUSAL})"
    f" VALUES (?, {', '.join('?' * len(Refusal.__struct_fields__))})"
)
_PRUNE_REFUSALS = (
    "DELETE FROM refusals WHERE (at, id) <="
    " (SELECT at, id FROM refusals ORDER BY at DESC, id DESC LIMIT 1 OFFSET ?)"
)

_GROUPS: dict[By, tuple[str, str]] = {
    "model": ("e.model", "e.model"),
    "user": ("coalesce(max(u.email), e.user_id)", "e.user_id"),
    "day": (f"e.started_at / {DAY_MS}", f"e.started_at / {DAY_MS}"),
}
# CAST: PostgreSQL would give a sum of BIGINT as NUMERIC.
_SUMS = (
    "SELECT {label}, count(*), CAST(sum(e.input_tokens) AS BIGINT),"
    " CAST(sum(e.output_tokens) AS BIGINT),"
    " CAST(sum(e.cache_write_5m_tokens + e.cache_write_1h_tokens + e.cache_read_tokens) AS BIGINT),"
    " CAST(sum(e.credits_in + e.credits_out + e.credits_actions) AS BIGINT)"
    " FROM entries e LEFT JOIN users u ON u.id = e.user_id"
    " WHERE e.started_at >= ? AND e.started_at < ?{tenant}"
    " GROUP BY {group} ORDER BY {order}"
)

_T = TypeVar("_T", Entry, Refusal)
_event_id = attrgetter("event_id")
_UTC = months_of("UTC")


class Entries:
    """The books. Implements `ledger.journal.EntryStore`."""

    def __init__(
        self,
        database: Database,
        period_of: PeriodOf = _UTC,
        *,
        refusals_kept_max: int = REFUSALS_KEPT_MAX,
    ) -> None:
        self._database = database
        self._period_of = period_of
        self._refusals_kept_max = refusals_kept_max
        # The first batch of a process prunes: it may be one of many short-lived processes.
        self._refusals_until_pruning = 0

    async def insert(self, entries: Sequence[Entry]) -> None:
        """Add rows and their sums in one transaction, leaving out those whose `event_id` is there
        already. CONFLICT: there is one among them that can never be stored; none was.
        """
        # In one order for all: two transactions with the same rows in two orders would each wait
        # for the other, which PostgreSQL ends by giving up one of them.
        fresh = sorted(entries, key=_event_id)
        while fresh:
            try:
                # Rows first: the sums, which other workers add to as well, are held only briefly.
                rows = _inserts(fresh)
                sums = added(sums_of(fresh, self._period_of))
                await self._database.run([*rows, *sums, *sums_added(fresh)], commutes=True)
                return
            except Fault as fault:
                if fault.kind is not Kind.CONFLICT:
                    raise
                # Seldom: a replay of what arrived, or another worker was faster with the same row.
                there = await self._there(fresh)
                left = {row.event_id: row for row in reversed(fresh) if row.event_id not in there}
                if len(left) == len(fresh):
                    raise
                fresh = sorted(left.values(), key=_event_id)

    async def _there(self, entries: Sequence[Entry]) -> set[str]:
        """Which of the rows are stored."""
        there: set[str] = set()
        for start in range(0, len(entries), ROWS_PER_STATEMENT):
            names = [entry.event_id for entry in entries[start : start + ROWS_PER_STATEMENT]]
            marks = ", ".join("?" * len(names))
            found = await self._database.fetch(
                f"SELECT event_id FROM entries WHERE event_id IN ({marks})", names
            )
            there.update(event_id for (event_id,) in found)
        return there

    async def by_request_id(self, request_id: str) -> list[Entry]:
        """All rows of a request id, oldest first; a client's retries share one."""
        rows = await self._database.fetch(
            f"SELECT {_ENTRY} FROM entries WHERE request_id = ? ORDER BY started_at, event_id",
            (request_id,),
        )
        return [_loaded(Entry, row) for row in rows]

    async def sums(
        self, by: By, start_ms: int, end_ms: int, tenant_id: str | None = None
    ) -> list[UsageSum]:
        """Sums of the requests that started from `start_ms` up to before `end_ms`.

        Labels are model ids, email addresses, or UTC dates. Days come in order, others by credits.
        """
        label, group = _GROUPS[by]
        sql = _SUMS.format(
            label=label,
            group=group,
            tenant="" if tenant_id is None else " AND e.tenant_id = ?",
            order="1" if by == "day" else "6 DESC, 1",
        )
        params = (start_ms, end_ms) if tenant_id is None else (start_ms, end_ms, tenant_id)
        rows = await self._database.fetch(sql, params)
        if by == "day":
            rows = [(_date(row[0]), *row[1:]) for row in rows]
        return [UsageSum(*row) for row in rows]

    async def insert_refusals(self, refusals: Sequence[Refusal]) -> None:
        """Add records of refused requests; now and then drop all but the newest."""
        rows = [(new_id("refusal"), *astuple(refusal)) for refusal in refusals]
        await self._database.run_many(_INSERT_REFUSAL, rows, commutes=True)
        self._refusals_until_pruning -= len(rows)
        if self._refusals_until_pruning < 0:
            await self._database.run([(_PRUNE_REFUSALS, (self._refusals_kept_max,))], commutes=True)
            self._refusals_until_pruning = REFUSALS_BETWEEN_PRUNINGS

    async def refusals_by_request_id(self, request_id: str) -> list[Refusal]:
        """The records of a request id, oldest first."""
        rows = await self._database.fetch(
            f"SELECT {_REFUSAL} FROM refusals WHERE request_id = ? ORDER BY at, id", (request_id,)
        )
        return [_loaded(Refusal, row) for row in rows]


def _inserts(entries: Sequence[Entry]) -> list[Statement]:
    statements: list[Statement] = []
    start = 0
    while start < len(entries):
        # Few different lengths: a database remembers each statement it has seen.
        number = min(ROWS_PER_STATEMENT, 1 << (len(entries) - start).bit_length() - 1)
        rows = map(astuple, entries[start : start + number])
        statements.append((_insert(number), list(chain.from_iterable(rows))))
        start += number
    return statements


@lru_cache(maxsize=ROWS_PER_STATEMENT)
def _insert(rows: int) -> str:
    """The statement for so many rows. A row that is there already makes it fail, and with it the
    transaction: its credits must not be added to the sums again."""
    row = f"({', '.join('?' * len(Entry.__struct_fields__))})"
    return f"INSERT INTO entries ({_ENTRY}) VALUES {', '.join([row] * rows)}"


def _loaded(kind: type[_T], row: Row) -> _T:
    # Not strict: flags are stored as 0 and 1.
    return msgspec.convert(row, kind, strict=False)


def _date(days: int) -> str:
    return dt.datetime.fromtimestamp(days * DAY_MS / 1000, dt.UTC).date().isoformat()

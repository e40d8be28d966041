"""Kept sums are those of the rows, whatever is asked of whatever stretch; and on a million rows,
however they are spread, no page reads them all."""

import re
import sqlite3
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.domain.entry import Entry, Outcome
from proxy.domain.sums import NOTHING_USED, Sums, Within, added
from proxy.storage.audit import Audit
from proxy.storage.database import Database
from proxy.storage.entries import Entries
from proxy.storage.kept_sums import DAY_MS, HOUR_MS, KEPT, QUARTER_MS
from proxy.storage.layers import owned
from proxy.storage.migrations import migrate, steps
from proxy.storage.sqlite import SqliteDatabase
from proxy.storage.tenants import Tenants
from proxy.storage.usage import Usage
from proxy.storage.users import Users
from tests.kit.patience import examples

FIRST = 480_000 * HOUR_MS
SPAN = 3 * DAY_MS
ROWS = 1_000_000
TABLES = ("entries", "month_use", *[kept.table for kept in KEPT])


def entry(event_id: str, **more: Any) -> Entry:
    values = {
        "request_id": "req",
        "started_at": FIRST,
        "tenant_id": "t",
        "user_id": "u",
        "role": "r",
        "key_id": "k",
        "requested_model": "m",
        "model": "m",
        "resolved_via": "exact",
        "outcome": Outcome.COMPLETED,
        "status": 200,
        "credits_in": 7,
        **more,
    }
    return Entry(event_id=event_id, ended_at=values["started_at"] + 1, **values)


_rows = st.lists(
    st.fixed_dictionaries(
        {
            "started_at": st.integers(FIRST, FIRST + SPAN - 1),
            "tenant_id": st.sampled_from(["s", "t"]),
            "user_id": st.sampled_from(["u", "v"]),
            "model": st.sampled_from(["a", "b"]),
            "client": st.sampled_from(["", "curl"]),
            "outcome": st.sampled_from(list(Outcome)),
            "input_tokens": st.integers(0, 2**30),
        }
    ),
    max_size=12,
)
_moment = st.one_of(
    st.integers(FIRST, FIRST + SPAN),
    *[
        st.integers(0, SPAN // unit).map(lambda number, unit=unit: FIRST + number * unit)
        for unit in (QUARTER_MS, HOUR_MS, DAY_MS)
    ],
)
_within = st.builds(
    lambda span, *whose: Within(min(span), max(span), *whose),
    st.tuples(_moment, _moment),
    st.sampled_from([None, "t"]),
    st.sampled_from([None, "u"]),
    st.sampled_from([None, "a"]),
)
_GOOD = (Outcome.COMPLETED, Outcome.CLIENT_GONE)


@settings(examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=_rows, within=_within)
async def test_whatever_is_asked_comes_to_what_its_rows_come_to(
    database: Database, rows: list[dict[str, Any]], within: Within
) -> None:
    await database.run([(f"DELETE FROM {table}", ()) for table in TABLES])
    entries = [entry(f"e{number}", **row) for number, row in enumerate(rows)]
    for start in range(0, len(entries), 5):  # a later batch adds to the sums of an earlier one
        await Entries(database).insert(entries[start : start + 5])
    await Entries(database).insert(entries[:3])  # a replay adds nothing
    meant = [
        each
        for each in entries
        if within.start_ms <= each.started_at < within.end_ms
        and within.tenant_id in (None, each.tenant_id)
        and within.user_id in (None, each.user_id)
        and within.model in (None, each.model)
    ]
    usage = Usage(database)
    total, people = await usage.total(within)
    assert total == sums_of_rows(meant)
    assert people == len({each.user_id for each in meant})
    assert {row.model: row.sums for row in await usage.by_model(within, 9)} == grouped(
        meant, lambda row: row.model
    )
    assert {row[:2]: row.sums for row in await usage.by_source(within, 9)} == grouped(
        meant, lambda row: (row.surface, row.client)
    )
    assert {row[:2]: row.sums for row in await usage.by_user(within, "2024-10", 9)} == grouped(
        meant, lambda row: (row.user_id, row.tenant_id)
    )
    for every_ms in (HOUR_MS, DAY_MS):
        # UTC, and zones that are whole hours, a half, and three quarters of one off.
        for zone_ms in (0, 2 * HOUR_MS, -HOUR_MS, 11 * HOUR_MS // 2, 23 * QUARTER_MS):
            told = dict(await usage.by_time(within, every_ms, zone_ms))
            assert told == grouped(meant, partial(number_of, every_ms, zone_ms))


def number_of(every_ms: int, zone_ms: int, row: Entry) -> int:
    return (row.started_at + zone_ms) // every_ms


def sums_of_rows(rows: Iterable[Entry]) -> Sums:
    sums = NOTHING_USED
    for row in rows:
        figures = [getattr(row, name) for name in Sums._fields[2:]]
        sums = added(sums, Sums(1, row.outcome not in _GOOD, *figures))
    return sums


def grouped(rows: Iterable[Entry], name: Callable[[Entry], Hashable]) -> dict[Hashable, Sums]:
    groups = defaultdict(list)
    for row in rows:
        groups[name(row)].append(row)
    return {key: sums_of_rows(some) for key, some in groups.items()}


async def test_kept_sums_are_those_of_all_rows_and_of_each_tenants(database: Database) -> None:
    """Whatever a table leaves out, it holds the same in all; once for all tenants and once each."""
    rows = [
        entry(f"e{number}", tenant_id=f"t{number % 3}", user_id=f"u{number % 4}", started_at=at)
        for number, at in enumerate(range(FIRST, FIRST + SPAN, SPAN // 50))
    ]
    await Entries(database).insert(rows)
    for kept in KEPT:
        found = dict(
            await database.fetch(
                f"SELECT tenant_id, CAST(sum(credits_in) AS BIGINT) FROM {kept.table}"
                " GROUP BY tenant_id"
            )
        )
        of_all = found.pop("", 7 * len(rows))
        assert of_all == 7 * len(rows)
        assert found == {f"t{each}": 7 * len(rows[each::3]) for each in range(3)}


async def test_rows_from_before_there_were_sums_are_in_them(empty: Database) -> None:
    known = steps()
    await migrate(empty, [step for step in known if step.number < 8])
    names = ", ".join(Entry.__struct_fields__)
    marks = ", ".join("?" * len(Entry.__struct_fields__))
    rows = [
        entry("e1", started_at=FIRST + 5, outcome=Outcome.PARTIAL),
        entry("e2", started_at=FIRST + HOUR_MS - 1, input_tokens=3),
        entry("e3", started_at=FIRST + HOUR_MS, tenant_id="s"),
    ]
    await empty.run_many(
        f"INSERT INTO entries ({names}) VALUES ({marks})",
        [[getattr(row, name) for name in Entry.__struct_fields__] for row in rows],
    )
    await migrate(empty)
    figures = "requests, errors, input_tokens"

    async def kept(table: str, *keys: str) -> list[tuple[Any, ...]]:
        columns = ", ".join(keys)
        return await empty.fetch(f"SELECT {columns}, {figures} FROM {table} ORDER BY {columns}")

    hour, day, quarter = FIRST // HOUR_MS, FIRST // DAY_MS, FIRST // QUARTER_MS
    assert await kept("hour_use", "hour", "tenant_id") == [
        (hour, "t", 2, 1, 3),
        (hour + 1, "s", 1, 0, 0),
    ]
    assert await kept("day_use", "day", "tenant_id", "model") == [
        (day, "", "m", 3, 1, 3),
        (day, "s", "m", 1, 0, 0),
        (day, "t", "m", 2, 1, 3),
    ]
    assert await kept("day_people", "day", "tenant_id", "user_id") == [
        (day, "s", "u", 1, 0, 0),
        (day, "t", "u", 2, 1, 3),
    ]
    assert await kept("quarter_use", "quarter", "tenant_id") == [
        (quarter, "", 1, 1, 0),
        (quarter, "t", 1, 1, 0),
        (quarter + 3, "", 1, 0, 3),
        (quarter + 3, "t", 1, 0, 3),
        (quarter + 4, "", 1, 0, 0),
        (quarter + 4, "s", 1, 0, 0),
    ]


# ---------------------------------------------------------------- a million rows


of_a_million = pytest.mark.xdist_group("million")
"""One worker builds it and runs what reads it."""


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A month of 500 people: 250 of one large tenant, the others of 49. Nobody asks twice in a
    row, of ten models with three clients, so that few rows share an hour's sum."""
    path = tmp_path_factory.mktemp("million") / "gateway.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA page_size = 8192")
        database.execute("PRAGMA synchronous = OFF")
        for step in steps():
            if step.number < FIRST_OF_SUMS:
                for statement in step.statements:
                    database.execute(statement)
        columns = {
            "event_id": "'e' || n",
            "request_id": "'r' || n",
            "started_at": f"{FIRST} + n * 2592",
            "ended_at": f"{FIRST} + n * 2592 + 900",
            "tenant_id": "CASE n % 2 WHEN 0 THEN 'large' ELSE 'tenant_' || (n / 2 % 49) END",
            "user_id": "CASE n % 2 WHEN 0 THEN 'user_' || (n / 2 * 7919 % 250)"
            " ELSE 'user_' || (n / 2 % 49) || '_' || (n * 7919 / 98 % 5) END",
            "role": "'general_user'",
            "key_id": "'key_' || (n % 500)",
            "requested_model": "'haiku'",
            "model": "'model_' || (n / 3 % 10)",
            "resolved_via": "'alias'",
            "outcome": "'completed'",
            "status": "200",
            "surface": "'anthropic_gateway'",
            "user_agent": "'claude-cli/2.1.0'",
            "client": "'client_' || (n / 7 % 3)",
            "credits_in": "1000",
        }
        numbers = [name for name in Entry.__struct_fields__ if name not in columns]
        columns |= {
            name: "''" if isinstance(getattr(entry("e"), name), str) else "1" for name in numbers
        }
        database.execute(
            f"WITH RECURSIVE each (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM each"
            f" WHERE n < {ROWS - 1}) INSERT INTO entries ({', '.join(columns)})"
            f" SELECT {', '.join(columns.values())} FROM each"
        )
        for step in steps():
            if step.number >= FIRST_OF_SUMS:
                for statement in step.statements:
                    database.execute(statement)
        for kept in KEPT:
            whose = " WHERE tenant_id <> ''"
            found = database.execute(f"SELECT sum(requests) FROM {kept.table}{whose}")
            assert found.fetchone()[0] == ROWS
        # As spread as can be: a sum by hour is one of hardly more than a row.
        assert database.execute("SELECT count(*) FROM hour_use").fetchone()[0] > ROWS / 2
    return path


Ask = Callable[[Database], Awaitable[Any]]
FIRST_OF_SUMS = 8
"""The step that begins to keep sums: those behind it fill them from the rows there are."""
MONTH = Within(FIRST, FIRST + 30 * DAY_MS)
CUT = Within(FIRST + 5, FIRST + 31 * DAY_MS - 5)
BERLIN = Within(FIRST - HOUR_MS, FIRST + 30 * DAY_MS - HOUR_MS)
LARGE = Within(BERLIN.start_ms, BERLIN.end_ms, "large")
TENANT = Within(CUT.start_ms, CUT.end_ms, "tenant_7")
OWN = Within(CUT.start_ms, CUT.end_ms, "large", "user_3")
INDIA_MS = 11 * HOUR_MS // 2
DASHBOARDS: dict[str, Callable[[Database, Within], Awaitable[Any]]] = {
    "sums": lambda database, within: Usage(database).total(within),
    "models": lambda database, within: Usage(database).by_model(within, 101),
    "clients": lambda database, within: Usage(database).by_source(within, 101),
    "people": lambda database, within: Usage(database).by_user(within, "2024-10", 101),
    "days": lambda database, within: Usage(database).by_time(within, DAY_MS, HOUR_MS),
    "heat map": lambda database, within: Usage(database).by_time(within, HOUR_MS, HOUR_MS, 168),
    "heat map in India": lambda database, within: Usage(database).by_time(
        within, HOUR_MS, INDIA_MS, 168
    ),
}
WHOSE = {
    "all": MONTH,
    "all, from within an hour": CUT,
    "all, by Berlin's days": BERLIN,
    "a large tenant": LARGE,
    "a tenant": TENANT,
    "own": OWN,
}
PART = re.compile(r"SELECT (?:\w+ \* \d+ AS )?started_at, .*?(?= UNION ALL |\) [a-z]\b)")
"""What a query adds up: `storage/layers.py` writes it."""
SUMMED_MAX = 60_000
"""So many sums and rows are added up in well below 100 ms."""


@of_a_million
@pytest.mark.parametrize("whose", WHOSE)
@pytest.mark.parametrize("what", DASHBOARDS)
async def test_a_dashboard_adds_up_a_small_part_of_a_million_rows(
    million: Path, what: str, whose: str
) -> None:
    """However spread the rows are: what is read is counted, not timed."""
    database = await SqliteDatabase.open(million)
    asked: list[tuple[str, Any]] = []

    class Listening:
        run, run_many, close = database.run, database.run_many, database.close

        async def fetch(self, sql: str, params: Any = ()) -> list[tuple[Any, ...]]:
            asked.append((sql, params))
            return await database.fetch(sql, params)

    await DASHBOARDS[what](Listening(), WHOSE[whose])  # type: ignore[arg-type]
    ((sql, params),) = asked
    plans = [row[3] for row in await database.fetch(f"EXPLAIN QUERY PLAN {sql}", params)]
    summed = 0
    for part in PART.finditer(sql):
        before = sql[: part.start()].count("?")
        mine = params[before : before + part[0].count("?")]
        [(rows,)] = await database.fetch(f"SELECT count(*) FROM ({part[0]})", mine)
        summed += rows
    await database.close()
    assert 0 < summed <= SUMMED_MAX, (summed, plans)
    large = [plan for plan in plans if re.search(rf"\b({'|'.join(TABLES)})\b", plan)]
    assert large and all(re.match(r"SEARCH \w+ USING .*INDEX", plan) for plan in large), plans


PAGES: dict[str, Ask] = {
    "newest requests of all": lambda database: Usage(database).events(CUT, 50),
    "newest requests of a tenant": lambda database: Usage(database).events(TENANT, 50),
    "own newest requests": lambda database: Usage(database).events(OWN, 50),
    "one request": lambda database: Entries(database).by_request_id("r1"),
    "one refusal": lambda database: Entries(database).refusals_by_request_id("r1"),
    "this month's requests": lambda database: Usage(database).requests("2024-10", "user_3"),
    "audit": lambda database: Audit(database).page(100),
    "audit of a tenant": lambda database: Audit(database).page(100, tenant_id="tenant_7"),
    "tenants": lambda database: Tenants(database).page(100),
    "users of a tenant": lambda database: Users(database).page("tenant_7", 100),
}


@of_a_million
@pytest.mark.parametrize("page", PAGES)
async def test_a_page_reads_its_own_part_of_a_million_rows(million: Path, page: str) -> None:
    database = await SqliteDatabase.open(million)
    plans: list[str] = []

    class Explained:
        run, run_many, close = database.run, database.run_many, database.close

        async def fetch(self, sql: str, params: Any = ()) -> list[tuple[Any, ...]]:
            found = await database.fetch(f"EXPLAIN QUERY PLAN {sql}", params)
            plans.extend(row[3] for row in found)
            return await database.fetch(sql, params)

    await PAGES[page](Explained())  # type: ignore[arg-type]
    await database.close()
    assert plans
    tables = ("e", "entries", "refusals", "audit", "month_use")
    for kind, table, *rest in [plan.split() for plan in plans if len(plan.split()) > 1]:
        if kind == "SCAN" and table in tables:
            # In the order of an index and only as far as the page needs.
            assert page == "audit" and "INDEX" in rest, plans
        if kind == "SEARCH" and table in tables:
            assert "INDEX" in rest, plans
    if "tenant" in page or "own" in page:
        rows = [plan for plan in plans if plan.startswith("SEARCH") and "entries" in plan]
        assert all("tenant_id=?" in plan for plan in rows), rows


@of_a_million
@pytest.mark.parametrize("whose", WHOSE)
async def test_what_it_reads_is_what_it_says(million: Path, whose: str) -> None:
    """Kept sums and the rows themselves come to the same, a million of them too."""
    within = WHOSE[whose]
    database = await SqliteDatabase.open(million)
    total, people = await Usage(database).total(within)
    where, params = owned(
        within, "started_at >= ? AND started_at < ?", (within.start_ms, within.end_ms)
    )
    rows = await database.fetch(
        f"SELECT count(*), sum(credits_in), count(DISTINCT user_id) FROM entries WHERE {where}",
        params,
    )
    await database.close()
    assert (total.requests, total.credits_in, people) == rows[0]

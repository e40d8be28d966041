"""Sums by hour are those of the rows, whatever stretch is asked for; and on a million rows no page
reads them all."""

import sqlite3
from collections.abc import Awaitable, Callable
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
from proxy.storage.hours import HOUR_MS
from proxy.storage.migrations import migrate, steps
from proxy.storage.sqlite import SqliteDatabase
from proxy.storage.tenants import Tenants
from proxy.storage.usage import Usage
from proxy.storage.users import Users
from tests.kit.patience import examples

FIRST = 480_000 * HOUR_MS
SPAN = 6 * HOUR_MS
ROWS = 1_000_000


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
# Moments within an hour, and those where one begins.
_moment = st.integers(FIRST, FIRST + SPAN) | st.integers(0, 6).map(
    lambda hour: FIRST + hour * HOUR_MS
)


@settings(examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=_rows, span=st.tuples(_moment, _moment), user_id=st.sampled_from([None, "u"]))
async def test_any_stretch_comes_to_what_its_rows_come_to(
    database: Database, rows: list[dict[str, Any]], span: tuple[int, int], user_id: str | None
) -> None:
    tables = ("entries", "month_use", "hour_use")
    await database.run([(f"DELETE FROM {table}", ()) for table in tables])
    entries = [entry(f"e{number}", **row) for number, row in enumerate(rows)]
    for start in range(0, len(entries), 5):  # a later batch adds to the sums of an earlier one
        await Entries(database).insert(entries[start : start + 5])
    await Entries(database).insert(entries[:3])  # a replay adds nothing
    within = Within(min(span), max(span), "t", user_id)
    meant = [
        each
        for each in entries
        if within.start_ms <= each.started_at < within.end_ms
        and each.tenant_id == "t"
        and user_id in (None, each.user_id)
    ]
    usage = Usage(database)
    total, people = await usage.total(within)
    assert total.requests == len(meant)
    assert total.credits_in == 7 * len(meant)
    assert total.input_tokens == sum(each.input_tokens for each in meant)
    good = (Outcome.COMPLETED, Outcome.CLIENT_GONE)
    assert total.errors == len([each for each in meant if each.outcome not in good])
    assert people == len({each.user_id for each in meant})
    for zone_ms in (0, 2 * HOUR_MS, HOUR_MS // 2):
        hours = await usage.by_time(within, HOUR_MS, zone_ms)
        numbers = sorted({(each.started_at + zone_ms) // HOUR_MS for each in meant})
        assert [number for number, _ in hours] == numbers
        assert whole([sums for _, sums in hours]) == total


def whole(parts: list[Sums]) -> Sums:
    together = NOTHING_USED
    for part in parts:
        together = added(together, part)
    return together


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
    kept = await empty.fetch(
        "SELECT hour, tenant_id, requests, errors, input_tokens FROM hour_use ORDER BY hour"
    )
    first = FIRST // HOUR_MS
    assert kept == [(first, "t", 2, 1, 3), (first + 1, "s", 1, 0, 0)]


# ---------------------------------------------------------------- a million rows


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A month of 50 tenants with 10 people each, who ask 40 times in a row, of three models."""
    path = tmp_path_factory.mktemp("million") / "gateway.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA page_size = 8192")
        database.execute("PRAGMA synchronous = OFF")
        for step in steps():
            if step.number != 8:
                for statement in step.statements:
                    database.execute(statement)
        columns = {
            "event_id": "'e' || n",
            "request_id": "'r' || n",
            "started_at": f"{FIRST} + n * 2592",
            "ended_at": f"{FIRST} + n * 2592 + 900",
            "tenant_id": "'tenant_' || (n / 40 % 50)",
            "user_id": "'user_' || (n / 40 % 50) || '_' || (n / 2000 % 10)",
            "role": "'general_user'",
            "key_id": "'key_' || (n / 40 % 500)",
            "requested_model": "'haiku'",
            "model": "'model_' || (n / 20000 % 3)",
            "resolved_via": "'alias'",
            "outcome": "'completed'",
            "status": "200",
            "surface": "'anthropic_gateway'",
            "user_agent": "'claude-cli/2.1.0'",
            "client": "'Claude Code'",
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
        last = next(step for step in steps() if step.number == 8)
        for statement in last.statements:
            database.execute(statement)
        found = database.execute("SELECT count(*), sum(requests) FROM hour_use").fetchone()
        assert found[1] == ROWS and found[0] < ROWS / 10
    return path


Ask = Callable[[Database], Awaitable[Any]]
MONTH = Within(FIRST, FIRST + 31 * 24 * HOUR_MS)
CUT = Within(FIRST + 5, FIRST + 31 * 24 * HOUR_MS - 5)
TENANT = Within(CUT.start_ms, CUT.end_ms, "tenant_7")
OWN = Within(CUT.start_ms, CUT.end_ms, "tenant_7", "user_7_3")
PAGES: dict[str, Ask] = {
    "sums of all": lambda database: Usage(database).total(MONTH),
    "sums of a tenant": lambda database: Usage(database).total(TENANT),
    "own sums": lambda database: Usage(database).total(OWN),
    "models": lambda database: Usage(database).by_model(TENANT, 100),
    "clients": lambda database: Usage(database).by_source(TENANT, 100),
    "people": lambda database: Usage(database).by_user(TENANT, "2024-10", 100),
    "trend": lambda database: Usage(database).by_time(TENANT, 24 * HOUR_MS, HOUR_MS),
    "heat map": lambda database: Usage(database).by_time(OWN, HOUR_MS, 0, 168),
    "newest requests of all": lambda database: Usage(database).events(CUT, 50),
    "newest requests of a tenant": lambda database: Usage(database).events(TENANT, 50),
    "own newest requests": lambda database: Usage(database).events(OWN, 50),
    "one request": lambda database: Entries(database).by_request_id("r1"),
    "one refusal": lambda database: Entries(database).refusals_by_request_id("r1"),
    "this month's requests": lambda database: Usage(database).requests("2024-10", "user_7_3"),
    "audit": lambda database: Audit(database).page(100),
    "audit of a tenant": lambda database: Audit(database).page(100, tenant_id="tenant_7"),
    "tenants": lambda database: Tenants(database).page(100),
    "users of a tenant": lambda database: Users(database).page("tenant_7", 100),
}
LARGE = ("entries", "hour_use", "refusals", "audit", "month_use")


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
    # `e` is a table only where rows are listed; else it is what was summed before.
    tables = (*LARGE, "e") if page.startswith(("newest", "own newest", "one")) else LARGE
    for kind, table, *rest in [plan.split() for plan in plans if len(plan.split()) > 1]:
        if kind == "SCAN" and table in tables:
            # In the order of an index and only as far as the page needs.
            assert page == "audit" and "INDEX" in rest, plans
        if kind == "SEARCH" and table in tables:
            assert "INDEX" in rest, plans
    if "tenant" in page or "own" in page:
        rows = [plan for plan in plans if plan.startswith("SEARCH") and "entries" in plan]
        assert all("tenant_id=?" in plan for plan in rows), rows


async def test_what_it_reads_is_what_it_says(million: Path) -> None:
    """Sums kept by hour and the rows themselves come to the same, a million of them too."""
    database = await SqliteDatabase.open(million)
    total, people = await Usage(database).total(TENANT)
    rows = await database.fetch(
        "SELECT count(*), sum(credits_in), count(DISTINCT user_id) FROM entries"
        " WHERE tenant_id = ? AND started_at >= ? AND started_at < ?",
        ("tenant_7", TENANT.start_ms, TENANT.end_ms),
    )
    await database.close()
    assert (total.requests, total.credits_in, people) == rows[0]

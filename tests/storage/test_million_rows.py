"""On a month of a million rows, however they are spread, no page reads them all: in SQLite and in
PostgreSQL what is added up is counted, and plans are looked at, not clocks."""

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from proxy.domain.entry import Entry
from proxy.domain.sums import Within
from proxy.storage.audit import Audit
from proxy.storage.database import Database
from proxy.storage.entries import Entries
from proxy.storage.kept_sums import DAY_MS, HOUR_MS, KEPT
from proxy.storage.layers import owned
from proxy.storage.migrations import migrate, steps
from proxy.storage.postgres import PostgresDatabase
from proxy.storage.sqlite import SqliteDatabase
from proxy.storage.tenants import Tenants
from proxy.storage.usage import Usage
from proxy.storage.users import Users
from tests.kit.servers import Postgres
from tests.storage.ledger_rows import FIRST, TABLES, entry

ROWS = {"sqlite": 1_000_000, "postgres": 200_000}
"""PostgreSQL takes minutes for a million on a machine of two cores, and its plans are the same."""
MONTH_MS = 30 * DAY_MS
PATIENCE_S = 300.0
FIRST_OF_SUMS = 8
"""The step that begins to keep sums: those behind it fill them from the rows there are."""
BOOKED = {
    "event_id": "'e' || n",
    "request_id": "'r' || n",
    "started_at": f"{FIRST} + n * {{every_ms}}",
    "ended_at": f"{FIRST} + n * {{every_ms}} + 900",
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

pytestmark = pytest.mark.xdist_group("million")
"""One worker builds it and runs what reads it."""


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def million(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A month of 500 people: 250 of one large tenant, the others of 49. Nobody asks twice in a
    row, of ten models with three clients, so that few rows share an hour's sum."""
    if request.param == "sqlite":
        place = str(tmp_path_factory.mktemp("million") / "gateway.db")
        build_sqlite(place)
        yield place
        return
    server: Postgres = request.getfixturevalue("_postgres_server")
    url = server.new_database()
    asyncio.run(build_postgres(url))
    yield url
    server.drop(url)


async def opened(place: str) -> Database:
    if place.startswith("postgresql:"):
        return await PostgresDatabase.open(place, answer_s=PATIENCE_S)
    return await SqliteDatabase.open(place)


def insert(rows: int) -> str:
    """The statement that books so many."""
    numbers = [name for name in Entry.__struct_fields__ if name not in BOOKED]
    columns = BOOKED | {
        name: "''" if isinstance(getattr(entry("e"), name), str) else "1" for name in numbers
    }
    return (
        "WITH RECURSIVE each (n) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT n + 1 FROM each"
        f" WHERE n < {rows - 1}) INSERT INTO entries ({', '.join(columns)})"
        f" SELECT {', '.join(columns.values()).format(every_ms=MONTH_MS // rows)} FROM each"
    )


def build_sqlite(place: str) -> None:
    with contextlib.closing(sqlite3.connect(place, isolation_level=None)) as database:
        for setting in ("page_size = 8192", "synchronous = OFF", "journal_mode = OFF"):
            database.execute(f"PRAGMA {setting}")
        for step in steps():
            if step.number == FIRST_OF_SUMS:
                database.execute(insert(ROWS["sqlite"]))
            for statement in step.statements:
                database.execute(statement)


async def build_postgres(url: str) -> None:
    database = await PostgresDatabase.open(url, answer_s=PATIENCE_S)
    known = steps()
    await migrate(database, [step for step in known if step.number < FIRST_OF_SUMS])
    await database.run([(insert(ROWS["postgres"]), ())])
    await migrate(database, known)
    await database.run([("ANALYZE", ())])
    await database.close()


def is_postgres(database: Database) -> bool:
    return isinstance(database, PostgresDatabase)


@pytest.fixture
async def database(million: str) -> AsyncIterator[Database]:
    there = await opened(million)
    yield there
    await there.close()


class Listening:
    """The same database; what is read of it is noted."""

    def __init__(self, database: Database) -> None:
        self.run, self.run_many = database.run, database.run_many
        self.has_table, self.close = database.has_table, database.close
        self._fetch = database.fetch
        self.asked: list[tuple[str, Any]] = []

    async def fetch(self, sql: str, params: Any = ()) -> list[tuple[Any, ...]]:
        self.asked.append((sql, params))
        return await self._fetch(sql, params)


async def plans_of(database: Database, asked: list[tuple[str, Any]]) -> list[str]:
    """What the database means to do, a line each."""
    word = "EXPLAIN" if is_postgres(database) else "EXPLAIN QUERY PLAN"
    found = [await database.fetch(f"{word} {sql}", params) for sql, params in asked]
    return [str(row[-1]).strip() for rows in found for row in rows]


def whole_tables_read(plans: list[str], tables: tuple[str, ...]) -> list[str]:
    """Plans that read one of them from end to end."""
    names = "|".join(tables)
    return [
        plan
        for plan in plans
        if re.search(rf"\bSeq Scan on ({names})\b", plan)
        or re.match(rf"SCAN ({names})\b(?!.* INDEX )", plan)
    ]


Ask = Callable[[Database], Awaitable[Any]]
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


@pytest.mark.parametrize("whose", WHOSE)
@pytest.mark.parametrize("what", DASHBOARDS)
async def test_a_dashboard_adds_up_a_small_part_of_a_million_rows(
    database: Database, what: str, whose: str
) -> None:
    listening = Listening(database)
    await DASHBOARDS[what](listening, WHOSE[whose])
    ((sql, params),) = listening.asked
    summed = 0
    for part in PART.finditer(sql):
        before = sql[: part.start()].count("?")
        mine = params[before : before + part[0].count("?")]
        [(rows,)] = await database.fetch(f"SELECT count(*) FROM ({part[0]}) e", mine)
        summed += rows
    assert 0 < summed <= SUMMED_MAX
    plans = await plans_of(database, listening.asked)
    # The others are hardly larger than what is summed of them.
    assert not whole_tables_read(plans, ("entries", "hour_use")), plans


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


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_reads_its_own_part_of_a_million_rows(database: Database, page: str) -> None:
    listening = Listening(database)
    await PAGES[page](listening)
    plans = await plans_of(database, listening.asked)
    assert plans
    if is_postgres(database):  # which reads empty tables as a whole, and says less in a line
        assert not whole_tables_read(plans, ("entries", "hour_use")), plans
        return
    assert not whole_tables_read(plans, ("e", *TABLES, "refusals")), plans
    for plan in plans:
        if plan.startswith("SCAN") and plan.split()[1] in ("e", "audit", "refusals"):
            # In the order of an index and only as far as the page needs.
            assert page == "audit", plans
    if "tenant" in page or "own" in page:
        rows = [plan for plan in plans if re.match(r"SEARCH e(ntries)?\b", plan)]
        assert all("tenant_id=?" in plan for plan in rows), rows


async def test_the_rows_are_as_spread_as_can_be(database: Database) -> None:
    """A sum by hour is one of hardly more than a row; each table holds the sum of all."""
    [(booked,)] = await database.fetch("SELECT count(*) FROM entries")
    assert booked in ROWS.values()
    [(hours,)] = await database.fetch("SELECT count(*) FROM hour_use")
    assert hours > booked / 2
    for kept in KEPT:
        found = await database.fetch(
            f"SELECT CAST(sum(requests) AS BIGINT) FROM {kept.table} WHERE tenant_id <> ''"
        )
        assert found == [(booked,)]


@pytest.mark.parametrize("whose", WHOSE)
async def test_what_it_reads_is_what_it_says(database: Database, whose: str) -> None:
    """Kept sums and the rows themselves come to the same, a million of them too."""
    within = WHOSE[whose]
    total, people = await Usage(database).total(within)
    where, params = owned(
        within, "started_at >= ? AND started_at < ?", (within.start_ms, within.end_ms)
    )
    rows = await database.fetch(
        "SELECT count(*), CAST(sum(credits_in) AS BIGINT), count(DISTINCT user_id)"
        f" FROM entries WHERE {where}",
        params,
    )
    assert (total.requests, total.credits_in, people) == rows[0]

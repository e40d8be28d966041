"""Sums of the ledger from every side, and its rows in pages that hold still."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.domain.entry import Entry, Outcome
from proxy.domain.sums import NOTHING_USED, Sums, Within, added
from proxy.storage.accounts import Accounts
from proxy.storage.database import Database
from proxy.storage.entries import Entries
from proxy.storage.kept_sums import KEPT
from proxy.storage.migrations import migrate
from proxy.storage.sqlite import SqliteDatabase
from proxy.storage.usage import Usage

HOUR = 3_600_000
DAY = 24 * HOUR
ALL = Within(0, 1 << 50)
BARE = Entry(
    *("event", "req", 1_000, 2_000, "tenant_1", "user_1", "general_user", "key_1"),
    *("opus", "model_a", "alias", Outcome.COMPLETED, 200),
    client="claude-code",
)


def entry(event_id: str, **changes: Any) -> Entry:
    return msgspec.structs.replace(BARE, event_id=event_id, **changes)


async def test_no_rows_are_zeros(database: Database) -> None:
    usage = Usage(database)
    assert await usage.total(ALL) == (NOTHING_USED, 0)
    assert await usage.by_model(ALL, 10) == []
    assert await usage.by_source(ALL, 10) == []
    assert await usage.by_user(ALL, "2026-11", 10) == []
    assert await usage.by_time(ALL, DAY, 0) == []
    assert await usage.events(ALL, 10) == []
    assert await usage.requests("2026-11", "user_1") == 0


async def test_every_class_of_tokens_and_credits_has_its_own_sum(database: Database) -> None:
    row = {
        "input_tokens": 1,
        "output_tokens": 2,
        "cache_write_5m_tokens": 3,
        "cache_write_1h_tokens": 4,
        "cache_read_tokens": 5,
        "thinking_tokens": 6,
        "web_searches": 7,
        "credits_in": 8_000_000_000_000_000,
        "credits_out": 9,
        "credits_actions": 10,
    }
    await Entries(database).insert([entry("e1", **row), entry("e2", **row, user_id="user_2")])
    sums, users = await Usage(database).total(ALL)
    assert sums == Sums(requests=2, errors=0, **{name: 2 * figure for name, figure in row.items()})
    assert sums.credits == 2 * 8_000_000_000_000_019
    assert users == 2


async def test_errors_are_what_did_not_end_well_but_for_clients_that_left(
    database: Database,
) -> None:
    await Entries(database).insert([entry(one.value, outcome=one) for one in Outcome])
    sums, _ = await Usage(database).total(ALL)
    assert (sums.requests, sums.errors) == (5, 3)


async def test_only_the_rows_that_are_meant_count(database: Database) -> None:
    await Entries(database).insert(
        [
            entry("e1", credits_in=1),
            entry("e2", credits_in=10, tenant_id="tenant_2"),
            entry("e3", credits_in=100, user_id="user_2"),
            entry("e4", credits_in=1_000, model="model_b"),
            entry("e5", credits_in=10_000, started_at=999),
            entry("e6", credits_in=100_000, started_at=2_000),
        ]
    )
    usage = Usage(database)
    second = Within(1_000, 2_000)

    async def credits(**filters: str) -> int:
        sums, _ = await usage.total(msgspec.structs.replace(second, **filters))
        return sums.credits

    assert await credits() == 1_111
    assert await credits(tenant_id="tenant_1") == 1_101
    assert await credits(tenant_id="tenant_1", user_id="user_1") == 1_001
    assert await credits(tenant_id="tenant_1", user_id="user_1", model="model_a") == 1
    assert await credits(user_id="nobody") == 0


async def test_groups_come_dearest_first_and_in_pages(database: Database) -> None:
    await Entries(database).insert(
        [
            entry("e1", model="a", credits_in=1),
            entry("e2", model="b", credits_out=3, surface="chat", client=""),
            entry("e3", model="c", credits_actions=2),
            entry("e4", model="a", credits_in=1),
        ]
    )
    usage = Usage(database)
    models = await usage.by_model(ALL, 10)
    assert [(row.model, row.sums.credits) for row in models] == [("b", 3), ("a", 2), ("c", 2)]
    assert await usage.by_model(ALL, 2, 1) == models[1:]
    sources = await usage.by_source(ALL, 10)
    assert [(row.surface, row.client, row.sums.credits) for row in sources] == [
        ("anthropic_gateway", "claude-code", 4),
        ("chat", "", 3),
    ]


async def test_users_are_shown_as_they_are_today(database: Database) -> None:
    accounts = Accounts(database)
    home, other = await accounts.ensure_tenant("Home"), await accounts.ensure_tenant("Other")
    ada = await accounts.ensure_user("ada@example.com", home)
    await Entries(database).insert(
        [
            entry("e1", tenant_id=home, user_id=ada.id, credits_in=5),
            entry("e2", tenant_id=other, user_id=ada.id, credits_in=3),
            entry("e3", tenant_id=home, user_id="user_gone", credits_in=1),
        ]
    )
    await database.run(
        [
            ("DELETE FROM month_use", ()),
            (
                "INSERT INTO month_use (period, tenant_id, user_id, credits, requests)"
                " VALUES ('2026-11', ?, ?, 7, 4), ('2026-11', ?, ?, 3, 1),"
                " ('2026-11', ?, '', 7, 4)",
                (home, ada.id, other, ada.id, home),
            ),
            ("UPDATE roles SET user_credit_limit = 12.5 WHERE id = 'role_client_admin'", ()),
        ]
    )
    usage = Usage(database)
    here, there, gone = await usage.by_user(ALL, "2026-11", 10)
    assert here[:6] == (ada.id, home, "ada@example.com", "client_admin", 12_500_000, 10)
    # Another tenant does not get to know the address of who is no longer (or was never) its own.
    assert there[:6] == (ada.id, other, None, None, None, None)
    assert gone[:6] == ("user_gone", home, None, None, None, None)
    assert [row.sums.credits for row in (here, there, gone)] == [5, 3, 1]
    [last_month, *_] = await usage.by_user(ALL, "2026-10", 1)
    assert last_month.month_credits == 0
    assert await usage.requests("2026-11", ada.id) == 5
    assert await usage.requests("2026-10", ada.id) == 0


async def test_time_is_cut_by_the_clock_of_an_offset(database: Database) -> None:
    noon = 20_000 * DAY + 12 * HOUR
    await Entries(database).insert(
        [
            entry("e1", started_at=noon, credits_in=1),
            entry("e2", started_at=noon + 11 * HOUR, credits_in=10),
            entry("e3", started_at=noon + 18 * HOUR + HOUR // 2 - 1, credits_in=100),
        ]
    )
    usage = Usage(database)

    async def credits(every_ms: int, offset_ms: int, wrap: int | None = None) -> dict[int, int]:
        rows = await usage.by_time(ALL, every_ms, offset_ms, wrap)
        return {number: sums.credits for number, sums in rows}

    assert await credits(DAY, 0) == {20_000: 11, 20_001: 100}
    assert await credits(DAY, HOUR) == {20_000: 1, 20_001: 110}
    # Half an hour more brings the last one to noon sharp, but for a millisecond.
    assert await credits(HOUR, 11 * HOUR // 2) == {480_017: 1, 480_028: 10, 480_035: 100}
    assert await credits(HOUR, 0, 168) == {480_012 % 168: 1, 480_023 % 168: 10, 480_030 % 168: 100}


async def test_rows_are_whole_and_newest_first(database: Database) -> None:
    rows = [entry("e1"), entry("e2", streamed=True, first_byte_ms=5), entry("e0", started_at=2_000)]
    await Entries(database).insert(rows)
    usage = Usage(database)
    assert await usage.events(ALL, 10) == [rows[2], rows[1], rows[0]]
    assert await usage.events(ALL, 1, offset=1) == [rows[1]]
    assert await usage.events(ALL, 10, before=(1_000, "e2")) == [rows[0]]
    assert await usage.events(Within(1_000, 1_001, "tenant_2"), 10) == []


async def test_one_request_is_found_among_all(database: Database) -> None:
    mine, other = entry("e1", request_id="req_1"), entry("e2", request_id="req_2")
    await Entries(database).insert([mine, other])
    assert await Usage(database).events(ALL, 10, request_id="req_1") == [mine]


_starts = st.lists(st.integers(0, 5), max_size=12)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(there=_starts, later=_starts, page=st.integers(1, 4))
async def test_pages_neither_skip_nor_repeat_a_row_while_others_arrive(
    database: Database, there: list[int], later: list[int], page: int
) -> None:
    await database.run([("DELETE FROM entries", ())])
    entries, usage = Entries(database), Usage(database)
    # Ids in no order, many rows of one moment.
    await entries.insert([entry(f"{n * 7 % 13:02}a", started_at=at) for n, at in enumerate(there)])
    arriving = [entry(f"{n * 5 % 13:02}b", started_at=at) for n, at in enumerate(later)]
    seen: list[str] = []
    before = None
    while rows := await usage.events(ALL, page, before=before):
        seen += [row.event_id for row in rows]
        before = (rows[-1].started_at, rows[-1].event_id)
        await entries.insert(arriving[:2])
        del arriving[:2]
    assert len(seen) == len(set(seen))
    assert sorted(name for name in seen if name.endswith("a")) == sorted(
        f"{n * 7 % 13:02}a" for n in range(len(there))
    )


_rows = st.lists(
    st.fixed_dictionaries(
        {
            "model": st.sampled_from(["a", "b", "c"]),
            "user_id": st.sampled_from(["u", "v"]),
            "tenant_id": st.sampled_from(["s", "t"]),
            "client": st.sampled_from(["", "curl"]),
            "outcome": st.sampled_from(list(Outcome)),
            "started_at": st.integers(20_000 * DAY, 20_005 * DAY),
            "credits_in": st.integers(0, 10**15),
            "credits_out": st.integers(0, 10**15),
            "credits_actions": st.integers(0, 10**9),
        }
    ),
    max_size=20,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=_rows, tenant_id=st.sampled_from([None, "s", "t"]))
async def test_every_way_of_summing_comes_to_the_same(
    database: Database, rows: list[dict[str, Any]], tenant_id: str | None
) -> None:
    tables = ("entries", "month_use", *[kept.table for kept in KEPT])
    await database.run([(f"DELETE FROM {table}", ()) for table in tables])
    await Entries(database).insert([entry(f"e{n}", **row) for n, row in enumerate(rows)])
    usage = Usage(database)
    within = Within(20_000 * DAY, 20_006 * DAY, tenant_id)
    total, _ = await usage.total(within)
    ways = [
        [row.sums for row in await usage.by_model(within, 100)],
        [row.sums for row in await usage.by_source(within, 100)],
        [row.sums for row in await usage.by_user(within, "2024-10", 100)],
        [sums for _, sums in await usage.by_time(within, DAY, 7 * HOUR)],
        [sums for _, sums in await usage.by_time(within, HOUR, -HOUR // 2, 168)],
    ]
    for way in ways:
        together = NOTHING_USED
        for sums in way:
            together = added(together, sums)
        assert together == total
    meant = [row for row in rows if tenant_id in (None, row["tenant_id"])]
    assert total.requests == len(meant)
    assert total.credits == sum(
        row["credits_in"] + row["credits_out"] + row["credits_actions"] for row in meant
    )


@pytest.mark.parametrize(
    ("within", "index"),
    [
        (Within(1, 2, "tenant_1"), "entries_by_tenant"),
        (Within(1, 2, "tenant_1", "user_1"), "entries_by_user"),
        (Within(1, 2), "entries_by_time"),
    ],
)
async def test_a_tenants_usage_does_not_read_the_rows_of_others(
    path: Path, within: Within, index: str
) -> None:
    database = await SqliteDatabase.open(path)
    await migrate(database)
    plans: list[str] = []

    class Explained:
        run, run_many, close = database.run, database.run_many, database.close

        async def fetch(self, sql: str, params: Any = ()) -> list[tuple[Any, ...]]:
            plans.extend(
                row[3] for row in await database.fetch(f"EXPLAIN QUERY PLAN {sql}", params)
            )
            return []

    usage = Usage(Explained())
    await usage.by_model(within, 10)
    await usage.by_user(within, "2026-11", 10)
    await usage.events(within, 10, before=(2, "e"))
    await database.close()
    reads = [plan for plan in plans if re.search(r"(SEARCH|SCAN) e(ntries)?\b", plan)]
    assert len(reads) == 3
    assert all(f"INDEX {index} " in plan for plan in reads), reads

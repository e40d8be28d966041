"""The sums of a month are those of its rows, for every tenant and user, whatever happened."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.domain.entry import Entry, Outcome
from proxy.domain.fault import Fault, Kind
from proxy.storage.database import Database
from proxy.storage.entries import Entries
from proxy.storage.migrations import migrate, steps
from proxy.storage.months import QUARTER_MS, begin_months, months_of, sums_of

OpenAnother = Callable[[], Awaitable[Database]]

NOVEMBER = 1_793_491_200_000  # 2026-11-01T00:00Z
BARE = Entry("e", "r", NOVEMBER, 0, "t1", "u1", "", "", "", "m", "exact", Outcome.COMPLETED, 200)


def entry(event_id: str, **changes: Any) -> Entry:
    return msgspec.structs.replace(BARE, event_id=event_id, **changes)


async def sums(database: Database) -> dict[tuple[str, str, str], tuple[int, int]]:
    rows = await database.fetch(
        "SELECT period, tenant_id, user_id, credits, requests FROM month_use"
    )
    return {row[:3]: row[3:] for row in rows}


async def sums_of_rows(database: Database) -> dict[tuple[str, str, str], tuple[int, int]]:
    """The same, counted from the rows (in UTC)."""
    rows = await database.fetch("SELECT started_at, tenant_id, user_id, credits_in FROM entries")
    expected: dict[tuple[str, str, str], tuple[int, int]] = {}
    for started_at, tenant_id, user_id, credits in rows:
        for owner in (user_id, ""):
            key = (months_of("UTC")(started_at), tenant_id, owner)
            had = expected.get(key, (0, 0))
            expected[key] = (had[0] + credits, had[1] + 1)
    return expected


async def test_rows_add_to_their_users_and_tenants_month(database: Database) -> None:
    await Entries(database).insert(
        [
            entry("e1", credits_in=1, credits_out=10, credits_actions=100),
            entry("e2", user_id="u2", credits_in=1_000),
            entry("e3", tenant_id="t2", credits_in=5),
            entry("e4", started_at=NOVEMBER - 1, credits_in=7),
            entry("e5", user_id="u3"),
        ]
    )
    await Entries(database).insert([entry("e6", credits_in=10_000)])
    assert await sums(database) == {
        ("2026-10", "t1", ""): (7, 1),
        ("2026-10", "t1", "u1"): (7, 1),
        ("2026-11", "t1", ""): (11_111, 4),
        ("2026-11", "t1", "u1"): (10_111, 2),
        ("2026-11", "t1", "u2"): (1_000, 1),
        ("2026-11", "t1", "u3"): (0, 1),
        ("2026-11", "t2", ""): (5, 1),
        ("2026-11", "t2", "u1"): (5, 1),
    }


async def test_a_month_is_that_of_the_zone(database: Database) -> None:
    entries = Entries(database, months_of("Europe/Berlin"))
    await entries.insert(
        [entry("e1", started_at=NOVEMBER - 3_600_000), entry("e2", started_at=NOVEMBER - 3_600_001)]
    )
    assert {key[0] for key in await sums(database)} == {"2026-10", "2026-11"}


@pytest.mark.parametrize(
    ("zone", "first_ms", "month"),
    [
        ("UTC", NOVEMBER, "2026-11"),
        ("Europe/Berlin", NOVEMBER - 3_600_000, "2026-11"),  # an hour ahead in winter
        ("Europe/Berlin", 1_790_805_600_000 - 0, "2026-10"),  # two hours ahead in October
        ("Asia/Kathmandu", NOVEMBER - 20_700_000, "2026-11"),  # 5:45 ahead
        ("America/New_York", NOVEMBER + 4 * 3_600_000, "2026-11"),  # still summer time there
    ],
)
def test_a_month_begins_at_midnight_of_the_zone(zone: str, first_ms: int, month: str) -> None:
    period_of = months_of(zone)
    assert period_of(first_ms) == month
    assert period_of(first_ms - 1) != month
    assert first_ms % QUARTER_MS == 0


async def test_rows_that_are_there_already_are_not_added_again(database: Database) -> None:
    entries = Entries(database)
    batch = [entry(f"e{n}", credits_in=n) for n in range(300)]
    await entries.insert(batch[:200])
    await entries.insert([*batch[100:], batch[250], entry("e299", credits_in=5)])
    await entries.insert(batch)
    assert await database.fetch("SELECT count(*) FROM entries") == [(300,)]
    assert await sums(database) == await sums_of_rows(database)


async def test_of_one_event_twice_in_a_batch_the_first_counts(database: Database) -> None:
    await Entries(database).insert([entry("e1", credits_in=1), entry("e1", credits_in=2)])
    assert await database.fetch("SELECT credits_in FROM entries") == [(1,)]
    assert (await sums(database))["2026-11", "t1", ""] == (1, 1)


async def test_a_row_that_can_never_be_stored_leaves_no_trace_of_its_batch(
    database: Database,
) -> None:
    entries = Entries(database)
    await entries.insert([entry("e1", credits_in=1)])
    bad = entry("e3")
    bad.role = None  # type: ignore[assignment]
    with pytest.raises(Fault) as failed:
        await entries.insert([entry("e1", credits_in=1), entry("e2", credits_in=2), bad])
    assert failed.value.kind is Kind.CONFLICT
    assert await database.fetch("SELECT event_id FROM entries") == [("e1",)]
    assert await sums(database) == await sums_of_rows(database)


async def test_workers_that_store_the_same_rows_at_once_store_them_once(
    database: Database, another: OpenAnother
) -> None:
    stores = [Entries(await another()) for _ in range(4)]
    users = [f"u{n % 7}" for n in range(200)]
    rows = [entry(f"e{n}", user_id=user, credits_in=n) for n, user in enumerate(users)]
    # Each in an order of its own, and in overlapping parts.
    batches = [rows[:120], rows[::-1][:120], rows[40:160], rows[1::2], rows[::2]]
    await asyncio.gather(*[store.insert(batch) for store in stores for batch in batches])
    assert await database.fetch("SELECT count(*) FROM entries") == [(200,)]
    assert await sums(database) == await sums_of_rows(database)


_batches = st.lists(
    st.lists(
        st.tuples(
            st.integers(0, 12),
            st.sampled_from(["t1", "t2"]),
            st.sampled_from(["u1", "u2", "u3"]),
            st.integers(NOVEMBER - 2 * QUARTER_MS, NOVEMBER + 2 * QUARTER_MS),
            st.integers(0, 10**12),
        ),
        max_size=8,
    ),
    max_size=5,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(_batches)
async def test_sums_are_those_of_the_rows_for_any_batches_with_any_repeats(
    database: Database, batches: list[list[tuple[int, str, str, int, int]]]
) -> None:
    await database.run([("DELETE FROM entries", ()), ("DELETE FROM month_use", ())])
    entries = Entries(database)
    for batch in batches:
        await entries.insert(
            [
                entry(f"e{n}", tenant_id=tenant, user_id=user, started_at=at, credits_in=credits)
                for n, tenant, user, at, credits in batch
            ]
        )
    assert await sums(database) == await sums_of_rows(database)


def test_sums_come_in_one_order_whatever_that_of_the_rows() -> None:
    rows = [entry(f"e{n}", user_id=f"u{n % 5}", tenant_id=f"t{n % 3}") for n in range(30)]
    assert sums_of(rows, months_of("UTC")) == sums_of(rows[::-1], months_of("UTC"))


async def with_old_rows(empty: Database, rows: list[Entry]) -> None:
    """A database of the release that kept no sums, and then the new steps."""
    await migrate(empty, steps()[:2])
    known = Entry.__struct_fields__[:-1]  # usage_estimated came later
    await empty.run_many(
        f"INSERT INTO entries ({', '.join(known)}) VALUES ({', '.join('?' * len(known))})",
        [msgspec.structs.astuple(row)[: len(known)] for row in rows],
    )
    await migrate(empty)


async def test_rows_older_than_the_sums_are_summed_up_once(
    empty: Database, another: OpenAnother
) -> None:
    day = 86_400_000
    await with_old_rows(
        empty,
        [
            entry(f"e{n}", started_at=NOVEMBER - n * day, user_id=f"u{n % 3}", credits_in=n)
            for n in range(100)
        ],
    )
    assert await sums(empty) == {}
    others = [await another() for _ in range(3)]
    await asyncio.gather(*[begin_months(each, "UTC") for each in (empty, *others)])
    assert len({key[0] for key in await sums(empty)}) == 5
    assert await sums(empty) == await sums_of_rows(empty)
    await Entries(empty).insert([entry("new", credits_in=1)])
    await begin_months(empty, "UTC")
    assert await sums(empty) == await sums_of_rows(empty)


async def test_older_rows_are_summed_up_by_months_of_the_zone(empty: Database) -> None:
    await with_old_rows(empty, [entry("e1", started_at=NOVEMBER - 1, credits_in=3)])
    await begin_months(empty, "Europe/Berlin")
    assert await sums(empty) == {
        ("2026-11", "t1", ""): (3, 1),
        ("2026-11", "t1", "u1"): (3, 1),
    }


async def test_sums_of_new_rows_are_not_taken_for_old_ones(database: Database) -> None:
    await begin_months(database, "UTC")
    await Entries(database).insert([entry("e1", credits_in=1)])
    await begin_months(database, "UTC")
    assert await sums(database) == await sums_of_rows(database)

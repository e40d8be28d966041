"""Sums are kept of all rows and of each tenant's, also of rows from before there were sums."""

from typing import Any

from proxy.domain.entry import Entry, Outcome
from proxy.storage.database import Database
from proxy.storage.entries import Entries
from proxy.storage.kept_sums import DAY_MS, HOUR_MS, KEPT, QUARTER_MS
from proxy.storage.migrations import migrate, steps
from tests.storage.ledger_rows import FIRST, entry

SPAN = 3 * DAY_MS


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

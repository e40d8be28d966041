"""Sums of a month: by tenant and by user, for as many as are asked for."""

from proxy.storage.database import Database
from proxy.storage.month_use import IDS_PER_STATEMENT, MonthUse


async def put(database: Database, *rows: tuple[str, str, str, int]) -> None:
    await database.run_many(
        "INSERT INTO month_use (period, tenant_id, user_id, credits, requests)"
        " VALUES (?, ?, ?, ?, 1)",
        rows,
    )


async def test_tenants_and_users_have_their_own_sums(database: Database) -> None:
    await put(
        database,
        ("2026-11", "t1", "", 30),
        ("2026-11", "t1", "u1", 10),
        ("2026-11", "t1", "u2", 20),
        ("2026-11", "t2", "", 5),
        ("2026-11", "t2", "u1", 5),
        ("2026-10", "t1", "", 999),
        ("2026-10", "t1", "u1", 999),
    )
    uses = MonthUse(database)
    tenants, users = await uses.used("2026-11", ["t1", "t2", "t3"], ["u1", "u2", "u3"])
    assert tenants == {"t1": 30, "t2": 5}
    # Of the user who moved from one tenant to the other, both count.
    assert users == {"u1": 15, "u2": 20}
    assert await uses.used("2026-11", ["t1"], []) == ({"t1": 30}, {})
    assert await uses.used("2026-12", ["t1"], ["u1"]) == ({}, {})


async def test_a_user_without_a_name_is_not_all_tenants_together(database: Database) -> None:
    await put(database, ("2026-11", "t1", "", 30))
    assert await MonthUse(database).used("2026-11", [], [""]) == ({}, {})


async def test_more_are_asked_for_than_fit_into_a_statement(database: Database) -> None:
    several = 2 * IDS_PER_STATEMENT + 1
    await put(database, *[("2026-11", f"t{i}", "", i) for i in range(several)])
    await put(database, *[("2026-11", "t1", f"u{i}", i) for i in range(several)])
    tenants, users = await MonthUse(database).used(
        "2026-11", [f"t{i}" for i in range(several)], [f"u{i}" for i in range(several)]
    )
    assert tenants == {f"t{i}": i for i in range(several)}
    assert users == {f"u{i}": i for i in range(several)}
    assert all(type(credits) is int for credits in users.values())

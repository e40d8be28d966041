"""Letters and notices in storage, of either kind: taken by one, given once, gone after a while."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from proxy.domain.entry import COMPLETED, Entry
from proxy.domain.letter import Letter, Notice
from proxy.domain.people import Actor
from proxy.storage import letters as letters_module
from proxy.storage.audit import Audit
from proxy.storage.database import Database
from proxy.storage.entries import Entries
from proxy.storage.letters import KEPT_MS, RECIPIENTS_MAX, Letters
from proxy.storage.migrations import migrate
from proxy.storage.packages import CreditPacks, Packages
from proxy.storage.roles import Roles
from proxy.storage.sqlite import SqliteDatabase
from proxy.storage.tenants import Tenants
from proxy.storage.users import Users

OpenAnother = Callable[[], Awaitable[Database]]
NOW = 1_790_000_000_000  # 2026-09-21
MONTH = "2026-09"
CREDIT = 1_000_000
BY = Actor.operator(NOW)


async def tenant_with_people(
    database: Database, name: str = "Acme", *, credits: int | None = 1_000
) -> tuple[str, str]:
    """A tenant with a package of so many credits, and its administrator."""
    package = await Packages(database).create(
        f"Package of {name}",
        BY,
        monthly_credits=None if credits is None else credits * CREDIT,
    )
    tenant = await Tenants(database).create(name, BY, package_id=package.id)
    admin = await Users(database).create(
        f"admin@{name.lower()}.example", tenant.id, BY, role="client_admin", status="Active"
    )
    return tenant.id, admin.id


async def use(database: Database, tenant_id: str, user_id: str, credits: float) -> None:
    """Have so many credits used."""
    row = Entry(
        event_id=f"evt_{user_id}_{credits}",
        request_id="req_1",
        started_at=NOW,
        ended_at=NOW,
        tenant_id=tenant_id,
        user_id=user_id,
        role="general_user",
        key_id="key_1",
        requested_model="m",
        model="m",
        resolved_via="exact",
        outcome=COMPLETED,
        status=200,
        credits_in=round(credits * CREDIT),
    )
    await Entries(database).insert([row])


def letter(user_id: str, number: int = 0, **more: object) -> Letter:
    plain = Letter(
        id=f"allowance_reached.{MONTH}.{user_id}.{number}",
        kind="allowance_reached",
        tenant_id="tenant_1",
        user_id=user_id,
        recipient="ann@acme.example",
        subject="Used",
        body="All is used.",
        created_at=NOW,
        reply_to="root@msp.example",
    )
    return replace(plain, **more)


# ---------------------------------------------------------------- who is to be told


async def test_who_used_little_of_an_allowance_is_not_looked_at(database: Database) -> None:
    store = Letters(database)
    for name, credits, used in (
        ("Low", 1_000, 799.0),
        ("Near", 1_000, 800.0),
        ("Over", 1_000, 1_000.0),
        ("Unlimited", None, 9_999.0),
    ):
        tenant_id, user_id = await tenant_with_people(database, name, credits=credits)
        await use(database, tenant_id, user_id, used)
    found = [tenant_id for tenant_id, _ in await store.near(MONTH, 100)]
    names = {tenant.id: tenant.name for tenant in await Tenants(database).page()}
    assert sorted(names[tenant_id] for tenant_id in found) == ["Near", "Over"]
    assert dict(await store.near(MONTH, 100))[found[0]] in (800 * CREDIT, 1_000 * CREDIT)
    assert len(await store.near(MONTH, 1)) == 1
    assert await store.near("2026-10", 100) == []


async def test_who_was_told_is_not_looked_at_again(database: Database) -> None:
    store = Letters(database)
    tenant_id, user_id = await tenant_with_people(database)
    await use(database, tenant_id, user_id, 850)
    approaching = Notice(tenant_id, MONTH, "allowance_approaching")
    assert await store.post([letter(user_id, 1)], NOW, notice=approaching, by=None)
    assert await store.near(MONTH, 100) == []
    assert await store.told(MONTH, tenant_id) == {"allowance_approaching"}
    await use(database, tenant_id, user_id, 151)
    assert await store.near(MONTH, 100) == [(tenant_id, 1_001 * CREDIT)]
    reached = Notice(tenant_id, MONTH, "allowance_reached")
    assert await store.post([letter(user_id, 2)], NOW, notice=reached, by=None)
    assert await store.near(MONTH, 100) == []
    assert await store.told("2026-10", tenant_id) == set()


async def test_a_suspended_tenant_is_not_looked_at(database: Database) -> None:
    tenant_id, user_id = await tenant_with_people(database)
    await use(database, tenant_id, user_id, 5_000)
    await Tenants(database).change(tenant_id, BY, status="Suspended")
    assert await Letters(database).near(MONTH, 100) == []


async def test_packs_leave_a_tenant_among_those_looked_at(database: Database) -> None:
    tenant_id, user_id = await tenant_with_people(database)
    await use(database, tenant_id, user_id, 1_200)
    await CreditPacks(database).add(
        tenant_id, BY, name="Extra", credits=500 * CREDIT, valid_from=NOW, valid_until=None
    )
    store = Letters(database)
    approaching = Notice(tenant_id, MONTH, "allowance_approaching")
    assert await store.post([], NOW, notice=approaching, by=None)
    assert await store.near(MONTH, 100) == [(tenant_id, 1_200 * CREDIT)]


async def test_letters_go_to_active_people_who_may_manage_the_tenant(database: Database) -> None:
    tenant_id, admin_id = await tenant_with_people(database)
    await tenant_with_people(database, "Beta")
    roles, users = Roles(database), Users(database)
    await roles.create("keeper", BY, tenant_id=tenant_id, permissions=["tenant.manage"])
    await roles.create("people", BY, tenant_id=tenant_id, permissions=["users.manage"])
    for email, role, status in (
        ("keeper@acme.example", "keeper", "Active"),
        ("people@acme.example", "people", "Active"),
        ("user@acme.example", "general_user", "Active"),
        ("invited@acme.example", "client_admin", "Invited"),
        ("suspended@acme.example", "client_admin", "Active"),
        ("deleted@acme.example", "client_admin", "Active"),
    ):
        await users.create(email, tenant_id, BY, role=role, first_name="Kim", status=status)
    for email in ("suspended@acme.example", "deleted@acme.example"):
        user = await users.by_email(email, tenant_id)
        assert user is not None
        if email.startswith("deleted"):
            await users.delete(user.id, BY)
        else:
            await users.change(user.id, BY, status="Suspended")
    found = await Letters(database).administrators(tenant_id)
    assert sorted(each.email for each in found) == ["admin@acme.example", "keeper@acme.example"]
    assert {each.first_name for each in found} == {"", "Kim"}
    assert admin_id in {each.id for each in found}


async def test_a_tenant_of_administrators_does_not_write_to_all_of_them(
    database: Database,
) -> None:
    tenant_id, _ = await tenant_with_people(database)
    for number in range(RECIPIENTS_MAX + 3):
        await Users(database).create(
            f"a{number}@acme.example", tenant_id, BY, role="client_admin", status="Active"
        )
    assert len(await Letters(database).administrators(tenant_id)) == RECIPIENTS_MAX


# ---------------------------------------------------------------- once


async def test_a_notice_is_given_once_and_its_letters_with_it(
    database: Database, another: OpenAnother
) -> None:
    tenant_id, user_id = await tenant_with_people(database)
    notice = Notice(tenant_id, MONTH, "allowance_reached")
    stores = [Letters(database), *[Letters(await another()) for _ in range(3)]]
    given = await asyncio.gather(
        *[
            store.post([letter(user_id, number)], NOW, notice=notice, by=None)
            for number, store in enumerate(stores)
        ]
    )
    assert sorted(given) == [False, False, False, True]
    assert await stores[0].waiting() == 1
    later = Notice(tenant_id, "2026-10", "allowance_reached")
    assert await stores[0].post([letter(user_id, 9)], NOW, notice=later, by=None)


RACE = """
import asyncio, sys
from proxy.domain.letter import Letter, Notice
from proxy.storage.letters import Letters
from proxy.storage.opening import open_database

async def main(url, tenant_id, user_id, number):
    database = await open_database(url)
    store = Letters(database)
    letter = Letter(id=f"l{number}", kind="allowance_reached", tenant_id=tenant_id,
        user_id=user_id, recipient="a@b.c", subject="s", body="b", created_at=1)
    print("ready", flush=True)
    sys.stdin.readline()
    given = 0
    for month in range(1, 13):
        notice = Notice(tenant_id, f"2026-{month:02}", "allowance_reached")
        one = Letter(id=f"l{number}.{month}", kind="allowance_reached", tenant_id=tenant_id,
            user_id=user_id, recipient="a@b.c", subject="s", body="b", created_at=1)
        given += await store.post([one], 1, notice=notice, by=None)
    taken = []
    while letters := await store.take(2, 1_000_000, 2):
        taken += [each.id for each in letters]
    print(given, ",".join(taken), flush=True)
    await database.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_processes_that_race_give_each_notice_once_and_take_each_letter_once(
    database: Database, url: str, spawn: Callable[..., subprocess.Popen[str]]
) -> None:
    tenant_id, user_id = await tenant_with_people(database)
    processes = [spawn(RACE, url, tenant_id, user_id, number) for number in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    given, taken = 0, []
    for process in processes:
        out, err = await asyncio.to_thread(process.communicate, timeout=60)
        assert process.returncode == 0, err
        count, _, ids = out.strip().partition(" ")
        given += int(count)
        taken += [each for each in ids.split(",") if each]
    assert given == 12
    assert len(taken) == len(set(taken)) == 12


# ---------------------------------------------------------------- waiting, taken, over


async def test_a_letter_is_taken_by_one_and_comes_back_after_a_while(database: Database) -> None:
    _, user_id = await tenant_with_people(database)
    store, other = Letters(database), Letters(database)
    written = letter(user_id)
    assert await store.post([written], NOW, notice=None, by=None)
    assert await store.take(NOW - 1, NOW + 100, 10) == []
    assert await store.take(NOW, NOW + 100, 10) == [replace(written, attempts=1)]
    assert await other.take(NOW, NOW + 100, 10) == []
    assert await other.take(NOW + 100, NOW + 200, 10) == [replace(written, attempts=2)]
    # Whoever had it before has no say any more.
    await store.put_back(written.id, NOW)
    assert await store.take(NOW + 150, NOW + 300, 10) == []
    await other.put_back(written.id, NOW + 150)
    assert await store.take(NOW + 150, NOW + 300, 10) == [replace(written, attempts=3)]
    await store.end(written.id, "sent", NOW + 151)
    assert await store.take(NOW + 9_999, NOW + 99_999, 10) == []
    assert await store.waiting() == 0


async def test_no_more_are_taken_than_asked_for_and_the_longest_due_first(
    database: Database,
) -> None:
    _, user_id = await tenant_with_people(database)
    store = Letters(database)
    letters = [letter(user_id, n, created_at=NOW - n) for n in range(5)]
    assert await store.post(letters, NOW, notice=None, by=None)
    first = await store.take(NOW, NOW + 100, 3)
    assert [each.id for each in first] == [each.id for each in reversed(letters[2:])]
    assert len(await store.take(NOW, NOW + 100, 3)) == 2


@pytest.mark.parametrize(
    ("kind", "status", "wanted"),
    [
        ("allowance_reached", "Active", True),
        ("allowance_reached", "Suspended", False),
        ("invitation", "Invited", True),
        ("invitation", "Active", False),
    ],
)
async def test_a_letter_nobody_wants_any_more_is_not_sent(
    database: Database, kind: str, status: str, wanted: bool
) -> None:
    tenant_id, _ = await tenant_with_people(database)
    users = Users(database)
    user = await users.create("kim@acme.example", tenant_id, BY, status="Invited")
    if status != "Invited":
        await users.change(user.id, BY, status=status)  # type: ignore[arg-type]
    store = Letters(database)
    assert await store.post([letter(user.id, kind=kind)], NOW, notice=None, by=None)
    assert len(await store.take(NOW, NOW + 100, 10)) == wanted
    assert await store.waiting() == wanted


async def test_letters_that_are_over_lose_their_words_and_go_after_a_while(
    database: Database,
) -> None:
    _, user_id = await tenant_with_people(database)
    store = Letters(database)
    assert await store.post([letter(user_id, 1), letter(user_id, 2)], NOW, notice=None, by=None)
    await store.end(letter(user_id, 1).id, "sent", NOW)
    read = "SELECT body, outcome FROM letters WHERE ended_at IS NOT NULL"
    assert await database.fetch(read) == [("", "sent")]
    # It is over once; what comes later changes nothing.
    await store.end(letter(user_id, 1).id, "given_up", NOW + 1)
    assert await database.fetch(read) == [("", "sent")]
    assert await store.post([letter(user_id, 3)], NOW + KEPT_MS + 1, notice=None, by=None)
    ids = {row[0] for row in await database.fetch("SELECT id FROM letters")}
    assert ids == {letter(user_id, 2).id, letter(user_id, 3).id}


async def test_notices_of_last_year_go_and_this_years_stay(database: Database) -> None:
    tenant_id, _ = await tenant_with_people(database)
    store = Letters(database)
    for period in ("2025-08", "2025-09", "2025-10", "2026-09"):
        notice = Notice(tenant_id, period, "allowance_reached")
        assert await store.post([], NOW, notice=notice, by=None)
    rows = await database.fetch("SELECT period FROM notices ORDER BY period")
    assert [period for (period,) in rows] == ["2025-10", "2026-09"]


async def test_who_sends_a_letter_is_in_the_audit(database: Database) -> None:
    tenant_id, user_id = await tenant_with_people(database)
    by = Actor("user_9", "root@msp.example", NOW, "req_7")
    store = Letters(database)
    assert await store.last_written(user_id, "invitation") is None
    sent = letter(user_id, kind="invitation", tenant_id=tenant_id)
    assert await store.post([sent], NOW, notice=None, by=by)
    assert await store.last_written(user_id, "invitation") == NOW
    assert await store.last_written(user_id, "allowance_reached") is None
    line = next(
        line
        for line in await Audit(database).page(tenant_id=tenant_id)
        if line.actor_id == "user_9"
    )
    assert (line.action, line.target, line.request_id) == ("user.mail", user_id, "req_7")
    assert line.after == {"email": "ann@acme.example", "mail": "invitation"}


async def test_looking_for_tenants_does_not_go_through_all_users(tmp_path: Path) -> None:
    database = await SqliteDatabase.open(tmp_path / "plan.db")
    await migrate(database)
    plan = await database.fetch(f"EXPLAIN QUERY PLAN {letters_module._NEAR}", (MONTH, 10))
    await database.close()
    assert any("month_use_of_tenants" in str(row[-1]) for row in plan), plan

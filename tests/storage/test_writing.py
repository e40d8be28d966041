"""What every change goes through: one transaction, one order, a constraint's no in words."""

import asyncio

import pytest
from msgspec import UNSET

from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor
from proxy.domain.terms import Burst, Step
from proxy.storage.audit import Audit
from proxy.storage.changes import Changes
from proxy.storage.database import Database
from proxy.storage.keys import Keys
from proxy.storage.packages import Packages
from proxy.storage.roles import Roles
from proxy.storage.tenants import Tenants
from proxy.storage.users import Users
from proxy.storage.writing import (
    checked_amount,
    checked_burst,
    checked_email,
    checked_ladder,
    checked_name,
    commit,
    given,
    new_id,
    to_json,
    update,
)

BY = Actor("user_root", "root@example.com", 1_000)


async def test_a_constraints_no_is_said_in_words_and_nothing_happened(database: Database) -> None:
    insert = ("INSERT INTO packages (id, name, created_at) VALUES (?, 'x', 1)", ("package_1",))
    await commit(database, [insert], "terms", "terms", "people")
    versions = await Changes(database).versions()
    assert (versions["terms"], versions["people"]) == (1, 1)
    other = ("INSERT INTO packages (id, name, created_at) VALUES (?, 'y', 1)", ("package_2",))
    with pytest.raises(Fault) as refused:
        await commit(database, [other, insert], "terms", conflict="It is there.", hint="Look.")
    assert (refused.value.kind, refused.value.message) == (Kind.CONFLICT, "It is there. Look.")
    assert "package_1" not in refused.value.message
    assert await Changes(database).versions() == versions
    assert len(await database.fetch("SELECT id FROM packages")) == 1


async def test_changes_of_all_kinds_at_once_do_not_wait_for_each_other_for_ever(
    database: Database,
) -> None:
    tenants, users, roles = Tenants(database), Users(database), Roles(database)
    packages, keys = Packages(database), Keys(database)
    tenant = await tenants.create("Acme", BY)
    package = await packages.create("Starter", BY)
    role = await roles.create("testers", BY, tenant_id=tenant.id)
    people = [await users.create(f"u{n}@example.com", tenant.id, BY) for n in range(4)]
    before = len(await Audit(database).page(1_000))
    changes = [
        *[tenants.change(tenant.id, BY, disabled_models=[f"m{n}"]) for n in range(4)],
        *[tenants.change(tenant.id, BY, package_id=package.id) for _ in range(4)],
        *[roles.change(role.id, BY, disabled_models=[f"m{n}"]) for n in range(4)],
        *[packages.change(package.id, BY, monthly_credits=n) for n in range(4)],
        *[keys.insert(user.id, "", user.id.encode(), "hzat-", BY) for user in people],
        *[users.change(user.id, BY, role="testers") for user in people],
    ]
    await asyncio.gather(*changes)
    assert len(await Audit(database).page(1_000)) == before + len(changes)
    await asyncio.gather(*[users.delete(user.id, BY) for user in people])
    assert await keys.of_user(people[0].id) == []


def test_only_what_was_given_is_given() -> None:
    assert given(a=1, b=UNSET, c=None) == {"a": 1, "c": None}
    assert update("t", "id_1", {"a": 1, "c": None}) == (
        "UPDATE t SET a = ?, c = ? WHERE id = ?",
        (1, None, "id_1"),
    )
    assert (to_json(None), to_json([1])) == (None, "[1]")


def test_ids_say_what_they_are_of_and_never_repeat() -> None:
    ids = {new_id("role") for _ in range(1_000)}
    assert len(ids) == 1_000
    assert all(id.startswith("role_") for id in ids)


def test_what_can_be_stored_passes() -> None:
    assert checked_name("name", " Acme GmbH & Söhne ") == "Acme GmbH & Söhne"
    assert checked_name("name", "", least=0) == ""
    assert checked_email(" Ada@Example.com ") == "Ada@Example.com"
    assert (checked_amount("credits", 0), checked_amount("credits", 2**53)) == (0, 2**53)
    assert checked_ladder((Step(1.5), Step(1.0, 0.5))) == (Step(1.0, 0.5), Step(1.5))
    assert checked_ladder(()) == ()
    assert (checked_ladder(None), checked_burst(None)) == (None, None)
    assert checked_burst(Burst(streams=1)) == Burst(streams=1)
    assert checked_burst(Burst()) == Burst()

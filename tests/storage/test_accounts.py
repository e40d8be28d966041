"""Tenants, users and roles: made when missing, never changed by being asked for."""

import asyncio

import pytest

from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor
from proxy.storage.accounts import Accounts
from proxy.storage.audit import Audit
from proxy.storage.changes import Changes
from proxy.storage.database import Database
from proxy.storage.tenants import Tenants
from proxy.storage.users import Users


async def people_version(database: Database) -> int:
    return (await Changes(database).versions())["people"]


async def test_a_tenant_is_made_once_and_found_again(database: Database) -> None:
    accounts = Accounts(database)
    tenant_id = await accounts.ensure_tenant(" Default ")
    version = await people_version(database)
    assert await accounts.ensure_tenant("Default") == tenant_id
    assert tenant_id.startswith("tenant_")
    assert version == 1
    assert await people_version(database) == 1
    assert [(t.id, t.name, t.status) for t in await Tenants(database).page()] == [
        (tenant_id, "Default", "Active")
    ]


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\nb"])
async def test_a_tenant_needs_a_name_people_can_read(database: Database, name: str) -> None:
    with pytest.raises(Fault) as refused:
        await Accounts(database).ensure_tenant(name)
    assert refused.value.kind is Kind.BAD_REQUEST


async def test_the_first_user_of_each_tenant_is_its_admin_and_later_ones_are_not(
    database: Database,
) -> None:
    accounts = Accounts(database)
    for name in ("One", "Two"):
        tenant_id = await accounts.ensure_tenant(name)
        first = await accounts.ensure_user("ada@example.com", tenant_id)
        second = await accounts.ensure_user("bob@example.com", tenant_id)
        assert (first.role, second.role) == ("client_admin", "general_user")
        assert first.active
        assert [user.email for user in await Users(database).page(tenant_id)] == [
            "ada@example.com",
            "bob@example.com",
        ]


async def test_of_users_added_at_once_exactly_one_is_the_first(database: Database) -> None:
    accounts = Accounts(database)
    tenant_id = await accounts.ensure_tenant("Default")
    users = await asyncio.gather(
        *[accounts.ensure_user(f"user{n}@example.com", tenant_id) for n in range(8)]
    )
    assert sorted(user.role for user in users) == ["client_admin"] + ["general_user"] * 7


async def test_a_user_is_the_same_in_any_case_of_the_address(database: Database) -> None:
    accounts = Accounts(database)
    tenant_id = await accounts.ensure_tenant("Default")
    user = await accounts.ensure_user("Ada@Example.com", tenant_id)
    version = await people_version(database)
    assert await accounts.ensure_user(" ada@example.COM ", tenant_id) == user
    assert user.email == "Ada@Example.com"
    assert await people_version(database) == version


async def test_a_role_may_be_named_for_a_new_user_but_changes_no_old_one(
    database: Database,
) -> None:
    accounts = Accounts(database)
    tenant_id = await accounts.ensure_tenant("Default")
    user = await accounts.ensure_user("ada@example.com", tenant_id, "workshop_user")
    assert user.role == "workshop_user"
    assert await accounts.ensure_user("ada@example.com", tenant_id, "workshop_user") == user
    assert await accounts.ensure_user("ada@example.com", tenant_id) == user
    with pytest.raises(Fault) as refused:
        await accounts.ensure_user("ada@example.com", tenant_id, "client_admin")
    assert refused.value.kind is Kind.CONFLICT
    assert await accounts.ensure_user("ada@example.com", tenant_id) == user


async def test_an_unknown_role_is_refused_and_the_known_ones_named(
    database: Database,
) -> None:
    accounts = Accounts(database)
    tenant_id = await accounts.ensure_tenant("Default")
    with pytest.raises(Fault) as refused:
        await accounts.ensure_user("ada@example.com", tenant_id, "emperor")
    assert "chat_only_user, client_admin, general_user, msp_admin, " in refused.value.message
    assert refused.value.message.endswith(", workshop_user.")
    assert await Users(database).page(tenant_id) == []


@pytest.mark.parametrize("email", ["", "ada", "ada@", "a b@c", "a@b@c", "a" * 250 + "@x.io"])
async def test_what_is_no_address_names_no_user(database: Database, email: str) -> None:
    accounts = Accounts(database)
    tenant_id = await accounts.ensure_tenant("Default")
    with pytest.raises(Fault) as refused:
        await accounts.ensure_user(email, tenant_id)
    assert refused.value.kind is Kind.BAD_REQUEST


async def test_who_is_made_by_an_actor_is_in_the_audit_once(database: Database) -> None:
    accounts = Accounts(database)
    by = Actor.operator(5_000)
    tenant_id = await accounts.ensure_tenant("Default", by)
    user = await accounts.ensure_user("ada@example.com", tenant_id, None, by)
    assert user.created_at == 5_000
    await accounts.ensure_tenant("Default", by)
    await accounts.ensure_user("ada@example.com", tenant_id, None, by)
    lines = await Audit(database).page()
    assert sorted((line.action, line.target, line.actor) for line in lines) == [
        ("tenant.create", tenant_id, "operator"),
        ("user.create", user.id, "operator"),
    ]


async def test_the_address_of_a_deleted_user_names_somebody_new(database: Database) -> None:
    accounts = Accounts(database)
    tenant_id = await accounts.ensure_tenant("Default")
    first = await accounts.ensure_user("ada@example.com", tenant_id)
    await Users(database).delete(first.id, Actor.operator(1))
    again = await accounts.ensure_user("ada@example.com", tenant_id)
    assert again.id != first.id
    assert again.active

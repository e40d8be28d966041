"""Tenants, users and roles: made when missing, never changed by being asked for."""

import asyncio

import pytest

from proxy.domain.fault import Fault, Kind
from proxy.storage.accounts import Accounts
from proxy.storage.changes import Changes
from proxy.storage.sqlite import SqliteDatabase


async def people_version(database: SqliteDatabase) -> int:
    return (await Changes(database).versions())["people"]


async def test_a_tenant_is_made_once_and_found_again(database: SqliteDatabase) -> None:
    accounts = Accounts(database)
    tenant_id = await accounts.ensure_tenant(" Default ")
    version = await people_version(database)
    assert await accounts.ensure_tenant("Default") == tenant_id
    assert tenant_id.startswith("tenant_")
    assert version == 1
    assert await people_version(database) == 1
    assert [(t.id, t.name, t.status) for t in await accounts.tenants()] == [
        (tenant_id, "Default", "Active")
    ]


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\nb"])
async def test_a_tenant_needs_a_name_people_can_read(database: SqliteDatabase, name: str) -> None:
    with pytest.raises(Fault) as refused:
        await Accounts(database).ensure_tenant(name)
    assert refused.value.kind is Kind.BAD_REQUEST


async def test_the_first_user_of_each_tenant_is_its_admin_and_later_ones_are_not(
    database: SqliteDatabase,
) -> None:
    accounts = Accounts(database)
    for name in ("One", "Two"):
        tenant_id = await accounts.ensure_tenant(name)
        first = await accounts.ensure_user("ada@example.com", tenant_id)
        second = await accounts.ensure_user("bob@example.com", tenant_id)
        assert (first.role, second.role) == ("client_admin", "general_user")
        assert first.active
        assert [user.email for user in await accounts.users(tenant_id)] == [
            "ada@example.com",
            "bob@example.com",
        ]


async def test_of_users_added_at_once_exactly_one_is_the_first(database: SqliteDatabase) -> None:
    accounts = Accounts(database)
    tenant_id = await accounts.ensure_tenant("Default")
    users = await asyncio.gather(
        *[accounts.ensure_user(f"user{n}@example.com", tenant_id) for n in range(8)]
    )
    assert sorted(user.role for user in users) == ["client_admin"] + ["general_user"] * 7


async def test_a_user_is_the_same_in_any_case_of_the_address(database: SqliteDatabase) -> None:
    accounts = Accounts(database)
    tenant_id = await accounts.ensure_tenant("Default")
    user = await accounts.ensure_user("Ada@Example.com", tenant_id)
    version = await people_version(database)
    assert await accounts.ensure_user(" ada@example.COM ", tenant_id) == user
    assert user.email == "Ada@Example.com"
    assert await people_version(database) == version


async def test_a_role_may_be_named_for_a_new_user_but_changes_no_old_one(
    database: SqliteDatabase,
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
    database: SqliteDatabase,
) -> None:
    accounts = Accounts(database)
    tenant_id = await accounts.ensure_tenant("Default")
    with pytest.raises(Fault) as refused:
        await accounts.ensure_user("ada@example.com", tenant_id, "emperor")
    assert "chat_only_user, client_admin, general_user, workshop_user" in refused.value.message
    assert await accounts.users(tenant_id) == []


@pytest.mark.parametrize("email", ["", "ada", "ada@", "a b@c", "a@b@c", "a" * 250 + "@x.io"])
async def test_what_is_no_address_names_no_user(database: SqliteDatabase, email: str) -> None:
    accounts = Accounts(database)
    tenant_id = await accounts.ensure_tenant("Default")
    with pytest.raises(Fault) as refused:
        await accounts.ensure_user(email, tenant_id)
    assert refused.value.kind is Kind.BAD_REQUEST


async def test_the_default_roles_carry_the_decided_permissions(database: SqliteDatabase) -> None:
    accounts = Accounts(database)
    tenant_id = await accounts.ensure_tenant("Default")
    permissions = {role.slug: role.permissions for role in await accounts.roles(tenant_id)}
    assert permissions == {
        "client_admin": {"gateway.use", "keys.create", "usage.view"},
        "general_user": {"gateway.use", "keys.create"},
        "chat_only_user": {"gateway.use"},
        "workshop_user": {"gateway.use"},
    }


async def test_a_tenants_own_role_goes_before_the_default_one_of_its_slug(
    database: SqliteDatabase,
) -> None:
    accounts = Accounts(database)
    tenant_id = await accounts.ensure_tenant("Default")
    insert = (
        "INSERT INTO roles (id, tenant_id, slug, display_name, permissions, user_credit_limit,"
        " disabled_models) VALUES ('role_own', ?, 'general_user', 'Own', '[]', 12.5, '[\"m\"]')"
    )
    await database.run([(insert, (tenant_id,))])
    role = await accounts.role_by_slug("general_user", tenant_id)
    assert role is not None
    assert (role.id, role.user_credit_limit, role.disabled_models) == ("role_own", 12.5, {"m"})
    other = await accounts.role_by_slug("general_user", await accounts.ensure_tenant("Other"))
    assert other is not None
    assert other.id == "role_general_user"
    assert await accounts.role_by_slug("emperor", tenant_id) is None

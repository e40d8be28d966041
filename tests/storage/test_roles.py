"""Roles: the default ones as decided, custom ones within their place."""

import pytest

from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor, Role
from proxy.domain.permissions import MEANINGS, MSP_PERMISSIONS
from proxy.storage.audit import Audit
from proxy.storage.changes import Changes
from proxy.storage.database import Database
from proxy.storage.models import ModelSwitches
from proxy.storage.roles import Roles
from proxy.storage.tenants import Tenants
from proxy.storage.users import Users

BY = Actor("user_root", "root@example.com", 1_000)
OF_TENANTS = {"client_admin", "general_user", "chat_only_user", "workshop_user"}


async def tenant_id(database: Database, name: str = "Acme") -> str:
    return (await Tenants(database).create(name, BY)).id


async def test_the_default_roles_carry_the_decided_permissions(database: Database) -> None:
    roles = {role.slug: role for role in await Roles(database).defaults()}
    own = set(MEANINGS) - MSP_PERMISSIONS
    assert {slug: set(role.permissions) for slug, role in roles.items()} == {
        "client_admin": own,
        "general_user": {"gateway.use", "keys.create"},
        "chat_only_user": {"gateway.use"},
        "workshop_user": {"gateway.use"},
        "msp_primary_admin": set(MEANINGS),
        "msp_admin": set(MEANINGS),
        "msp_tenant_manager": set(MEANINGS) - {"msp.billing", "msp.settings"},
        "msp_billing_manager": {"gateway.use", "usage.view", "msp.view", "msp.billing"},
        "msp_helpdesk": {"gateway.use", "usage.view", "msp.view", "msp.users"},
    }
    assert all(role.is_default and role.tenant_id is None for role in roles.values())
    assert all(role.user_credit_limit is None for role in roles.values())


async def test_a_custom_role_is_as_it_was_made(database: Database) -> None:
    roles, tenant = Roles(database), await tenant_id(database)
    before = await Changes(database).versions()
    role = await roles.create(
        "testers",
        BY,
        tenant_id=tenant,
        display_name=" Testers ",
        description="They test.",
        permissions=["usage.view", "gateway.use"],
        user_credit_limit=12.5,
        disabled_models=["b", "a"],
    )
    assert role == Role(
        role.id,
        tenant,
        "testers",
        "Testers",
        "They test.",
        frozenset({"gateway.use", "usage.view"}),
        12.5,
        ("a", "b"),
        False,
    )
    after = await Changes(database).versions()
    assert (after["people"], after["models"]) == (before["people"] + 1, before["models"] + 1)
    assert await ModelSwitches(database).switches("role", role.id) == {"a": False, "b": False}
    [line] = [line for line in await Audit(database).page() if line.action == "role.create"]
    assert (line.target, line.tenant_id) == (role.id, tenant)
    assert line.after["permissions"] == ["gateway.use", "usage.view"]


async def test_who_sees_which_custom_roles(database: Database) -> None:
    roles = Roles(database)
    acme, other = await tenant_id(database), await tenant_id(database, "Other")
    await roles.create("b_acme", BY, tenant_id=acme)
    await roles.create("c_other", BY, tenant_id=other)
    await roles.create("a_all", BY)
    assert [role.slug for role in await roles.custom(acme)] == ["a_all", "b_acme"]
    assert [role.slug for role in await roles.custom(other)] == ["a_all", "c_other"]
    assert [role.slug for role in await roles.custom()] == ["a_all", "b_acme", "c_other"]
    assert [role.slug for role in await roles.custom(None, 1, 1)] == ["b_acme"]
    assert (await roles.count(acme), await roles.count()) == (2, 3)
    assert await roles.by_slug("c_other", acme) is None
    assert [role.slug for role in await roles.defaults(2)] == ["chat_only_user", "client_admin"]


async def test_a_tenants_own_role_goes_before_the_one_for_all(database: Database) -> None:
    roles = Roles(database)
    acme, other = await tenant_id(database), await tenant_id(database, "Other")
    for_all = await roles.create("testers", BY)
    own = await roles.create("testers", BY, tenant_id=acme)
    assert await roles.by_slug("testers", acme) == own
    assert await roles.by_slug("testers", other) == for_all
    assert await roles.by_slug("emperor", acme) is None


@pytest.mark.parametrize("slug", ["", "A", "a b", "-a", "x" * 65, "é"])
async def test_a_slug_is_plain(database: Database, slug: str) -> None:
    with pytest.raises(Fault) as refused:
        await Roles(database).create(slug, BY)
    assert refused.value.kind is Kind.BAD_REQUEST
    assert refused.value.message.startswith("slug: ")


async def test_a_slug_is_given_once_and_never_a_default_one(database: Database) -> None:
    roles, tenant = Roles(database), await tenant_id(database)
    await roles.create("testers", BY, tenant_id=tenant)
    mine = await roles.create("mine", BY, tenant_id=tenant)
    for attempt in (
        roles.create("testers", BY, tenant_id=tenant),
        roles.create("client_admin", BY, tenant_id=tenant),
        roles.change(mine.id, BY, slug="testers"),
        roles.change(mine.id, BY, slug="general_user"),
    ):
        with pytest.raises(Fault) as refused:
            await attempt
        assert refused.value.kind is Kind.CONFLICT
        assert refused.value.message.startswith("slug: there is already a role")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"permissions": ["msp.view"]}, "permissions: msp.view is only for"),
        ({"permissions": ["fly"]}, "permissions: there is no permission 'fly'"),
        ({"user_credit_limit": -0.5}, "user_credit_limit: "),
        ({"user_credit_limit": float("nan")}, "user_credit_limit: "),
        ({"user_credit_limit": float("inf")}, "user_credit_limit: "),
        ({"display_name": "a\nb"}, "display_name: "),
        ({"description": "x" * 1001}, "description: "),
    ],
)
async def test_a_tenants_role_stays_in_its_place(
    database: Database, fields: dict[str, object], says: str
) -> None:
    roles, tenant = Roles(database), await tenant_id(database)
    role = await roles.create("testers", BY, tenant_id=tenant)
    for attempt in (
        roles.create("others", BY, tenant_id=tenant, **fields),  # type: ignore[arg-type]
        roles.change(role.id, BY, **fields),  # type: ignore[arg-type]
    ):
        with pytest.raises(Fault) as refused:
            await attempt
        assert refused.value.kind is Kind.BAD_REQUEST
        assert refused.value.message.startswith(says)
    assert await roles.get(role.id) == role


async def test_rights_of_the_msp_are_for_roles_of_the_whole_installation(
    database: Database,
) -> None:
    roles = Roles(database)
    role = await roles.create("auditor", BY, permissions=["msp.view"])
    assert role.permissions == {"msp.view"}
    changed = await roles.change("role_msp_helpdesk", BY, permissions=["msp.view"])
    assert changed.permissions == {"msp.view"}
    # Every tenant's administrators have this one.
    with pytest.raises(Fault) as refused:
        await roles.change("role_client_admin", BY, permissions=["msp.view"])
    assert refused.value.kind is Kind.BAD_REQUEST


async def test_a_change_leaves_the_rest_and_counts_as_one(database: Database) -> None:
    roles, tenant = Roles(database), await tenant_id(database)
    role = await roles.create(
        "testers", BY, tenant_id=tenant, permissions=["gateway.use"], disabled_models=["a"]
    )
    before = await Changes(database).versions()
    changed = await roles.change(role.id, BY, user_credit_limit=5, slug="pros")
    assert (
        changed.slug,
        changed.user_credit_limit,
        changed.permissions,
        changed.disabled_models,
    ) == (
        "pros",
        5,
        {"gateway.use"},
        ("a",),
    )
    after = await Changes(database).versions()
    assert after == before | {"people": before["people"] + 1}
    changed = await roles.change(role.id, BY, user_credit_limit=None, disabled_models=[])
    assert (changed.user_credit_limit, changed.disabled_models) == (None, ())
    assert await roles.change(role.id, BY) == changed
    lines = [line for line in await Audit(database).page() if line.action == "role.change"]
    assert {"slug": "testers", "user_credit_limit": None} in [line.before for line in lines]
    assert len(lines) == 2


async def test_models_an_older_release_listed_are_shown_and_can_be_cleared(
    database: Database,
) -> None:
    roles = Roles(database)
    role = await roles.create("testers", BY, disabled_models=["a"])
    update = "UPDATE roles SET disabled_models = '[\"b\"]' WHERE id = ?"
    await database.run([(update, (role.id,))])
    seen = await roles.get(role.id)
    assert seen is not None
    assert seen.disabled_models == ("a", "b")
    assert (await roles.change(role.id, BY, disabled_models=["c"])).disabled_models == ("c",)


async def test_default_roles_stay_what_they_are(database: Database) -> None:
    roles = Roles(database)
    changed = await roles.change(
        "role_general_user", BY, display_name="Members", user_credit_limit=100
    )
    assert (changed.display_name, changed.user_credit_limit) == ("Members", 100)
    await roles.change("role_general_user", BY, slug="general_user")
    for attempt in (
        roles.change("role_general_user", BY, slug="members"),
        roles.delete("role_general_user", BY),
        roles.change("role_msp_primary_admin", BY, permissions=["gateway.use"]),
    ):
        with pytest.raises(Fault) as refused:
            await attempt
        assert refused.value.kind is Kind.CONFLICT
    assert {role.slug for role in await roles.defaults()} > OF_TENANTS


async def test_a_role_in_use_stays_and_one_of_deleted_users_does_not(database: Database) -> None:
    roles, users, tenant = Roles(database), Users(database), await tenant_id(database)
    role = await roles.create("testers", BY, tenant_id=tenant, disabled_models=["a"])
    user = await users.create("ada@example.com", tenant, BY, role="testers")
    seen = await roles.get(role.id)
    assert seen is not None
    assert seen.assigned_users == 1
    with pytest.raises(Fault) as refused:
        await roles.delete(role.id, BY)
    assert refused.value.kind is Kind.CONFLICT
    assert "The role testers is in use." in refused.value.message
    assert await roles.get(role.id) == seen
    await users.delete(user.id, BY)
    await roles.delete(role.id, BY)
    assert await roles.get(role.id) is None
    assert await ModelSwitches(database).switches("role", role.id) == {}
    kept = await users.get(user.id)
    assert kept is not None
    assert (kept.status, kept.role) == ("Deleted", "general_user")


async def test_what_is_not_there_is_named(database: Database) -> None:
    roles = Roles(database)
    for attempt in (roles.change("role_none", BY, slug="x"), roles.delete("role_none", BY)):
        with pytest.raises(Fault) as refused:
            await attempt
        assert refused.value.kind is Kind.NOT_FOUND
        assert "'role_none'" in refused.value.message
    with pytest.raises(Fault) as refused:
        await roles.create("testers", BY, tenant_id="tenant_none")
    assert refused.value.kind is Kind.NOT_FOUND

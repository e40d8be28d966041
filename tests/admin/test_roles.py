from typing import Any

import pytest

from proxy.domain.permissions import MEANINGS, MSP_PERMISSIONS
from tests.admin.people_floor import MSP_ROLES, TENANT_ROLES, People
from tests.catalog.shop import KIMI

PATH = "/v1/admin/roles"
PRIMARY = "msp.msp_primary_admin"
ADMIN = "acme.client_admin"
MANAGER = "msp.msp_tenant_manager"
WISH: dict[str, Any] = {"name": "callers", "permissions": ["gateway.use"]}


def one(people: People, role: str = "acme.own_role") -> str:
    return f"{PATH}/{people.known.ids.get(role, role)}"


def names(page: dict[str, Any]) -> list[str]:
    return [role["name"] for role in page["roles"]]


# ---------------------------------------------------------------- looking


async def test_without_a_tenant_the_msp_sees_all_custom_roles(people: People) -> None:
    page = await people.done(PRIMARY, "GET", PATH)
    assert names(page) == ["acme_own_role", "beta_own_role", "msp_own_role"]
    assert page["total_count"] == 3
    assert page["roles"][0] == {
        "id": people.id("acme.own_role"),
        "name": "acme_own_role",
        "display_name": "acme_own_role",
        "description": "",
        "user_credit_limit": None,
        "role_source": "custom",
        "scope": "tenant",
        "permissions_count": 1,
        "permissions_preview": ["gateway.use"],
        "assigned_users_count": 0,
    }


async def test_with_a_tenant_there_are_the_default_ones_and_its_own(people: People) -> None:
    page = await people.done(PRIMARY, "GET", f"{PATH}?tenant_id={people.id('acme')}")
    assert names(page) == [*sorted([*TENANT_ROLES, *MSP_ROLES]), "acme_own_role"]
    assert page["total_count"] == 10
    client_admin = next(role for role in page["roles"] if role["name"] == "client_admin")
    assert (client_admin["role_source"], client_admin["scope"]) == ("default", None)
    assert client_admin["permissions_count"] == 7
    assert len(client_admin["permissions_preview"]) == 5


@pytest.mark.parametrize("query", ["", "?tenant_id={acme}"])
async def test_a_tenant_sees_what_its_people_can_have(people: People, query: str) -> None:
    page = await people.done(ADMIN, "GET", PATH + query.format(acme=people.id("acme")))
    assert names(page) == [*sorted(TENANT_ROLES), "acme_own_role"]
    assert page["total_count"] == 5


async def test_a_tenant_counts_its_own_users_only(people: People) -> None:
    page = await people.done(ADMIN, "GET", PATH)
    counted = {role["name"]: role["assigned_users_count"] for role in page["roles"]}
    assert counted["general_user"] == 2  # of 5 in all tenants
    role = await people.done(ADMIN, "GET", one(people, "role_general_user"))
    assert role["assigned_users_count"] == 2
    role = await people.done(PRIMARY, "GET", one(people, "role_general_user"))
    assert role["assigned_users_count"] == 5


async def test_limit_and_offset_count_per_source(people: People) -> None:
    for name in ("one", "two"):
        await people.done(ADMIN, "POST", PATH, {**WISH, "name": name})
    page = await people.done(ADMIN, "GET", f"{PATH}?limit=1&offset=1")
    assert names(page) == ["client_admin", "one"]
    assert page["total_count"] == 7
    page = await people.done(
        PRIMARY, "GET", f"{PATH}?limit=2&offset=1&tenant_id={people.id('acme')}"
    )
    assert names(page) == ["client_admin", "general_user", "one", "two"]
    for query in ("limit=0", "limit=101", "offset=-1"):
        await people.refused(400, ADMIN, "GET", f"{PATH}?{query}")


async def test_a_role_of_the_whole_installation_is_there_for_tenants(people: People) -> None:
    await people.done(PRIMARY, "POST", PATH, {**WISH, "name": "for_all"})
    wish = {"name": "msp_special", "permissions": ["gateway.use", "msp.view"]}
    special = await people.done(PRIMARY, "POST", PATH, wish)
    assert (special["scope"], special["tenant_id"]) == (None, None)
    page = await people.done(ADMIN, "GET", PATH)
    assert names(page)[-2:] == ["acme_own_role", "for_all"]
    assert page["total_count"] == 6
    await people.refused(404, ADMIN, "GET", f"{PATH}/{special['id']}")


async def test_a_whole_role(people: People) -> None:
    role = await people.done(ADMIN, "GET", one(people, "role_client_admin"))
    assert role["permissions"] == sorted(MEANINGS.keys() - MSP_PERMISSIONS)
    assert (role["tenant_id"], role["disabled_model_names"]) == (None, [])


@pytest.mark.parametrize("role", ["beta.own_role", "role_msp_admin", "role_nothing"])
async def test_what_a_tenants_people_cannot_have_is_not_there(people: People, role: str) -> None:
    for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        await people.refused(404, ADMIN, method, one(people, role), body)
    await people.refused(404, ADMIN, "GET", f"{PATH}?tenant_id={people.id('beta')}")


async def test_roles_side_by_side(people: People) -> None:
    ids = f"{people.id('acme.own_role')},role_general_user"
    compared = await people.done(ADMIN, "GET", f"{PATH}/compare?ids={ids}")
    assert names(compared) == ["acme_own_role", "general_user"]
    assert compared["permissions"] == [
        {
            "name": "gateway.use",
            "description": MEANINGS["gateway.use"],
            "role_ids": [people.id("acme.own_role"), "role_general_user"],
            "differs": False,
        },
        {
            "name": "keys.create",
            "description": MEANINGS["keys.create"],
            "role_ids": ["role_general_user"],
            "differs": True,
        },
    ]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("?ids=", 400),
        ("?ids=role_general_user", 400),
        ("?ids=role_general_user,role_general_user", 400),
        ("?ids=" + ",".join(map(str, range(11))), 400),
        ("?ids=role_general_user,role_msp_admin", 404),
    ],
)
async def test_a_comparison_needs_roles_to_compare(people: People, query: str, status: int) -> None:
    await people.refused(status, ADMIN, "GET", f"{PATH}/compare{query}")


async def test_the_catalogue_of_permissions(people: People) -> None:
    found = (await people.done(PRIMARY, "GET", "/v1/admin/permissions"))["permissions"]
    assert [each["name"] for each in found] == list(MEANINGS)
    assert all(each["grantable"] for each in found)
    found = (await people.done(ADMIN, "GET", "/v1/admin/permissions"))["permissions"]
    assert [each["name"] for each in found] == [
        name for name in MEANINGS if name not in MSP_PERMISSIONS
    ]
    found = (await people.done("msp.msp_helpdesk", "GET", "/v1/admin/permissions"))["permissions"]
    grantable = {each["name"] for each in found if each["grantable"]}
    assert grantable == {"gateway.use", "keys.create", "usage.view", "msp.view", "msp.users"}


# ---------------------------------------------------------------- making


async def test_a_role_is_made_with_everything(people: People) -> None:
    wish = {
        "name": "callers",
        "display_name": "Callers",
        "description": "Only calls.",
        "permissions": ["gateway.use", "usage.view"],
        "user_credit_limit": 12.5,
        "disabled_model_names": [KIMI.id.upper()],
    }
    made = await people.done(ADMIN, "POST", PATH, wish)
    assert made["tenant_id"] == people.id("acme")
    assert {name: made[name] for name in wish} == {**wish, "disabled_model_names": [KIMI.id]}
    assert made == await people.done(PRIMARY, "GET", f"{PATH}/{made['id']}")
    assert (await people.last_audit())[1:] == ("role.create", made["id"])


async def test_the_msp_makes_roles_for_one_tenant_or_for_all(people: People) -> None:
    beta = await people.done(MANAGER, "POST", PATH, {**WISH, "tenant_id": people.id("beta")})
    assert beta["tenant_id"] == people.id("beta")
    assert (await people.done(MANAGER, "POST", PATH, WISH))["tenant_id"] is None


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({}, "name: "),
        ({"name": "With Spaces"}, "name: "),
        ({"name": "x", "permissions": ["fly"]}, "permissions.0: There is no permission 'fly'"),
        ({"name": "x", "permissions": ["gateway.use", "msp.view"]}, "permissions.1: msp.view"),
        ({"name": "x", "user_credit_limit": -1}, "user_credit_limit: "),
        ({"name": "x", "user_credit_limit": "5"}, "user_credit_limit: "),
        ({"name": "x", "disabled_model_names": ["x"]}, "disabled_model_names.0: "),
        ({"name": "x", "display_name": ""}, "display_name: "),
        ({"name": "x", "slug": "y"}, "slug: "),
    ],
)
async def test_a_wrong_role_is_refused(people: People, wish: object, says: str) -> None:
    assert (await people.refused(400, ADMIN, "POST", PATH, wish)).startswith(says)
    assert (await people.done(PRIMARY, "GET", PATH))["total_count"] == 3


@pytest.mark.parametrize("name", ["acme_own_role", "general_user", "msp_admin"])
async def test_a_name_that_is_taken_is_a_conflict(people: People, name: str) -> None:
    await people.refused(409, ADMIN, "POST", PATH, {**WISH, "name": name})


async def test_nobody_makes_a_role_with_more_than_they_have(people: People) -> None:
    wish = {"name": "x", "permissions": ["msp.view", "msp.billing"]}
    message = await people.refused(403, MANAGER, "POST", PATH, wish)
    assert message.startswith("permissions: Nobody can give what they do not have")
    assert "msp.billing" in message and "msp.view" not in message
    role = await people.roles.create(
        "makers",
        people.operator(),
        tenant_id=people.id("acme"),
        permissions=["gateway.use", "roles.manage"],
    )
    await people.users.change(people.id("acme.target"), people.operator(), role="makers")
    await people.changed()
    wish = {"name": "x", "permissions": ["users.manage"]}
    await people.refused(403, "acme.target", "POST", PATH, wish)
    # Nor do they bring what they do not have into a role, or take it out of one.
    await people.roles.change(
        people.id("acme.own_role"), people.operator(), permissions=["usage.view"]
    )
    await people.refused(403, "acme.target", "PATCH", one(people), {"permissions": []})
    await people.refused(403, "acme.target", "DELETE", one(people))
    # What one may do is not changed by oneself.
    own = f"{PATH}/{role.id}"
    await people.refused(409, "acme.target", "PATCH", own, {"permissions": ["gateway.use"]})
    assert (await people.done("acme.target", "PATCH", own, {"display_name": "M"}))[
        "display_name"
    ] == "M"


async def test_a_role_for_another_tenant_is_refused(people: People) -> None:
    await people.refused(404, ADMIN, "POST", PATH, {**WISH, "tenant_id": people.id("beta")})
    await people.refused(404, PRIMARY, "POST", PATH, {**WISH, "tenant_id": "tenant_nothing"})


# ---------------------------------------------------------------- changing and deleting


async def test_a_change_counts_for_all_who_have_the_role_at_once(people: People) -> None:
    await people.done(
        ADMIN,
        "PATCH",
        f"/v1/admin/users/{people.id('acme.target')}",
        {"role": "acme_own_role"},
    )
    wish = {"permissions": ["gateway.use", "usage.view"], "user_credit_limit": 3}
    changed = await people.done(ADMIN, "PATCH", one(people), wish)
    assert (changed["permissions"], changed["user_credit_limit"]) == (wish["permissions"], 3.0)
    me = await people.done("acme.target", "GET", "/v1/me")
    assert me["permissions"] == ["gateway.use", "usage.view"]
    await people.done(ADMIN, "PATCH", one(people), {"permissions": []})
    assert (await people.done("acme.target", "GET", "/v1/me"))["permissions"] == []
    freed = await people.done(ADMIN, "PATCH", one(people), {"user_credit_limit": None})
    assert freed["user_credit_limit"] is None


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"permissions": ["fly"]}, "permissions.0: "),
        ({"permissions": ["msp.view"]}, "permissions.0: "),
        ({"user_credit_limit": -0.5}, "user_credit_limit: "),
        ({"disabled_model_names": ["x"]}, "disabled_model_names.0: "),
        ({"display_name": None}, "display_name: "),
        ({"name": "y"}, "name: "),
    ],
)
async def test_a_wrong_change_is_refused(people: People, wish: object, says: str) -> None:
    assert (await people.refused(400, PRIMARY, "PATCH", one(people), wish)).startswith(says)


async def test_default_roles_belong_to_all_tenants(people: People) -> None:
    path = one(people, "role_general_user")
    message = await people.refused(403, ADMIN, "PATCH", path, {"user_credit_limit": 5})
    assert "Make a role of your own" in message
    await people.refused(403, ADMIN, "DELETE", path)
    changed = await people.done(PRIMARY, "PATCH", path, {"user_credit_limit": 5})
    assert changed["user_credit_limit"] == 5.0
    await people.refused(409, PRIMARY, "DELETE", path)


async def test_a_role_goes_when_nobody_has_it(people: People) -> None:
    user = f"/v1/admin/users/{people.id('acme.target')}"
    await people.done(ADMIN, "PATCH", user, {"role": "acme_own_role"})
    message = await people.refused(409, ADMIN, "DELETE", one(people))
    assert "in use" in message
    await people.done(ADMIN, "PATCH", user, {"role": "general_user"})
    gone = await people.done(ADMIN, "DELETE", one(people))
    assert gone == {"id": people.id("acme.own_role"), "deleted": True}
    await people.refused(404, ADMIN, "GET", one(people))

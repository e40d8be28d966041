from typing import Any

import pytest

from tests.admin.people_floor import People
from tests.catalog.shop import KIMI

PATH = "/v1/admin/tenants"
PRIMARY = "msp.msp_primary_admin"
MANAGER = "msp.msp_tenant_manager"


async def names(people: People) -> list[str]:
    return [row["name"] for row in await people.done(PRIMARY, "GET", PATH)]


async def test_several_tenants_are_made_with_their_people(people: People) -> None:
    wish = {
        "tenants": [
            {
                "tenant_name": "One",
                "package_id": people.id("Professional"),
                "users": [
                    {"email": "a@one.example", "role": "client_admin", "first_name": "Ann"},
                    {"email": "b@one.example"},
                ],
            },
            {"tenant_name": "Two"},
        ]
    }
    made = await people.done(PRIMARY, "POST", PATH, wish)
    assert (made["total_tenants_created"], made["total_tenants_failed"]) == (2, 0)
    assert made["message"] == "2 tenants were created, 0 were not."
    one, two = made["tenants"]
    assert [(user["email"], user["status"]) for user in one["users"]] == [
        ("a@one.example", "created"),
        ("b@one.example", "created"),
    ]
    document = await people.done(PRIMARY, "GET", f"{PATH}/{one['id']}")
    assert document["primary_package_name"] == "Professional"
    page = await people.done(PRIMARY, "GET", f"{PATH}/{one['id']}/users")
    assert [(row["first_name"], row["role"], row["status"]) for row in page["data"]] == [
        ("Ann", "client_admin", "Invited"),
        ("", "general_user", "Invited"),
    ]
    bare = await people.done(PRIMARY, "GET", f"{PATH}/{two['id']}")
    assert (bare["total_credit_limit"], bare["user_count"]) == (None, 0)


async def test_a_template_gives_what_is_not_said(people: People) -> None:
    template = await people.done(
        PRIMARY,
        "POST",
        f"{PATH}/templates",
        {
            "name": "Careful",
            "package_id": people.id("Professional"),
            "default_model_name": KIMI.id,
            "mfa_required": True,
        },
    )
    wish = [
        {"tenant_name": "As is", "template_id": template["id"]},
        {
            "tenant_name": "Smaller",
            "template_id": template["id"],
            "package_id": people.id("Starter"),
        },
    ]
    made = await people.done(PRIMARY, "POST", PATH, {"tenants": wish})
    for outcome, package in zip(made["tenants"], ("Professional", "Starter"), strict=True):
        document = await people.done(PRIMARY, "GET", f"{PATH}/{outcome['id']}")
        assert document["primary_package_name"] == package
        assert document["tenant_config"] == {
            "beta_features": False,
            "mfa_required": True,
            "default_model_name": KIMI.id,
            "web_search": True,
        }


async def test_what_is_there_already_keeps_nothing_else_from_being_made(people: People) -> None:
    wish = [{"tenant_name": "The acme tenant"}, {"tenant_name": "New"}]
    made = await people.done(PRIMARY, "POST", PATH, {"tenants": wish})
    assert (made["total_tenants_created"], made["total_tenants_failed"]) == (1, 1)
    failed, created = made["tenants"]
    assert (failed["status"], failed["id"]) == ("failed", None)
    assert "The acme tenant" in failed["error"]
    assert (created["status"], created["error"]) == ("created", None)


@pytest.mark.parametrize(
    ("tenants", "says"),
    [
        ([], "tenants: "),
        ([{"tenant_name": f"t{n}"} for n in range(101)], "tenants: "),
        ([{"tenant_name": "New"}, {"tenant_name": " New "}], "tenants.1.tenant_name: The same"),
        ([{"tenant_name": "The acme tenant"}], "tenants.0.tenant_name: name: there is already"),
        ([{"tenant_name": "New", "package_id": "x"}], "tenants.0.package_id: "),
        ([{"tenant_name": "New", "template_id": "x"}], "tenants.0.template_id: "),
        ([{"name": "New"}], "tenants.0.name: There is no such field."),
        (
            [
                {"tenant_name": "First"},
                {
                    "tenant_name": "New",
                    "users": [{"email": "a@x.example"}, {"email": "A@x.example"}],
                },
            ],
            "tenants.1.users.1.email: The same as tenants.1.users.0.email.",
        ),
        (
            [{"tenant_name": "New", "users": [{"email": "a@x.example", "role": "king"}]}],
            "tenants.0.users.0.role: There is no role 'king'",
        ),
        ([{"tenant_name": "New", "users": [{"email": "nobody"}]}], "tenants.0.users.0.email: "),
    ],
)
async def test_a_wrong_request_makes_nothing(
    people: People, tenants: list[dict[str, Any]], says: str
) -> None:
    before = await names(people)
    message = await people.refused(400, PRIMARY, "POST", PATH, {"tenants": tenants})
    assert message.startswith(says)
    assert await names(people) == before


async def test_a_tenants_custom_role_is_not_there_for_a_new_one(people: People) -> None:
    users = [{"email": "a@x.example", "custom_role_name": "acme_own_role"}]
    wish = {"tenants": [{"tenant_name": "New", "users": users}]}
    message = await people.refused(400, PRIMARY, "POST", PATH, wish)
    assert message.startswith("tenants.0.users.0.custom_role_name: ")


async def test_packages_are_given_by_who_may_buy_them_or_by_a_template(people: People) -> None:
    bought = {"tenants": [{"tenant_name": "New", "package_id": people.id("Professional")}]}
    await people.refused(403, MANAGER, "POST", PATH, bought)
    templated = {"tenants": [{"tenant_name": "New", "template_id": people.id("Small")}]}
    assert (await people.done(MANAGER, "POST", PATH, templated))["total_tenants_created"] == 1


async def test_nobody_makes_people_who_may_do_more_than_they(people: People) -> None:
    users = [{"email": "x@x.example", "role": "msp_primary_admin"}]
    wish = {"tenants": [{"tenant_name": "New", "users": users}]}
    message = await people.refused(403, MANAGER, "POST", PATH, wish)
    assert message.startswith("tenants.0.users.0.role: ")
    assert "New" not in await names(people)

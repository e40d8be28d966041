import datetime as dt

import pytest

from proxy.storage.entries import Entries
from tests.admin.people_floor import CREDIT, People, used
from tests.catalog.shop import HAIKU_4_5, KIMI, SWITCHED_OFF

PATH = "/v1/admin/tenants"
PRIMARY = "msp.msp_primary_admin"
ADMIN = "acme.client_admin"
DOCUMENTED = [
    "id",
    "name",
    "primary_package_name",
    "additional_package_names",
    "user_count",
    "status",
    "created_at",
    "total_credits_used",
    "total_credit_limit",
    "tenant_config",
    "disabled_model_names",
]


async def test_the_list_is_a_bare_array_of_the_documented_fields(people: People) -> None:
    rows = await people.done(PRIMARY, "GET", PATH)
    assert [row["name"] for row in rows] == [
        "The acme tenant",
        "The beta tenant",
        "The msp tenant",
    ]
    assert list(rows[0])[: len(DOCUMENTED)] == DOCUMENTED
    acme = rows[0]
    assert dt.datetime.fromisoformat(acme.pop("created_at")).tzinfo == dt.UTC
    assert acme == {
        "id": people.id("acme"),
        "name": "The acme tenant",
        "primary_package_name": "Starter",
        "additional_package_names": ["Extra"],
        "user_count": 5,
        "status": "Active",
        "total_credits_used": 0.0,
        "total_credit_limit": 105.0,
        "tenant_config": {
            "beta_features": False,
            "mfa_required": False,
            "default_model_name": None,
            "web_search": True,
        },
        "disabled_model_names": [],
        "package_id": people.id("Starter"),
        "next_package_id": None,
        "next_package_name": None,
        "next_package_from": None,
        "ladder": None,
        "burst": None,
    }


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("limit=1", ["acme"]),
        ("limit=2&offset=1", ["beta", "msp"]),
        ("offset=3", []),
        ("name=The%20beta%20tenant", ["beta"]),
        ("name=the+beta+tenant", []),
        ("limit=1000", ["acme", "beta", "msp"]),
    ],
)
async def test_old_and_new_paging(people: People, query: str, names: list[str]) -> None:
    rows = await people.done(PRIMARY, "GET", f"{PATH}?{query}")
    assert [row["id"] for row in rows] == [people.id(name) for name in names]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "offset=-1", "limit=x"])
async def test_a_page_out_of_range_is_refused(people: People, query: str) -> None:
    message = await people.refused(400, PRIMARY, "GET", f"{PATH}?{query}")
    assert message.startswith(query.partition("=")[0] + ": ")


@pytest.mark.parametrize(
    ("query", "sees"), [("", 1), ("?name=The%20acme%20tenant", 1), ("?name=x", 0), ("?offset=1", 0)]
)
async def test_a_tenants_administrator_lists_their_own(
    people: People, query: str, sees: int
) -> None:
    rows = await people.done(ADMIN, "GET", PATH + query)
    assert [row["id"] for row in rows] == [people.id("acme")] * sees


async def test_credits_are_those_of_this_month_and_packs_raise_the_limit(people: People) -> None:
    now = people.operator().at
    await Entries(people.database).insert(
        [used(people.known, "acme.target", now, credits=7_250_000, number=1)]
    )
    for name, begins, ends in (
        ("1500 Extra Credits", now, None),
        ("Over", now - 90 * 86_400_000, now - 60 * 86_400_000),
    ):
        await people.packs.add(
            people.id("acme"),
            people.operator(),
            name=name,
            credits=1500 * CREDIT,
            valid_from=begins,
            valid_until=ends,
        )
    acme = await people.done(PRIMARY, "GET", f"{PATH}/{people.id('acme')}")
    assert acme["total_credits_used"] == 7.25
    assert acme["total_credit_limit"] == 1605.0
    assert sorted(acme["additional_package_names"]) == ["1500 Extra Credits", "Extra"]
    beta = await people.done(PRIMARY, "GET", f"{PATH}/{people.id('beta')}")
    assert beta["total_credits_used"] == 0


async def test_who_asks_for_a_tenant_that_is_not_there(people: People) -> None:
    message = await people.refused(404, PRIMARY, "GET", f"{PATH}/tenant_nothing")
    assert "tenant_nothing" in message
    foreign = await people.refused(404, ADMIN, "GET", f"{PATH}/{people.id('beta')}")
    unknown = await people.refused(404, ADMIN, "GET", f"{PATH}/tenant_nothing")
    assert foreign.replace(people.id("beta"), "x") == unknown.replace("tenant_nothing", "x")


@pytest.mark.parametrize("name", ["msp", "internal-admin"])
async def test_the_msp_itself(people: People, name: str) -> None:
    document = await people.done("msp.msp_billing_manager", "GET", f"{PATH}/{name}")
    assert document["name"] == "The msp tenant"
    assert document["primary_package_name"] == "Starter"
    assert document["packages"] == {"Starter": 3, "Professional": 0, "Unused": 0}
    assert (document["admin_user_count"], document["tenant_user_count"]) == (6, 10)
    assert (document["total_credits_used"], document["total_credit_limit"]) == (0.0, 105.0)
    assert document["admin_recent_signin_count"] is None


async def test_the_users_of_a_tenant(people: People) -> None:
    page = await people.done(ADMIN, "GET", f"{PATH}/{people.id('acme')}/users?limit=2&offset=1")
    assert page["total_count"] == 5
    assert [row["email"] for row in page["data"]] == [
        "acme.client_admin@acme.example",
        "acme.general_user@acme.example",
    ]


# ---------------------------------------------------------------- changing


async def test_everything_of_a_tenant_can_be_changed_at_once(people: People) -> None:
    burst = {"requests_per_minute": 60, "tokens_per_minute": None, "streams": 5}
    wish = {
        "name": "Acme",
        "status": "Suspended",
        "package_id": people.id("Professional"),
        "disabled_model_names": [KIMI.id],
        "ladder": [{"ratio": 1.0, "multiplier": 0.5}, {"ratio": 2.0}],
        "burst": burst,
        "tenant_config": {
            "beta_features": True,
            "default_model_name": HAIKU_4_5.id,
            "web_search": False,
        },
    }
    changed = await people.done(PRIMARY, "PATCH", f"{PATH}/{people.id('acme')}", wish)
    assert changed["warnings"] == []
    assert changed["total_credit_limit"] == 1005.0
    assert changed["ladder"] == [
        {"ratio": 1.0, "multiplier": 0.5},
        {"ratio": 2.0, "multiplier": None},
    ]
    assert changed["burst"] == burst
    assert changed["tenant_config"] == {
        "beta_features": True,
        "mfa_required": False,
        "default_model_name": HAIKU_4_5.id,
        "web_search": False,
    }
    del changed["warnings"]
    assert changed == await people.done(PRIMARY, "GET", f"{PATH}/{people.id('acme')}")
    assert await people.last_audit() == (
        "msp.msp_primary_admin@msp.example",
        "tenant.change",
        people.id("acme"),
    )
    # The tenant is suspended: its people are out with their next request.
    assert (await people.ask(ADMIN, "GET", "/v1/me")).status == 403


async def test_what_is_left_out_stays_and_null_resets(people: People) -> None:
    one = f"{PATH}/{people.id('acme')}"
    await people.done(PRIMARY, "PATCH", one, {"ladder": [{"ratio": 1.0}], "burst": {"streams": 2}})
    changed = await people.done(PRIMARY, "PATCH", one, {"ladder": None})
    assert (changed["ladder"], changed["burst"]["streams"]) == (None, 2)
    unchanged = await people.done(PRIMARY, "PATCH", one, {})
    assert unchanged == changed


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"disabled_model_names": [KIMI.id, "no.such"]}, "disabled_model_names.1: "),
        ({"package_id": "package_nothing"}, "package_id: There is no package"),
        ({"status": "Deleted"}, "status: "),
        ({"status": None}, "status: "),
        ({"name": ""}, "name: "),
        ({"name": "a\tb"}, "name: "),
        ({"burst": {"streams": 0}}, "burst.streams: "),
        ({"burst": {"stream": 1}}, "burst.stream: "),
        ({"ladder": [{"ratio": 0}]}, "ladder"),
        ({"ladder": [{}]}, "ladder.0.ratio: Field required."),
        (
            {"tenant_config": {"default_model_name": "no.such"}},
            "tenant_config.default_model_name: ",
        ),
        ({"tenant_config": {"colour": 1}}, "tenant_config.colour: "),
        ({"id": "tenant_1"}, "id: "),
    ],
)
async def test_a_wrong_change_is_refused_and_changes_nothing(
    people: People, wish: object, says: str
) -> None:
    one = f"{PATH}/{people.id('acme')}"
    before = await people.done(PRIMARY, "GET", one)
    assert (await people.refused(400, PRIMARY, "PATCH", one, wish)).startswith(says)
    assert await people.done(PRIMARY, "GET", one) == before


async def test_a_name_that_is_taken_is_a_conflict(people: People) -> None:
    wish = {"name": "The beta tenant"}
    await people.refused(409, PRIMARY, "PATCH", f"{PATH}/{people.id('acme')}", wish)


@pytest.mark.parametrize(
    "wish",
    [
        {"name": "The beta tenant"},
        {"status": "Archived"},
        {"package_id": None},
        {"ladder": None},
        {"burst": None},
    ],
    ids=lambda wish: next(iter(wish)),
)
async def test_what_was_agreed_is_not_for_the_tenant_to_change(
    people: People, wish: dict[str, object]
) -> None:
    message = await people.refused(403, ADMIN, "PATCH", f"{PATH}/{people.id('acme')}", wish)
    assert message.startswith(f"{next(iter(wish))}: You may not change this")


async def test_a_tenant_changes_its_settings_and_its_models(people: People) -> None:
    wish = {"tenant_config": {"mfa_required": True}, "disabled_model_names": [KIMI.id.upper()]}
    changed = await people.done(ADMIN, "PATCH", f"{PATH}/{people.id('acme')}", wish)
    assert changed["tenant_config"]["mfa_required"] is True
    assert changed["disabled_model_names"] == [KIMI.id]


@pytest.mark.parametrize(
    ("who", "field", "allowed"),
    [
        ("msp.msp_tenant_manager", {"package_id": None}, False),
        ("msp.msp_tenant_manager", {"status": "Suspended"}, True),
        ("msp.msp_billing_manager", {"package_id": None}, True),
        ("msp.msp_billing_manager", {"status": "Suspended"}, False),
        ("msp.msp_billing_manager", {"tenant_config": {"mfa_required": True}}, False),
        ("msp.msp_billing_manager", {"disabled_model_names": []}, False),
        ("msp.msp_helpdesk", {"tenant_config": {"mfa_required": True}}, False),
    ],
)
async def test_each_of_the_msps_people_changes_what_is_theirs(
    people: People, who: str, field: object, allowed: bool
) -> None:
    said = await people.ask(who, "PATCH", f"{PATH}/{people.id('acme')}", field)
    assert said.status == (200 if allowed else 403)


async def test_nobody_shuts_out_their_own_tenant(people: People) -> None:
    one = f"{PATH}/{people.id('msp')}"
    await people.refused(409, PRIMARY, "PATCH", one, {"status": "Archived"})
    await people.done(PRIMARY, "PATCH", one, {"status": "Active", "name": "We"})


async def test_a_default_model_that_is_off_is_warned_of(people: People) -> None:
    one = f"{PATH}/{people.id('acme')}"
    wish = {"tenant_config": {"default_model_name": KIMI.id}, "disabled_model_names": [KIMI.id]}
    changed = await people.done(PRIMARY, "PATCH", one, wish)
    assert changed["warnings"] == [f"The tenant's default model {KIMI.id} is disabled."]
    config = {"tenant_config": {"default_model_name": SWITCHED_OFF.id}}
    changed = await people.done(PRIMARY, "PATCH", one, config)
    assert changed["warnings"] == [f"The tenant's default model {SWITCHED_OFF.id} is disabled."]
    config = {"tenant_config": {"default_model_name": None}}
    assert (await people.done(PRIMARY, "PATCH", one, config))["warnings"] == []


async def test_a_model_that_left_the_catalogue_may_stay_disabled(people: People) -> None:
    acme = people.id("acme")
    await people.tenants.change(acme, people.operator(), disabled_models=["gone.model"])
    wish = {"disabled_model_names": ["gone.model", KIMI.id]}
    changed = await people.done(PRIMARY, "PATCH", f"{PATH}/{acme}", wish)
    assert changed["disabled_model_names"] == ["gone.model", KIMI.id]

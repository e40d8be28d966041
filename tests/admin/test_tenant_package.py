import datetime as dt

from tests.admin.people_floor import CREDIT, People

BILLING = "msp.msp_billing_manager"


def path(people: People) -> str:
    return f"/v1/admin/tenants/{people.id('acme')}/package"


async def test_an_upgrade_counts_at_once(people: People) -> None:
    wish = {"package_id": people.id("Professional")}
    state = await people.done(BILLING, "PUT", path(people), wish)
    assert state == {
        "package_id": people.id("Professional"),
        "package_name": "Professional",
        "next_package_id": None,
        "next_package_name": None,
        "next_package_from": None,
        "total_credit_limit": 1005.0,
    }
    assert state == await people.done("acme.client_admin", "GET", path(people))
    assert (await people.last_audit())[1:] == ("tenant.change", people.id("acme"))


async def test_a_downgrade_waits_for_the_next_month_and_can_be_taken_back(people: People) -> None:
    await people.done(BILLING, "PUT", path(people), {"package_id": people.id("Professional")})
    now = dt.datetime(2026, 12, 10, 12, tzinfo=dt.UTC).timestamp()
    people.now_s = lambda: now
    state = await people.done(BILLING, "PUT", path(people), {"package_id": people.id("Starter")})
    assert (state["package_name"], state["total_credit_limit"]) == ("Professional", 1005.0)
    assert state["next_package_name"] == "Starter"
    assert state["next_package_from"] == "2027-01-01T00:00:00.000Z"
    state = await people.done(BILLING, "DELETE", path(people))
    assert (state["package_name"], state["next_package_name"]) == ("Professional", None)


async def test_a_downgrade_comes_into_effect_by_the_clock(people: People) -> None:
    await people.done(BILLING, "PUT", path(people), {"package_id": people.id("Professional")})
    now = dt.datetime(2026, 12, 31, 23, 59, tzinfo=dt.UTC).timestamp()
    people.now_s = lambda: now
    await people.done(BILLING, "PUT", path(people), {"package_id": people.id("Starter")})
    people.now_s = lambda: now + 60
    state = await people.done(BILLING, "GET", path(people))
    assert (state["package_name"], state["next_package_id"]) == ("Starter", None)
    assert state["total_credit_limit"] == 105.0


async def test_a_new_change_takes_the_place_of_the_pending_one(people: People) -> None:
    tiny = await people.packages.create("Tiny", people.operator(), monthly_credits=CREDIT)
    for package_id, next_name in ((tiny.id, "Tiny"), (people.id("Starter"), None)):
        state = await people.done(BILLING, "PUT", path(people), {"package_id": package_id})
        assert (state["package_name"], state["next_package_name"]) == ("Starter", next_name)
    await people.done(BILLING, "PUT", path(people), {"package_id": tiny.id})
    upgrade = {"package_id": people.id("Professional")}
    state = await people.done(BILLING, "PUT", path(people), upgrade)
    assert (state["package_name"], state["next_package_name"]) == ("Professional", None)


async def test_no_package_is_no_limit_and_so_an_upgrade(people: People) -> None:
    state = await people.done(BILLING, "PUT", path(people), {"package_id": None})
    assert (state["package_id"], state["total_credit_limit"]) == (None, None)
    state = await people.done(BILLING, "PUT", path(people), {"package_id": people.id("Starter")})
    assert (state["package_id"], state["next_package_name"]) == (None, "Starter")


async def test_a_package_that_is_not_there_is_refused(people: People) -> None:
    message = await people.refused(400, BILLING, "PUT", path(people), {"package_id": "x"})
    assert message.startswith("package_id: There is no package 'x'")
    assert (await people.refused(400, BILLING, "PUT", path(people), {})).startswith("package_id: ")


async def test_a_tenant_does_not_choose_its_own_package(people: People) -> None:
    wish = {"package_id": None}
    message = await people.refused(403, "acme.client_admin", "PUT", path(people), wish)
    assert "msp.billing" in message
    await people.refused(403, "msp.msp_tenant_manager", "PUT", path(people), wish)

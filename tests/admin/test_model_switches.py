from typing import Any

import pytest

from tests.admin.people_floor import People
from tests.catalog.shop import GPT, HAIKU_4_5, KIMI, MODELS, SWITCHED_OFF

PRIMARY = "msp.msp_primary_admin"
ADMIN = "acme.client_admin"
OFF, ON = {"enabled": False}, {"enabled": True}


def of_tenant(people: People, model: str = "") -> str:
    return f"/v1/admin/tenants/{people.id('acme')}/models" + (f"/{model}" if model else "")


def of_role(people: People, role: str = "acme.own_role", model: str = "") -> str:
    return f"/v1/admin/roles/{people.id(role)}/models" + (f"/{model}" if model else "")


async def rows(people: People, who: str, path: str) -> dict[str, Any]:
    return {row["name"]: row for row in (await people.done(who, "GET", path))["data"]}


async def test_a_tenant_sees_what_it_may_switch(people: People) -> None:
    found = await rows(people, ADMIN, of_tenant(people))
    assert set(found) == {model.id for model in MODELS} - {SWITCHED_OFF.id}
    assert found[KIMI.id] == {
        "name": KIMI.id,
        "display_name": "Kimi K2 Thinking",
        "developer": "Moonshot AI",
        "multiplier": 0.33,
        "enabled": True,
        "disabled_by": None,
    }


async def test_the_msp_sees_also_what_it_withholds(people: People) -> None:
    found = await rows(people, PRIMARY, of_tenant(people))
    assert set(found) == {model.id for model in MODELS}
    assert (found[SWITCHED_OFF.id]["enabled"], found[SWITCHED_OFF.id]["disabled_by"]) == (
        False,
        "msp",
    )


async def test_a_switch_counts_with_the_next_request(people: People) -> None:
    off = await people.done(ADMIN, "PUT", of_tenant(people, KIMI.id), OFF)
    assert (off["enabled"], off["disabled_by"], off["warnings"]) == (False, "tenant", [])
    assert await people.last_audit() == (
        "acme.client_admin@acme.example",
        "model.switch",
        KIMI.id,
    )
    acme = await people.keys.by_digest(people.digest("acme.target"))
    beta = await people.keys.by_digest(people.digest("beta.target"))
    assert acme is not None and beta is not None
    assert (acme.disabled_models, beta.disabled_models) == ({KIMI.id}, frozenset())
    document = await people.done(ADMIN, "GET", f"/v1/admin/tenants/{people.id('acme')}")
    assert document["disabled_model_names"] == [KIMI.id]
    on = await people.done(ADMIN, "PUT", of_tenant(people, KIMI.id), ON)
    assert (on["enabled"], on["disabled_by"]) == (True, None)
    acme = await people.keys.by_digest(people.digest("acme.target"))
    assert acme is not None and acme.disabled_models == frozenset()


async def test_switching_to_what_it_is_changes_nothing(people: People) -> None:
    before = await people.audit.page(1)
    await people.done(ADMIN, "PUT", of_tenant(people, KIMI.id), ON)
    assert await people.audit.page(1) == before


async def test_the_msps_off_wins(people: People) -> None:
    said = await people.done(PRIMARY, "PUT", of_tenant(people, SWITCHED_OFF.id), ON)
    assert (said["enabled"], said["disabled_by"]) == (False, "msp")
    assert said["warnings"] == ["The MSP has this model off, which wins."]
    # For the tenant there is no such model.
    message = await people.refused(404, ADMIN, "PUT", of_tenant(people, SWITCHED_OFF.id), ON)
    assert SWITCHED_OFF.id in message


async def test_a_packages_list_wins_too(people: People) -> None:
    await people.packages.change(
        people.id("Starter"), people.operator(), allowed_models=[HAIKU_4_5.id]
    )
    assert set(await rows(people, ADMIN, of_tenant(people))) == {HAIKU_4_5.id}
    found = await rows(people, PRIMARY, of_tenant(people))
    assert found[GPT.id]["disabled_by"] == "package"
    said = await people.done(PRIMARY, "PUT", of_tenant(people, GPT.id), ON)
    assert said["warnings"] == ["The package leaves this model off, which wins."]
    await people.refused(404, ADMIN, "PUT", of_tenant(people, GPT.id), ON)


async def test_switching_off_the_default_model_is_warned_of(people: People) -> None:
    one = f"/v1/admin/tenants/{people.id('acme')}"
    await people.done(ADMIN, "PATCH", one, {"tenant_config": {"default_model_name": KIMI.id}})
    said = await people.done(ADMIN, "PUT", of_tenant(people, KIMI.id), OFF)
    assert said["warnings"] == [f"The tenant's default model {KIMI.id} is disabled."]


@pytest.mark.parametrize("place", [of_tenant, of_role])
async def test_unknown_models_and_wrong_bodies_are_refused(people: People, place: Any) -> None:
    path = place(people, model="no.such")
    assert "'no.such'" in await people.refused(404, PRIMARY, "PUT", path, OFF)
    for body, field in (({}, "enabled"), ({"enabled": 1}, "enabled"), ({"on": True}, "on")):
        message = await people.refused(400, PRIMARY, "PUT", place(people, model=KIMI.id), body)
        assert message.startswith(f"{field}: ")


async def test_a_name_is_found_in_any_case(people: People) -> None:
    said = await people.done(ADMIN, "PUT", of_tenant(people, KIMI.id.upper()), OFF)
    assert (said["name"], said["enabled"]) == (KIMI.id, False)


async def test_a_roles_models_are_switched_for_its_users_only(people: People) -> None:
    await people.users.change(people.id("acme.target"), people.operator(), role="acme_own_role")
    off = await people.done(ADMIN, "PUT", of_role(people, model=KIMI.id), OFF)
    assert (off["enabled"], off["disabled_by"]) == (False, "role")
    found = await rows(people, ADMIN, of_role(people))
    assert [name for name, row in found.items() if not row["enabled"]] == [KIMI.id]
    target = await people.keys.by_digest(people.digest("acme.target"))
    other = await people.keys.by_digest(people.digest("acme.general_user"))
    assert target is not None and other is not None
    assert (target.disabled_models, other.disabled_models) == ({KIMI.id}, frozenset())
    await people.done(ADMIN, "PUT", of_role(people, model=KIMI.id), ON)
    assert (await rows(people, ADMIN, of_role(people)))[KIMI.id]["enabled"] is True


async def test_a_default_role_is_switched_by_the_msp_only(people: People) -> None:
    people.known.ids["default"] = "role_general_user"
    path = of_role(people, "default", KIMI.id)
    message = await people.refused(403, ADMIN, "PUT", path, OFF)
    assert "there for all tenants" in message
    assert (await people.done(PRIMARY, "PUT", path, OFF))["disabled_by"] == "role"
    assert (await rows(people, ADMIN, of_role(people, "default")))[KIMI.id]["enabled"] is False


async def test_a_role_of_the_msps_people_is_not_there_for_a_tenant(people: People) -> None:
    people.known.ids["default"] = "role_msp_admin"
    await people.refused(404, ADMIN, "GET", of_role(people, "default"))
    await people.refused(404, ADMIN, "PUT", of_role(people, "default", KIMI.id), OFF)
    await people.refused(
        403, "msp.msp_tenant_manager", "PUT", of_role(people, "default", KIMI.id), OFF
    )

"""Tenants: made, changed, agreed with; each change seen, dated and in the audit."""

import asyncio

import pytest

from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor, CreditPack, Tenant, TenantConfig
from proxy.domain.terms import Burst, Step
from proxy.storage.audit import Audit
from proxy.storage.changes import Changes
from proxy.storage.database import Database
from proxy.storage.models import ModelSwitches
from proxy.storage.packages import CreditPacks, Packages
from proxy.storage.tenants import Tenants
from proxy.storage.users import Users

BY = Actor("user_root", "root@example.com", 1_000, "req_1")
LATER = 10_000


async def moved(database: Database, before: dict[str, int]) -> dict[str, int]:
    """By how much each version went up."""
    after = await Changes(database).versions()
    return {topic: after[topic] - before[topic] for topic in after if after[topic] != before[topic]}


async def test_a_new_tenant_is_active_and_has_no_limits(database: Database) -> None:
    before = await Changes(database).versions()
    tenant = await Tenants(database).create(" Acme ", BY)
    assert tenant == Tenant(id=tenant.id, name="Acme", status="Active", created_at=1_000)
    assert tenant.id.startswith("tenant_")
    assert await moved(database, before) == {"people": 1, "terms": 1}
    [line] = await Audit(database).page()
    assert (line.action, line.target, line.tenant_id) == ("tenant.create", tenant.id, tenant.id)
    assert (line.actor, line.actor_id, line.at, line.request_id) == (
        "root@example.com",
        "user_root",
        1_000,
        "req_1",
    )
    assert line.before is None
    assert line.after["name"] == "Acme"


async def test_a_tenant_may_begin_with_a_package_and_a_configuration(database: Database) -> None:
    package = await Packages(database).create("Starter", BY)
    config = TenantConfig(beta_features=True, default_model_name="m")
    tenant = await Tenants(database).create("Acme", BY, package_id=package.id, config=config)
    assert (tenant.package_id, tenant.package, tenant.config) == (package.id, "Starter", config)


async def test_a_name_is_given_once(database: Database) -> None:
    tenants = Tenants(database)
    await tenants.create("Acme", BY)
    other = await tenants.create("Other", BY)
    before = await Changes(database).versions()
    for attempt in (tenants.create("Acme", BY), tenants.change(other.id, BY, name="Acme")):
        with pytest.raises(Fault) as refused:
            await attempt
        assert refused.value.kind is Kind.CONFLICT
        assert refused.value.message == "name: there is already a tenant 'Acme'."
    assert await moved(database, before) == {}
    assert len(await Audit(database).page()) == 2


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\nb"])
async def test_a_name_is_one_people_can_read(database: Database, name: str) -> None:
    with pytest.raises(Fault) as refused:
        await Tenants(database).create(name, BY)
    assert refused.value.kind is Kind.BAD_REQUEST
    assert refused.value.message.startswith("name: ")


async def test_pages_are_by_name_and_count_all(database: Database) -> None:
    tenants = Tenants(database)
    for name in ("c", "a", "d", "b"):
        await tenants.create(name, BY)
    assert [tenant.name for tenant in await tenants.page(3)] == ["a", "b", "c"]
    assert [tenant.name for tenant in await tenants.page(3, 3)] == ["d"]
    assert [tenant.name for tenant in await tenants.page(name="b")] == ["b"]
    assert await tenants.page(name="x") == []
    assert await tenants.by_name("x") is None
    assert await tenants.get("tenant_none") is None
    assert await tenants.count() == 4
    found = await tenants.by_name(" d ")
    assert found is not None
    assert await tenants.get(found.id) == found


async def test_only_what_is_given_changes(database: Database) -> None:
    tenants = Tenants(database)
    tenant = await tenants.create("Acme", BY, config=TenantConfig(mfa_required=True))
    before = await Changes(database).versions()
    changed = await tenants.change(tenant.id, BY, status="Suspended")
    assert (changed.status, changed.name, changed.config) == ("Suspended", "Acme", tenant.config)
    assert await moved(database, before) == {"people": 1}
    line = (await Audit(database).page())[0]
    assert {"status": "Active"} in [each.before for each in await Audit(database).page()]
    assert line.tenant_id == tenant.id
    assert await tenants.change(tenant.id, BY) == changed
    assert len(await Audit(database).page()) == 2


async def test_terms_of_its_own_come_and_go(database: Database) -> None:
    tenants = Tenants(database)
    tenant = await tenants.create("Acme", BY)
    ladder, burst = (Step(1.0, 0.5), Step(1.2)), Burst(requests_per_minute=60)
    before = await Changes(database).versions()
    changed = await tenants.change(tenant.id, BY, ladder=ladder[::-1], burst=burst)
    assert (changed.ladder, changed.burst) == (ladder, burst)
    assert await moved(database, before) == {"people": 1, "terms": 1}
    changed = await tenants.change(tenant.id, BY, ladder=None, burst=None)
    assert (changed.ladder, changed.burst) == (None, None)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"ladder": (Step(0.0),)}, "ladder[0].ratio"),
        ({"ladder": (Step(1.0), Step(float("nan")))}, "ladder[1].ratio"),
        ({"ladder": (Step(1.0, float("inf")),)}, "ladder[0].multiplier"),
        ({"ladder": (Step(1.0),) * 21}, "at most 20 steps"),
        ({"burst": Burst(streams=0)}, "burst.streams"),
    ],
)
async def test_terms_nobody_could_keep_are_refused(
    database: Database, fields: dict[str, object], says: str
) -> None:
    tenants = Tenants(database)
    tenant = await tenants.create("Acme", BY)
    with pytest.raises(Fault) as refused:
        await tenants.change(tenant.id, BY, **fields)  # type: ignore[arg-type]
    assert refused.value.kind is Kind.BAD_REQUEST
    assert says in refused.value.message
    assert await tenants.get(tenant.id) == tenant


async def test_its_models_are_off_for_it_alone(database: Database) -> None:
    tenants = Tenants(database)
    tenant, other = await tenants.create("Acme", BY), await tenants.create("Other", BY)
    before = await Changes(database).versions()
    changed = await tenants.change(tenant.id, BY, disabled_models=["b", "a", "b"])
    assert changed.disabled_models == ("a", "b")
    assert await moved(database, before) == {"people": 1, "models": 1}
    switches = ModelSwitches(database)
    assert await switches.switches("tenant", tenant.id) == {"a": False, "b": False}
    changed = await tenants.change(tenant.id, BY, disabled_models=["c"])
    assert changed.disabled_models == ("c",)
    found = await tenants.get(other.id)
    assert found is not None
    assert found.disabled_models == ()


async def test_a_package_counts_at_once_and_ends_what_was_agreed(database: Database) -> None:
    tenants, packages = Tenants(database, lambda: 2_000), Packages(database)
    large, small = await packages.create("Large", BY), await packages.create("Small", BY)
    tenant = await tenants.create("Acme", BY, package_id=large.id)
    agreed = await tenants.schedule_package(tenant.id, small.id, LATER, BY)
    assert (agreed.package, agreed.next_package, agreed.next_package_from) == (
        "Large",
        "Small",
        LATER,
    )
    changed = await tenants.change(tenant.id, BY, package_id=large.id)
    assert (changed.package, changed.next_package_id, changed.next_package_from) == (
        "Large",
        None,
        None,
    )
    none = await tenants.change(tenant.id, BY, package_id=None)
    assert (none.package_id, none.package) == (None, None)


async def test_an_agreed_package_is_that_of_now_from_its_moment_on(database: Database) -> None:
    packages, clock = Packages(database), [2_000]
    tenants = Tenants(database, lambda: clock[0])
    large, small = await packages.create("Large", BY), await packages.create("Small", BY)
    tenant = await tenants.create("Acme", BY, package_id=large.id)
    await tenants.schedule_package(tenant.id, small.id, LATER, BY)
    before = await Changes(database).versions()
    assert not await tenants.carry_out_due()
    assert await moved(database, before) == {}
    clock[0] = LATER
    seen = await tenants.get(tenant.id)
    assert seen is not None
    assert (seen.package, seen.next_package_from) == ("Small", None)
    assert await tenants.carry_out_due()
    assert await moved(database, before) == {"terms": 1}
    assert not await tenants.carry_out_due()
    assert await tenants.get(tenant.id) == seen


async def test_a_later_agreement_takes_the_place_of_the_one_before(database: Database) -> None:
    packages, clock = Packages(database), [2_000]
    tenants = Tenants(database, lambda: clock[0])
    large, small, tiny = [await packages.create(name, BY) for name in ("Large", "Small", "Tiny")]
    tenant = await tenants.create("Acme", BY, package_id=large.id)
    await tenants.schedule_package(tenant.id, small.id, LATER, BY)
    await tenants.schedule_package(tenant.id, tiny.id, LATER, BY)
    agreed = await tenants.get(tenant.id)
    assert agreed is not None
    assert (agreed.package, agreed.next_package) == ("Large", "Tiny")
    # In effect, though nobody carried it out yet: another agreement must not undo it.
    clock[0] = LATER
    agreed = await tenants.schedule_package(tenant.id, None, LATER * 2, BY)
    assert (agreed.package, agreed.next_package, agreed.next_package_from) == (
        "Tiny",
        None,
        LATER * 2,
    )


async def test_an_agreement_can_be_cancelled(database: Database) -> None:
    packages, tenants = Packages(database), Tenants(database, lambda: 2_000)
    large, small = await packages.create("Large", BY), await packages.create("Small", BY)
    tenant = await tenants.create("Acme", BY, package_id=large.id)
    assert await tenants.cancel_scheduled_package(tenant.id, BY) == tenant
    await tenants.schedule_package(tenant.id, small.id, LATER, BY)
    lines = len(await Audit(database).page())
    assert await tenants.cancel_scheduled_package(tenant.id, BY) == tenant
    assert len(await Audit(database).page()) == lines + 1


async def test_an_agreement_is_about_the_future(database: Database) -> None:
    tenants = Tenants(database)
    tenant = await tenants.create("Acme", BY)
    with pytest.raises(Fault) as refused:
        await tenants.schedule_package(tenant.id, None, BY.at, BY)
    assert refused.value.kind is Kind.BAD_REQUEST


async def test_who_or_what_is_not_there_is_named(database: Database) -> None:
    tenants = Tenants(database)
    tenant = await tenants.create("Acme", BY)
    for attempt in (
        tenants.create("Other", BY, package_id="package_none"),
        tenants.change(tenant.id, BY, package_id="package_none"),
        tenants.schedule_package(tenant.id, "package_none", LATER, BY),
    ):
        with pytest.raises(Fault) as refused:
            await attempt
        assert refused.value.kind is Kind.NOT_FOUND
        assert "package_id: there is no package 'package_none'" in refused.value.message
    with pytest.raises(Fault) as refused:
        await tenants.change("tenant_none", BY, status="Archived")
    assert refused.value.kind is Kind.NOT_FOUND
    assert "'tenant_none'" in refused.value.message


async def test_a_tenant_is_shown_with_its_packs_and_people(database: Database) -> None:
    tenants, users = Tenants(database), Users(database)
    tenant, other = await tenants.create("Acme", BY), await tenants.create("Other", BY)
    pack = await CreditPacks(database).add(
        tenant.id, BY, name="Extra", credits=5, valid_from=1, valid_until=9
    )
    await users.create("ada@example.com", tenant.id, BY)
    gone = await users.create("bob@example.com", tenant.id, BY)
    await users.delete(gone.id, BY)
    await users.create("cy@example.com", other.id, BY)
    seen = {each.name: each for each in await tenants.page()}
    assert seen["Acme"].packs == (pack,)
    assert pack == CreditPack(pack.id, tenant.id, "Extra", 5, 1, 9, 1_000)
    assert (seen["Acme"].user_count, seen["Other"].user_count) == (1, 1)
    assert seen["Other"].packs == ()


async def test_changes_at_once_of_different_fields_both_count(database: Database) -> None:
    tenants = Tenants(database)
    tenant = await tenants.create("Acme", BY)
    await asyncio.gather(
        tenants.change(tenant.id, BY, name="New"),
        tenants.change(tenant.id, BY, burst=Burst(streams=1)),
        tenants.change(tenant.id, BY, config=TenantConfig(beta_features=True)),
    )
    seen = await tenants.get(tenant.id)
    assert seen is not None
    assert (seen.name, seen.burst, seen.config.beta_features) == ("New", Burst(streams=1), True)

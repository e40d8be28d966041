"""Packages and credit packs: what tenants can have, and what they bought beside it."""

import pytest

from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor, Package
from proxy.domain.terms import Pack, Step
from proxy.storage.audit import Audit
from proxy.storage.changes import Changes
from proxy.storage.database import Database
from proxy.storage.packages import CreditPacks, Packages
from proxy.storage.templates import Templates
from proxy.storage.tenants import Tenants

BY = Actor("user_root", "root@example.com", 1_000)


async def terms_version(database: Database) -> int:
    return (await Changes(database).versions())["terms"]


async def test_a_package_is_as_it_was_made(database: Database) -> None:
    packages = Packages(database)
    package = await packages.create(
        "Starter", BY, monthly_credits=5, allowed_models=["b", "a", "a"], ladder=(Step(1.0),)
    )
    assert package == Package(package.id, "Starter", 5, ("a", "b"), (Step(1.0),), 1_000)
    assert await packages.get(package.id) == package
    assert await packages.by_name(" Starter ") == package
    assert await packages.by_name("Other") is None
    assert await terms_version(database) == 1
    [line] = await Audit(database).page()
    assert (line.action, line.target, line.tenant_id) == ("package.create", package.id, "")
    assert line.after["monthly_credits"] == 5


async def test_a_package_may_have_no_limit_and_all_models(database: Database) -> None:
    package = await Packages(database).create("Free", BY, allowed_models=[])
    assert (package.monthly_credits, package.allowed_models, package.ladder) == (None, None, None)


async def test_a_change_leaves_the_rest(database: Database) -> None:
    packages = Packages(database)
    package = await packages.create("Starter", BY, monthly_credits=5, allowed_models=["a"])
    changed = await packages.change(package.id, BY, monthly_credits=0)
    assert (changed.monthly_credits, changed.allowed_models) == (0, ("a",))
    changed = await packages.change(package.id, BY, monthly_credits=None, allowed_models=None)
    assert (changed.name, changed.monthly_credits, changed.allowed_models) == (
        "Starter",
        None,
        None,
    )
    assert await packages.change(package.id, BY) == changed
    assert await terms_version(database) == 3
    befores = [line.before for line in await Audit(database).page()]
    assert {"monthly_credits": 5} in befores


async def test_a_name_is_given_once(database: Database) -> None:
    packages = Packages(database)
    await packages.create("Starter", BY)
    other = await packages.create("Other", BY)
    for attempt in (packages.create("Starter", BY), packages.change(other.id, BY, name="Starter")):
        with pytest.raises(Fault) as refused:
            await attempt
        assert refused.value.kind is Kind.CONFLICT
        assert refused.value.message == "name: there is already a package 'Starter'."


@pytest.mark.parametrize("credits", [-1, 2**53 + 1])
async def test_credits_are_an_amount(database: Database, credits: int) -> None:
    with pytest.raises(Fault) as refused:
        await Packages(database).create("Odd", BY, monthly_credits=credits)
    assert refused.value.kind is Kind.BAD_REQUEST
    assert refused.value.message.startswith("monthly_credits: ")


async def test_a_package_in_use_stays(database: Database) -> None:
    packages, tenants = Packages(database), Tenants(database)
    current, agreed, templated = [await packages.create(name, BY) for name in ("a", "b", "c")]
    tenant = await tenants.create("Acme", BY, package_id=current.id)
    await tenants.schedule_package(tenant.id, agreed.id, 1 << 42, BY)
    template = await Templates(database).create("t", BY, package_id=templated.id)
    assert [package.tenant_count for package in await packages.page()] == [1, 1, 0]
    version = await terms_version(database)
    for package in (current, agreed, templated):
        with pytest.raises(Fault) as refused:
            await packages.delete(package.id, BY)
        assert refused.value.kind is Kind.CONFLICT
        assert f"The package {package.name} is in use." in refused.value.message
    assert await terms_version(database) == version
    await tenants.change(tenant.id, BY, package_id=None)
    await Templates(database).delete(template.id, BY)
    for package in (current, agreed, templated):
        await packages.delete(package.id, BY)
    assert await packages.page() == []


async def test_what_is_not_there_is_named(database: Database) -> None:
    packages, packs = Packages(database), CreditPacks(database)
    for attempt in (
        packages.change("package_none", BY, name="x"),
        packages.delete("package_none", BY),
        packs.remove("pack_none", BY),
    ):
        with pytest.raises(Fault) as refused:
            await attempt
        assert refused.value.kind is Kind.NOT_FOUND
        assert "_none'" in refused.value.message
    with pytest.raises(Fault) as refused:
        await packs.add("tenant_none", BY, name="x", credits=1, valid_from=1, valid_until=None)
    assert refused.value.kind is Kind.NOT_FOUND


async def test_pages_are_by_name(database: Database) -> None:
    packages = Packages(database)
    for name in ("c", "a", "b"):
        await packages.create(name, BY)
    assert [package.name for package in await packages.page(2)] == ["a", "b"]
    assert [package.name for package in await packages.page(2, 2)] == ["c"]


async def test_packs_come_and_go(database: Database) -> None:
    tenant = await Tenants(database).create("Acme", BY)
    packs = CreditPacks(database)
    version = await terms_version(database)
    later = await packs.add(tenant.id, BY, name="Later", credits=7, valid_from=50, valid_until=None)
    first = await packs.add(tenant.id, BY, name="First", credits=3, valid_from=10, valid_until=20)
    assert await packs.page(tenant.id) == [first, later]
    assert await packs.page(tenant.id, 1, 1) == [later]
    assert await packs.get(first.id) == first
    assert first.terms == Pack(3, 10, 20)
    await packs.remove(first.id, BY)
    assert await packs.page(tenant.id) == [later]
    assert await terms_version(database) == version + 3
    actions = [line.action for line in await Audit(database).page(tenant_id=tenant.id)]
    assert sorted(actions) == ["pack.add", "pack.add", "pack.remove", "tenant.create"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"credits": -1}, "credits: "),
        ({"name": ""}, "name: "),
        ({"valid_until": 10}, "valid_until: "),
    ],
)
async def test_a_pack_that_gives_nothing_is_refused(
    database: Database, fields: dict[str, object], says: str
) -> None:
    tenant = await Tenants(database).create("Acme", BY)
    good: dict[str, object] = {"name": "x", "credits": 1, "valid_from": 10, "valid_until": 20}
    with pytest.raises(Fault) as refused:
        await CreditPacks(database).add(tenant.id, BY, **(good | fields))  # type: ignore[arg-type]
    assert refused.value.kind is Kind.BAD_REQUEST
    assert refused.value.message.startswith(says)

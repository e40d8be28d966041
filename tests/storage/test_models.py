"""Switches of the installation, and of a tenant or role, side by side."""

import pytest

from proxy.domain.people import Actor
from proxy.storage.audit import Audit
from proxy.storage.changes import Changes
from proxy.storage.database import Database
from proxy.storage.models import ModelSwitches

BY = Actor("user_root", "root@example.com", 1_000)


async def test_the_last_position_of_a_switch_counts(database: Database) -> None:
    switches = ModelSwitches(database)
    assert await switches.switches() == {}
    await switches.set("a", enabled=False)
    await switches.set("b", enabled=True)
    await switches.set("a", enabled=True)
    await switches.set("b", enabled=False)
    assert await switches.switches() == {"a": True, "b": False}
    assert (await Changes(database).versions())["models"] == 4


async def test_a_tenants_switch_is_not_the_installations(database: Database) -> None:
    switches = ModelSwitches(database)
    await switches.set("a", enabled=False, scope="tenant", scope_id="tenant_1")
    assert await switches.switches() == {}


async def test_only_a_tenant_or_a_role_has_an_id(database: Database) -> None:
    with pytest.raises(AssertionError):
        await ModelSwitches(database).set("a", enabled=False, scope="tenant")


async def test_switches_of_each_scope_are_listed_by_themselves(database: Database) -> None:
    switches = ModelSwitches(database)
    await switches.set("a", enabled=True, by=BY)
    await switches.set("b", enabled=False, scope="tenant", scope_id="tenant_1", by=BY)
    await switches.set("c", enabled=False, scope="role", scope_id="role_1", by=BY)
    assert await switches.switches() == {"a": True}
    assert await switches.switches("tenant", "tenant_1") == {"b": False}
    assert await switches.switches("tenant", "tenant_2") == {}
    assert await switches.switches("role", "role_1") == {"c": False}


async def test_a_cleared_switch_is_as_if_it_never_was(database: Database) -> None:
    switches = ModelSwitches(database)
    await switches.set("a", enabled=False)
    await switches.set("a", enabled=False, scope="tenant", scope_id="tenant_1")
    await switches.clear("a", BY)
    await switches.clear("a", BY)
    assert await switches.switches() == {}
    assert await switches.switches("tenant", "tenant_1") == {"a": False}
    await switches.clear("a", BY, scope="tenant", scope_id="tenant_1")
    assert await switches.switches("tenant", "tenant_1") == {}
    assert (await Changes(database).versions())["models"] == 4


async def test_a_switch_by_an_actor_is_in_the_audit_of_whom_it_concerns(
    database: Database,
) -> None:
    switches = ModelSwitches(database)
    await switches.set("a", enabled=False, by=BY)
    await switches.set("a", enabled=False, scope="tenant", scope_id="tenant_1", by=BY)
    await switches.clear("a", BY, scope="tenant", scope_id="tenant_1")
    lines = await Audit(database).page(tenant_id="tenant_1")
    positions = {(line.before["enabled"], line.after["enabled"]) for line in lines}
    assert positions == {(None, False), (False, None)}
    assert [line.target for line in await Audit(database).page(tenant_id="")] == ["a"]

"""Switches of the installation, and of a tenant or role, side by side."""

import pytest

from proxy.storage.changes import Changes
from proxy.storage.models import ModelSwitches
from proxy.storage.sqlite import SqliteDatabase


async def test_the_last_position_of_a_switch_counts(database: SqliteDatabase) -> None:
    switches = ModelSwitches(database)
    assert await switches.switches() == {}
    await switches.set("a", enabled=False)
    await switches.set("b", enabled=True)
    await switches.set("a", enabled=True)
    await switches.set("b", enabled=False)
    assert await switches.switches() == {"a": True, "b": False}
    assert (await Changes(database).versions())["models"] == 4


async def test_a_tenants_switch_is_not_the_installations(database: SqliteDatabase) -> None:
    switches = ModelSwitches(database)
    await switches.set("a", enabled=False, scope="tenant", scope_id="tenant_1")
    assert await switches.switches() == {}


async def test_only_a_tenant_or_a_role_has_an_id(database: SqliteDatabase) -> None:
    with pytest.raises(AssertionError):
        await ModelSwitches(database).set("a", enabled=False, scope="tenant")

"""Mappings are kept whole, per user, also while they are off."""

from proxy.domain.alias_mapping import AliasMapping
from proxy.domain.people import Actor
from proxy.storage.accounts import Accounts
from proxy.storage.audit import Audit
from proxy.storage.changes import Changes
from proxy.storage.database import Database
from proxy.storage.preferences import Preferences


async def test_a_mapping_is_each_users_own_and_replaced_whole(database: Database) -> None:
    accounts = Accounts(database)
    tenant_id = await accounts.ensure_tenant("Default")
    ada = (await accounts.ensure_user("ada@example.com", tenant_id)).id
    bob = (await accounts.ensure_user("bob@example.com", tenant_id)).id
    preferences = Preferences(database)
    assert await preferences.get(ada) == AliasMapping()

    first = AliasMapping(enabled=True, opus="vendor.big", haiku="vendor.small")
    await preferences.put(ada, first)
    assert await preferences.get(ada) == first
    assert await preferences.get(bob) == AliasMapping()

    off = AliasMapping(enabled=False, opus="vendor.big", sonnet="vendor.middle")
    await preferences.put(ada, off)
    assert await preferences.get(ada) == off
    assert (await Changes(database).versions())["preferences"] == 2


async def test_who_changes_a_mapping_is_in_the_audit_of_their_tenant(database: Database) -> None:
    accounts = Accounts(database)
    tenant_id = await accounts.ensure_tenant("Default")
    ada = (await accounts.ensure_user("ada@example.com", tenant_id)).id
    preferences = Preferences(database)
    first, second = AliasMapping(enabled=True, opus="vendor.big"), AliasMapping(opus="vendor.big")
    by = Actor(ada, "ada@example.com", 1_790_000_000_000, "req_1")
    await preferences.put(ada, first, by, tenant_id)
    await preferences.put(ada, second, by, tenant_id)
    line, *_ = sorted(
        await Audit(database).page(tenant_id=tenant_id),
        key=lambda line: line.before["enabled"],
        reverse=True,
    )
    assert (line.actor_id, line.action, line.target) == (ada, "preferences.change", ada)
    assert (line.before["enabled"], line.after["enabled"]) == (True, False)
    assert line.request_id == "req_1"
    assert await preferences.get(ada) == second

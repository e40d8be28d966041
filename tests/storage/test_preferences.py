"""Mappings are kept whole, per user, also while they are off."""

from proxy.domain.caller import AliasMapping
from proxy.storage.accounts import Accounts
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

"""What a digest leads to: the owner's live rights, or nothing."""

from dataclasses import dataclass

import pytest

from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from proxy.storage.accounts import Accounts, UserRecord
from proxy.storage.changes import Changes
from proxy.storage.keys import Keys
from proxy.storage.models import ModelSwitches
from proxy.storage.sqlite import SqliteDatabase

DIGEST = bytes(range(32))


@dataclass
class Home:
    database: SqliteDatabase
    keys: Keys
    user: UserRecord
    key_id: str

    async def caller(self) -> Caller | None:
        return await self.keys.by_digest(DIGEST)

    async def version(self) -> int:
        return (await Changes(self.database).versions())["keys"]


@pytest.fixture
async def home(database: SqliteDatabase) -> Home:
    accounts = Accounts(database)
    user = await accounts.ensure_user(
        "ada@example.com", await accounts.ensure_tenant("Default"), "general_user"
    )
    keys = Keys(database)
    return Home(database, keys, user, await keys.insert(user.id, "laptop", DIGEST, "hzat-ab12"))


async def test_a_digest_leads_to_its_owners_rights(home: Home) -> None:
    assert await home.caller() == Caller(
        key_id=home.key_id,
        user_id=home.user.id,
        email="ada@example.com",
        tenant_id=home.user.tenant_id,
        tenant="Default",
        role="general_user",
        permissions=frozenset({"gateway.use", "keys.create"}),
    )
    assert home.key_id.startswith("key_")


async def test_an_unknown_digest_leads_nowhere(home: Home) -> None:
    assert await home.keys.by_digest(DIGEST[::-1]) is None


async def test_a_revoked_key_leads_nowhere_for_good(home: Home) -> None:
    version = await home.version()
    await home.keys.revoke(home.key_id)
    assert await home.caller() is None
    assert await home.version() == version + 1
    record = await home.keys.record(home.key_id)
    await home.keys.revoke(home.key_id)
    assert await home.keys.record(home.key_id) == record
    assert record is not None
    assert record.revoked_at is not None
    with pytest.raises(Fault) as refused:
        await home.keys.insert(home.user.id, "again", DIGEST, "hzat-ab12")
    assert refused.value.kind is Kind.CONFLICT


@pytest.mark.parametrize(
    ("table", "status", "active"),
    [
        ("users", "Active", True),
        ("users", "Invited", False),
        ("users", "Suspended", False),
        ("users", "Deleted", None),
        ("tenants", "Suspended", False),
        ("tenants", "Archived", False),
    ],
)
async def test_the_owner_must_be_active_and_there(
    home: Home, table: str, status: str, active: bool | None
) -> None:
    await home.database.run([(f"UPDATE {table} SET status = ?", (status,))])
    caller = await home.caller()
    assert (None if caller is None else caller.active) == active


async def test_an_expiry_is_carried_for_whoever_knows_the_time(home: Home) -> None:
    await home.keys.insert(home.user.id, "short", b"other digest", "hzat-", expires_at=1)
    caller = await home.keys.by_digest(b"other digest")
    assert caller is not None
    assert caller.expires_at == 1


async def test_a_role_change_counts_for_existing_keys(home: Home) -> None:
    await home.database.run([("UPDATE users SET role_id = 'role_chat_only_user'", ())])
    caller = await home.caller()
    assert caller is not None
    assert (caller.role, caller.permissions) == ("chat_only_user", {"gateway.use"})


async def test_models_switched_off_anywhere_above_the_user_are_off_for_them(home: Home) -> None:
    switches = ModelSwitches(home.database)
    await switches.set("off.everywhere", enabled=False)
    await switches.set("on.everywhere", enabled=True)
    tenant_id = home.user.tenant_id
    await switches.set("off.tenant", enabled=False, scope="tenant", scope_id=tenant_id)
    await switches.set("off.everywhere", enabled=True, scope="tenant", scope_id=tenant_id)
    await switches.set("off.role", enabled=False, scope="role", scope_id="role_general_user")
    await switches.set("other.tenant", enabled=False, scope="tenant", scope_id="tenant_other")
    await switches.set("other.role", enabled=False, scope="role", scope_id="role_client_admin")
    await home.database.run([("UPDATE roles SET disabled_models = '[\"off.list\"]'", ())])
    caller = await home.caller()
    assert caller is not None
    assert caller.disabled_models == {"off.everywhere", "off.tenant", "off.role", "off.list"}


async def test_last_uses_are_noted_in_one_batch_and_never_turn_back(home: Home) -> None:
    version = await home.version()
    await home.keys.touch([(home.key_id, 2_000), ("key_gone", 5)])
    await home.keys.touch([(home.key_id, 1_000)])
    await home.keys.touch([])
    record = await home.keys.record(home.key_id)
    assert record is not None
    assert record.last_used_at == 2_000
    assert await home.version() == version


async def test_records_show_the_owner_and_never_the_digest(home: Home) -> None:
    await home.keys.insert(home.user.id, "second", b"other digest", "hzat-cd34")
    first, second = await home.keys.all()
    assert (first.id, first.name, first.prefix) == (home.key_id, "laptop", "hzat-ab12")
    assert (second.email, second.tenant, second.revoked_at) == ("ada@example.com", "Default", None)
    assert await home.keys.record_by_digest(b"other digest") == second
    assert await home.keys.record_by_digest(b"no digest") is None
    assert await home.keys.record("key_gone") is None
    assert "digest" not in repr(first)


async def test_a_key_needs_an_owner_who_is_there(home: Home) -> None:
    version = await home.version()
    with pytest.raises(Fault) as refused:
        await home.keys.insert("user_nobody", "", b"other digest", "hzat-")
    assert refused.value.kind is Kind.CONFLICT
    assert await home.version() == version

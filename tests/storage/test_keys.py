"""What a digest leads to: the owner's live rights, or nothing."""

from dataclasses import dataclass

import pytest

from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor, TenantConfig, User
from proxy.domain.terms import Burst, Pack, Step, TenantTerms
from proxy.storage.accounts import Accounts
from proxy.storage.audit import Audit
from proxy.storage.changes import Changes
from proxy.storage.database import Database
from proxy.storage.keys import Keys
from proxy.storage.models import ModelSwitches
from proxy.storage.packages import CreditPacks, Packages
from proxy.storage.roles import Roles
from proxy.storage.tenants import Tenants

DIGEST = bytes(range(32))


@dataclass
class Home:
    database: Database
    keys: Keys
    user: User
    key_id: str

    async def caller(self) -> Caller | None:
        return await self.keys.by_digest(DIGEST)

    async def version(self) -> int:
        return (await Changes(self.database).versions())["keys"]


@pytest.fixture
async def home(database: Database) -> Home:
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
        role_id="role_general_user",
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


async def test_a_tenant_may_have_no_web_search(home: Home) -> None:
    before = await home.caller()
    assert before is not None and before.web_search
    by = Actor("user_root", "root@example.com", 1_000)
    off = TenantConfig(web_search=False)
    await Tenants(home.database).change(home.user.tenant_id, by, config=off)
    after = await home.caller()
    assert after is not None and not after.web_search


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


DAY_MS = 86_400_000
NOW_MS = 1_000 * DAY_MS
BY = Actor.operator(NOW_MS)


async def test_a_caller_carries_what_was_agreed_with_their_tenant(home: Home) -> None:
    package = await Packages(home.database).create(
        "Starter", BY, monthly_credits=5_000_000, allowed_models=["b", "a"], ladder=(Step(1.0),)
    )
    await Tenants(home.database).change(
        home.user.tenant_id, BY, package_id=package.id, burst=Burst(streams=3)
    )
    caller = await home.caller()
    assert caller is not None
    assert caller.allowed_models == {"a", "b"}
    assert caller.terms == TenantTerms(5_000_000, (), (Step(1.0),), Burst(streams=3))


async def test_a_tenants_own_ladder_goes_before_its_packages(home: Home) -> None:
    package = await Packages(home.database).create("Starter", BY, ladder=(Step(1.0),))
    own = (Step(1.0, 2.0), Step(2.0))
    tenants = Tenants(home.database)
    await tenants.change(home.user.tenant_id, BY, package_id=package.id, ladder=own)
    caller = await home.caller()
    assert caller is not None
    assert caller.terms.ladder == own
    await tenants.change(home.user.tenant_id, BY, ladder=None)
    caller = await home.caller()
    assert caller is not None
    assert caller.terms.ladder == (Step(1.0),)


async def test_an_agreed_package_is_in_effect_from_its_moment_on(home: Home) -> None:
    packages, tenants = Packages(home.database), Tenants(home.database, lambda: NOW_MS)
    large = await packages.create("Large", BY, monthly_credits=9)
    small = await packages.create("Small", BY, monthly_credits=1, allowed_models=["a"])
    await tenants.change(home.user.tenant_id, BY, package_id=large.id)
    await tenants.schedule_package(home.user.tenant_id, small.id, NOW_MS + 10, BY)
    seen = []
    for moment in (NOW_MS + 9, NOW_MS + 10):
        caller = await Keys(home.database, lambda moment=moment: moment).by_digest(DIGEST)
        assert caller is not None
        seen.append((caller.terms.credits, caller.allowed_models))
    assert seen == [(9, None), (1, {"a"})]


async def test_packs_come_in_order_and_without_those_long_over(home: Home) -> None:
    packs = CreditPacks(home.database)
    tenant_id = home.user.tenant_id
    for start, end in ((NOW_MS, None), (NOW_MS - DAY_MS, NOW_MS - 1), (0, NOW_MS - 63 * DAY_MS)):
        await packs.add(tenant_id, BY, name="x", credits=7, valid_from=start, valid_until=end)
    await Tenants(home.database).change(tenant_id, BY, disabled_models=["a", "b", "c"])
    caller = await Keys(home.database, lambda: NOW_MS).by_digest(DIGEST)
    assert caller is not None
    assert caller.terms.packs == (Pack(7, NOW_MS - DAY_MS, NOW_MS - 1), Pack(7, NOW_MS, None))
    assert caller.disabled_models == {"a", "b", "c"}
    await home.keys.revoke(home.key_id)
    assert await home.caller() is None


@pytest.mark.parametrize(
    ("limit", "role_credits"), [(None, None), (0, 0), (12.5, 12_500_000), (0.1, 100_000)]
)
async def test_a_role_cap_is_whole_micro_credits(
    home: Home, limit: float | None, role_credits: int | None
) -> None:
    await Roles(home.database).change(home.user.role_id, BY, user_credit_limit=limit)
    caller = await home.caller()
    assert caller is not None
    assert caller.role_credits == role_credits


async def test_an_empty_list_of_models_is_no_list(home: Home) -> None:
    package = await Packages(home.database).create("All", BY, allowed_models=[])
    await Tenants(home.database).change(home.user.tenant_id, BY, package_id=package.id)
    caller = await home.caller()
    assert caller is not None
    assert caller.allowed_models is None


async def test_a_users_live_keys_newest_first(home: Home) -> None:
    # The first key was made by the wall clock, these later than it ever shows in a test.
    later = [
        await home.keys.insert(home.user.id, f"n{n}", bytes([n]), "hzat-", Actor.operator(at))
        for n, at in ((1, 1 << 42), (2, (1 << 42) + 1))
    ]
    await home.keys.revoke(home.key_id)
    assert [key.id for key in await home.keys.of_user(home.user.id)] == later[::-1]
    assert [key.id for key in await home.keys.of_user(home.user.id, 1)] == later[1:]
    assert [key.id for key in await home.keys.page()] == [*later[::-1], home.key_id]
    assert [key.id for key in await home.keys.page(1, 1, tenant_id=home.user.tenant_id)] == later[
        :1
    ]
    assert await home.keys.page(tenant_id="tenant_other") == []


async def test_keys_made_and_revoked_by_an_actor_leave_lines_without_the_digest(home: Home) -> None:
    by = Actor("user_1", "root@example.com", 5_000, "req_1")
    key_id = await home.keys.insert(home.user.id, "ci", b"other digest", "hzat-cd34", by)
    await home.keys.revoke(key_id, by)
    await home.keys.revoke(key_id, by)
    await home.keys.revoke("key_gone", by)
    lines = await Audit(home.database).page(tenant_id=home.user.tenant_id)
    assert sorted((line.action, line.target, line.request_id) for line in lines) == [
        ("key.create", key_id, "req_1"),
        ("key.revoke", key_id, "req_1"),
    ]
    assert "digest" not in repr(lines)
    record = await home.keys.record(key_id)
    assert record is not None
    assert (record.created_at, record.revoked_at) == (5_000, 5_000)

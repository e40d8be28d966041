"""Sessions, passwords, links and tries, in both databases."""

from dataclasses import dataclass

import pytest

from proxy.domain.fault import Fault
from proxy.domain.people import Actor, User
from proxy.storage.audit import Audit
from proxy.storage.database import Database
from proxy.storage.passwords import Passwords
from proxy.storage.sessions import SESSIONS_OF_USER_MAX, Sessions
from proxy.storage.tenants import Tenants
from proxy.storage.users import Users

BY = Actor("user_root", "root@example.com", 1_000, "req_1")
HOUR = 3_600_000


@dataclass
class Place:
    database: Database
    sessions: Sessions
    passwords: Passwords
    users: Users
    ada: User

    async def begin(self, digest: bytes, now_ms: int, user_id: str = "") -> None:
        await self.sessions.insert(
            digest,
            user_id or self.ada.id,
            now_ms=now_ms,
            expires_at=now_ms + 10 * HOUR,
            idle_since=now_ms - HOUR,
        )


@pytest.fixture
async def place(database: Database) -> Place:
    acme = await Tenants(database).create("Acme", BY)
    users = Users(database)
    ada = await users.create("Ada@example.com", acme.id, BY, role="client_admin")
    return Place(database, Sessions(database), Passwords(database), users, ada)


async def test_a_session_is_its_user_with_their_rights_of_now(place: Place) -> None:
    assert await place.sessions.caller(b"d1", 1) is None
    await place.begin(b"d1", 5_000)
    found = await place.sessions.caller(b"d1", 6_000)
    assert found is not None
    caller, seen_at = found
    assert (caller.user_id, caller.email, caller.role) == (
        place.ada.id,
        "Ada@example.com",
        "client_admin",
    )
    assert "users.manage" in caller.permissions
    assert (seen_at, caller.expires_at, caller.active) == (5_000, 5_000 + 10 * HOUR, False)
    await place.users.change(place.ada.id, BY, role="chat_only_user", status="Active")
    changed = await place.sessions.caller(b"d1", 7_000)
    assert changed is not None
    assert (changed[0].role, changed[0].active) == ("chat_only_user", True)
    assert "users.manage" not in changed[0].permissions


async def test_being_seen_never_turns_time_back(place: Place) -> None:
    await place.begin(b"d1", 5_000)
    for at in (9_000, 8_000):
        await place.sessions.touch(b"d1", at)
    found = await place.sessions.caller(b"d1", 9_000)
    assert found is not None and found[1] == 9_000


async def test_sessions_that_are_over_or_too_many_are_removed(place: Place) -> None:
    await place.begin(b"old", 1_000)
    await place.begin(b"new", 1_000 + 2 * HOUR)
    assert await place.sessions.caller(b"old", 1) is None
    for number in range(SESSIONS_OF_USER_MAX + 5):
        await place.begin(b"many%d" % number, 2_000 + 2 * HOUR + number)
    count = await place.database.fetch("SELECT count(*) FROM sessions")
    assert count == [(SESSIONS_OF_USER_MAX,)]
    assert await place.sessions.caller(b"new", 1) is None
    assert await place.sessions.caller(b"many%d" % (SESSIONS_OF_USER_MAX + 4), 1) is not None


async def test_one_is_ended_or_all_of_a_user(place: Place) -> None:
    bob = await place.users.create("bob@example.com", place.ada.tenant_id, BY)
    for digest in (b"a1", b"a2", b"a3"):
        await place.begin(digest, 1_000)
    await place.begin(b"b1", 1_000, bob.id)
    await place.sessions.end(b"a1")
    assert await place.sessions.caller(b"a1", 1) is None
    assert await place.sessions.caller(b"a2", 1) is not None
    await place.sessions.end_all(place.ada.id)
    assert await place.sessions.caller(b"a3", 1) is None
    assert await place.sessions.caller(b"b1", 1) is not None


async def test_a_new_password_ends_sessions_and_links_and_is_audited_without_itself(
    place: Place,
) -> None:
    await place.begin(b"a1", 1_000)
    await place.passwords.add_link(b"l1", place.ada.id, 9_000, BY, place.ada.tenant_id)
    await place.passwords.set(place.ada.id, "a hash", BY)
    assert await place.sessions.caller(b"a1", 1) is None
    assert await place.passwords.by_link(b"l1", 2_000) is None
    (account,) = await place.passwords.accounts(" ADA@EXAMPLE.COM ")
    assert (account.password_hash, account.status, account.active) == ("a hash", "Active", True)
    lines = await Audit(place.database).page(tenant_id=place.ada.tenant_id)
    assert {"password.set", "user.change", "sign_in_link.create"} <= {each.action for each in lines}
    assert "a hash" not in repr(lines)
    assert "a hash" not in repr(account)


async def test_a_link_is_good_once_until_its_end_and_only_the_newest(place: Place) -> None:
    tenant_id = place.ada.tenant_id
    await place.passwords.add_link(b"l1", place.ada.id, 9_000, BY, tenant_id)
    found = await place.passwords.by_link(b"l1", 8_999)
    assert found is not None and found.user_id == place.ada.id
    assert await place.passwords.by_link(b"l1", 9_000) is None
    await place.passwords.add_link(b"l2", place.ada.id, 9_000, BY, tenant_id)
    assert await place.passwords.by_link(b"l1", 2_000) is None
    assert await place.passwords.by_link(b"l2", 2_000) is not None


async def test_a_deleted_user_has_nothing_left(place: Place) -> None:
    await place.passwords.set(place.ada.id, "a hash", BY)
    await place.begin(b"a1", 1_000)
    await place.passwords.add_link(b"l1", place.ada.id, 9_000, BY, place.ada.tenant_id)
    await place.users.delete(place.ada.id, BY)
    for table in ("passwords", "sessions", "sign_in_links"):
        assert await place.database.fetch(f"SELECT count(*) FROM {table}") == [(0,)], table
    assert await place.passwords.accounts("ada@example.com") == []
    with pytest.raises(Fault, match="no such user"):
        await place.passwords.set(place.ada.id, "another", BY)


async def test_tries_are_counted_until_their_window_is_over_or_it_was_them(place: Place) -> None:
    count = place.passwords.count_try
    assert [await count("one", 1_000 + number, 100) for number in range(3)] == [1, 2, 3]
    assert await count("other", 1_050, 100) == 1
    assert await count("one", 1_100, 100) == 1
    await count("one", 1_101, 100)
    await place.passwords.forget_tries("one")
    assert await count("one", 1_102, 100) == 1

"""Users: invited, changed, moved, deleted, with their keys."""

from dataclasses import dataclass

import pytest

from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor, User
from proxy.storage.audit import Audit
from proxy.storage.changes import Changes
from proxy.storage.database import Database
from proxy.storage.keys import Keys
from proxy.storage.roles import Roles
from proxy.storage.tenants import Tenants
from proxy.storage.users import Users

BY = Actor("user_root", "root@example.com", 1_000, "req_1")


@dataclass
class Place:
    database: Database
    users: Users
    acme: str
    other: str

    async def versions(self) -> dict[str, int]:
        return await Changes(self.database).versions()

    async def lines(self, action: str, tenant_id: str | None = None) -> list[tuple[object, object]]:
        lines = await Audit(self.database).page(tenant_id=tenant_id)
        return [(line.before, line.after) for line in lines if line.action == action]


@pytest.fixture
async def place(database: Database) -> Place:
    tenants = Tenants(database)
    acme, other = await tenants.create("Acme", BY), await tenants.create("Other", BY)
    return Place(database, Users(database), acme.id, other.id)


async def test_somebody_invited_is_a_general_user_who_may_not_come_in_yet(place: Place) -> None:
    before = await place.versions()
    user = await place.users.create(
        " Ada@Example.com ", place.acme, BY, first_name="Ada", last_name=" Lovelace "
    )
    assert user == User(
        user.id,
        place.acme,
        "Acme",
        "Active",
        "Ada@Example.com",
        "Ada",
        "Lovelace",
        "general_user",
        "role_general_user",
        "Invited",
        1_000,
    )
    assert not user.active
    after = await place.versions()
    assert after == before | {"people": before["people"] + 1}
    [(was, became)] = await place.lines("user.create", place.acme)
    assert was is None
    assert isinstance(became, dict)
    assert (became["email"], became["role"]) == ("Ada@Example.com", "general_user")


async def test_somebody_may_be_active_at_once_with_a_role_of_the_tenant(place: Place) -> None:
    role = await Roles(place.database).create("testers", BY, tenant_id=place.acme)
    user = await place.users.create(
        "ada@example.com", place.acme, BY, role="testers", status="Active"
    )
    assert (user.role, user.role_id, user.active) == ("testers", role.id, True)


async def test_an_address_is_one_user_per_tenant(place: Place) -> None:
    users = place.users
    first = await users.create("Ada@Example.com", place.acme, BY)
    second = await users.create("ada@example.com", place.other, BY)
    with pytest.raises(Fault) as refused:
        await users.create("ada@EXAMPLE.com", place.acme, BY)
    assert refused.value.kind is Kind.CONFLICT
    assert await users.search(" ADA@example.com") == [first, second]
    assert await users.search("ada@example.com", place.other) == [second]
    assert await users.by_email("ADA@example.com", place.acme) == first
    assert await users.by_email("bob@example.com", place.acme) is None


@pytest.mark.parametrize(
    ("fields", "kind", "says"),
    [
        ({"email": "ada"}, Kind.BAD_REQUEST, "email: "),
        ({"first_name": "x" * 201}, Kind.BAD_REQUEST, "first_name: "),
        ({"last_name": "a\nb"}, Kind.BAD_REQUEST, "last_name: "),
        ({"role": "emperor"}, Kind.NOT_FOUND, "role: there is no role 'emperor'. There are: chat"),
        ({"tenant_id": "tenant_none"}, Kind.NOT_FOUND, "tenant_id: "),
    ],
)
async def test_who_cannot_be_is_refused(
    place: Place, fields: dict[str, str], kind: Kind, says: str
) -> None:
    good: dict[str, object] = {"email": "ada@example.com", "tenant_id": place.acme, "by": BY}
    with pytest.raises(Fault) as refused:
        await place.users.create(**(good | fields))  # type: ignore[arg-type]
    assert refused.value.kind is kind
    assert refused.value.message.startswith(says)
    assert await place.users.page() == []


async def test_roles_of_other_tenants_are_not_there(place: Place) -> None:
    await Roles(place.database).create("testers", BY, tenant_id=place.other)
    user = await place.users.create("ada@example.com", place.acme, BY)
    for attempt in (
        place.users.create("bob@example.com", place.acme, BY, role="testers"),
        place.users.change(user.id, BY, role="testers"),
    ):
        with pytest.raises(Fault) as refused:
            await attempt
        assert refused.value.kind is Kind.NOT_FOUND


async def test_pages_are_by_address_and_leave_out_the_deleted(place: Place) -> None:
    users = place.users
    made = {
        name: await users.create(f"{name}@example.com", place.acme, BY) for name in ("c", "A", "b")
    }
    await users.create("d@example.com", place.other, BY)
    await users.delete(made["b"].id, BY)
    assert [user.email[0] for user in await users.page(place.acme)] == ["A", "c"]
    assert [user.email[0] for user in await users.page(place.acme, 1, 1)] == ["c"]
    assert [user.email[0] for user in await users.page()] == ["A", "c", "d"]
    assert (await users.count(place.acme), await users.count()) == (2, 3)


async def test_a_change_leaves_the_rest(place: Place) -> None:
    user = await place.users.create("ada@example.com", place.acme, BY, first_name="Ada")
    before = await place.versions()
    changed = await place.users.change(
        user.id, BY, role="client_admin", status="Active", last_name="L"
    )
    assert (changed.role, changed.status, changed.first_name, changed.last_name) == (
        "client_admin",
        "Active",
        "Ada",
        "L",
    )
    after = await place.versions()
    assert after == before | {"people": before["people"] + 1}
    assert await place.lines("user.change", place.acme) == [
        (
            {"last_name": "", "role": "general_user", "status": "Invited"},
            {"last_name": "L", "role": "client_admin", "status": "Active"},
        )
    ]
    assert await place.users.change(user.id, BY) == changed


@pytest.mark.parametrize("status", ["Deleted", "Invited", "active"])
async def test_other_standings_are_not_given_by_a_change(place: Place, status: str) -> None:
    user = await place.users.create("ada@example.com", place.acme, BY)
    with pytest.raises(Fault) as refused:
        await place.users.change(user.id, BY, status=status)  # type: ignore[arg-type]
    assert refused.value.kind is Kind.BAD_REQUEST
    assert refused.value.message.startswith("status: ")


async def test_a_deleted_user_is_gone_with_their_keys_and_the_address_is_free(
    place: Place,
) -> None:
    keys = Keys(place.database)
    user = await place.users.create("ada@example.com", place.acme, BY, status="Active")
    key_id = await keys.insert(user.id, "laptop", b"digest", "hzat-")
    before = await place.versions()
    await place.users.delete(user.id, BY)
    after = await place.versions()
    assert (after["people"], after["keys"]) == (before["people"] + 1, before["keys"] + 1)
    assert await keys.by_digest(b"digest") is None
    record = await keys.record(key_id)
    assert record is not None
    assert record.revoked_at == 1_000
    kept = await place.users.get(user.id)
    assert kept is not None
    assert (kept.status, kept.email) == ("Deleted", "ada@example.com")
    assert await place.users.search("ada@example.com") == []
    for attempt in (
        place.users.delete(user.id, BY),
        place.users.change(user.id, BY, status="Active"),
        place.users.move(user.id, place.other, BY),
    ):
        with pytest.raises(Fault) as refused:
            await attempt
        assert refused.value.kind is Kind.NOT_FOUND
    again = await place.users.create("ada@example.com", place.acme, BY)
    assert again.id != user.id


async def test_somebody_who_moves_takes_keys_along_but_no_rights(place: Place) -> None:
    keys = Keys(place.database)
    user = await place.users.create(
        "ada@example.com", place.acme, BY, role="client_admin", status="Active"
    )
    await keys.insert(user.id, "laptop", b"digest", "hzat-")
    moved = await place.users.move(user.id, place.other, BY)
    assert (moved.id, moved.tenant, moved.role) == (user.id, "Other", "general_user")
    caller = await keys.by_digest(b"digest")
    assert caller is not None
    assert (caller.tenant_id, caller.role) == (place.other, "general_user")
    for concerned in (place.acme, place.other):
        assert len(await place.lines("user.move", concerned)) == 1
    back = await place.users.move(user.id, place.acme, BY, role="client_admin")
    assert (back.tenant, back.role) == ("Acme", "client_admin")


async def test_nobody_moves_onto_somebody(place: Place) -> None:
    user = await place.users.create("ada@example.com", place.acme, BY)
    await place.users.create("ada@example.com", place.other, BY)
    with pytest.raises(Fault) as refused:
        await place.users.move(user.id, place.other, BY)
    assert refused.value.kind is Kind.CONFLICT
    with pytest.raises(Fault) as refused:
        await place.users.move(user.id, "tenant_none", BY)
    assert refused.value.kind is Kind.NOT_FOUND
    assert await place.users.get(user.id) == user

"""Who is who at a provider of identities: found, linked once, unlinked; newcomers."""

from dataclasses import dataclass

import pytest

from proxy.domain.fault import Fault, Kind
from proxy.domain.identity import Person
from proxy.domain.people import Actor
from proxy.storage.audit import Audit
from proxy.storage.database import Database
from proxy.storage.identities import Identities
from proxy.storage.tenants import Tenants
from proxy.storage.users import Users

BY = Actor("user_root", "root@example.com", 1_000, "req_1")
ISSUER = "https://id.example"


@dataclass
class Place:
    database: Database
    users: Users
    identities: Identities
    acme: str
    other: str

    async def found(self, subject: str, email: str = "", issuer: str = ISSUER) -> list[object]:
        return [
            (each.account.tenant, each.account.status, each.subject)
            for each in await self.identities.candidates(issuer, subject, email)
        ]

    async def audited(self, *actions: str) -> list[tuple[str, object, object]]:
        lines = await Audit(self.database).page()
        found = [(each.action, each.before, each.after) for each in lines]
        return sorted([each for each in found if each[0] in actions], key=lambda each: each[0])


@pytest.fixture
async def place(database: Database) -> Place:
    tenants = Tenants(database)
    acme, other = await tenants.create("Acme", BY), await tenants.create("Other", BY)
    identities = Identities(database, newcomer_tenant="Acme", newcomer_role="chat_only_user")
    return Place(database, Users(database), identities, acme.id, other.id)


async def test_somebody_is_found_by_address_and_by_who_they_are(place: Place) -> None:
    await place.users.create("ada@example.com", place.acme, BY, status="Active")
    await place.users.create("Ada@Example.com", place.other, BY)
    assert await place.found("s1", "ADA@example.com ") == [
        ("Acme", "Active", None),
        ("Other", "Invited", None),
    ]
    assert await place.found("s1") == []
    first = (await place.identities.candidates(ISSUER, "s1", "ada@example.com"))[0]
    await place.identities.link(first.account, ISSUER, "s1", BY)
    assert await place.found("s1") == [("Acme", "Active", "s1")]
    assert await place.found("s1", "ada@example.com") == [
        ("Acme", "Active", "s1"),
        ("Other", "Invited", None),
    ]
    assert await place.found("s2", "ada@example.com") == [
        ("Acme", "Active", "s1"),
        ("Other", "Invited", None),
    ]
    # Another provider knows nobody yet.
    assert await place.found("s1", issuer="https://other.example") == []


async def test_a_link_is_made_once_and_who_was_invited_is_active(place: Place) -> None:
    await place.users.create("ada@example.com", place.acme, BY)
    [found] = await place.identities.candidates(ISSUER, "s1", "ada@example.com")
    await place.identities.link(found.account, ISSUER, "s1", BY)
    assert await place.audited("identity.link", "user.change") == [
        ("identity.link", None, {"issuer": ISSUER, "subject": "s1"}),
        ("user.change", {"status": "Invited"}, {"status": "Active"}),
    ]
    lines = len(await Audit(place.database).page())
    [again] = await place.identities.candidates(ISSUER, "s1", "")
    assert again.account.status == "Active"
    await place.identities.link(again.account, ISSUER, "s1", BY)
    assert len(await Audit(place.database).page()) == lines
    with pytest.raises(Fault) as caught:
        await place.identities.link(again.account, ISSUER, "s2", BY)
    assert caught.value.kind is Kind.CONFLICT
    assert await place.identities.of_user(again.account.user_id) == [(ISSUER, 1_000)]


async def test_a_link_is_removed_with_its_line(place: Place) -> None:
    await place.users.create("ada@example.com", place.acme, BY, status="Active")
    [found] = await place.identities.candidates(ISSUER, "s1", "ada@example.com")
    await place.identities.link(found.account, ISSUER, "s1", BY)
    user_id, tenant_id = found.account.user_id, found.account.tenant_id
    assert await place.identities.unlink(user_id, tenant_id, BY) == 1
    assert await place.identities.unlink(user_id, tenant_id, BY) == 0
    assert await place.identities.of_user(user_id) == []
    actions = [line.action for line in await Audit(place.database).page()]
    assert actions.count("identity.unlink") == 1


async def test_who_is_deleted_is_nobody_there(place: Place) -> None:
    user = await place.users.create("ada@example.com", place.acme, BY, status="Active")
    [found] = await place.identities.candidates(ISSUER, "s1", "ada@example.com")
    await place.identities.link(found.account, ISSUER, "s1", BY)
    await place.users.delete(user.id, BY)
    assert await place.found("s1", "ada@example.com") == []
    assert await place.identities.of_user(user.id) == []


async def test_a_newcomer_joins_the_tenant_of_the_settings(place: Place) -> None:
    person = Person("s1", "new@example.com", "Nora", "New")
    account = await place.identities.newcomer(person, BY)
    assert (account.tenant, account.status, account.active) == ("Acme", "Active", True)
    user = await place.users.get(account.user_id)
    assert user is not None
    assert (user.role, user.first_name) == ("chat_only_user", "Nora")
    with pytest.raises(Fault) as caught:
        await place.identities.newcomer(person, BY)
    assert caught.value.kind is Kind.CONFLICT
    nowhere = Identities(place.database, newcomer_tenant="Nothing")
    with pytest.raises(Fault) as caught:
        await nowhere.newcomer(Person("s2", "newer@example.com"), BY)
    assert caught.value.kind is Kind.NOT_FOUND

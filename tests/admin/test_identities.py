"""Who a user is at an identity provider: shown to who may change them, and ended by them."""

from proxy.storage.identities import Identities
from tests.admin.people_floor import People

ADMIN = "acme.client_admin"
ISSUER = "https://id.example"


def path(people: People, who: str = "acme.target") -> str:
    return f"/v1/admin/users/{people.id(who)}/identities"


async def test_a_link_is_shown_without_who_it_is_and_removed(people: People) -> None:
    assert await people.done(ADMIN, "GET", path(people)) == {"data": []}
    await people.database.run(
        [
            (
                "INSERT INTO identities VALUES (?, 'the subject', ?, 0)",
                (ISSUER, people.id("acme.target")),
            )
        ]
    )
    shown = await people.done(ADMIN, "GET", path(people))
    assert shown == {"data": [{"issuer": ISSUER, "linked_at": "1970-01-01T00:00:00.000Z"}]}
    gone = await people.done(ADMIN, "DELETE", path(people))
    assert gone == {"id": people.id("acme.target"), "removed": 1}
    assert await Identities(people.database).of_user(people.id("acme.target")) == []
    line = (await people.audit.page(1))[0]
    assert (line.action, line.target) == ("identity.unlink", people.id("acme.target"))
    assert line.before == [{"issuer": ISSUER, "subject": "the subject"}]
    again = await people.done(ADMIN, "DELETE", path(people))
    assert again["removed"] == 0


async def test_of_another_tenants_users_nothing_is_known(people: People) -> None:
    for method in ("GET", "DELETE"):
        await people.refused(404, ADMIN, method, path(people, "beta.target"))

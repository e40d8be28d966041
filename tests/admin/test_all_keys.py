"""Whose keys there are: told to who manages people, of their own tenant only, and never a key."""

from tests.admin.people_floor import People

PATH = "/v1/admin/api-keys"
PRIMARY = "msp.msp_primary_admin"
ADMIN = "acme.client_admin"


async def test_keys_are_shown_with_whose_they_are(people: People) -> None:
    found = (await people.done(ADMIN, "GET", f"{PATH}?user_id={people.id('acme.target')}"))["data"]
    [key] = found
    assert key["id"] == people.known.key_ids["acme.target"]
    assert (key["email"], key["tenant_name"]) == ("acme.target@acme.example", "The acme tenant")
    assert key["revoked_at"] is None and key["created_at"]
    assert people.known.keys["acme.target"] not in str(found)


async def test_a_tenants_people_see_their_own_and_the_msp_all(people: People) -> None:
    own = (await people.done(ADMIN, "GET", PATH))["data"]
    assert {key["tenant_id"] for key in own} == {people.id("acme")}
    everybody = (await people.done(PRIMARY, "GET", PATH))["data"]
    assert len(everybody) > len(own)
    # Somebody of another tenant is nobody here.
    none = await people.done(ADMIN, "GET", f"{PATH}?user_id={people.id('beta.target')}")
    assert none == {"data": []}
    await people.refused(404, PRIMARY, "GET", f"{PATH}?tenant_id=tenant_nothing")


async def test_pages_follow_each_other(people: People) -> None:
    every = [key["id"] for key in (await people.done(PRIMARY, "GET", PATH))["data"]]
    pages = []
    for offset in range(0, len(every), 3):
        page = await people.done(PRIMARY, "GET", f"{PATH}?limit=3&offset={offset}")
        pages += [key["id"] for key in page["data"]]
    assert pages == every


async def test_a_key_that_is_removed_is_shown_as_removed_and_works_no_more(people: People) -> None:
    key_id = people.known.key_ids["acme.target"]
    gone = await people.done(ADMIN, "DELETE", f"{PATH}/{key_id}")
    assert gone == {"id": key_id, "revoked": True}
    assert (await people.ask("acme.target", "GET", "/v1/me")).status == 401
    [key] = (await people.done(ADMIN, "GET", f"{PATH}?user_id={people.id('acme.target')}"))["data"]
    assert key["revoked_at"] is not None
    live = await people.done(ADMIN, "GET", f"{PATH}?live=true&user_id={people.id('acme.target')}")
    assert live == {"data": []}
    await people.refused(404, ADMIN, "DELETE", f"{PATH}/{key_id}")

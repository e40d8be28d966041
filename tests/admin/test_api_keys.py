import datetime as dt

import pytest

from proxy.admin.api_keys import KEYS_PER_USER_MAX
from tests.admin.office_floor import ask
from tests.admin.people_floor import HASH_SECRET, People

PATH = "/v1/api-keys"


async def test_a_key_is_shown_once_and_works_at_once(people: People) -> None:
    made = await people.done("acme.general_user", "POST", PATH, {"name": " laptop "})
    assert made["name"] == "laptop"
    assert made["key"].startswith(made["prefix"])
    me = await ask(people.browse, "GET", "/v1/me", made["key"])
    assert (me.status, me.json()["key_id"]) == (200, made["id"])
    said = await people.ask("acme.general_user", "GET", PATH)
    assert said.json()["data"][0]["id"] == made["id"]
    assert made["key"].encode() not in said.body
    assert await people.last_audit() == (
        "acme.general_user@acme.example",
        "key.create",
        made["id"],
    )


async def test_a_list_has_the_callers_own_live_keys_only(people: People) -> None:
    [row] = (await people.done("acme.general_user", "GET", PATH))["data"]
    assert row["id"] == people.known.key_ids["acme.general_user"]
    assert row["name"] == "acme.general_user's"
    assert set(row) == {"id", "name", "prefix", "created_at", "expires_at", "last_used_at"}


async def test_a_key_may_have_an_end(people: People) -> None:
    ends = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(hours=1)
    wish = {"name": "short", "expires_at": ends.isoformat()}
    made = await people.done("acme.general_user", "POST", PATH, wish)
    assert dt.datetime.fromisoformat(made["expires_at"]) == ends
    assert (await ask(people.browse, "GET", "/v1/me", made["key"])).status == 200
    now = ends.timestamp()
    people.now_s = lambda: now
    assert (await ask(people.browse, "GET", "/v1/me", made["key"])).status == 401


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "x", "expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ({"name": "x", "expires_at": "9999-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "x", "expires_at": "tomorrow"}, "expires_at"),
        ({"name": "x", "user_id": "user_1"}, "user_id"),
    ],
)
async def test_a_wrong_wish_is_refused(people: People, wish: object, field: str) -> None:
    message = await people.refused(400, "acme.general_user", "POST", PATH, wish)
    assert message.startswith(f"{field}: ")
    assert len((await people.done("acme.general_user", "GET", PATH))["data"]) == 1


async def test_who_may_not_make_keys_is_told_that_access_is_restricted(people: People) -> None:
    message = await people.refused(403, "acme.chat_only_user", "POST", PATH, {"name": "x"})
    assert message.startswith("Access to API keys is restricted")
    assert "keys.create" in message


async def test_one_user_has_only_so_many_keys(people: People) -> None:
    actor_id = people.id("acme.general_user")
    for number in range(KEYS_PER_USER_MAX - 1):
        await people.keys.insert(actor_id, "", HASH_SECRET + bytes([number]), "")
    message = await people.refused(409, "acme.general_user", "POST", PATH, {"name": "one more"})
    assert str(KEYS_PER_USER_MAX) in message


async def test_a_revoked_key_is_out_with_the_next_request(people: People) -> None:
    made = await people.done("acme.general_user", "POST", PATH, {"name": "x"})
    gone = await people.done("acme.general_user", "DELETE", f"{PATH}/{made['id']}")
    assert gone == {"id": made["id"], "revoked": True}
    assert (await ask(people.browse, "GET", "/v1/me", made["key"])).status == 401
    await people.refused(404, "acme.general_user", "DELETE", f"{PATH}/{made['id']}")


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("acme.target", 200),
        ("acme.client_admin", 200),
        ("msp.msp_helpdesk", 200),
        ("acme.general_user", 404),
        ("beta.client_admin", 404),
        ("msp.msp_billing_manager", 404),
    ],
)
async def test_only_owners_and_administrators_revoke(people: People, who: str, status: int) -> None:
    said = await people.ask(who, "DELETE", f"{PATH}/{people.known.key_ids['acme.target']}")
    assert said.status == status
    live = await people.keys.of_user(people.id("acme.target"))
    assert len(live) == (0 if status == 200 else 1)


async def test_a_key_that_never_was_is_404(people: People) -> None:
    message = await people.refused(404, "acme.general_user", "DELETE", f"{PATH}/key_nothing")
    assert "key_nothing" in message

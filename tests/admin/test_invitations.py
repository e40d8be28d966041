"""Invitations: who is added, who is not, and what becomes of the mail."""

from typing import Any

import pytest

from proxy.domain.fault import Fault, Kind
from tests.admin.office_floor import Visit
from tests.admin.people_floor import People

PATH = "/v1/admin/users"
PRIMARY = "msp.msp_primary_admin"
ADMIN = "acme.client_admin"
HELPDESK = "msp.msp_helpdesk"


def invitation(people: People, *users: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"tenant_id": people.id("acme"), "users": list(users), **more}


async def letters(people: People) -> list[tuple[str, str, str]]:
    """Kind, recipient and user of all that wait."""
    rows = await people.database.fetch(
        "SELECT kind, recipient, user_id FROM letters ORDER BY created_at, id"
    )
    return [(kind, recipient, user_id) for kind, recipient, user_id in rows]


async def invited(people: People, email: str = "new@acme.example") -> str:
    """The id of somebody who was invited a while ago."""
    wish = invitation(people, {"email": email})
    made = await people.done(ADMIN, "POST", f"{PATH}/invite", wish)
    await people.database.run([("DELETE FROM letters", ())])
    user_id: str = made["users"][0]["id"]
    return user_id


async def test_people_are_invited_with_their_roles(people: People) -> None:
    wish = invitation(
        people,
        {"email": "a@acme.example", "first_name": "Ann", "last_name": "Archer"},
        {"email": "b@acme.example", "role": "client_admin"},
        {"email": "c@acme.example", "custom_role_name": "acme_own_role"},
    )
    made = await people.done(ADMIN, "POST", f"{PATH}/invite", wish)
    assert made["message"] == "3 users were invited, 0 were not. Invitations go out by mail."
    assert made["email"] == "queued"
    assert (made["total_users_invited"], made["total_users_failed"]) == (3, 0)
    found = [await people.done(ADMIN, "GET", f"{PATH}/{user['id']}") for user in made["users"]]
    assert [(user["first_name"], user["role"], user["status"]) for user in found] == [
        ("Ann", "general_user", "Invited"),
        ("", "client_admin", "Invited"),
        ("", "acme_own_role", "Invited"),
    ]
    lines = await people.audit.page(6)
    assert {(line.actor, line.action, line.target) for line in lines} == {
        ("acme.client_admin@acme.example", action, user["id"])
        for user in found
        for action in ("user.create", "user.mail")
    }


async def test_who_is_asked_by_no_mail_is_active_at_once(people: People) -> None:
    wish = invitation(people, {"email": "a@acme.example"}, send_email=False)
    made = await people.done(ADMIN, "POST", f"{PATH}/invite", wish)
    assert made["email"] == "not_wanted"
    assert await letters(people) == []
    user = await people.done(ADMIN, "GET", f"{PATH}/{made['users'][0]['id']}")
    assert user["status"] == "Active"


async def test_a_hundred_are_invited_and_a_hundred_and_one_are_not(people: People) -> None:
    users = [{"email": f"u{number}@acme.example"} for number in range(101)]
    message = await people.refused(400, ADMIN, "POST", f"{PATH}/invite", invitation(people, *users))
    assert message.startswith("users: ")
    made = await people.done(ADMIN, "POST", f"{PATH}/invite", invitation(people, *users[:100]))
    assert made["total_users_invited"] == 100


async def test_who_is_there_already_keeps_nobody_else_out(people: People) -> None:
    wish = invitation(people, {"email": "Acme.Target@acme.example"}, {"email": "new@acme.example"})
    made = await people.done(ADMIN, "POST", f"{PATH}/invite", wish)
    assert (made["total_users_invited"], made["total_users_failed"]) == (1, 1)
    assert [user["status"] for user in made["users"]] == ["failed", "created"]
    assert "already" in made["users"][0]["error"]


@pytest.mark.parametrize(
    ("users", "says"),
    [
        ([], "users: "),
        ([{"email": "u@a.example"}, {"email": "U@A.example"}], "users.1.email: The same as"),
        ([{"email": "acme.target@acme.example"}], "users.0.email: "),
        ([{"email": "u"}], "users.0.email: "),
        ([{"email": "u@a b"}], "users.0.email: "),
        ([{"email": f"{'u' * 300}@a.example"}], "users.0.email: "),
        ([{"email": "u@a.example", "role": "king"}], "users.0.role: There is no role 'king'"),
        ([{"email": "u@a.example", "custom_role_name": "x"}], "users.0.custom_role_name: "),
        ([{"email": "u@a.example", "role": "beta_own_role"}], "users.0.role: There is no role"),
        (
            [{"email": "u@a.example", "role": "general_user", "custom_role_name": "x"}],
            "users.0.custom_role_name: Give a role or a custom role",
        ),
        ([{"email": "u@a.example", "status": "Active"}], "users.0.status: "),
    ],
)
async def test_a_wrong_invitation_invites_nobody(
    people: People, users: list[dict[str, Any]], says: str
) -> None:
    wish = invitation(people, *users)
    message = await people.refused(400, PRIMARY, "POST", f"{PATH}/invite", wish)
    assert message.startswith(says)
    assert (await people.done(PRIMARY, "GET", PATH))["total_count"] == 16


async def test_nobody_is_invited_to_what_the_caller_is_not(people: People) -> None:
    for who, role in (
        (ADMIN, "msp_helpdesk"),
        (ADMIN, "msp_primary_admin"),
        (HELPDESK, "client_admin"),
        (HELPDESK, "msp_admin"),
        ("msp.msp_tenant_manager", "msp_admin"),
        ("msp.msp_admin", "msp_primary_admin"),
    ):
        wish = invitation(people, {"email": "u@acme.example", "role": role})
        message = await people.refused(403, who, "POST", f"{PATH}/invite", wish)
        assert message.startswith("users.0.role: "), (who, role)
    wish = invitation(people, {"email": "u@acme.example", "role": "general_user"})
    await people.done(HELPDESK, "POST", f"{PATH}/invite", wish)


async def test_nobody_is_invited_to_anothers_tenant(people: People) -> None:
    wish = {"tenant_id": people.id("beta"), "users": [{"email": "u@acme.example"}]}
    await people.refused(404, ADMIN, "POST", f"{PATH}/invite", wish)
    await people.refused(
        404, PRIMARY, "POST", f"{PATH}/invite", {**wish, "tenant_id": "tenant_nothing"}
    )


# ---------------------------------------------------------------- mail


async def test_each_newcomer_is_written_to_and_nobody_else(people: People) -> None:
    wish = invitation(
        people,
        {"email": "Acme.Target@acme.example"},
        {"email": "one@acme.example"},
        {"email": "two@acme.example"},
    )
    made = await people.done(ADMIN, "POST", f"{PATH}/invite", wish)
    assert made["email"] == "queued"
    assert sorted(await letters(people)) == sorted(
        ("invitation", user["email"], user["id"]) for user in made["users"] if user["id"]
    )


async def test_the_people_of_new_tenants_are_written_to(people: People) -> None:
    wish = {
        "tenants": [
            {"tenant_name": "Gamma", "users": [{"email": "g@gamma.example"}]},
            {"tenant_name": "Delta"},
        ]
    }
    made = await people.done(PRIMARY, "POST", "/v1/admin/tenants", wish)
    assert [tenant["email"] for tenant in made["tenants"]] == ["queued", "not_wanted"]
    assert [recipient for _, recipient, _ in await letters(people)] == ["g@gamma.example"]


async def test_mail_that_is_off_is_said_and_people_are_invited_all_the_same(
    people: People, aiohttp_client: Visit
) -> None:
    people.browse = await aiohttp_client(people.application(with_mail=False))
    wish = invitation(people, {"email": "new@acme.example"})
    made = await people.done(ADMIN, "POST", f"{PATH}/invite", wish)
    assert (made["email"], made["total_users_invited"]) == ("off", 1)
    assert "Mail is switched off" in made["message"]
    user_id = made["users"][0]["id"]
    assert (await people.done(ADMIN, "GET", f"{PATH}/{user_id}"))["status"] == "Invited"
    message = await people.refused(409, ADMIN, "POST", f"{PATH}/{user_id}/invite")
    assert message.startswith("Nothing was sent. Mail is switched off")
    tenants = {"tenants": [{"tenant_name": "Gamma", "users": [{"email": "g@gamma.example"}]}]}
    made = await people.done(PRIMARY, "POST", "/v1/admin/tenants", tenants)
    assert made["tenants"][0]["email"] == "off"
    assert await letters(people) == []


async def test_storage_that_fails_only_the_letters_is_said(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> bool:
        raise Fault(Kind.UNAVAILABLE, "Storage is away.")

    monkeypatch.setattr(people.outbox, "post", away)
    wish = invitation(people, {"email": "new@acme.example"})
    made = await people.done(ADMIN, "POST", f"{PATH}/invite", wish)
    assert (made["email"], made["total_users_invited"]) == ("failed", 1)


async def test_an_invitation_is_sent_once_more_with_a_line_of_the_audit(people: People) -> None:
    user_id = await invited(people)
    again = await people.done(ADMIN, "POST", f"{PATH}/{user_id}/invite")
    assert again == {
        "id": user_id,
        "email_address": "new@acme.example",
        "message": "The invitation goes to new@acme.example by mail.",
        "email": "queued",
    }
    assert await letters(people) == [("invitation", "new@acme.example", user_id)]
    assert await people.last_audit() == ("acme.client_admin@acme.example", "user.mail", user_id)
    await people.refused(429, ADMIN, "POST", f"{PATH}/{user_id}/invite")
    assert len(await letters(people)) == 1


@pytest.mark.parametrize("status", ["Active", "Suspended"])
async def test_only_who_is_invited_is_invited_again(people: People, status: str) -> None:
    user_id = await invited(people)
    await people.done(ADMIN, "PATCH", f"{PATH}/{user_id}", {"status": status})
    message = await people.refused(409, ADMIN, "POST", f"{PATH}/{user_id}/invite")
    assert message.startswith(f"user: They are {status}")
    await people.done(ADMIN, "DELETE", f"{PATH}/{user_id}")
    await people.refused(404, ADMIN, "POST", f"{PATH}/{user_id}/invite")
    assert await letters(people) == []


async def test_nobody_writes_to_who_is_more_than_they(people: People) -> None:
    wish = invitation(people, {"email": "new@acme.example", "role": "client_admin"})
    made = await people.done(ADMIN, "POST", f"{PATH}/invite", wish)
    await people.refused(403, HELPDESK, "POST", f"{PATH}/{made['users'][0]['id']}/invite")

import pytest

from tests.admin.people_floor import People

PATH = "/v1/admin/users"
PRIMARY = "msp.msp_primary_admin"
ADMIN = "acme.client_admin"
HELPDESK = "msp.msp_helpdesk"


def one(people: People, who: str = "acme.target") -> str:
    return f"{PATH}/{people.id(who)}"


# ---------------------------------------------------------------- looking


async def test_a_user_is_shown_with_role_and_tenant(people: People) -> None:
    found = await people.done(ADMIN, "GET", one(people))
    del found["created_at"]
    assert found == {
        "id": people.id("acme.target"),
        "email": "acme.target@acme.example",
        "first_name": "",
        "last_name": "",
        "role": "general_user",
        "role_id": "role_general_user",
        "status": "Active",
        "tenant_id": people.id("acme"),
        "tenant_name": "The acme tenant",
    }


@pytest.mark.parametrize(
    ("who", "query", "found"),
    [
        (PRIMARY, "email=ACME.target@acme.example", ["acme.target"]),
        (PRIMARY, "email=nobody@acme.example", []),
        (PRIMARY, "email=", []),
        (ADMIN, "email=acme.target@acme.example", ["acme.target"]),
        (ADMIN, "email=beta.target@beta.example", []),
        (PRIMARY, "tenant_id={beta}&limit=1", ["beta.chat_only_user"]),
        (PRIMARY, "limit=1&offset=5", ["beta.chat_only_user"]),
        (ADMIN, "limit=1&offset=4", ["acme.workshop_user"]),
        (ADMIN, "tenant_id={acme}&limit=1", ["acme.chat_only_user"]),
    ],
)
async def test_users_are_found_by_address_and_tenant(
    people: People, who: str, query: str, found: list[str]
) -> None:
    query = query.format(acme=people.id("acme"), beta=people.id("beta"))
    page = await people.done(who, "GET", f"{PATH}?{query}")
    assert [row["id"] for row in page["data"]] == [people.id(name) for name in found]


async def test_counts_are_of_what_the_caller_sees(people: People) -> None:
    assert (await people.done(PRIMARY, "GET", PATH))["total_count"] == 16
    assert (await people.done(ADMIN, "GET", PATH))["total_count"] == 5
    beta = f"{PATH}?tenant_id={people.id('beta')}"
    assert (await people.done(PRIMARY, "GET", beta))["total_count"] == 5
    await people.refused(404, ADMIN, "GET", beta)
    await people.refused(404, PRIMARY, "GET", f"{PATH}?tenant_id=tenant_nothing")


# ---------------------------------------------------------------- changing


async def test_name_role_and_status_change_at_once(people: People) -> None:
    wish = {"first_name": " Tom ", "last_name": "Target", "role": "chat_only_user"}
    changed = await people.done(ADMIN, "PATCH", one(people), wish)
    assert (changed["first_name"], changed["last_name"]) == ("Tom", "Target")
    me = await people.done("acme.target", "GET", "/v1/me")
    assert me["role"] == "chat_only_user"
    await people.done(ADMIN, "PATCH", one(people), {"status": "Suspended"})
    assert (await people.ask("acme.target", "GET", "/v1/me")).status == 403
    await people.done(ADMIN, "PATCH", one(people), {"status": "Active"})
    assert (await people.ask("acme.target", "GET", "/v1/me")).status == 200
    assert (await people.last_audit())[1:] == ("user.change", people.id("acme.target"))


async def test_a_custom_role_is_given_by_either_name(people: People) -> None:
    for field in ("role", "custom_role_name"):
        await people.done(ADMIN, "PATCH", one(people), {"role": "general_user"})
        changed = await people.done(ADMIN, "PATCH", one(people), {field: "acme_own_role"})
        assert changed["role_id"] == people.id("acme.own_role")


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"role": "king"}, "role: There is no role 'king'"),
        ({"role": "beta_own_role"}, "role: There is no role"),
        ({"custom_role_name": "x"}, "custom_role_name: "),
        ({"role": "general_user", "custom_role_name": "x"}, "custom_role_name: Give a role or"),
        ({"status": "Deleted"}, "status: "),
        ({"status": "Invited"}, "status: "),
        ({"first_name": "a\nb"}, "first_name: "),
        ({"email": "new@acme.example"}, "email: "),
    ],
)
async def test_a_wrong_change_is_refused(people: People, wish: object, says: str) -> None:
    before = await people.done(PRIMARY, "GET", one(people))
    assert (await people.refused(400, PRIMARY, "PATCH", one(people), wish)).startswith(says)
    assert await people.done(PRIMARY, "GET", one(people)) == before


async def test_nobody_changes_or_deletes_themselves_out(people: People) -> None:
    for who in (ADMIN, PRIMARY):
        own = one(people, who)
        for wish in ({"role": "general_user"}, {"status": "Suspended"}):
            assert (await people.refused(409, who, "PATCH", own, wish)).startswith("user: ")
        await people.refused(409, who, "DELETE", own)
        same = (await people.done(who, "GET", own))["role"]
        changed = await people.done(who, "PATCH", own, {"first_name": "Me", "role": same})
        assert changed["first_name"] == "Me"
    wish = {"tenant_id": people.id("acme")}
    await people.refused(409, PRIMARY, "POST", one(people, PRIMARY) + "/transfer", wish)


@pytest.mark.parametrize(
    ("who", "whom", "may"),
    [
        (HELPDESK, "acme.target", True),
        (HELPDESK, "acme.client_admin", False),
        (HELPDESK, PRIMARY, False),
        ("msp.msp_tenant_manager", "acme.client_admin", True),
        ("msp.msp_tenant_manager", "msp.msp_admin", False),
        ("msp.msp_tenant_manager", "msp.msp_billing_manager", False),
        ("msp.msp_admin", "msp.msp_tenant_manager", True),
        ("msp.msp_admin", PRIMARY, False),
        (PRIMARY, "msp.msp_admin", True),
    ],
)
async def test_nobody_touches_who_may_do_more(
    people: People, who: str, whom: str, may: bool
) -> None:
    for method, path, body in (
        ("PATCH", one(people, whom), {"first_name": "Touched"}),
        ("PATCH", one(people, whom), {"status": "Suspended"}),
        ("DELETE", one(people, whom), None),
    ):
        said = await people.ask(who, method, path, body)
        assert said.status == (200 if may else 403), (method, said.body)


async def test_the_last_primary_admin_stays(people: People) -> None:
    second = await people.users.create(
        "second@msp.example",
        people.id("msp"),
        people.operator(),
        role="msp_primary_admin",
        status="Active",
    )
    people.known.ids["second"] = second.id
    await people.done(PRIMARY, "PATCH", one(people, "second"), {"status": "Suspended"})
    # The first is the last now: they cannot touch themselves, and nobody else may touch them.
    for who, status in ((PRIMARY, 409), ("msp.msp_admin", 403)):
        await people.refused(status, who, "DELETE", one(people, PRIMARY))
        for wish in ({"status": "Suspended"}, {"role": "msp_admin"}):
            await people.refused(status, who, "PATCH", one(people, PRIMARY), wish)
    await people.done(PRIMARY, "PATCH", one(people, "second"), {"status": "Active"})
    await people.done(PRIMARY, "PATCH", one(people, "second"), {"role": "msp_admin"})
    await people.done(PRIMARY, "DELETE", one(people, "second"))


async def test_only_a_primary_admin_makes_another(people: People) -> None:
    wish = {"role": "msp_primary_admin"}
    whom = one(people, "msp.msp_helpdesk")
    message = await people.refused(403, "msp.msp_admin", "PATCH", whom, wish)
    assert "Primary Admin" in message
    assert (await people.done(PRIMARY, "PATCH", whom, wish))["role"] == "msp_primary_admin"


async def test_a_deleted_user_is_gone_and_so_are_their_keys(people: People) -> None:
    gone = await people.done(ADMIN, "DELETE", one(people))
    assert gone == {"id": people.id("acme.target"), "deleted": True}
    assert (await people.ask("acme.target", "GET", "/v1/me")).status == 401
    for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        await people.refused(404, ADMIN, method, one(people), body)
    wish = {"tenant_id": people.id("acme"), "users": [{"email": "acme.target@acme.example"}]}
    made = await people.done(ADMIN, "POST", f"{PATH}/invite", wish)
    assert made["users"][0]["id"] != people.id("acme.target")


# ---------------------------------------------------------------- moving


async def test_a_user_moves_with_their_keys_and_without_their_role(people: People) -> None:
    await people.done(ADMIN, "PATCH", one(people), {"role": "acme_own_role"})
    wish = {"tenant_id": people.id("beta")}
    moved = await people.done(PRIMARY, "POST", one(people) + "/transfer", wish)
    assert (moved["tenant_id"], moved["role"]) == (people.id("beta"), "general_user")
    me = await people.done("acme.target", "GET", "/v1/me")
    assert me["tenant_id"] == people.id("beta")
    await people.refused(404, ADMIN, "GET", one(people))
    await people.done("beta.client_admin", "GET", one(people))


async def test_a_user_may_get_a_role_of_the_new_tenant(people: People) -> None:
    wish = {"tenant_id": people.id("beta"), "role": "beta_own_role"}
    moved = await people.done(PRIMARY, "POST", one(people) + "/transfer", wish)
    assert moved["role"] == "beta_own_role"


async def test_a_move_that_cannot_be_is_refused(people: People) -> None:
    path = one(people) + "/transfer"
    for wish, says in (
        ({}, "tenant_id: "),
        ({"tenant_id": "tenant_nothing"}, "tenant_id: There is no tenant"),
        ({"tenant_id": people.id("acme")}, "tenant_id: They are there already."),
        ({"tenant_id": people.id("beta"), "role": "acme_own_role"}, "role: There is no role"),
    ):
        assert (await people.refused(400, PRIMARY, "POST", path, wish)).startswith(says)
    await people.users.create("acme.target@acme.example", people.id("beta"), people.operator())
    await people.refused(409, PRIMARY, "POST", path, {"tenant_id": people.id("beta")})
    message = await people.refused(403, ADMIN, "POST", path, {"tenant_id": people.id("acme")})
    assert "msp.users" in message

from tests.admin.people_floor import People


async def test_everybody_learns_who_they_are_and_never_their_key(people: People) -> None:
    said = await people.ask("acme.general_user", "GET", "/v1/me")
    assert said.status == 200
    assert said.json() == {
        "user_id": people.id("acme.general_user"),
        "email": "acme.general_user@acme.example",
        "tenant_id": people.id("acme"),
        "tenant": "The acme tenant",
        "role": "general_user",
        "permissions": ["gateway.use", "keys.create"],
        "key_id": people.known.key_ids["acme.general_user"],
        "key_expires_at": None,
    }
    assert people.known.keys["acme.general_user"].encode() not in said.body


async def test_a_key_sent_as_bearer_is_not_read_here(people: People) -> None:
    key = people.known.keys["msp.msp_primary_admin"]
    async with people.browse.get("/v1/me", headers={"Authorization": f"Bearer {key}"}) as reply:
        assert reply.status == 401

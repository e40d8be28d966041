"""A user's own mapping of the aliases, from the preferences to the provider (domain.md 6)."""

from tests.kit.journey import Client, ask, gateway, provider

MAPPING = "/v1/preferences/gateway-mapping"
KIMI = "moonshot.kimi-k2-thinking"
HAIKU = "anthropic.claude-haiku-4-5"


async def served_by(client: Client, asked: str) -> tuple[str, str]:
    """Which model answers, and by which rule it was found."""
    reply = await client.post(ask(asked))
    assert reply.status == 200
    return reply.events[0][1]["message"]["model"], reply.headers["x-hatz-resolved-via"]


async def test_a_mapping_leads_aliases_and_native_ids_to_its_target_and_off_leads_back(tmp_path):
    async with provider() as there, gateway(tmp_path, [there]) as here:
        other_key = await here.new_key("second@example.com")
        client = await here.client()
        other = await Client.connect(here.port, other_key)
        assert await served_by(client, "haiku") == (HAIKU, "alias")
        assert await served_by(other, "haiku") == (HAIKU, "alias")

        saved = await client.put(MAPPING, {"enabled": True, "mappings": {"haiku": KIMI}})
        assert saved.status == 200
        assert await served_by(client, "haiku") == (KIMI, "mapping")
        assert there.asked[-1].body == ask("kimi-k2-thinking")
        assert await served_by(client, "claude-haiku-4-5-20251001") == (KIMI, "mapping")
        assert await served_by(client, HAIKU) == (HAIKU, "exact")
        assert await served_by(client, "opus") == ("anthropic.claude-opus-4-7", "alias")
        assert await served_by(other, "haiku") == (HAIKU, "alias")

        assert (await client.put(MAPPING, {"enabled": False})).status == 200
        assert await served_by(client, "haiku") == (HAIKU, "alias")
        assert await served_by(client, "claude-haiku-4-5-20251001") == (HAIKU, "native")
        assert b'"haiku":"moonshot.kimi-k2-thinking"' in (await client.get(MAPPING)).body

        assert (await client.put(MAPPING, {"enabled": True})).status == 200
        assert await served_by(client, "haiku") == (KIMI, "mapping")
        client.close()
        other.close()


async def test_a_target_switched_off_is_named_and_nothing_else_answers(tmp_path):
    async with provider() as there, gateway(tmp_path, [there]) as here:
        client = await here.client()
        await client.put(MAPPING, {"enabled": True, "mappings": {"haiku": KIMI}})
        assert await served_by(client, "haiku") == (KIMI, "mapping")
        await here.switch_model(KIMI, on=False)
        asked_before = len(there.asked)
        for asked in ("haiku", "claude-haiku-4-5-20251001"):
            reply = await client.post(ask(asked))
            assert (reply.status, reply.error["type"]) == (404, "not_found_error")
            assert asked in reply.error["message"] and KIMI in reply.error["message"]
            assert reply.headers["x-hatz-reason"] == "mapping_target_disabled"
        assert len(there.asked) == asked_before
        await here.switch_model(KIMI, on=True)
        assert await served_by(client, "haiku") == (KIMI, "mapping")
        client.close()

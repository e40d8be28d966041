"""The acceptance scenarios of domain.md 19, by number, from outside: HTTP in, HTTP out."""

import asyncio
import datetime as dt
import time

import msgspec
import pytest

from tests.kit.chat_stream import folded
from tests.kit.grammar import check_ends
from tests.kit.journey import (
    BLOCK,
    COUNT,
    MESSAGES,
    START,
    Client,
    Line,
    ask,
    delta,
    error_body,
    terminals,
    until,
)
from tests.kit.town import (
    BASE,
    ELSEWHERE,
    GPT,
    GUEST,
    HAIKU,
    KIMI,
    OLD_OPUS,
    OPUS,
    SONNET,
    Person,
    costs,
    town,
    vendors,
)

SHORT = "/v1/anthropic/messages"
SHORT_COUNT = "/v1/anthropic/messages/count_tokens"
MAPPING = "/v1/preferences/gateway-mapping"


async def outcome(person: Person, model: str, **more: object) -> tuple[int, str]:
    """Status and reason of one call."""
    reply = await person.call(model, **more)
    return reply.status, reply.headers.get("x-hatz-reason", "")


async def becomes(true) -> None:
    """Every change counts with the next request, in other processes within 2 s."""
    end_s = time.monotonic() + 2
    while not await true():
        assert time.monotonic() < end_s, "not within 2 s"
        await asyncio.sleep(0.02)


async def listed(person: Person) -> dict[str, dict]:
    """The product's list, by model."""
    return {row["name"]: row for row in (await person.done("GET", "/v1/chat/models"))["data"]}


async def test_1_both_spellings_and_both_headers(tmp_path):
    async with town(tmp_path) as here:
        one = await here.person("Acme", "a@acme.example")
        client = await one.client()
        for path in (MESSAGES, SHORT):
            assert (await client.post(ask(HAIKU), path)).status == 200
            client.key = ""
            bearer = f"Bearer {one.key}"
            assert (await client.post(ask(HAIKU), path, authorization=bearer)).status == 200
            client.key = one.key
        client.close()


async def test_2_the_office_takes_no_bearer(tmp_path):
    async with town(tmp_path) as here:
        client = await Client.connect(here.gateway.port, "")
        client.send(b"", "/v1/admin/tenants", "GET", authorization=f"Bearer {here.msp.key}")
        assert (await client.reply()).status == 401
        client.close()
        tenants = await here.msp.done("GET", "/v1/admin/tenants")
        assert [tenant["name"] for tenant in tenants] == ["Default", "The MSP"]


async def test_3_the_product_list_takes_a_bearer(tmp_path):
    async with town(tmp_path) as here:
        client = await Client.connect(here.gateway.port, "")
        client.send(b"", "/v1/chat/models", "GET", authorization=f"Bearer {here.msp.key}")
        assert (await client.reply()).status == 200
        client.close()


async def test_4_a_role_that_loses_the_gateway(tmp_path):
    async with town(tmp_path) as here:
        one = await here.person("Acme", "a@acme.example")
        role = await here.msp.done(
            "POST",
            "/v1/admin/roles",
            {
                "name": "callers",
                "display_name": "Callers",
                "tenant_id": one.tenant_id,
                "permissions": ["gateway.use"],
            },
        )
        await here.msp.done("PATCH", f"/v1/admin/users/{one.user_id}", {"role": "callers"})
        assert (await one.call(HAIKU)).status == 200
        await here.msp.done("PATCH", f"/v1/admin/roles/{role['id']}", {"permissions": []})
        reply = await one.call(HAIKU)
        assert (reply.status, reply.error["type"]) == (403, "permission_error")
        # The office is no gateway: who they are and what they used they may still see.
        assert (await one.done("GET", "/v1/me"))["role"] == "callers"
        assert (await one.api("GET", "/v1/chat/models"))[0] == 403


async def test_5_a_deleted_key(tmp_path):
    async with town(tmp_path) as here:
        one = await here.person("Acme", "a@acme.example")
        assert (await one.call(HAIKU)).status == 200
        [key] = (await one.done("GET", "/v1/api-keys"))["data"]
        await one.done("DELETE", f"/v1/api-keys/{key['id']}")
        reply = await one.call(HAIKU)
        assert (reply.status, reply.headers["x-should-retry"]) == (401, "false")


async def test_6_the_list_and_what_is_missing_from_it(tmp_path):
    async with town(tmp_path) as here:
        tenant_id = await here.tenant("Acme", 10)
        one = await here.person("Acme", "a@acme.example")
        row = (await listed(one))[HAIKU]
        assert list(row)[:5] == ["name", "developer", "display_name", "max_tokens", "vision"]
        await here.msp.done(
            "PUT", f"/v1/admin/tenants/{tenant_id}/models/{KIMI}", {"enabled": False}
        )
        assert KIMI not in await listed(one)
        await one.spends(10.5)
        rows = await listed(one)
        assert rows[SONNET]["rate_limited"] is True and rows[HAIKU]["rate_limited"] is False
        assert rows[SONNET]["rate_limit_scope"] == "tenant" and rows[SONNET]["resets_at"]
        available = await one.done("GET", "/v1/chat/models?available=true")
        assert {row["name"] for row in available["data"]} == {HAIKU, BASE}


async def test_7_an_alias_follows_the_newest(tmp_path):
    async with town(tmp_path) as here:
        await here.msp.done("PUT", f"/v1/admin/models/{OPUS}", {"enabled": False})
        one = await here.person("Acme", "a@acme.example")
        reply = await one.call("opus")
        assert msgspec.json.decode(reply.body)["model"] == OLD_OPUS
        await here.msp.done("PUT", f"/v1/admin/models/{OPUS}", {"enabled": True})

        async def newest_answers() -> bool:
            return msgspec.json.decode((await one.call("opus")).body)["model"] == OPUS

        await becomes(newest_answers)


async def test_8_and_9_an_alias_uses_the_next_enabled_one_or_none(tmp_path):
    async with town(tmp_path) as here:
        tenant_id = await here.tenant("Acme")
        one = await here.person("Acme", "a@acme.example")
        await here.msp.done(
            "PATCH", f"/v1/admin/tenants/{tenant_id}", {"disabled_model_names": [OPUS]}
        )
        reply = await one.call("opus")
        assert msgspec.json.decode(reply.body)["model"] == OLD_OPUS
        assert await outcome(one, OPUS) == (404, "model_disabled")
        await here.msp.done(
            "PATCH", f"/v1/admin/tenants/{tenant_id}", {"disabled_model_names": [OPUS, OLD_OPUS]}
        )
        assert (await one.call("opus")).status == 404


async def test_10_a_limited_newest_is_not_replaced(tmp_path):
    async with town(tmp_path) as here:
        await here.tenant("Acme", 10)
        one = await here.person("Acme", "a@acme.example")
        await one.spends(10.5)
        asked = len(here.provider.asked)
        reply = await one.call("opus")
        assert (reply.status, reply.headers["x-hatz-reason"]) == (429, "tenant_limit")
        assert "opus" in reply.error["message"] and OPUS in reply.error["message"]
        assert len(here.provider.asked) == asked


async def test_11_to_13_a_mapping_is_its_users_own_and_survives_being_off(tmp_path):
    async with town(tmp_path) as here:
        one = await here.person("Acme", "a@acme.example")
        other = await here.person("Acme", "b@acme.example")

        async def served(person: Person, model: str) -> str:
            return msgspec.json.decode((await person.call(model)).body)["model"]

        await one.done("PUT", MAPPING, {"enabled": True, "mappings": {"haiku": KIMI}})
        assert await served(one, "haiku") == KIMI
        assert await served(one, "claude-haiku-4-5-20251001") == KIMI
        assert await served(one, HAIKU) == HAIKU
        assert await served(other, "haiku") == HAIKU
        await one.done("PUT", MAPPING, {"enabled": False})
        assert await served(one, "haiku") == HAIKU
        assert (await one.done("GET", MAPPING))["mappings"]["haiku"] == KIMI
        line = (await here.msp.done("GET", "/v1/admin/audit"))["data"][0]
        assert (line["actor"], line["action"]) == (one.email, "preferences.change")
        assert (line["before"]["enabled"], line["after"]["enabled"]) == (True, False)
        assert line["after"]["haiku"] == KIMI and line["request_id"]
        await one.done("PUT", MAPPING, {"enabled": True})
        assert await served(one, "haiku") == KIMI


async def test_14_a_mapped_target_that_is_switched_off(tmp_path):
    async with town(tmp_path) as here:
        tenant_id = await here.tenant("Acme")
        one = await here.person("Acme", "a@acme.example")
        await one.done("PUT", MAPPING, {"enabled": True, "mappings": {"haiku": KIMI}})
        switch = f"/v1/admin/tenants/{tenant_id}/models/{KIMI}"
        await here.msp.done("PUT", switch, {"enabled": False})
        reply = await one.call("haiku")
        assert (reply.status, reply.headers["x-hatz-reason"]) == (404, "mapping_target_disabled")
        assert "haiku" in reply.error["message"] and KIMI in reply.error["message"]
        await here.msp.done("PUT", switch, {"enabled": True})
        assert (await one.call("haiku")).status == 200


async def test_15_and_16_the_ladder_and_an_upgrade(tmp_path):
    async with town(tmp_path) as here:
        tenant_id = await here.tenant("Acme", 10)
        one = await here.person("Acme", "a@acme.example")
        await one.spends(10.05)
        reply = await one.call(SONNET)
        assert (reply.status, reply.error["type"]) == (429, "rate_limit_error")
        assert reply.headers["x-should-retry"] == "false"
        assert reply.headers["x-hatz-limit-scope"] == "tenant"
        resets_at = dt.datetime.fromisoformat(reply.headers["x-hatz-limit-resets-at"])
        assert resets_at > dt.datetime.now(dt.UTC) and (resets_at.day, resets_at.hour) == (1, 0)
        assert resets_at.date().isoformat() in reply.error["message"]
        assert 0 < int(reply.headers["retry-after"]) <= 31 * 86_400
        here.provider.plays.append(costs(0.01, HAIKU))
        assert (await one.call(HAIKU)).status == 200
        await one.until_used(10.06)
        await one.spends(5)
        assert await outcome(one, HAIKU) == (429, "tenant_limit")
        assert await outcome(one, KIMI) == (429, "tenant_limit")
        assert (await one.call(BASE)).status == 200

        bigger = await here.msp.done(
            "POST", "/v1/admin/packages", {"name": "Bigger", "monthly_credits": 1000}
        )
        await here.msp.done("PATCH", f"/v1/admin/tenants/{tenant_id}", {"package_id": bigger["id"]})
        assert (await one.call(SONNET)).status == 200


async def test_17_a_new_month_clears_the_state(tmp_path, monkeypatch):
    async with town(tmp_path) as here:
        await here.tenant("Acme", 10)
        one = await here.person("Acme", "a@acme.example")
        await one.spends(10.05)
        assert await outcome(one, SONNET) == (429, "tenant_limit")
        # The clock of the door is what says when a request came.
        front = here.gateway.house._front
        wall = front.wall
        front.wall = lambda: wall() + 32 * 86_400
        assert (await one.call(SONNET)).status == 200
        front.wall = wall
        assert await outcome(one, SONNET) == (429, "tenant_limit")


async def test_18_and_19_a_role_cap_is_each_users_own(tmp_path):
    async with town(tmp_path) as here:
        await here.tenant("Acme", 1000)
        one = await here.person("Acme", "a@acme.example")
        colleague = await here.person("Acme", "b@acme.example")
        free = await here.person("Acme", "c@acme.example", "general_user")
        await here.msp.done(
            "POST",
            "/v1/admin/roles",
            {
                "name": "capped",
                "display_name": "Capped",
                "tenant_id": one.tenant_id,
                "permissions": ["gateway.use", "keys.create"],
                "user_credit_limit": 5,
            },
        )
        for person in (one, colleague):
            await here.msp.done("PATCH", f"/v1/admin/users/{person.user_id}", {"role": "capped"})
        await one.spends(5.5)
        reply = await one.call(BASE)
        assert (reply.status, reply.headers["x-hatz-reason"]) == (429, "role_limit")
        assert reply.headers["x-hatz-limit-scope"] == "role"
        assert "5.50" in reply.error["message"] and "5.00" in reply.error["message"]
        assert (await colleague.call(OPUS)).status == 200
        assert (await free.call(OPUS)).status == 200
        # Another role looks at the same month's use at once.
        await here.msp.done("PATCH", f"/v1/admin/users/{one.user_id}", {"role": "general_user"})
        assert (await one.call(BASE)).status == 200


async def test_20_counting_while_limited(tmp_path):
    async with town(tmp_path) as here:
        await here.tenant("Acme", 0)
        one = await here.person("Acme", "a@acme.example")
        assert await outcome(one, SONNET) == (429, "tenant_limit")

        async def counts(line: Line) -> None:
            line.whole(200, b'{"input_tokens":7}')

        for path in (COUNT, SHORT_COUNT):
            here.provider.plays.append(counts)
            reply = await one.post(ask(SONNET), path)
            assert (reply.status, reply.body) == (200, b'{"input_tokens":7}')
        assert await here.gateway.all_rows() == []


async def test_21_a_failed_call_costs_nothing(tmp_path):
    async with town(tmp_path) as here:
        await here.tenant("Acme", 10)
        one = await here.person("Acme", "a@acme.example")

        async def fails(line: Line) -> None:
            line.whole(400, error_body("invalid_request_error", "no"))

        here.provider.plays.append(fails)
        reply = await one.call(HAIKU)
        assert reply.status == 400
        row = await here.gateway.row(reply.id)
        assert row.credits == 0
        usage = await one.done("GET", "/v1/usage")
        assert (usage["credits_used"], usage["credits_remaining"]) == (0, 10)


async def test_22_a_client_that_hangs_up_pays_for_what_it_got(tmp_path):
    async with town(tmp_path) as here:
        await here.tenant("Acme", 10)
        one = await here.person("Acme", "a@acme.example")
        lines: list[Line] = []

        async def half(line: Line) -> None:
            lines.append(line)
            line.head()
            line.chunk(START + BLOCK + delta("Hel"))

        here.provider.plays.append(half)
        client = await one.client()
        client.send(ask(HAIKU))
        head = await client.head()
        await client.until(delta("Hel"))
        client.close()
        await until(lambda: lines[0].gone.is_set())
        row = await here.gateway.row(head.id)
        assert row.outcome == "client_gone" and row.credits > 0
        await one.until_used(row.credits / 1_000_000)


async def test_23_a_clients_own_request_id(tmp_path):
    async with town(tmp_path) as here:
        one = await here.person("Acme", "a@acme.example")
        reply = await one.post(ask(HAIKU), x_request_id="mine-1:a.b_c")
        assert reply.headers["x-request-id"] == reply.id == "mine-1:a.b_c"
        assert (await here.gateway.row("mine-1:a.b_c")).request_id == "mine-1:a.b_c"
        refused = await one.post(ask("no-such"), x_request_id="mine-2")
        assert msgspec.json.decode(refused.body)["request_id"] == "mine-2"
        replaced = await one.post(ask(HAIKU), x_request_id="not valid!")
        assert replaced.status == 200 and replaced.id != "not valid!"


async def test_24_many_at_once_near_the_limit(tmp_path):
    """The stated bound: what runs at the same moment may finish, nothing begins after the line."""
    async with town(tmp_path) as here:
        await here.tenant("Acme", 100)
        one = await here.person("Acme", "a@acme.example")
        await one.spends(99.9)
        each = 0.5
        here.provider.usual = costs(each, SONNET)
        replies = await asyncio.gather(*[one.call(SONNET) for _ in range(50)])
        served = [reply for reply in replies if reply.status == 200]
        # While it runs it holds more than the tenth of a credit that is left, and what it cost is
        # more, too: the next one sees that, whether it has ended or not.
        assert len(served) == 1 and {reply.status for reply in replies} == {200, 429}
        await one.until_used(99.9 + len(served) * each)
        rows = await here.gateway.all_rows()
        assert len(rows) == 1 + len(served)
        assert await outcome(one, SONNET) == (429, "tenant_limit")


async def test_25_a_refused_stream_is_plain_json(tmp_path):
    async with town(tmp_path) as here:
        await here.tenant("Acme", 0)
        one = await here.person("Acme", "a@acme.example")
        reply = await one.call(SONNET, stream=True)
        assert reply.status == 429 and reply.headers["content-type"] == "application/json"
        assert reply.error["type"] == "rate_limit_error"


async def test_26_a_failure_in_mid_stream(tmp_path):
    async with town(tmp_path) as here:
        one = await here.person("Acme", "a@acme.example")

        async def breaks(line: Line) -> None:
            line.head()
            line.chunk(START + BLOCK + delta("Hel"))
            line.reset()

        here.provider.plays.append(breaks)
        reply = await one.call(HAIKU, stream=True)
        assert reply.status == 200 and terminals(reply.body) == ["error"]


TOOLS = [
    {
        "name": name,
        "description": name,
        "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}},
    }
    for name in ("look", "listen")
]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("model", [GUEST, GPT])
async def test_27_two_tools_in_one_turn_and_their_results(tmp_path, model, stream):
    async with vendors() as there, town(tmp_path, there.more) as here:
        await here.tenant("Acme", 1000)
        one = await here.person("Acme", "a@acme.example")

        async def turn(messages: list[dict]) -> dict:
            reply = await one.call(model, stream=stream, tools=TOOLS, messages=messages)
            assert reply.status == 200, reply.body
            row = await here.gateway.row(reply.id)
            assert (row.outcome, row.model) == ("completed", model) and row.credits > 0
            if not stream:
                return msgspec.json.decode(reply.body)
            assert check_ends(reply.body) == "message_stop"
            return folded(data for _, data in reply.events)

        asked = 'CALL:look:{"at":"sea"} END CALL:listen:{"at":"hill"} END'
        messages = [{"role": "user", "content": asked}]
        first = await turn(messages)
        assert (first["model"], first["stop_reason"]) == (model, "tool_use")
        assert [(block["name"], block["input"]) for block in first["content"]] == [
            ("look", {"at": "sea"}),
            ("listen", {"at": "hill"}),
        ]
        results = [
            {"type": "tool_result", "tool_use_id": block["id"], "content": f"{block['name']}: fine"}
            for block in first["content"]
        ]
        messages.append({"role": "assistant", "content": first["content"]})
        # The order of results means nothing to Anthropic.
        messages.append({"role": "user", "content": results[::-1]})
        second = await turn(messages)
        assert second["stop_reason"] == "end_turn"
        assert "look: fine" in second["content"][0]["text"]
        assert "listen: fine" in second["content"][0]["text"]


async def test_27_and_28_tools_and_cache_marks_reach_the_provider_as_they_were(tmp_path):
    async with town(tmp_path) as here:
        one = await here.person("Acme", "a@acme.example")
        tools = [
            {"name": name, "description": name, "input_schema": {"type": "object"}}
            for name in ("look", "listen")
        ]
        calls = [
            {"type": "tool_use", "id": f"toolu_{name}", "name": name, "input": {}}
            for name in ("look", "listen")
        ]
        results = [
            {"type": "tool_result", "tool_use_id": f"toolu_{name}", "content": "fine"}
            for name in ("look", "listen")
        ]
        marked = [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]
        body = ask(
            HAIKU,
            stream=True,
            tools=tools,
            system=marked,
            messages=[
                {"role": "user", "content": "Do both."},
                {"role": "assistant", "content": calls},
                {"role": "user", "content": results},
            ],
        )
        for model in (HAIKU, KIMI):
            sent = body.replace(HAIKU.encode(), model.encode())
            assert (await one.post(sent)).status == 200
            upstream = model.partition(".")[2].encode()
            assert here.provider.asked[-1].body == body.replace(HAIKU.encode(), upstream)


async def test_28_a_foreign_call_with_cache_marks_succeeds(tmp_path):
    async with vendors() as there, town(tmp_path, there.more) as here:
        one = await here.person("Acme", "a@acme.example")
        mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
        for stream in (True, False):
            reply = await one.call(
                GPT,
                stream=stream,
                tools=[TOOLS[0], TOOLS[1] | mark],
                system=[{"type": "text", "text": "Be brief."} | mark],
                messages=[{"role": "user", "content": [{"type": "text", "text": "Hi."} | mark]}],
                **mark,
            )
            assert reply.status == 200, reply.body
        # This vendor refuses every field it does not know.
        assert len(there.asked) == 2
        assert "cache_control" not in repr(there.asked)


SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
MOON = [{"role": "user", "content": 'CALL:web_search:{"query":"the moon"} END'}]
NOT_ENABLED = (
    "Web search is not enabled for this gateway. "
    "Ask your administrator to enable Anthropic gateway web search."
)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("model", [GPT, ELSEWHERE])
async def test_29_a_web_search_is_shown_counted_and_paid_for(tmp_path, model, stream):
    fee = "[limits]\nsearch_fee_credits = 7\n"
    async with (
        vendors() as there,
        town(tmp_path, there.more + fee, there.searching) as here,
    ):
        tenant_id = await here.tenant("Acme", 1000)
        one = await here.person("Acme", "a@acme.example", "client_admin")
        reply = await one.call(model, stream=stream, tools=[SEARCH], messages=MOON)
        assert reply.status == 200, reply.body
        if stream:
            assert check_ends(reply.body) == "message_stop"
            message = folded(data for _, data in reply.events)
        else:
            message = msgspec.json.decode(reply.body)
        assert (message["model"], message["stop_reason"]) == (model, "end_turn")
        call, result, said, *_ = message["content"]
        assert (call["type"], call["input"]) == ("server_tool_use", {"query": "the moon"})
        assert (result["type"], result["tool_use_id"]) == ("web_search_tool_result", call["id"])
        assert {page["type"] for page in result["content"]} == {"web_search_result"}
        assert said["citations"][0]["type"] == "web_search_result_location"
        assert message["usage"]["server_tool_use"]["web_search_requests"] == 1

        # Two turns of the model, and the search as a line of its own.
        rows = await here.gateway.rows(reply.id, 3)
        assert sorted(row.web_searches for row in rows) == [0, 0, 1]
        [search] = [row for row in rows if row.web_searches]
        assert search.provider == "web_search"
        assert search.credits == search.credits_actions == 7_000_000
        turns = [row for row in rows if not row.web_searches]
        assert sum(row.input_tokens for row in turns) == message["usage"]["input_tokens"]
        credits = sum(row.credits for row in rows) / 1_000_000
        assert credits > 7
        await one.until_used(credits)
        events = (await one.done("GET", f"/v1/usage/events?request_id={reply.id}"))["data"]
        assert sorted(event["credits"] for event in events)[-1] == 7
        tenant = await here.msp.done("GET", f"/v1/admin/tenants/{tenant_id}")
        assert abs(tenant["total_credits_used"] - credits) < 0.001


@pytest.mark.parametrize("where", ["installation", "tenant"])
async def test_29_while_search_is_off_the_request_succeeds_with_the_message(tmp_path, where):
    async with (
        vendors() as there,
        town(tmp_path, there.more, there.searching if where == "tenant" else "") as here,
    ):
        tenant_id = await here.tenant("Acme", 1000)
        one = await here.person("Acme", "a@acme.example")
        if where == "tenant":
            change = {"tenant_config": {"web_search": False}}
            await here.msp.done("PATCH", f"/v1/admin/tenants/{tenant_id}", change)

        # As desktop clients ask: among other tools.
        reply = await one.call(GPT, stream=False, tools=[*TOOLS, SEARCH], messages=MOON)
        assert reply.status == 200, reply.body
        message = msgspec.json.decode(reply.body)
        assert message["stop_reason"] == "end_turn"
        [result] = [b for b in message["content"] if b["type"] == "web_search_tool_result"]
        assert result["content"]["error_code"] == "unavailable"
        assert NOT_ENABLED in message["content"][-1]["text"]
        rows = await here.gateway.rows(reply.id, 2)
        assert [row.web_searches for row in rows] == [0, 0]

        # Where searching is the whole point nobody is asked, and nothing is paid.
        asked = len(there.asked)
        refused = await one.call(GPT, stream=True, tools=[SEARCH], messages=MOON)
        assert (refused.status, refused.error["type"]) == (400, "invalid_request_error")
        assert refused.error["message"] == NOT_ENABLED
        assert len(there.asked) == asked


async def test_30_an_image_for_a_model_that_cannot_see(tmp_path):
    async with town(tmp_path) as here:
        one = await here.person("Acme", "a@acme.example")
        image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
        content = [{"type": "text", "text": "Look."}, image]
        reply = await one.call(KIMI, messages=[{"role": "user", "content": content}])
        assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")
        assert reply.error["message"].startswith("messages.0.content.1: ")
        assert here.provider.asked == []


async def test_31_a_leftover_key_in_the_other_header(tmp_path):
    async with town(tmp_path) as here:
        one = await here.person("Acme", "a@acme.example")
        assert (await one.post(ask(HAIKU), authorization="Bearer sk-ant-old")).status == 200
        client = await Client.connect(here.gateway.port, "sk-ant-old")
        reply = await client.post(ask(HAIKU), authorization=f"Bearer {one.key}")
        assert reply.status == 200
        client.close()


async def test_32_discovery_lists_only_what_the_user_may_use(tmp_path):
    async with town(tmp_path) as here:
        tenant_id = await here.tenant("Acme")
        one = await here.person("Acme", "a@acme.example")
        await here.msp.done(
            "PATCH", f"/v1/admin/tenants/{tenant_id}", {"disabled_model_names": [OPUS, KIMI]}
        )
        document = await one.done("GET", "/v1/anthropic/v1/models")
        assert {row["id"] for row in document["data"]} == {OLD_OPUS, SONNET, HAIKU, BASE}


async def test_33_inviting_too_many_or_one_twice(tmp_path):
    async with town(tmp_path) as here:
        tenant_id = await here.tenant("Acme")
        many = [{"email": f"u{number}@acme.example"} for number in range(101)]
        twice = [{"email": "u@acme.example"}, {"email": "U@acme.example"}]
        for users in (many, twice):
            status, answer = await here.msp.api(
                "POST", "/v1/admin/users/invite", {"tenant_id": tenant_id, "users": users}
            )
            assert status == 400 and answer["error"]["type"] == "invalid_request_error"
        users = await here.msp.done("GET", f"/v1/admin/tenants/{tenant_id}/users")
        assert users["data"] == []


async def test_34_every_sum_is_the_same(tmp_path):
    async with town(tmp_path) as here:
        tenant_id = await here.tenant("Acme", 1000)
        one = await here.person("Acme", "a@acme.example", "client_admin")
        other = await here.person("Acme", "b@acme.example")
        for person, model, credits in (
            (one, HAIKU, 1.5),
            (one, SONNET, 2.25),
            (other, HAIKU, 0.125),
            (other, OPUS, 7.0),
        ):
            await person.spends(credits, model)
        total = 10.875

        async def summed(what: str) -> float:
            rows = (await one.done("GET", f"/v1/usage/{what}"))["data"]
            return sum(row["credits"] for row in rows)

        assert await summed("models") == await summed("users") == await summed("sources") == total
        assert (await one.done("GET", "/v1/usage/summary"))["credits"] == total
        assert (await one.done("GET", "/v1/usage"))["credits_used"] == total
        tenant = await here.msp.done("GET", f"/v1/admin/tenants/{tenant_id}")
        assert tenant["total_credits_used"] == total and tenant["total_credit_limit"] == 1000


async def test_every_change_is_in_the_audit_under_its_request(tmp_path):
    async with town(tmp_path) as here:
        tenant_id = await here.tenant("Acme")
        client = await here.msp.client()
        client.send(b'{"status":"Suspended"}', f"/v1/admin/tenants/{tenant_id}", "PATCH")
        reply = await client.reply()
        client.close()
        assert reply.status == 200
        line = (await here.msp.done("GET", "/v1/admin/audit"))["data"][0]
        assert (line["actor"], line["target"]) == ("root@msp.example", tenant_id)
        assert line["request_id"] == reply.headers["x-request-id"]
        assert (line["before"]["status"], line["after"]["status"]) == ("Active", "Suspended")
        one = await here.person("Acme", "a@acme.example")
        refused = await one.call(HAIKU)
        assert (refused.status, refused.error["type"]) == (403, "permission_error")


async def test_a_search_of_the_providers_costs_the_operators_fee(tmp_path):
    async def searched(line: Line) -> None:
        line.whole(
            200,
            b'{"id":"msg_1","type":"message","role":"assistant","model":"x","content":[],'
            b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":0,'
            b'"output_tokens":0,"server_tool_use":{"web_search_requests":2}}}',
        )

    async with town(tmp_path, "[limits]\nsearch_fee_credits = 7\n") as here:
        one = await here.person("Acme", "a@acme.example")
        here.provider.plays.append(searched)
        reply = await one.call(HAIKU)
        row = await here.gateway.row(reply.id)
        assert (row.web_searches, row.credits, row.credits_actions) == (2, 14_000_000, 14_000_000)

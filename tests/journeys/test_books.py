"""What the books say of a request: rows of generations, records of refusals, and who may see."""

import asyncio
import time

import msgspec
import pytest

from tests.kit.journey import (
    BLOCK,
    COUNT,
    MESSAGES,
    START,
    TEXT,
    Client,
    Line,
    Served,
    ask,
    delta,
    error_body,
    gateway,
    plays_refusal,
    plays_then_waits,
    provider,
    terminals,
)

AGENT = "claude-cli/2.1.330 (external, cli)"


async def test_a_streamed_generation_fills_every_field_of_its_row(tmp_path):
    async def play(line: Line) -> None:
        await asyncio.sleep(0.03)
        line.head()
        line.chunk(TEXT[: len(TEXT) // 2])
        await asyncio.sleep(0.03)
        line.chunk(TEXT[len(TEXT) // 2 :])
        line.end()

    async with provider() as there, gateway(tmp_path, [there]) as here:
        there.usual = play
        before_ms = int(time.time() * 1000)
        reply = await here.post(
            ask("claude-haiku-4-5-20251001"),
            x_request_id="mine:1",
            user_agent=AGENT,
            x_claude_code_session_id="session-7",
        )
        assert reply.id == reply.headers["x-request-id"] == "mine:1"
        row = await here.row("mine:1")
        assert before_ms <= row.started_at <= row.ended_at <= int(time.time() * 1000) + 1
        assert row.ended_at - row.started_at == row.total_ms >= 60
        assert 30 <= row.first_byte_ms <= row.total_ms - 25
        seen = {
            "requested_model": "claude-haiku-4-5-20251001",
            "model": "anthropic.claude-haiku-4-5",
            "resolved_via": "native",
            "outcome": "completed",
            "status": 200,
            "surface": "anthropic_gateway",
            "streamed": True,
            "user_agent": AGENT,
            "session_id": "session-7",
            "input_tokens": 12,
            "output_tokens": 3,
            "credits_in": 12_000,
            "credits_out": 15_000,
            "credits_actions": 0,
            "error_type": "",
            "stop_reason": "end_turn",
            "provider": "p0",
            "provider_request_id": "req_theirs",
            "attempts": 1,
            "role": "client_admin",
        }
        assert {name: getattr(row, name) for name in seen} == seen
        assert row.client and row.tenant_id and row.user_id and row.key_id
        assert row.event_id.startswith("evt_") and row.event_id != row.request_id


async def test_a_whole_generation_counts_its_cache(tmp_path):
    async with provider() as there, gateway(tmp_path, [there]) as here:
        row = await here.row((await here.post(ask(stream=False))).id)
        assert (row.outcome, row.streamed, row.stop_reason) == ("completed", False, "end_turn")
        assert (row.input_tokens, row.output_tokens) == (12, 3)
        assert (row.cache_write_5m_tokens, row.cache_read_tokens) == (5, 7)
        assert row.credits_in == 12 * 1000 + 5 * 1250 + 7 * 100
        assert 0 <= row.first_byte_ms <= row.total_ms


async def test_a_refusal_of_the_provider_is_a_row_that_costs_nothing(tmp_path):
    async with provider() as there, gateway(tmp_path, [there]) as here:
        there.usual = plays_refusal(429, error_body("rate_limit_error", "Slow down"))
        row = await here.row((await here.post(ask())).id)
        assert (row.outcome, row.status, row.error_type) == (
            "upstream_error",
            429,
            "rate_limit_error",
        )
        assert row.provider_request_id == "req_theirs" and row.first_byte_ms is None
        assert row.credits_in == row.credits_out == row.input_tokens == row.output_tokens == 0


async def test_a_stream_broken_off_is_a_partial_row_that_costs_what_went_by(tmp_path):
    async def play(line: Line) -> None:
        line.head()
        line.chunk(START + BLOCK + delta("word " * 40))
        await asyncio.sleep(0.01)
        line.reset()

    async with provider() as there, gateway(tmp_path, [there]) as here:
        there.usual = play
        reply = await here.post(ask())
        assert terminals(reply.body) == ["error"]
        row = await here.row(reply.id)
        assert (row.outcome, row.status, row.error_type) == ("partial", 200, "api_error")
        assert row.input_tokens == 12 and row.output_tokens > 1
        assert row.credits_in == 12_000 and row.credits_out == row.output_tokens * 5_000


REFUSED = {
    "unknown model": (ask("gpt-9"), 404, "not_found_error", "gpt-9"),
    "no messages": (b'{"model":"haiku","max_tokens":1}', 400, "invalid_request_error", ""),
    "no json": (b'{"model":', 400, "invalid_request_error", ""),
    "thread": (ask(thread={"type": "create"}), 400, "invalid_request_error", ""),
}


@pytest.mark.parametrize("body,status,kind,model", REFUSED.values(), ids=REFUSED)
async def test_what_we_refuse_is_a_record_and_no_row(tmp_path, body, status, kind, model):
    async with provider() as there, gateway(tmp_path, [there]) as here:
        reply = await here.post(body)
        assert (reply.status, reply.error["type"]) == (status, kind)
        (record,) = await here.refusals(reply.id)
        assert (record.status, record.error_type, record.requested_model) == (status, kind, model)
        assert record.user_id and record.key_id and record.path == MESSAGES
        assert await here.all_rows() == [] and there.asked == []


async def test_counting_and_strangers_leave_nothing_in_the_books(tmp_path):
    async with provider() as there, gateway(tmp_path, [there]) as here:
        counted = await here.post(ask(), COUNT)
        there.usual = plays_refusal(529, error_body("overloaded_error", "Overloaded"))
        failed = await here.post(ask(), COUNT)
        stranger = await Client.connect(here.port, "hzat-not-a-key")
        refused = await stranger.post(ask())
        stranger.close()
        assert [counted.status, failed.status, refused.status] == [200, 200, 401]
        assert failed.headers["x-hatz-count"] == "estimate"
        assert refused.headers["x-should-retry"] == "false"
        assert await here.all_rows() == []
        assert await here.refusals(refused.id) == []


async def test_a_repeated_request_id_has_a_row_for_each_generation(tmp_path):
    async with provider() as there, gateway(tmp_path, [there]) as here:
        for _ in range(3):
            await here.post(ask(), x_request_id="again")
        rows = await here.rows("again", 3)
        assert len({row.event_id for row in rows}) == 3


async def test_a_request_is_looked_up_by_its_owner_and_administrator_only(tmp_path):
    async with provider() as there, gateway(tmp_path, [there]) as here:
        administrator = await here.client()
        owner = await Client.connect(here.port, await here.new_key("second@example.com"))
        other = await Client.connect(here.port, await here.new_key("third@example.com"))
        generation = (await owner.post(ask())).id
        refusal = (await owner.post(ask("gpt-9"))).id
        await here.row(generation)
        await here.refusals(refusal)
        for client, may in ((owner, True), (administrator, True), (other, False)):
            for request_id in (generation, refusal):
                reply = await client.get(f"/v1/requests/{request_id}")
                assert reply.status == (200 if may else 404)
                assert (request_id.encode() in reply.body) or not may
        found = msgspec.json.decode((await owner.get(f"/v1/requests/{generation}")).body)
        (record,) = found["records"]
        assert record["outcome"] == "completed" and record["usage"]["output_tokens"] == 3
        assert record["credits"]["total"] == 0.027
        for client in (administrator, owner, other):
            client.close()


async def test_the_commands_agree_with_the_replies(tmp_path):
    async with provider() as there, gateway(tmp_path, [there]) as here:
        ids = [(await here.post(ask(stream=stream))).id for stream in (True, False, True)]
        await here.post(ask(), COUNT)
        there.plays = [plays_then_waits(START)]
        leaver = await here.client()
        leaver.send(ask(), x_request_id="leaver")
        await leaver.head()
        await leaver.piece()
        leaver.close()
        await here.row("leaver")
        await asyncio.gather(*[here.row(each) for each in ids])
        operator = Served(tmp_path)
        usage = msgspec.json.decode(await asyncio.to_thread(operator.command, "usage", "--json"))
        total = usage["total"]
        assert total["requests"] == 4
        assert total["input_tokens"] == 4 * 12
        (told,) = msgspec.json.decode(
            await asyncio.to_thread(operator.command, "request", ids[0], "--json")
        )
        reply = await here.client()
        (asked,) = msgspec.json.decode((await reply.get(f"/v1/requests/{ids[0]}")).body)["records"]
        reply.close()
        assert told == asked
        assert told["request_id"] == ids[0] and told["outcome"] == "completed"


async def test_rows_of_a_stopped_gateway_are_stored(tmp_path):
    async with provider() as there:
        async with gateway(tmp_path, [there], ledger="flush_ms = 60000") as here:
            ids = [(await here.post(ask())).id for _ in range(3)]
        async with gateway(tmp_path, [there]) as here:
            for each in ids:
                assert (await here.row(each)).outcome == "completed"

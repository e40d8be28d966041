"""Several deployments of one model, and connections that died in the pool."""

import asyncio

import pytest

from tests.kit.journey import (
    BLOCK,
    PATIENCE_S,
    START,
    TEXT,
    WHOLE,
    Line,
    ask,
    error_body,
    event,
    gateway,
    plays_refusal,
    plays_text,
    provider,
    renamed,
    terminals,
    until,
)


async def hangs_up(line: Line) -> None:
    line.close()


async def resets(line: Line) -> None:
    line.reset()


async def error_first(line: Line) -> None:
    line.head()
    line.chunk(event("error", error_body("overloaded_error", "Overloaded")))
    line.end()


async def begins_and_resets(line: Line) -> None:
    line.head()
    await asyncio.sleep(0.02)
    line.reset()


async def streams_and_resets(line: Line) -> None:
    line.head()
    line.chunk(START + BLOCK)
    await asyncio.sleep(0.02)
    line.reset()


TROUBLES = {
    **{
        str(status): plays_refusal(status, error_body("api_error", "No"))
        for status in (401, 429, 500, 502, 503, 529)
    },
    "hang-up": hangs_up,
    "reset": resets,
    "error-first": error_first,
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
async def test_the_second_deployment_answers(tmp_path, trouble):
    async with (
        provider() as first,
        provider() as second,
        gateway(tmp_path, [first, second]) as here,
    ):
        first.usual = trouble
        reply = await here.post(ask())
        assert (reply.status, reply.body) == (200, renamed(TEXT))
        row = await here.row(reply.id)
        assert (row.outcome, row.attempts, row.provider) == ("completed", 2, "p1")
        if trouble is not error_first:
            reply = await here.post(ask(stream=False))
            assert (reply.status, reply.body) == (200, renamed(WHOLE))


async def test_a_deployment_that_refuses_connections_is_passed_over(tmp_path):
    async with (
        provider() as first,
        provider() as second,
        gateway(tmp_path, [first, second]) as here,
    ):
        await first.stop_listening()
        reply = await here.post(ask())
        assert (reply.status, reply.body) == (200, renamed(TEXT))


@pytest.mark.parametrize("status", [400, 404, 413])
async def test_the_callers_own_mistake_is_told_at_once(tmp_path, status):
    async with (
        provider() as first,
        provider() as second,
        gateway(tmp_path, [first, second]) as here,
    ):
        first.usual = plays_refusal(status, error_body("invalid_request_error", "No"))
        assert (await here.post(ask())).status == status
        assert second.asked == []


@pytest.mark.parametrize("trouble", [begins_and_resets, streams_and_resets])
async def test_what_has_begun_is_not_begun_again_elsewhere(tmp_path, trouble):
    async with (
        provider() as first,
        provider() as second,
        gateway(tmp_path, [first, second]) as here,
    ):
        first.usual = trouble
        reply = await here.post(ask())
        if trouble is streams_and_resets:
            assert reply.status == 200 and terminals(reply.body) == ["error"]
        else:
            assert reply.status == 502
        assert len(first.asked) == 1 and second.asked == []
        await here.row(reply.id)


async def test_when_all_fail_the_last_one_is_told(tmp_path):
    async with (
        provider() as first,
        provider() as second,
        gateway(tmp_path, [first, second]) as here,
    ):
        first.usual = plays_refusal(529, error_body("overloaded_error", "Overloaded"))
        second.usual = plays_refusal(
            429, error_body("rate_limit_error", "Slow down"), more="retry-after: 3\r\n"
        )
        reply = await here.post(ask())
        assert reply.status == 429 and reply.headers["retry-after"] == "3"
        assert reply.error == {"type": "rate_limit_error", "message": "Slow down"}
        assert (await here.row(reply.id)).attempts == 2


# ---------------------------------------------------------------- stale connections


@pytest.mark.parametrize("hang_up", [Line.close, Line.reset])
async def test_a_connection_closed_just_as_the_request_comes_is_replaced_in_silence(
    tmp_path, hang_up
):
    async def answers_once(line: Line) -> None:
        if line.count > 1:
            hang_up(line)
        else:
            await plays_text(line)

    async with provider() as there, gateway(tmp_path, [there]) as here:
        there.usual = answers_once
        for _ in range(5):
            reply = await here.post(ask())
            assert (reply.status, reply.body) == (200, renamed(TEXT))
            assert (await here.row(reply.id)).attempts == 1
        assert len(there.lines) == 5
        assert len(there.asked) == 9, "each but the first was sent twice"


async def test_a_new_connection_that_dies_is_not_repeated(tmp_path):
    async with provider() as there, gateway(tmp_path, [there]) as here:
        there.usual = hangs_up
        assert (await here.post(ask())).status == 502
        assert len(there.asked) == 1


async def test_connections_the_provider_closed_meanwhile_are_not_used(tmp_path):
    async with provider() as there, gateway(tmp_path, [there]) as here:
        await here.post(ask())
        there.lines[0].close()
        await until(there.lines[0].gone.is_set)
        await asyncio.sleep(0.02)
        assert (await here.post(ask())).status == 200
        assert len(there.asked) == 2


async def test_a_stream_without_its_end_does_not_take_another_call_down_with_it(tmp_path):
    """The body is whole but the message is not: the connection is lent on before the first call has
    seen that, and must be left alone."""
    go = asyncio.Event()

    async def stops_short(line: Line) -> None:
        line.head()
        line.chunk(START + BLOCK)
        await go.wait()
        line.end()

    async with (
        provider() as there,
        gateway(tmp_path, [there], upstream="connections_max = 1") as here,
    ):
        there.plays = [stops_short]
        first, second = await here.client(), await here.client()
        first.send(ask())
        await first.head()
        second.send(ask())
        await until(lambda: here.open_streams == 2)
        go.set()
        assert terminals((await first.rest())[0]) == ["error"]
        assert (await second.reply()).body == renamed(TEXT)
        first.close()
        second.close()


async def test_refused_connections_fail_every_waiting_call(tmp_path):
    async with (
        provider() as there,
        gateway(tmp_path, [there], upstream="connections_max = 1") as here,
    ):
        await there.stop_listening()
        async with asyncio.timeout(1):
            replies = await asyncio.gather(*[here.post(ask()) for _ in range(5)])
        assert [reply.status for reply in replies] == [502] * 5


# ---------------------------------------------------------------- which is asked


async def test_calls_at_a_time_are_spread_over_the_deployments(tmp_path):
    release = asyncio.Event()

    async def waits(line: Line) -> None:
        await release.wait()
        await plays_text(line)

    async with (
        provider() as first,
        provider() as second,
        gateway(tmp_path, [first, second]) as here,
    ):
        first.usual = second.usual = waits
        calls = [asyncio.create_task(here.post(ask())) for _ in range(10)]
        await until(lambda: len(first.asked) + len(second.asked) == 10)
        assert (len(first.asked), len(second.asked)) == (5, 5)
        release.set()
        assert {(await call).status for call in calls} == {200}


async def test_one_that_keeps_failing_is_asked_no_more_and_tried_again_later(tmp_path):
    upstream = "eject_failures = 3\neject_s = 2"
    async with (
        provider() as first,
        provider() as second,
        gateway(tmp_path, [first, second], upstream) as here,
    ):
        first.usual = plays_refusal(500, error_body("api_error", "No"))
        for _ in range(3):
            assert (await here.post(ask())).status == 200
        first.usual = plays_text
        reply = await here.post(ask())
        assert (await here.row(reply.id)).attempts == 1
        assert len(first.asked) == 3, "it is out"
        client = await here.client()
        out = b'hatz_deployments_out{model="claude-haiku-4-5",provider="p0"} 1.0'
        async with asyncio.timeout(PATIENCE_S):
            while out not in (await client.get("/metrics")).body:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            while len(first.asked) == 3:
                assert (await client.post(ask())).status == 200
                await asyncio.sleep(0.05)
            while out in (await client.get("/metrics")).body:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert b"hatz_ejections_total 1.0" in (await client.get("/metrics")).body
        client.close()

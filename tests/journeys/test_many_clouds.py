"""One model at Anthropic and on clouds: who stands in for whom, and who has a session's prompts.

The order is Anthropic, a second place, Google Cloud. In the second place (`three`) stands another
account at Anthropic; what is said here holds for a cloud of any wire there.
"""

import contextlib

import msgspec
import pytest

from tests.kit.cloud_gateway import cloud_gateway, vertex_cloud
from tests.kit.google_issuer import google_issuer
from tests.kit.journey import (
    BLOCK,
    COUNT,
    START,
    TEXT,
    WHOLE,
    Line,
    ask,
    delta,
    error_body,
    plays_refusal,
    plays_text,
    provider,
    renamed,
    terminals,
)
from tests.kit.vertex_cloud import VertexCloud, google_error, plays_vertex

OVERLOADED = plays_refusal(529, error_body("overloaded_error", "Overloaded"))
EXHAUSTED = plays_refusal(429, google_error(429, "RESOURCE_EXHAUSTED", "Quota exceeded"))
NOT_ENABLED = plays_refusal(404, google_error(404, "NOT_FOUND", "Publisher Model was not found"))
DENIED = plays_refusal(403, google_error(403, "PERMISSION_DENIED", "Permission denied"))


@contextlib.asynccontextmanager
async def three(tmp_path, **settings):
    """The gateway and its three upstreams, all well."""
    with google_issuer() as issuer:
        async with (
            provider() as anthropic,
            provider() as second,
            vertex_cloud(issuer) as vertex,
            cloud_gateway(tmp_path, anthropic, second, vertex, **settings) as here,
        ):
            yield here, (anthropic, second, vertex)
            assert vertex.complaints == []


def asked_of(places):
    """How often each was asked."""
    return tuple(len(place.asked) for place in places)


@pytest.mark.parametrize("stream", [True, False])
async def test_each_stands_in_for_the_one_before(tmp_path, stream):
    expected = renamed(TEXT if stream else WHOLE)
    async with three(tmp_path) as (here, places):
        for number, place in enumerate(places):
            reply = await here.post(ask(stream=stream))
            assert (reply.status, reply.body) == (200, expected)
            row = await here.row(reply.id)
            assert (row.provider, row.attempts, row.outcome) == (
                f"p{number}",
                number + 1,
                "completed",
            )
            place.usual = OVERLOADED
        reply = await here.post(ask(stream=stream))
        assert reply.status == 529
        assert asked_of(places) == (4, 3, 2)


@pytest.mark.parametrize("trouble", [EXHAUSTED, NOT_ENABLED, DENIED])
async def test_the_clouds_troubles_lead_on_to_the_next(tmp_path, trouble):
    with google_issuer() as issuer:
        async with (
            vertex_cloud(issuer) as vertex,
            provider() as anthropic,
            cloud_gateway(tmp_path, vertex, anthropic) as here,
        ):
            vertex.usual = trouble
            reply = await here.post(ask())
            assert (reply.status, reply.body) == (200, renamed(TEXT))
            row = await here.row(reply.id)
            assert (row.provider, row.attempts) == ("p1", 2)


async def test_no_token_leads_on_to_the_next(tmp_path):
    with google_issuer() as issuer:
        issuer.troubles = [(400, {"error": "invalid_grant", "error_description": "gone"})] * 9
        async with (
            vertex_cloud(issuer) as vertex,
            provider() as anthropic,
            cloud_gateway(tmp_path, vertex, anthropic) as here,
        ):
            for _ in range(2):
                reply = await here.post(ask())
                assert (reply.status, reply.body) == (200, renamed(TEXT))
            assert vertex.asked == []


# ---------------------------------------------------------------- sessions


async def test_a_session_stays_where_its_prompts_are_cached(tmp_path):
    async with three(tmp_path) as (here, places):
        anthropic, second, vertex = places
        anthropic.usual = second.usual = OVERLOADED
        assert (await here.post(ask(), x_claude_code_session_id="s1")).status == 200
        assert asked_of(places) == (1, 1, 1)
        anthropic.usual = second.usual = plays_well(anthropic)
        for _ in range(3):
            reply = await here.post(ask(), x_claude_code_session_id="s1")
            assert (reply.status, reply.body) == (200, renamed(TEXT))
        assert asked_of(places) == (1, 1, 4), "the first is well again, its cache is cold"
        await here.post(ask(), x_claude_code_session_id="s2")
        await here.post(ask())
        assert asked_of(places) == (3, 1, 4), "others begin at the first"
        vertex.usual = EXHAUSTED
        await here.post(ask(), x_claude_code_session_id="s1")
        assert asked_of(places) == (4, 1, 5), "the configured order from there"
        vertex.usual = plays_well(vertex)
        await here.post(ask(), x_claude_code_session_id="s1")
        assert asked_of(places) == (5, 1, 5), "and there it stays"


async def test_the_session_of_a_body_counts_as_well(tmp_path):
    user = msgspec.json.encode({"device_id": "d", "session_id": "s7"}).decode()
    async with three(tmp_path) as (here, places):
        places[0].usual = OVERLOADED
        await here.post(ask(metadata={"user_id": user}))
        places[0].usual = plays_well(places[0])
        await here.post(ask(metadata={"user_id": user}, stream=False))
        assert asked_of(places) == (1, 2, 0)


async def test_whole_messages_and_counts_follow_the_session(tmp_path):
    async with three(tmp_path) as (here, places):
        places[0].usual = places[1].usual = OVERLOADED
        await here.post(ask(stream=False), x_claude_code_session_id="s1")
        before = asked_of(places)
        reply = await here.post(ask(stream=False), COUNT, x_claude_code_session_id="s1")
        assert (reply.status, reply.body) == (200, b'{"input_tokens":42}')
        assert asked_of(places) == (*before[:2], before[2] + 1)


async def test_a_session_of_one_tenant_is_none_of_anothers(tmp_path):
    async with three(tmp_path) as (here, places):
        stranger, _, _ = await here.enrol("other@example.com", "Other", None)
        places[0].usual = OVERLOADED
        await here.post(ask(), x_claude_code_session_id="s1")
        places[0].usual = plays_well(places[0])
        client = await here.client()
        client.key = stranger
        await client.post(ask(), x_claude_code_session_id="s1")
        client.close()
        assert asked_of(places) == (2, 1, 0)


async def test_a_silent_session_is_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr("proxy.gateway.sessions.CACHE_LIFE_S", 0.0)
    async with three(tmp_path) as (here, places):
        places[0].usual = OVERLOADED
        await here.post(ask(), x_claude_code_session_id="s1")
        places[0].usual = plays_well(places[0])
        await here.post(ask(), x_claude_code_session_id="s1")
        assert asked_of(places) == (2, 1, 0)


# ---------------------------------------------------------------- what cannot be asked


async def test_what_a_cloud_cannot_be_asked_the_next_is(tmp_path):
    picture = {"type": "image", "source": {"type": "url", "url": "https://x.example/y.png"}}
    with google_issuer() as issuer:
        async with (
            vertex_cloud(issuer) as vertex,
            provider() as anthropic,
            cloud_gateway(tmp_path, vertex, anthropic) as here,
        ):
            body = ask(messages=[{"role": "user", "content": [picture]}])
            reply = await here.post(body)
            assert (reply.status, reply.body) == (200, renamed(TEXT))
            assert asked_of((vertex, anthropic)) == (0, 1)


async def test_a_trouble_that_may_pass_is_told_rather_than_what_a_stand_in_cannot_do(tmp_path):
    picture = {"type": "image", "source": {"type": "url", "url": "https://x.example/y.png"}}
    with google_issuer() as issuer:
        async with (
            provider() as anthropic,
            vertex_cloud(issuer) as vertex,
            cloud_gateway(tmp_path, anthropic, vertex) as here,
        ):
            anthropic.usual = OVERLOADED
            reply = await here.post(ask(messages=[{"role": "user", "content": [picture]}]))
            assert (reply.status, vertex.asked) == (529, [])


# ---------------------------------------------------------------- one generation


@pytest.mark.parametrize("number", [0, 2])
async def test_generations_are_never_mixed(tmp_path, number):
    async def begins_and_breaks(line: Line) -> None:
        line.head()
        line.chunk(START + BLOCK + delta("half a "))
        await line.drained()
        line.close()

    async with three(tmp_path) as (here, places):
        for place in places[:number]:
            place.usual = OVERLOADED
        places[number].usual = begins_and_breaks
        before = asked_of(places)
        reply = await here.post(ask(), x_claude_code_session_id="s1")
        assert reply.status == 200 and terminals(reply.body) == ["error"]
        assert reply.body.count(b"message_start") == 2, "one event: its name and its type"
        asked = [now - was for now, was in zip(asked_of(places), before, strict=True)]
        assert asked == [1] * (number + 1) + [0] * (2 - number)
        row = await here.row(reply.id)
        assert (row.outcome, row.provider) == ("partial", f"p{number}")


async def test_a_stream_refused_by_its_first_event_is_begun_elsewhere(tmp_path):
    async def error_first(line: Line) -> None:
        line.head()
        line.chunk(b"event: error\ndata: " + error_body("overloaded_error", "Overloaded") + b"\n\n")
        line.end()

    async with three(tmp_path) as (here, places):
        places[0].usual = places[1].usual = error_first
        reply = await here.post(ask())
        assert (reply.status, reply.body) == (200, renamed(TEXT))
        assert asked_of(places) == (1, 1, 1)


def plays_well(place):
    """What a place does when all is well with it."""
    return plays_vertex if isinstance(place, VertexCloud) else plays_text


async def test_what_was_left_out_for_the_cloud_is_counted(tmp_path):
    with google_issuer() as issuer:
        async with vertex_cloud(issuer) as vertex, cloud_gateway(tmp_path, vertex) as here:
            await here.post(ask(speed="fast", service_tier="auto", unheard_of=1))
            dropped = here.house._metrics.dropped
            assert dropped == {"speed": 1, "service_tier": 1}

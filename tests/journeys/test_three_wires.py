"""One model at Anthropic, Amazon and Google, each on its own wire, each standing in for another."""

import contextlib
import json

import pytest

from tests.kit import event_stream as aws
from tests.kit.bedrock import bedrock, plays_frames, plays_refusal
from tests.kit.cloud_gateway import MODEL, cloud_gateway, vertex_cloud
from tests.kit.google_issuer import google_issuer
from tests.kit.grammar import check_stream
from tests.kit.journey import (
    TEXT,
    ask,
    error_body,
    plays_text,
    provider,
    renamed,
    terminals,
)
from tests.kit.journey import plays_refusal as refuses
from tests.kit.vertex_cloud import google_error

OVERLOADED = refuses(529, error_body("overloaded_error", "Overloaded"))
EXHAUSTED = refuses(429, google_error(429, "RESOURCE_EXHAUSTED", "Quota exceeded"))
THROTTLED = plays_refusal(429, "ThrottlingException", "Too many requests")


@pytest.fixture
def amazon(monkeypatch):
    with bedrock() as amazon:
        for name, value in amazon.environ().items():
            monkeypatch.setenv(name, value)
        yield amazon


@contextlib.asynccontextmanager
async def three_wires(tmp_path, amazon):
    """The gateway, Anthropic, Google; Amazon is the fixture."""
    with google_issuer() as issuer:
        async with (
            provider() as anthropic,
            vertex_cloud(issuer) as google,
            cloud_gateway(tmp_path, anthropic, amazon, google) as here,
        ):
            yield here, anthropic, google
            assert google.complaints == [] and amazon.refused == []


@pytest.mark.parametrize("stream", [True, False])
async def test_each_wire_stands_in_for_the_one_before(tmp_path, amazon, stream):
    async with three_wires(tmp_path, amazon) as (here, anthropic, _):
        anthropic.usual = OVERLOADED
        reply = await here.post(ask(stream=stream))
        assert reply.status == 200
        row = await here.row(reply.id)
        assert (row.provider, row.attempts, row.outcome) == ("p1", 2, "completed")
        if stream:
            check_stream(reply.body)
            assert reply.events[0][1]["message"]["model"] == MODEL
        else:
            assert json.loads(reply.body)["model"] == MODEL
        amazon.replies.append(THROTTLED)
        reply = await here.post(ask(stream=stream))
        assert reply.status == 200
        row = await here.row(reply.id)
        assert (row.provider, row.attempts, row.outcome) == ("p2", 3, "completed")


async def test_a_session_stays_on_the_wire_that_has_its_prompts(tmp_path, amazon):
    async with three_wires(tmp_path, amazon) as (here, anthropic, google):
        anthropic.usual = OVERLOADED
        await here.post(ask(), x_claude_code_session_id="amazons")
        amazon.replies.append(THROTTLED)
        await here.post(ask(), x_claude_code_session_id="googles")
        anthropic.usual = plays_text
        before = len(anthropic.asked), len(amazon.asked), len(google.asked)
        for _ in range(2):
            reply = await here.post(ask(), x_claude_code_session_id="amazons")
            assert (await here.row(reply.id)).provider == "p1"
            reply = await here.post(ask(), x_claude_code_session_id="googles")
            assert (reply.body, (await here.row(reply.id)).provider) == (renamed(TEXT), "p2")
        after = len(anthropic.asked), len(amazon.asked), len(google.asked)
        assert [now - was for now, was in zip(after, before, strict=True)] == [0, 2, 2]
        google.usual = EXHAUSTED
        reply = await here.post(ask(), x_claude_code_session_id="googles")
        assert (await here.row(reply.id)).provider == "p0", "the configured order from there"


async def test_a_generation_that_has_begun_on_one_wire_goes_on_on_no_other(tmp_path, amazon):
    async with three_wires(tmp_path, amazon) as (here, anthropic, google):
        anthropic.usual = OVERLOADED
        amazon.replies.append(plays_frames(*HALF))
        reply = await here.post(ask())
        assert reply.status == 200 and terminals(reply.body) == ["error"]
        assert [name for name, _ in reply.events].count("message_start") == 1
        assert google.asked == []
        assert (await here.row(reply.id)).outcome == "partial"


async def test_a_search_of_anthropics_own_is_not_asked_of_a_wire_without_one(tmp_path, amazon):
    """Amazon has none, Google has."""
    async with three_wires(tmp_path, amazon) as (here, anthropic, _):
        anthropic.usual = OVERLOADED
        tools = [{"type": "web_search_20250305", "name": "web_search"}]
        reply = await here.post(ask(tools=tools))
        assert (reply.status, reply.body) == (200, renamed(TEXT))
        assert (await here.row(reply.id)).provider == "p2"
        assert amazon.asked == []


HALF = [
    aws.chunk(
        b'{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":'
        b'"x","content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}'
    ),
    aws.chunk(
        b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}'
    ),
    aws.chunk(
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"half"}}'
    ),
]

"""The bodies have the sizes they are named by, and the traps real ones have."""

import msgspec
import orjson
import pytest

from bench import bodies
from bench import score as scores


@pytest.mark.parametrize("size", bodies.SIZES_BYTES)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_body_has_exactly_its_size_whatever_the_model_is_called(
    size: str, streamed: bool
) -> None:
    for model in ("bench-message", "anthropic.tls-bench-paced-12345at50"):
        body = bodies.body(size, model=model, streamed=streamed)
        assert len(body) == bodies.SIZES_BYTES[size]
        assert orjson.loads(body)["model"] == model
        assert orjson.loads(body)["stream"] is streamed


@pytest.mark.parametrize("size", ["60k", "200k"])
def test_an_agents_body_is_a_conversation_with_tools(size: str) -> None:
    request = orjson.loads(bodies.body(size, model="bench-message", streamed=True))
    assert 20 <= len(request["tools"]) <= 30
    calls = [
        block["id"]
        for message in request["messages"]
        for block in message["content"]
        if block["type"] == "tool_use"
    ]
    results = [
        block["tool_use_id"]
        for message in request["messages"]
        for block in message["content"]
        if block["type"] == "tool_result"
    ]
    assert calls == results
    assert len(set(calls)) == len(calls) >= 10


def test_other_fields_called_model_stand_where_a_careless_proxy_finds_them() -> None:
    body = bodies.body("200k", model="bench-message", streamed=False)
    assert body.count(b'"model":') > 2


def test_nothing_but_the_model_looks_like_a_score() -> None:
    for size in bodies.SIZES_BYTES:
        body = bodies.body(size, model="bench-message", streamed=True)
        assert body.count(scores.PREFIX) == 1


def test_bodies_are_legal_json_with_text_beyond_ascii() -> None:
    body = bodies.body("200k", model="bench-message", streamed=False)
    assert msgspec.json.decode(body)
    assert "über".encode() in body

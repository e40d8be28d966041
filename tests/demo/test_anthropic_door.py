import json
from typing import Any

import aiohttp
import pytest

from proxy.demo.anthropic_request import FIRST_VERSION, OCTOBER_VERSION
from proxy.demo.models import MODELS
from proxy.demo.script import ORDINARY
from tests.demo.conftest import KEY
from tests.demo.grammar import check, events_of

HEADERS = {"x-api-key": KEY, "anthropic-version": FIRST_VERSION}


def body(written: str, **changes: Any) -> dict[str, Any]:
    right = {
        "model": "claude-opus-4-7",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": written}],
    }
    return right | changes


@pytest.mark.parametrize(
    ("written", "changes"),
    [
        ("hi", {}),
        ("THINK", {"thinking": {"type": "adaptive"}}),
        ("THINK", {"thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}}),
        ('CALL:t:{"city":"Rome"} END CALL:u:{} END', {}),
        ("LONG 300", {"max_tokens": 200}),
        ("hi", {"stop_sequences": ["demo"]}),
        ("hi", {"max_tokens": 0}),
        ("PAUSE 0.01", {}),
        ("SLOW 0.01", {}),
    ],
)
async def test_a_stream_and_a_whole_message_say_the_same(
    demo: Any, written: str, changes: dict[str, Any]
) -> None:
    asked = body(written, **changes)
    async with demo.post("/v1/messages?beta=true", json=asked, headers=HEADERS) as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        whole = await response.json()
    async with demo.post(
        "/v1/messages", json=asked | {"stream": True}, headers=HEADERS
    ) as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        streamed = check(events_of(await response.read()))
    for field in ("stop_reason", "stop_sequence", "model"):
        assert whole[field] == streamed[field]

    def without_ids(content: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{key: value for key, value in block.items() if key != "id"} for block in content]

    assert without_ids(whole["content"]) == without_ids(streamed["content"])
    assert whole["id"] != streamed["id"]


async def test_a_tool_round_of_claude_code(demo: Any) -> None:
    reminder = {"type": "text", "text": "<system-reminder>ERROR 500</system-reminder>"}
    prompt = {"type": "text", "text": 'CALL:Bash:{"command":"echo hi"} END'}
    system = {"role": "system", "content": [{"type": "text", "text": "Be brief."}]}
    messages: list[dict[str, Any]] = [{"role": "user", "content": [reminder, prompt]}, system]
    asked = body("", messages=messages)
    async with demo.post("/v1/messages", json=asked, headers=HEADERS) as response:
        first = await response.json()
    assert first["stop_reason"] == "tool_use"
    (call,) = first["content"]
    assert (call["name"], call["input"]) == ("Bash", {"command": "echo hi"})
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "hi-from-bash"}
    messages += [
        {"role": "assistant", "content": first["content"]},
        {"role": "user", "content": [result]},
    ]
    async with demo.post("/v1/messages", json=asked, headers=HEADERS) as response:
        second = await response.json()
    assert second["stop_reason"] == "end_turn"
    assert "hi-from-bash" in second["content"][0]["text"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "error_type"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (529, "overloaded_error"),
    ],
)
async def test_errors_on_request(demo: Any, stream: bool, status: int, error_type: str) -> None:
    asked = body(f"ERROR {status}", stream=stream)
    async with demo.post("/v1/messages", json=asked, headers=HEADERS) as response:
        assert response.status == status
        said = await response.json()
        assert said["type"] == "error"
        assert said["error"]["type"] == error_type
        assert said["request_id"] == response.headers["request-id"]
        assert ("retry-after" in response.headers) == (status == 429)


async def test_an_error_midway_comes_after_some_deltas(demo: Any) -> None:
    asked = body("ERRORMID", stream=True)
    async with demo.post("/v1/messages", json=asked, headers=HEADERS) as response:
        assert response.status == 200
        events = events_of(await response.read())
    assert check(events)["error"]["type"] == "overloaded_error"
    deltas = [event for event in events if event["type"] == "content_block_delta"]
    assert 1 < len(deltas) < len(ORDINARY.split())


async def test_an_error_midway_of_a_whole_message_is_a_status(demo: Any) -> None:
    async with demo.post("/v1/messages", json=body("ERRORMID"), headers=HEADERS) as response:
        assert response.status == 529


@pytest.mark.parametrize("changes", [{"stream": True}, {}])
async def test_a_break_cuts_the_connection_in_the_middle(
    demo: Any, changes: dict[str, Any]
) -> None:
    async with demo.post(
        "/v1/messages", json=body("BREAK", **changes), headers=HEADERS
    ) as response:
        assert response.status == 200
        received = b""
        with pytest.raises(aiohttp.ClientPayloadError):
            async for piece in response.content.iter_any():
                received += piece
    assert b"Hello" in received
    assert b"message_stop" not in received
    async with demo.get("/demo/log") as response:
        (entry,) = await response.json()
    # It was we who left.
    assert not entry["disconnected_early"]


@pytest.mark.parametrize(
    ("credential", "status"),
    [
        ({"x-api-key": KEY}, 200),
        ({"authorization": f"Bearer {KEY}"}, 200),
        ({"x-api-key": KEY, "authorization": "Bearer other"}, 200),
        ({"x-api-key": "other", "authorization": f"Bearer {KEY}"}, 401),
        ({"x-api-key": "\u00fc"}, 401),
        ({"authorization": f"Basic {KEY}"}, 401),
        ({}, 401),
    ],
)
async def test_only_the_configured_key_is_let_in(
    demo: Any, credential: dict[str, str], status: int
) -> None:
    headers = credential | {"anthropic-version": FIRST_VERSION}
    async with demo.post("/v1/messages", json=body("hi"), headers=headers) as response:
        assert response.status == status
        if status == 401:
            assert (await response.json())["error"]["type"] == "authentication_error"
            assert response.headers["x-should-retry"] == "false"


async def test_the_version_header_is_required(demo: Any) -> None:
    headers = {"x-api-key": KEY}
    async with demo.post("/v1/messages", json=body("hi"), headers=headers) as response:
        assert response.status == 400
        said = await response.json()
    assert said["error"]["message"] == "anthropic-version: header is required"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
@pytest.mark.parametrize(("version", "status"), [(FIRST_VERSION, 200), (OCTOBER_VERSION, 400)])
async def test_the_newer_version_has_no_temperature(
    demo: Any, path: str, version: str, status: int
) -> None:
    headers = {"x-api-key": KEY, "anthropic-version": version}
    asked = body("hi", temperature=1)
    async with demo.post(path, json=asked, headers=headers) as response:
        assert response.status == status
        said = await response.json()
    if status == 400:
        assert said["error"]["message"] == "temperature: Extra inputs are not permitted"


async def test_count_tokens_counts_as_the_reply_does(demo: Any) -> None:
    asked = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "system": "Be brief."}
    path = "/v1/messages/count_tokens?beta=true"
    async with demo.post(path, json=asked, headers=HEADERS) as response:
        counted = await response.json()
    async with demo.post(
        "/v1/messages", json=asked | {"max_tokens": 1}, headers=HEADERS
    ) as response:
        usage = (await response.json())["usage"]
    assert counted == {"input_tokens": usage["input_tokens"]}


async def test_count_tokens_fails_on_request(demo: Any) -> None:
    async with demo.post(
        "/v1/messages/count_tokens", json=body("ERROR 529"), headers=HEADERS
    ) as response:
        assert response.status == 529


async def test_models_are_listed_and_retrieved(demo: Any) -> None:
    async with demo.get("/v1/models?limit=2", headers=HEADERS) as response:
        listed = await response.json()
    assert (len(listed["data"]), listed["has_more"]) == (2, True)
    async with demo.get(f"/v1/models/{MODELS[0].model_id}", headers=HEADERS) as response:
        assert await response.json() == listed["data"][0]
    async with demo.get("/v1/models?limit=0", headers=HEADERS) as response:
        assert response.status == 400
    async with demo.get("/v1/models/a%2Fb", headers=HEADERS) as response:
        assert response.status == 404
        assert (await response.json())["error"]["message"] == "model: a/b"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Api-Key": KEY, "Anthropic-Version": OCTOBER_VERSION}, 200),
        ({"Authorization": f"Bearer {KEY}", "Anthropic-Version": OCTOBER_VERSION}, 200),
        ({"X-Api-Key": KEY}, 400),
        ({"Anthropic-Version": OCTOBER_VERSION}, 401),
    ],
)
async def test_the_list_of_models_is_anthropics_for_anthropics_clients(
    demo: Any, headers: dict[str, str], status: int
) -> None:
    async with demo.get("/v1/models", headers=headers) as response:
        assert response.status == status
        assert ("has_more" if status == 200 else "request_id") in await response.json()


async def test_a_schema_of_claude_code_is_answered_with_json(demo: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"title": {"type": "string"}},
        "required": ["title"],
        "additionalProperties": False,
    }
    asked = body(
        'CALL:Bash:{"command":"ls"} END',
        stream=True,
        tools=[],
        output_config={"format": {"type": "json_schema", "schema": schema}},
    )
    async with demo.post("/v1/messages", json=asked, headers=HEADERS) as response:
        message = check(events_of(await response.read()))
    (block,) = message["content"]
    assert list(json.loads(block["text"])) == ["title"]


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (5, "prompt is too long: "),
        (200, "input length and `max_tokens` exceed context limit: "),
    ],
)
async def test_a_small_window_overflows_in_the_words_coding_agents_know(
    demo: Any, window: int, words: str
) -> None:
    async with demo.post(
        "/v1/messages", json=body(f"WINDOW {window}"), headers=HEADERS
    ) as response:
        assert response.status == 400
        said = (await response.json())["error"]["message"]
    assert said.startswith(words)
    assert f" > {window}" in said

import json
from typing import Any

import aiohttp
import pytest

from proxy.demo.script import ORDINARY
from tests.demo.conftest import KEY

HEADERS = {"authorization": f"Bearer {KEY}"}
PATH = "/v1/chat/completions"


def body(written: str, **changes: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": written}]} | changes


async def test_a_whole_completion(demo: Any) -> None:
    async with demo.post(PATH, json=body("hi"), headers=HEADERS) as response:
        assert response.status == 200
        completion = await response.json()
    assert completion["choices"][0]["message"]["content"] == ORDINARY
    assert completion["created"] > 0


async def test_a_stream_ends_with_usage_and_done(demo: Any) -> None:
    asked = body("hi", stream=True, stream_options={"include_usage": True})
    async with demo.post(PATH, json=asked, headers=HEADERS) as response:
        assert response.content_type == "text/event-stream"
        *events, done = (await response.text()).removesuffix("\n\n").split("\n\n")
    assert done == "data: [DONE]"
    assert json.loads(events[-1].removeprefix("data: "))["usage"]["prompt_tokens"] > 0


@pytest.mark.parametrize("status", [400, 404, 429, 500])
async def test_errors_on_request_have_openais_shape(demo: Any, status: int) -> None:
    asked = body(f"ERROR {status}", stream=True)
    async with demo.post(PATH, json=asked, headers=HEADERS) as response:
        assert response.status == status
        said = await response.json()
    assert list(said) == ["error"]
    assert ("retry-after" in response.headers) == (status == 429)


async def test_a_wrong_request_has_openais_shape(demo: Any) -> None:
    async with demo.post(PATH, json={}, headers=HEADERS) as response:
        assert response.status == 400
        assert list(await response.json()) == ["error"]


async def test_an_error_midway(demo: Any) -> None:
    async with demo.post(PATH, json=body("ERRORMID", stream=True), headers=HEADERS) as response:
        said = await response.text()
    assert "Hello" in said
    assert "[DONE]" not in said
    assert "error" in json.loads(said.removesuffix("\n\n").split("\n\n")[-1].removeprefix("data: "))
    async with demo.post(PATH, json=body("ERRORMID"), headers=HEADERS) as response:
        assert response.status == 529


async def test_a_break_cuts_the_connection(demo: Any) -> None:
    async with demo.post(PATH, json=body("BREAK", stream=True), headers=HEADERS) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer other"}, {"x-api-key": KEY}])
async def test_only_the_configured_key_is_let_in(demo: Any, headers: dict[str, str]) -> None:
    async with demo.post(PATH, json=body("hi"), headers=headers) as response:
        assert response.status == 401
        assert (await response.json())["error"]["code"] == "invalid_api_key"


async def test_the_list_of_models_is_openais_for_openais_clients(demo: Any) -> None:
    async with demo.get("/v1/models", headers=HEADERS) as response:
        listed = await response.json()
    assert listed["object"] == "list"
    assert {row["object"] for row in listed["data"]} == {"model"}


async def ask(demo: Any, asked: dict[str, Any], path: str = PATH) -> tuple[int, Any]:
    async with demo.post(path, json=asked, headers=HEADERS) as response:
        return response.status, await response.json(content_type=None)


async def test_kimi_wants_its_thoughts_back_and_numbers_its_calls(demo: Any) -> None:
    prompt = {"role": "user", "content": 'CALL:weather:{"city":"Rome"} END'}
    asked = body("", model="kimi-k2-thinking", messages=[prompt])
    status, first = await ask(demo, asked)
    assert status == 200
    message = first["choices"][0]["message"]
    assert message["reasoning_content"]
    assert message["tool_calls"][0]["id"] == "functions.weather:0"
    result = {"role": "tool", "tool_call_id": "functions.weather:0", "content": "18C"}
    forgotten = {key: value for key, value in message.items() if key != "reasoning_content"}
    status, refused = await ask(demo, asked | {"messages": [prompt, forgotten, result]})
    assert (status, refused["error"]["type"]) == (400, "invalid_request_error")
    assert "reasoning_content is missing" in refused["error"]["message"]
    assert refused["error"]["message"].endswith("at index 1")
    again = [prompt, message, result, prompt]
    status, second = await ask(demo, asked | {"messages": again})
    assert status == 200
    assert second["choices"][0]["message"]["tool_calls"][0]["id"] == "functions.weather:1"


@pytest.mark.parametrize(
    ("model", "path", "field"),
    [
        ("kimi-k2.6", "/v1/tokenizers/estimate-token-count", "data"),
        ("vllm-qwen", "/tokenize", "count"),
    ],
)
async def test_tokens_are_counted_where_the_vendor_counts_them(
    demo: Any, model: str, path: str, field: str
) -> None:
    asked = {"model": model, "messages": [{"role": "user", "content": "hi there"}]}
    status, counted = await ask(demo, asked, path)
    assert status == 200
    tokens = counted[field]["total_tokens"] if field == "data" else counted[field]
    _, completion = await ask(demo, asked)
    assert tokens == completion["usage"]["prompt_tokens"] > 0
    assert (await ask(demo, asked | {"model": "gpt-4o"}, path))[0] == 404
    failing = asked | {"messages": [{"role": "user", "content": "ERROR 500"}]}
    status, failed = await ask(demo, failing, path)
    assert (status, list(failed)) == (500, ["error"])


async def test_a_small_window_overflows_in_the_vendors_words(demo: Any) -> None:
    status, said = await ask(demo, body("WINDOW 5 please", model="kimi-k2.6"))
    assert status == 400
    assert "exceeded model token limit: 5 (requested: " in said["error"]["message"]
    status, said = await ask(demo, body("WINDOW 5 please", model="gpt-4o"))
    assert (status, said["error"]["code"]) == (400, "context_length_exceeded")
    assert (await ask(demo, body("WINDOW 5000 please", model="gpt-4o", max_tokens=9000)))[0] == 200
    assert (await ask(demo, body("WINDOW 5000", model="kimi-k2.6", max_tokens=9000)))[0] == 400


async def test_a_named_error_has_the_vendors_name_for_it(demo: Any) -> None:
    asked = body("ERROR 429:engine_overloaded_error", model="kimi-k2.6")
    async with demo.post(PATH, json=asked, headers=HEADERS) as response:
        assert response.status == 429
        assert "x-should-retry" not in response.headers
        assert (await response.json())["error"] == {
            "message": "The engine is currently overloaded, please try again later",
            "type": "engine_overloaded_error",
        }


@pytest.mark.parametrize(("model", "status"), [("kimi-k2.6", 429), ("vllm-qwen", 503)])
async def test_an_overloaded_vendor_has_its_own_status(demo: Any, model: str, status: int) -> None:
    assert (await ask(demo, body("ERRORMID", model=model)))[0] == status


async def test_a_stream_can_end_in_good_order_but_too_early(demo: Any) -> None:
    asked = body("TRUNCATE", stream=True, model="gpt-4o")
    async with demo.post(PATH, json=asked, headers=HEADERS) as response:
        said = await response.text()
    assert said.endswith("\n\n")
    assert "Hello" in said
    assert '"finish_reason":"stop"' not in said
    assert "[DONE]" not in said


@pytest.mark.parametrize(
    ("model", "comment"),
    [("deepseek-v4", ": keep-alive"), ("openrouter/x", ": OPENROUTER PROCESSING")],
)
@pytest.mark.parametrize("silence", ["SLOW", "PAUSE"])
async def test_some_send_comments_while_the_model_is_silent(
    demo: Any, model: str, comment: str, silence: str
) -> None:
    async def said(written: str) -> list[str]:
        asked = body(written, stream=True, model=model)
        async with demo.post(PATH, json=asked, headers=HEADERS) as response:
            assert response.status == 200
            frames: list[str] = (await response.text()).split("\n\n")
            return frames

    quick, slow = await said("hi"), await said(f"{silence} 0.02 hi")
    assert slow.count(comment) == quick.count(comment) + 1
    assert len(slow) == len(quick) + 1
    assert (slow[0] == comment) or silence == "PAUSE"


async def test_azure_keys_travel_in_their_own_header(demo: Any) -> None:
    async with demo.post(PATH, json=body("hi"), headers={"api-key": KEY}) as response:
        assert response.status == 200


async def test_refusals_before_the_body_is_read_have_the_common_shape(demo: Any) -> None:
    async with demo.post("/tokenize", json={}, headers={}) as response:
        assert response.status == 401
        assert list(await response.json()) == ["error"]

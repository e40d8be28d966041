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

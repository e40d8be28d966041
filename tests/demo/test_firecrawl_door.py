"""The demo upstream as a search service, over HTTP."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.demo.conftest import KEY

HEADERS = {"authorization": f"Bearer {KEY}"}


async def search(demo: Any, query: str, path: str = "/v2/search", **asked: Any) -> tuple[int, Any]:
    async with demo.post(path, json={"query": query, **asked}, headers=HEADERS) as response:
        return response.status, await response.json()


async def test_both_versions(demo: Any) -> None:
    status, hosted = await search(demo, "tides", limit=3)
    assert (status, len(hosted["data"]["web"]), hosted["creditsUsed"]) == (200, 3, 2)
    status, own = await search(demo, "tides", "/v1/search", limit=3)
    assert (status, own["data"]) == (200, hosted["data"]["web"])
    _, again = await search(demo, "tides", limit=3)
    assert again["data"] == hosted["data"]
    assert again["id"] != hosted["id"]


@pytest.mark.parametrize("given", ["", "Bearer wrong", f"Basic {KEY}"])
async def test_the_key_is_wanted(demo: Any, given: str) -> None:
    headers = {"authorization": given, "x-api-key": KEY}
    async with demo.post("/v2/search", json={"query": "q"}, headers=headers) as response:
        assert response.status == 401
        assert (await response.json())["success"] is False


async def test_what_arrives_is_written_down(demo: Any) -> None:
    await search(demo, "tides", includeDomains=["example.org"])
    await search(demo, "tides ERROR 402")
    async with demo.get("/demo/log") as response:
        first, second = await response.json()
    assert (first["method"], first["path"], first["status"]) == ("POST", "/v2/search", 200)
    assert first["headers"]["authorization"] == f"Bearer {KEY}"
    assert first["body"] == {"query": "tides", "includeDomains": ["example.org"]}
    assert second["status"] == 402


async def test_refusals_are_dressed_as_firecrawls(demo: Any) -> None:
    assert await search(demo, " ") == (400, {"success": False, "error": "query: Required"})
    async with demo.post("/v2/search", data=b"{", headers=HEADERS) as response:
        assert response.status == 400
        assert (await response.json())["success"] is False
    body = {"query": "ERROR 429 RETRY 3"}
    async with demo.post("/v2/search", json=body, headers=HEADERS) as response:
        assert (response.status, response.headers["retry-after"]) == (429, "3")


async def test_trouble_that_comes_every_other_time(demo: Any) -> None:
    statuses = [(await search(demo, "tides ERROR 500 ONCE"))[0] for _ in range(4)]
    assert statuses == [500, 200, 500, 200]
    assert (await search(demo, "ebb ERROR 503 ONCE"))[0] == 503


async def test_a_cut_connection_can_be_told(demo: Any) -> None:
    with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError)):
        await search(demo, "tides BREAK")


async def test_slow_answers_and_clients_that_do_not_wait(demo: Any) -> None:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await search(demo, "tides SLOW 0.2")
    assert loop.time() - began_s >= 0.19
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await search(demo, "tides SLOW 30")
    for _ in range(100):
        async with demo.get("/demo/log") as response:
            entries = await response.json()
        if entries[-1]["disconnected_early"]:
            break
        await asyncio.sleep(0.03)
    assert entries[-1]["disconnected_early"]

import asyncio
import gzip
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from proxy.demo.anthropic_request import FIRST_VERSION
from proxy.demo.upstream import build_app
from tests.demo.conftest import KEY

HEADERS = {"x-api-key": KEY, "anthropic-version": FIRST_VERSION}
Clients = Callable[..., Awaitable[TestClient[Any, Any]]]


def body(written: str, **changes: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": written}]
    return {"model": "m", "max_tokens": 5000, "messages": messages} | changes


async def log_of(demo: Any) -> list[dict[str, Any]]:
    async with demo.get("/demo/log") as response:
        entries: list[dict[str, Any]] = await response.json()
        return entries


async def test_the_log_shows_what_arrived_and_can_be_cleared(demo: Any) -> None:
    asked = body("hi")
    async with demo.post("/v1/messages?beta=true", json=asked, headers=HEADERS) as response:
        await response.read()
    async with demo.get("/v1/models", headers={"X-Other": "1"}) as response:
        await response.read()
    first, second = await log_of(demo)
    assert (first["method"], first["path"]) == ("POST", "/v1/messages?beta=true")
    assert first["headers"]["x-api-key"] == KEY
    assert first["body"] == asked
    assert (first["status"], first["disconnected_early"]) == (200, False)
    assert (second["method"], second["body"], second["status"]) == ("GET", None, 401)
    assert second["headers"]["x-other"] == "1"
    async with demo.delete("/demo/log") as response:
        assert response.status == 204
    assert await log_of(demo) == []


async def left_early(demo: Any) -> bool:
    """Whether the log comes to say so; it takes the server a moment to see the connection go."""
    for _ in range(100):
        entries = await log_of(demo)
        if entries and entries[0]["disconnected_early"]:
            return True
        await asyncio.sleep(0.03)
    return False


@pytest.fixture(params=[False, True], ids=["plain", "cancelling"])
async def served(request: pytest.FixtureRequest) -> AsyncIterator[aiohttp.ClientSession]:
    """The upstream under both kinds of runner: one tells a handler that the client has gone by
    cancelling it, the other (which the process uses) lets it find out."""
    runner = web.AppRunner(
        build_app(pace_ms=5), handler_cancellation=request.param, shutdown_timeout=1
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        yield session
    await runner.cleanup()


@pytest.mark.parametrize(
    ("written", "stream"),
    [
        ("LONG 5000", True),
        ("PAUSE 60", True),
        ("PAUSE 60", False),
        ("SLOW 60", True),
        ("SLOW 60", False),
        ("SLOW 60 ERROR 500", False),
    ],
)
async def test_a_client_that_leaves_early_is_noticed(
    served: aiohttp.ClientSession, written: str, stream: bool
) -> None:
    impatient = aiohttp.ClientTimeout(total=0.2)
    asked = body(written, stream=stream)
    with pytest.raises(TimeoutError):
        async with served.post(
            "/v1/messages", json=asked, headers=HEADERS, timeout=impatient
        ) as response:
            await response.read()
    assert await left_early(served)


async def test_a_client_that_leaves_within_its_request_is_noticed(
    served: aiohttp.ClientSession,
) -> None:
    async with served.delete("/demo/log") as response:
        url = response.url
    _, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"POST /v1/messages HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n\r\n{")
    await writer.drain()
    # When this is answered the request above has begun to be read.
    assert len(await log_of(served)) == 1
    writer.close()
    await writer.wait_closed()
    assert await left_early(served)


async def test_a_client_that_stays_to_the_end_has_not_left_early(
    served: aiohttp.ClientSession,
) -> None:
    for stream in (True, False):
        asked = body("hi", stream=stream)
        async with served.post("/v1/messages", json=asked, headers=HEADERS) as response:
            await response.read()
    assert [entry["disconnected_early"] for entry in await log_of(served)] == [False, False]


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/nowhere", 404), ("/v1/messages", 405), ("/v1/chat/nowhere", 404)]
)
async def test_wrong_paths_are_answered_in_the_shape_of_their_wire(
    demo: Any, path: str, status: int
) -> None:
    async with demo.get(path) as response:
        assert response.status == status
        said = await response.json()
    assert ("type" in said) == (not path.startswith("/v1/chat"))
    assert said["error"]["message"]


async def test_every_answer_has_an_id_of_its_own(demo: Any) -> None:
    ids = []
    for path in ("/v1/messages", "/v1/nowhere", "/v1/messages/count_tokens"):
        async with demo.post(path, json=body("hi"), headers=HEADERS) as response:
            ids.append(response.headers["request-id"])
    assert len(set(ids)) == 3
    assert all(made.startswith("req_01") for made in ids)


async def test_a_stream_has_its_id_too(demo: Any) -> None:
    asked = body("hi", stream=True)
    async with demo.post("/v1/messages", json=asked, headers=HEADERS) as response:
        assert response.headers["request-id"].startswith("req_01")


async def test_large_and_compressed_bodies_are_taken(demo: Any) -> None:
    asked = json.dumps(body("x" * 5_000_000)).encode()
    headers = HEADERS | {"content-encoding": "gzip"}
    async with demo.post("/v1/messages", data=gzip.compress(asked), headers=headers) as response:
        assert response.status == 200


async def test_a_body_that_cannot_be_decoded_is_refused(demo: Any) -> None:
    headers = HEADERS | {"content-encoding": "gzip"}
    async with demo.post("/v1/messages", data=b"no gzip", headers=headers) as response:
        assert response.status == 400


async def test_deltas_keep_the_pace(aiohttp_client: Clients) -> None:
    demo = await aiohttp_client(build_app(pace_ms=10))
    loop = asyncio.get_running_loop()
    began = loop.time()
    asked = body("LONG 20", stream=True)
    async with demo.post("/v1/messages", json=asked, headers=HEADERS) as response:
        await response.content.readuntil(b"text_delta")
        first_s = loop.time() - began
        await response.read()
    whole_s = loop.time() - began
    assert whole_s >= 0.19
    # The first delta was not held back until the last was there.
    assert first_s < whole_s / 2


def python(*arguments: str) -> Awaitable[asyncio.subprocess.Process]:
    return asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


def address_in(line: bytes) -> str:
    word, address = line.decode().split()
    assert word == "listening"
    assert address.startswith("http://127.0.0.1:")
    return address


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
async def test_the_process_says_one_line_serves_and_goes_on_a_signal(
    signal_number: signal.Signals,
) -> None:
    process = await python("-m", "proxy.demo.upstream", "--pace-ms", "0", "--api-key", KEY)
    assert process.stdout is not None
    address = address_in(await process.stdout.readline())
    async with aiohttp.ClientSession() as session:
        url = f"{address}/v1/messages"
        async with session.post(url, json=body("hi"), headers=HEADERS) as response:
            assert response.status == 200
        async with session.post(url, json=body("hi")) as response:
            assert response.status == 401
        async with session.post(
            url, json=body("PAUSE 60", stream=True), headers=HEADERS
        ) as response:
            await response.content.readline()
            process.send_signal(signal_number)
            out, error = await asyncio.wait_for(process.communicate(), 10)
    assert (process.returncode, out, error) == (0, b"", b"")


PARENT = """
import subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-m", "proxy.demo.upstream", "--die-with-parent"], stdout=subprocess.PIPE
)
sys.stdout.write(f"{child.pid} {child.stdout.readline().decode()}")
"""


async def test_the_process_goes_when_its_parent_has_died() -> None:
    parent = await python("-c", PARENT)
    out, _ = await parent.communicate()
    pid, _, line = out.partition(b" ")
    address = address_in(line)
    try:
        async with asyncio.timeout(10), aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError):
                while True:
                    async with session.get(f"{address}/demo/log") as response:
                        await response.read()
                    await asyncio.sleep(0.1)
    except TimeoutError:
        os.kill(int(pid), signal.SIGKILL)
        raise

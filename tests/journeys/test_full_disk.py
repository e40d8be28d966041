"""A disk that is full under books and storage: said at once, in words, and over when it is over."""

import asyncio
import resource
import time
from collections import Counter
from pathlib import Path

from proxy.config.load import load
from proxy.storage.opening import open_storage
from tests.kit.journey import PROVIDER_KEY, Client, Reply, Served, ask, provider, served
from tests.kit.town import BASE, costs

WAIT_S = 60.0
NO_ROOM_BYTES = 4096
"""No file may grow beyond it: what a full disk is to whoever writes."""


def disk(here: Served, room_bytes: int) -> None:
    """How large any file of the gateway may get."""
    pid = here._process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (room_bytes, hard))


async def asked(here: Served, path: str = "", *, body: bytes | None = None) -> Reply:
    client = await Client.connect(here.port, here.key)
    try:
        if path and body is None:
            client.send(b"", path, "GET")
            return await client.reply()
        return await client.post(body or ask(stream=False), *([path] if path else []))
    finally:
        client.close()


async def until_ready(here: Served, status: int) -> Reply:
    end_s = time.monotonic() + WAIT_S
    while (reply := await asked(here, "/readyz")).status != status:
        assert time.monotonic() < end_s, reply.body
        await asyncio.sleep(0.1)
    return reply


async def test_a_full_disk_is_said_by_readiness_and_by_replies_and_loses_nothing(
    tmp_path: Path,
) -> None:
    async with provider() as there:
        there.usual = costs(0.001, BASE)
        with served(tmp_path, [there.port]) as here:
            answered = [(await asked(here)).id]
            await until_ready(here, 200)
            disk(here, NO_ROOM_BYTES)
            end_s = time.monotonic() + WAIT_S
            while (reply := await asked(here)).status == 200:
                answered.append(reply.id)
                assert time.monotonic() < end_s, "nobody noticed"
            assert (reply.status, reply.error["type"]) == (503, "api_error")
            assert reply.headers["x-hatz-reason"] == "books_unavailable"
            assert int(reply.headers["retry-after"]) > 0
            assert "cannot write its books" in reply.error["message"]
            ready = await until_ready(here, 503)
            assert b"cannot write" in ready.body or b"took only part" in ready.body
            # Counting costs nothing and needs no books.
            path = "/v1/anthropic/v1/messages/count_tokens"
            assert (await asked(here, path, body=ask(stream=False))).status == 200

            disk(here, resource.RLIM_INFINITY)
            await until_ready(here, 200)
            reply = await asked(here)
            assert reply.status == 200
            answered.append(reply.id)
            assert len(answered) > 2
        settings = load(tmp_path / "gateway.toml", {"PROVIDER_KEY": PROVIDER_KEY})
        storage = await open_storage(settings, {})
        rows = await storage.database.fetch("SELECT request_id FROM entries")
        await storage.database.close()
        assert Counter(row[0] for row in rows) == Counter(answered)

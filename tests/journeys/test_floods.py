"""Thousands of clients that mean no good, or no harm: memory finds its plateau and whoever else is
there is served. The gateway is a process of its own, so that its memory can be told."""

import asyncio
import os
import resource
import time
from pathlib import Path

import pytest

from tests.kit.journey import (
    BLOCK,
    ENDING,
    START,
    Client,
    Line,
    ask,
    delta,
    plays_text,
    provider,
    served,
    until,
)

READERS = int(os.environ.get("SLOW_READERS", "2000"))
HELD_BYTES = 65_536
EVENT_CHARS = 16_000
EVENT = delta("x" * EVENT_CHARS)
STREAM_EVENTS = 60
PATIENT = "lag_max_ms = 60000"
"""It is not their number that is tried here, and the machine may be busy."""
BAD_KEYS = 2000
FLOOD_AT_A_TIME = 50


@pytest.fixture
def files() -> None:
    """Each slow reader is two files here and two in the gateway."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < READERS * 2 + 500:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, READERS * 2 + 500), hard))


async def test_memory_finds_its_plateau_under_slow_readers(tmp_path: Path, files: None) -> None:
    """Each has a stream of 1 MB waiting and reads nothing of it."""

    async def plays(line: Line) -> None:
        if b'"slow"' not in line.asked.body:
            await plays_text(line)
            return
        line.head()
        line.chunk(START + BLOCK)
        for _ in range(STREAM_EVENTS):
            line.chunk(EVENT)
            await line.drained()
        line.chunk(ENDING)
        line.end()

    async with provider() as there:
        there.usual = plays
        with served(tmp_path, [there.port], f"held_bytes_max = {HELD_BYTES}", PATIENT) as running:
            other = await Client.connect(running.port, running.key)
            assert (await other.post(ask())).status == 200
            idle_bytes = running.rss_bytes()
            readers: list[Client] = []
            try:
                for _ in range(READERS // 100):
                    some = await asyncio.gather(
                        *[Client.connect(running.port, running.key) for _ in range(100)]
                    )
                    for client in some:
                        client.writer.transport.pause_reading()
                        client.send(ask(note="slow"))
                    readers += some
                    assert (await other.post(ask())).status == 200
                await until(lambda: len(there.asked) > READERS, within_s=120)
                before_bytes = 0
                async with asyncio.timeout(120):
                    while before_bytes < (now_bytes := running.rss_bytes()):
                        before_bytes = now_bytes + (1 << 20)
                        await asyncio.sleep(2)
                full_bytes = running.rss_bytes()
                took_s = []
                for _ in range(20):
                    begun_s = time.monotonic()
                    assert (await other.post(ask())).status == 200
                    took_s.append(time.monotonic() - begun_s)
                per_reader = (full_bytes - idle_bytes) / READERS
                print("slow_reader_kb", round(per_reader / 1024, 1))
                print("beside_them_ms_worst", round(max(took_s) * 1000, 1))
                assert HELD_BYTES / 2 < per_reader < HELD_BYTES * 3
                assert running.rss_bytes() < full_bytes + (8 << 20), "a plateau"
                readers[0].writer.transport.resume_reading()
                reply = await readers[0].reply()
                assert reply.whole and reply.body.count(b"x" * EVENT_CHARS) == STREAM_EVENTS
            finally:
                for client in readers:
                    client.close()
            async with asyncio.timeout(60):
                while b"hatz_open_streams 0.0" not in (await other.get("/metrics")).body:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            assert (await other.post(ask())).status == 200
            other.close()


async def test_a_flood_of_bad_keys_costs_little_and_shuts_nobody_out(
    tmp_path: Path,
) -> None:
    async with provider() as there:
        there.usual = plays_text
        with served(tmp_path, [there.port], server=PATIENT) as running:
            good = await Client.connect(running.port, running.key)
            assert (await good.post(ask())).status == 200
            statuses: dict[int, int] = {}

            async def tries(first: int) -> None:
                client = await Client.connect(running.port, "")
                for number in range(first, first + BAD_KEYS // FLOOD_AT_A_TIME):
                    client.key = f"hzat-{number:040d}"
                    status = (await client.post(ask())).status
                    statuses[status] = statuses.get(status, 0) + 1
                client.close()

            async def flood(start: int) -> None:
                each = BAD_KEYS // FLOOD_AT_A_TIME
                await asyncio.gather(
                    *[tries(start + number * each) for number in range(FLOOD_AT_A_TIME)]
                )

            await flood(0)
            full_bytes = running.rss_bytes()
            begun_s = time.monotonic()
            flooding = asyncio.create_task(flood(BAD_KEYS))
            took_s = []
            while not flooding.done():
                asked_s = time.monotonic()
                assert (await good.post(ask())).status == 200
                took_s.append(time.monotonic() - asked_s)
                await asyncio.sleep(0.01)
            await flooding
            flooded_s = time.monotonic() - begun_s
            for start in range(2, 5):
                await flood(BAD_KEYS * start)
            assert set(statuses) <= {401, 529} and statuses[401] > 0
            print("bad_keys_per_s", round(BAD_KEYS / flooded_s))
            print("good_ms_median", round(sorted(took_s)[len(took_s) // 2] * 1000, 1))
            print("good_ms_worst", round(max(took_s) * 1000, 1))
            print("grown_kb", (running.rss_bytes() - full_bytes) // 1024)
            assert running.rss_bytes() < full_bytes + (8 << 20)
            assert there.asked and all(b"hzat-0" not in each.body for each in there.asked)
            good.close()

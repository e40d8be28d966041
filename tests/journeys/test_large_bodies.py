"""Bodies of 30 MB beside small requests and streams, which are not held up by them.

The gateway is a process of its own, and what it says of its own event loop is the figure: the test,
too, has to make and to read those bodies.
"""

import asyncio
import time
from pathlib import Path

import pytest

from tests.kit.journey import (
    BLOCK,
    ENDING,
    START,
    Client,
    Line,
    Served,
    ask,
    delta,
    plays_text,
    provider,
    served,
)

LARGE_BYTES = 29 << 20
LARGE_COUNT = 8
STREAMS = 20
LATE_S = "0.25"
"""All that was once done with such a body on the loop took 120 to 150 ms."""


def conversation() -> bytes:
    turns = [
        {"role": "user", "content": "How are you?\n" * 40},
        {"role": "assistant", "content": "Well.\n" * 80},
    ]
    return ask(stream=False, messages=[*turns * (LARGE_BYTES // 1200), turns[0]])


def document() -> bytes:
    source = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjc" * 2_600_000}
    return ask(
        stream=False,
        messages=[{"role": "user", "content": [{"type": "document", "source": source}]}],
    )


def late_looks(metrics: bytes) -> int:
    """How often the loop was later than `LATE_S`."""
    counts = dict(
        line.rsplit(b" ", 1)
        for line in metrics.splitlines()
        if line.startswith(b"hatz_loop_lag_seconds_bucket")
    )
    name = b'hatz_loop_lag_seconds_bucket{le="%b"}'
    return int(float(counts[name % b"+Inf"]) - float(counts[name % LATE_S.encode()]))


class Crowd:
    """Small streams and small requests, for as long as the large bodies take."""

    def __init__(self, running: Served) -> None:
        self._running = running
        self.over = asyncio.Event()
        self.took_s: list[float] = []
        self.streams_whole = 0

    async def stream(self) -> None:
        client = await Client.connect(self._running.port, self._running.key)
        reply = await client.post(ask(note="paced"))
        assert reply.status == 200 and reply.whole and reply.body.endswith(ENDING)
        self.streams_whole += 1
        client.close()

    async def ask_on(self) -> None:
        client = await Client.connect(self._running.port, self._running.key)
        while not self.over.is_set():
            begun_s = time.monotonic()
            assert (await client.post(ask())).status == 200
            self.took_s.append(time.monotonic() - begun_s)
            await asyncio.sleep(0.01)
        client.close()

    async def plays(self, line: Line) -> None:
        if b'"paced"' not in line.asked.body[-100:]:
            await plays_text(line)
            return
        line.head()
        line.chunk(START + BLOCK)
        while not self.over.is_set():
            line.chunk(delta("."))
            await asyncio.sleep(0.05)
        line.chunk(ENDING)
        line.end()


async def in_a_crowd(running: Served, crowd: Crowd, bodies: list[bytes]) -> None:
    beside = [asyncio.create_task(crowd.stream()) for _ in range(STREAMS)]
    beside.append(asyncio.create_task(crowd.ask_on()))
    for body in bodies:
        client = await Client.connect(running.port, running.key)
        client.send(body)
        await client.writer.drain()
        assert (await client.reply()).status == 200
        client.close()
    crowd.over.set()
    await asyncio.gather(*beside)


@pytest.mark.parametrize("make", [conversation, document])
async def test_large_bodies_hold_nobody_up(tmp_path: Path, make) -> None:
    async with provider() as there:
        with served(tmp_path, [there.port]) as running:
            crowd = Crowd(running)
            there.usual = crowd.plays
            warm = await Client.connect(running.port, running.key)
            assert (await warm.post(ask())).status == 200
            before = late_looks((await warm.get("/metrics")).body)
            body = make()
            await in_a_crowd(running, crowd, [body] * LARGE_COUNT)
            late = late_looks((await warm.get("/metrics")).body) - before
            warm.close()
            assert crowd.streams_whole == STREAMS
            sent = [each.body for each in there.asked if len(each.body) > LARGE_BYTES // 2]
            assert sent == [body.replace(b'"haiku"', b'"claude-haiku-4-5"')] * LARGE_COUNT
            crowd.took_s.sort()
            print("small_ms_median", round(crowd.took_s[len(crowd.took_s) // 2] * 1e3, 1))
            print("small_ms_worst", round(crowd.took_s[-1] * 1e3, 1))
            print("late_looks", late)
            assert late < LARGE_COUNT, "not one of them stopped the loop for that long"

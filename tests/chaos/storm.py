"""Blows at random: workers, PostgreSQL, Redis and providers are killed, and come back."""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from tests.kit.installation import GatewayParent, Installation, Process, now_s


class Storm:
    """`rage` deals blows until the time is over and everything has been brought back."""

    def __init__(self, here: Installation, seed: int) -> None:
        self.blows: Counter[str] = Counter()
        self.worker_killed_s: list[float] = []
        self._here = here
        self._chance = random.Random(seed)
        self._down: set[str] = set()
        self._healing: list[asyncio.Task[None]] = []

    async def rage(self, seconds: float) -> None:
        """Each kind at least once, if there is time."""
        end_s = now_s() + seconds
        kinds = ["worker", "postgres", "redis", "provider"]
        self._chance.shuffle(kinds)
        while now_s() < end_s:
            kind = kinds.pop() if kinds else self._chance.choice(_KINDS)
            if kind not in self._down:
                self.blows[kind] += 1
                getattr(self, f"_{kind}")()
            await asyncio.sleep(self._chance.uniform(0.2, 1.2))
        await asyncio.gather(*self._healing)

    def _worker(self) -> None:
        parent: GatewayParent = self._chance.choice(self._here.gateways)
        if workers := parent.workers():
            self.worker_killed_s.append(now_s())
            with suppress(ProcessLookupError):  # it had a blow already
                os.kill(self._chance.choice(workers), signal.SIGKILL)

    def _postgres(self) -> None:
        self._here.postgres.kill()
        self._heals("postgres", self._here.postgres.start)

    def _redis(self) -> None:
        self._here.redis.kill()
        self._heals("redis", self._here.redis.start)

    def _provider(self) -> None:
        victim: Process = self._chance.choice(self._here.providers)
        victim.end(signal.SIGKILL)
        self._heals("provider", victim.start)

    def _heals(self, kind: str, heal: Callable[[], None]) -> None:
        pause_s = self._chance.uniform(0.3, 2.0)

        async def later() -> None:
            await asyncio.sleep(pause_s)
            await asyncio.to_thread(heal)
            self._down.discard(kind)

        self._down.add(kind)
        self._healing.append(asyncio.create_task(later()))


_KINDS = ("worker", "worker", "postgres", "redis", "provider", "provider")

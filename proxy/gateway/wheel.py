"""One timer for everything that waits: each second every watched thing is asked once.

A timer per stream would cost a heap operation per event; a plain call per second does not.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

TICK_S = 1.0  # not Final: tests turn faster, also where this is compiled


class Watched(Protocol):
    """Something with a deadline of its own."""

    def tick(self, now_s: float) -> None:
        """About a second went by; `now_s` is the monotonic clock."""
        ...


class Wheel:
    """`now_s` is the time of the last tick: cheap, and good enough for deadlines of seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._watched: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.now_s = clock()

    def start(self) -> None:
        """Turn, until `stop`."""
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._turn)

    def stop(self) -> None:
        """Stand still."""
        if self._timer is not None:
            self._timer.cancel()

    def watch(self, thing: Watched) -> None:
        """Ask `thing` from now on."""
        self._watched.add(thing)

    def unwatch(self, thing: Watched) -> None:
        """Ask it no more; nothing happens when it was not watched."""
        self._watched.discard(thing)

    def watched(self) -> list[Watched]:
        """All that are watched now."""
        return list(self._watched)

    def _turn(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._turn)
        self.now_s = self._clock()
        for thing in self.watched():
            if thing in self._watched:
                thing.tick(self.now_s)

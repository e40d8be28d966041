"""How late the event loop is: a timer that should fire ten times a second, and when it does."""

import asyncio
from collections.abc import Callable

LOOK_S = 0.1


class LoopLag:
    """Tells `looked` the lateness of each firing, in seconds."""

    def __init__(self, clock: Callable[[], float], looked: Callable[[float], None]) -> None:
        self._clock = clock
        self._looked = looked
        self._due_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look, until `stop`."""
        self._due_s = self._clock() + LOOK_S
        self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        lag_s = self._clock() - self._due_s
        self.start()
        self._looked(max(0.0, lag_s))

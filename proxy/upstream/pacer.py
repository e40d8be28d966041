"""Streams are read less often while the event loop is behind.

An event that comes for itself costs a system call to read it, another to write it, and the way
between. Where the loop keeps up that is what a client wants: the event, at once. Where it does not,
every event waits anyway; so a stream that has just been read rests a little, and what comes in
meanwhile is read and written in one go. Events per write grow instead of delay (issue on
throughput).

Nothing rests while the loop is on time, unless `always_s` says so. A rest is never longer than
`rest_s` and the lateness of the loop; the first event of a stream never waits.
"""

import asyncio
import logging
from math import inf
from typing import Final, Protocol

BUSY_REST_S: Final = 0.02
"""How long a stream rests while the loop is behind: what providers leave between two events."""
LATE_LOOKS: Final = 2
"""So many looks in a row must find the loop late: a single one may be one large body."""
CALM_LOOKS: Final = 10
"""So many must find it on time before streams are read at once again."""

_LOG = logging.getLogger(__name__)


class Resting(Protocol):
    """A stream that is not read at the moment."""

    def read_on(self) -> None:
        """It has rested enough."""
        ...


class Pacer:
    """One per process. Whoever has read a stream looks at `rest_s` and, where that is not 0, stops
    reading and calls `rest`."""

    __slots__ = ("_always_s", "_calm", "_lag_max_s", "_late", "_resting", "rest_s")

    def __init__(self, *, always_s: float = 0.0, lag_max_s: float = inf) -> None:
        self._always_s = always_s
        self._lag_max_s = lag_max_s
        self._late = 0
        self._calm = 0
        self._resting: list[Resting] = []
        self.rest_s = always_s

    def looked(self, lag_s: float) -> None:
        """The loop was so late just now; told ten times a second."""
        if lag_s > self._lag_max_s:
            self._calm = 0
            self._late += 1
            if self._late == LATE_LOOKS:
                self.rest_s = max(self._always_s, BUSY_REST_S)
                _LOG.warning(
                    "the event loop is %.0f ms late: streams are read every %.0f ms",
                    lag_s * 1000,
                    self.rest_s * 1000,
                )
        elif self._late:
            self._calm += 1
            if self._late < LATE_LOOKS:
                self._late = 0
            elif self._calm == CALM_LOOKS:
                self._late = 0
                self.rest_s = self._always_s
                _LOG.warning("the event loop is on time again: streams are read as they come")

    def rest(self, stream: Resting) -> None:
        """Call its `read_on` when it has rested: with all that rest by then, by one timer."""
        if not self._resting:
            asyncio.get_running_loop().call_later(self.rest_s, self._wake)
        self._resting.append(stream)

    def _wake(self) -> None:
        resting, self._resting = self._resting, []
        for stream in resting:
            stream.read_on()


STEADY: Final = Pacer()
"""Under this one nothing ever rests."""

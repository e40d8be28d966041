"""How many messages requests are carried at a time; who waits for a place; who is turned away.

Owns `room`, the one number a request is compared with. It is the setting as long as the event loop
keeps up. While the loop stays behind for longer than a hiccup, room shrinks below what is being
carried, so that less is; as soon as the loop is on time again, room doubles with every look at it.
Whoever finds no room waits in a short queue, bounded in number, bytes and time, and is then told
529. Health, administration and everything else of the office never come by here.
"""

import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol

import msgspec

from proxy.domain.call import Arrival
from proxy.domain.fault import OVERLOADED, Fault, Kind, Source
from proxy.gateway.outlet import Outlet

_LOG = logging.getLogger("proxy.turnstile")

ROOM_MIN = 16
"""However late the loop is: what has begun must not end in a gateway that serves nobody."""
LATE_LOOKS_MAX = 5
"""So many looks in a row may find the loop late; a collection or a large body is no overload."""
SHRINK = 0.8
QUEUE_BYTES_MAX = 64 << 20
RETRY_AFTER_S = (1, 2, 3)
"""Told in turn: clients that are refused together should not come back together."""


class Walk(Protocol):
    """Where a short-lane request goes; `gateway/messages.py`."""

    def begin(self, arrival: Arrival, outlet: Outlet) -> None:
        """Take it from here."""
        ...


class Room(msgspec.Struct, frozen=True):
    """How much is carried, how many wait and for how long, and how late the loop may be."""

    in_flight_max: int
    queue_max: int
    queue_wait_s: float
    lag_max_s: float


class Turnstile:
    """One per process. Whoever lets a request in adds it to `in_flight` and, should that be more
    than `room`, calls `wait`; when the request is over, `left`."""

    __slots__ = (
        "_clock",
        "_late_looks",
        "_limits",
        "_moving",
        "_refused",
        "_waiting",
        "_walk",
        "in_flight",
        "room",
    )

    def __init__(self, walk: Walk, limits: Room, clock: Callable[[], float]) -> None:
        self._walk = walk
        self._limits = limits
        self._clock = clock
        self._waiting: deque[tuple[float, Arrival, Outlet]] = deque()
        self._late_looks = 0
        self._refused = 0
        self._moving = False
        self.in_flight = 0
        """Requests that were let in or wait, and have not ended."""
        self.room = limits.in_flight_max

    def wait(self, arrival: Arrival, outlet: Outlet) -> None:
        """There is no room: into the queue, or away."""
        waiting = self._waiting
        if len(waiting) >= self._limits.queue_max:
            outlet.refuse(self.overloaded())
            return
        queued_bytes = sum([len(each.body) for _, each, _ in waiting])
        if waiting and queued_bytes + len(arrival.body) > QUEUE_BYTES_MAX:
            outlet.refuse(self.overloaded())
            return
        waiting.append((self._clock() + self._limits.queue_wait_s, arrival, outlet))

    def left(self) -> None:
        """A request is over."""
        self.in_flight -= 1
        if self._waiting and not self._moving:
            self._move()

    def looked(self, lag_s: float) -> None:
        """The loop was so late just now; told several times a second."""
        if lag_s <= self._limits.lag_max_s:
            if self._late_looks > LATE_LOOKS_MAX:
                _LOG.warning("the event loop is on time again")
            self._late_looks = 0
            self.room = min(self.room * 2, self._limits.in_flight_max)
        else:
            self._late_looks += 1
            if self._late_looks > LATE_LOOKS_MAX:
                self._shrink(lag_s)
        if self._waiting:
            self._move()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def overloaded(self) -> Fault:
        """What is said to whoever is turned away."""
        self._refused += 1
        return Fault(
            Kind.OVERLOADED,
            "The gateway is overloaded. Try again in a moment.",
            source=Source.HOUSE,
            retry_after_s=RETRY_AFTER_S[self._refused % len(RETRY_AFTER_S)],
            reason=OVERLOADED,
        )

    def _shrink(self, lag_s: float) -> None:
        carried = self.in_flight - len(self._waiting)
        self.room = max(ROOM_MIN, int(min(self.room, carried) * SHRINK))
        if self._late_looks == LATE_LOOKS_MAX + 1:
            _LOG.warning(
                "the event loop is %.0f ms late with %d requests: new ones wait or get 529",
                lag_s * 1000,
                carried,
            )

    def _move(self) -> None:
        """The queue moves on. A request may be over within the call that lets it in: that one must
        not move the queue as well, or a long queue would pile up calls."""
        self._moving = True
        try:
            self._let_in()
            self._send_away()
        finally:
            self._moving = False

    def _let_in(self) -> None:
        """Who has waited longest, as far as there is room; who left meanwhile is forgotten."""
        waiting = self._waiting
        if any(outlet.gone for _, _, outlet in waiting):
            self._waiting = waiting = deque([each for each in waiting if not each[2].gone])
        while waiting and self.in_flight - len(waiting) < self.room:
            _, arrival, outlet = waiting.popleft()
            self._walk.begin(arrival, outlet)

    def _send_away(self) -> None:
        now_s = self._clock()
        while self._waiting and self._waiting[0][0] <= now_s:
            _, _, outlet = self._waiting.popleft()
            outlet.refuse(self.overloaded())

"""A client left, and the answer is read on: for providers that bill the whole of it anyway, so that
what it cost is known and not guessed.

Owns: how many answers are read on at a time, for how long and how far; and who listens meanwhile.
What the answer comes to is the relay's business as ever.
"""

from typing import Protocol

from proxy.domain.call import Call
from proxy.domain.entry import Outcome
from proxy.domain.fault import Fault
from proxy.gateway.outlet import Reader
from proxy.upstream.connection import Broken


class Drains:
    """One per process. `deadline_s` after the client left, or `bytes_max` of the answer later, the
    provider is let go; so it is at once where `at_a_time_max` answers are being read on."""

    def __init__(self, at_a_time_max: int, deadline_s: float, bytes_max: int) -> None:
        self.deadline_s = deadline_s
        self.bytes_max = bytes_max
        self._at_a_time_max = at_a_time_max
        self.under_way = 0

    def begin(self) -> bool:
        """May one more be read on? If so, it is counted until `ended`."""
        if self.under_way >= self._at_a_time_max:
            return False
        self.under_way += 1
        return True

    def ended(self) -> None:
        """One is over."""
        self.under_way -= 1


class Drained(Protocol):
    """The relay whose client left."""

    def head_received(self, status: int, headers: dict[bytes, bytes]) -> None: ...
    def body_received(self, data: bytes) -> None: ...
    def answer_ended(self) -> None: ...
    def answer_broken(self, why: Broken) -> None: ...
    def drained_enough(self) -> None: ...


class Drain:
    """Listens to the provider in the relay's place, and counts."""

    __slots__ = ("_bytes_left", "_relay", "until_s")

    def __init__(self, relay: Drained, drains: Drains, now_s: float) -> None:
        self._relay = relay
        self._bytes_left = drains.bytes_max
        self.until_s = now_s + drains.deadline_s

    def head_received(self, status: int, headers: dict[bytes, bytes]) -> None:
        """See `upstream/connection.py`, as for all that follows."""
        self._relay.head_received(status, headers)

    def body_received(self, data: bytes) -> None:
        """The next bytes."""
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            self._relay.drained_enough()
        else:
            self._relay.body_received(data)

    def answer_ended(self) -> None:
        """The answer is whole."""
        self._relay.answer_ended()

    def answer_broken(self, why: Broken) -> None:
        """It will never be."""
        self._relay.answer_broken(why)


class Nobody:
    """The outlet of a client that is gone."""

    gone = True

    def serve(self, call: Call, reader: Reader) -> None:
        """Nobody is served."""

    def refuse(self, fault: Fault) -> None:
        """Nobody hears it."""

    def answer(self, body: bytes, outcome: Outcome) -> None:
        """Nobody gets it."""

    def open_stream(self) -> None:
        """Nobody waits for it."""

    def write(self, data: bytes) -> None:
        """Nobody reads it."""

    def frame_writer(self) -> None:
        """There is no socket."""

    def end_stream(self, data: bytes, outcome: Outcome) -> None:
        """Nobody is there."""

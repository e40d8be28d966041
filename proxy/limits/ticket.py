"""One admitted request: what it may cost is held until it is known what it did cost.

Owns the way from reserved to settled: once, whoever comes first. Belongs to the books of the month
in which the request started, whatever month it ends in.
"""

from collections.abc import Callable
from typing import Final

from proxy.limits.seat import Seat

EXPIRES_S: Final = 3600.0
"""A ticket nobody settled for so long no longer reserves anything."""


class Ticket:
    """Settle or release it; the first of both counts, all else is nothing.

    A row that is charged must be settled, even after the ticket expired; a ticket that is dropped
    without either holds its reservation until it expires.
    """

    __slots__ = (
        "_credits",
        "_done",
        "_open",
        "_seat",
        "_taken_in",
        "_tokens",
        "_wall_ms",
        "born_s",
    )

    def __init__(
        self,
        seat: Seat,
        credits: int,
        tokens: int,
        open_: "dict[Ticket, float]",
        wall_ms: Callable[[], int],
    ) -> None:
        self._seat = seat
        self._credits = credits
        self._tokens = tokens
        self._open = open_
        self._wall_ms = wall_ms
        self._taken_in = seat.meters[0].minute if seat.meters else 0
        self._done = False

    def settle(self, credits: int, tokens: int | None = None) -> None:
        """The request ended and costs so many micro-credits, as its row says; 0: it is not
        charged. `tokens` are those it used, if that is known."""
        if self._done:
            return
        self._done = True
        seat = self._seat
        more = credits - self._credits
        book = seat.tenant
        book.reserved -= self._credits
        book.unstored += credits
        book.total += more
        book = seat.user
        book.reserved -= self._credits
        book.unstored += credits
        book.total += more
        if self._open.pop(self, None) is not None and seat.meters:
            self._leave(tokens)

    def release(self) -> None:
        """The request came to nothing: no credits, no tokens."""
        self.settle(0, 0)

    def expire(self) -> None:
        """Nobody settled it in time. A late `settle` still counts what it cost."""
        for book in (self._seat.tenant, self._seat.user):
            book.reserved -= self._credits
            book.total -= self._credits
        self._credits = 0
        if self._open.pop(self, None) is not None:
            self._leave(None)

    def _leave(self, tokens: int | None) -> None:
        more = 0 if tokens is None else tokens - self._tokens
        now_ms = self._wall_ms()
        for meter in self._seat.meters:
            meter.give_back(more, self._taken_in, now_ms)

"""The rounds in which a worker reads what is stored and exchanges with the others what is held.

Owns when a round is due, who waits for which, and what happens while somebody cannot be asked. All
who wait at the same time share a round, and only one that began after they asked will do. Storage
and the other workers are two lines: one may be lost while the other answers.

Storage is read before the others are heard: what they stored meanwhile is then still among what
they say. Where they were not heard before, they are heard twice. Knows no rule of what a limit is.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import groupby
from typing import Final, NoReturn, Protocol

from proxy.domain.fault import Fault
from proxy.limits.book import TENANT, Book, Books
from proxy.limits.burst import Meters
from proxy.limits.counters import SILENT_S, Counters

PATIENCE_S: Final = 0.5
"""Longest time a line gets to answer; a request waits for at most two rounds."""
PAUSE_S_MAX: Final = 1.0
"""Longest pause before a lost line is tried again."""

_log = logging.getLogger(__name__)


class UseStore(Protocol):
    """What is stored of a month. Implemented by `storage/month_use.py`."""

    async def used(
        self, period: str, tenants: Sequence[str], users: Sequence[str], /
    ) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """Micro-credits used in a month ('2026-11') by tenant and by user. Raises Fault."""


class Line:
    """Somebody who is asked: answering, or lost since when and why."""

    def __init__(self, name: str) -> None:
        self.trouble = ""
        """Why it does not answer; empty when it does."""
        self.failures = 0
        self._name = name
        self._lost_s = 0.0
        self._pause_s = 0.0
        self._next_s = 0.0

    @property
    def lost(self) -> bool:
        """The last attempt failed."""
        return bool(self.trouble)

    def silent(self, now_s: float) -> bool:
        """Lost for so long that what was heard last no longer means anything."""
        return self.lost and now_s - self._lost_s > SILENT_S

    def due(self, now_s: float) -> bool:
        """May it be asked now?"""
        return not self.trouble or now_s >= self._next_s

    async def ask(self, question: Awaitable[None], clock: Callable[[], float]) -> None:
        """Ask, with patience; note how it went."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await question
        except (Fault, TimeoutError) as error:
            self._failed(error, clock())
        else:
            self._answered()

    def _answered(self) -> None:
        if self.trouble:
            _log.warning("limits: %s answer again", self._name)
        self.trouble = ""
        self._pause_s = 0.0

    def _failed(self, error: Exception, now_s: float) -> None:
        told = (error.detail or error.message) if isinstance(error, Fault) else "no answer in time"
        if not self.trouble:
            self._lost_s = now_s
            _log.error("limits: %s do not answer: %s", self._name, told)
        self.failures += 1
        self.trouble = told
        self._pause_s = min(PAUSE_S_MAX, self._pause_s * 2 or 0.05)
        self._next_s = now_s + self._pause_s


class Rounds:
    """One per worker. `clock` is the monotonic one, in seconds."""

    def __init__(
        self,
        books: Books,
        meters: Meters,
        uses: UseStore,
        counters: Counters,
        *,
        clock: Callable[[], float],
    ) -> None:
        self.storage = Line("the stored sums")
        self.others = Line("the counters of other workers")
        self.stopped = ""
        """Why no rounds are made any more; empty while they are."""
        self.made = 0
        """Rounds that ended."""
        self._books = books
        self._meters = meters
        self._uses = uses
        self._counters = counters
        self._clock = clock
        self._deaf = True  # what the others stored before is not known
        self._told = False
        self._begun = 0
        self._ended = 0
        self._under_way: asyncio.Future[None] | None = None

    async def agree(self) -> None:
        """Wait for the end of a round that begins from now on. Whether it could ask everybody is
        on the lines. Never raises but when cancelled."""
        wanted = self._begun + 1
        while self._ended < wanted:
            if self._under_way is None:
                await self._round()
            else:
                # `wait`: our own cancellation must not cancel it for the others.
                await asyncio.wait([self._under_way])

    async def run(
        self,
        every_s: float,
        sleep: Callable[[float], Awaitable[object]],
        tick: Callable[[float], None],
    ) -> NoReturn:
        """Rounds for ever, and a `tick` with the monotonic time after each."""
        self.stopped = ""
        why = "the exchange of limits has stopped"
        try:
            while True:
                await sleep(every_s)
                await self.agree()
                tick(self._clock())
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise asyncio.CancelledError  # lost below us: `wait_for` does that before 3.12
        except asyncio.CancelledError:
            why = ""
            raise
        finally:
            self.stopped = why

    async def close(self) -> None:
        """Take back what the others were told; without success it ends by itself."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._counters.close()
        except (Fault, TimeoutError):
            _log.info("limits: could not sign off; what was held here ends in %g s", SILENT_S)

    async def _round(self) -> None:
        self._begun = number = self._begun + 1
        under_way = self._under_way = asyncio.get_running_loop().create_future()
        try:
            if self._deaf and not self._counters.alone and await self._exchange():
                self._books.want_all()
            if self.storage.due(self._clock()) and (due := self._books.due(self._clock())):
                await self.storage.ask(self._read(due), self._clock)
            if not self._counters.alone:
                await self._exchange()
            self._ended = number
            self.made += 1
        finally:
            # Not ended if we were cancelled: then the next of those who wait makes a new one.
            self._under_way = None
            under_way.set_result(None)

    async def _read(self, due: list[Book]) -> None:
        now_s = self._clock()
        for book in due:
            book.begin_reading(now_s)
        unread = set(due)
        try:
            by_period = sorted(due, key=_period)
            for period, of_period in groupby(by_period, key=_period):
                books = list(of_period)
                tenants = [book.id for book in books if book.whose is TENANT]
                users = [book.id for book in books if book.whose is not TENANT]
                of_tenants, of_users = await self._uses.used(period, tenants, users)
                for book in books:
                    used = of_tenants if book.whose is TENANT else of_users
                    book.end_reading(used.get(book.id, 0))
                unread.difference_update(books)
        finally:
            for book in unread:
                book.end_reading(None)

    async def _exchange(self) -> bool:
        """Tell and hear, if there is reason to. False: the others were not heard."""
        now_s = self._clock()
        if not (self._books.limited or self._meters or self._told or self.others.lost):
            self._deaf = True
            return False  # nothing here has a limit: nobody need know, and we need not
        if self.others.due(now_s):
            await self.others.ask(self._tell_and_hear(), self._clock)
            self._deaf = self.others.lost
        if self.others.silent(now_s):
            # By now what they held is stored, or its worker is dead to everybody.
            self._books.heard_nothing()
            self._meters.heard({})
        return not self._deaf

    async def _tell_and_hear(self) -> None:
        mine = {**self._books.told(), **self._meters.told()}
        self._told = True
        others = await self._counters.exchange(mine)
        self._told = bool(mine)
        self._books.heard(others)
        self._meters.heard(others)


def _period(book: Book) -> str:
    return book.period.key

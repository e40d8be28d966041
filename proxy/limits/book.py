"""What is known of one month's use, by tenant and by user: stored, held here, held by others.

Owns the bookkeeping between a reservation and the stored sum that contains it. For each book:

    base       the stored sum, as last read
    reserved   estimates of requests under way here
    unstored   settled here, the row not stored yet
    fresh      stored, but after the read began that `base` is of
    covered    stored before the read began that is under way now
    others     what the other workers hold, as they last said, and what they stored since `base`

`total` is all of it. An amount moves on only when it surely is in the next place, so `total` is
now and then too large for a moment, never too small. A worker tells two figures: what it holds
(reserved and unstored), and all it stored since it began. What the second had reached before a
read began is in that read; what it grew since is counted beside it. Knows no IO; times are
monotonic seconds.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

from proxy.domain.entry import Entry
from proxy.limits.window import Months, Period

Whose = Literal["tenant", "user"]
TENANT: Final = "tenant"
USER: Final = "user"

UNKNOWN: Final = 1 << 62
"""Part of the total until the base was read: more than any limit, so nothing is let in unseen."""

READ_EVERY_S: Final = 1.0
"""Other workers store too: how often the base of a book in use is read again."""
READ_ALONE_S: Final = 30.0
"""The same where nobody else stores; what this process stored itself is read after a second."""


class Book:
    """One tenant's or user's month. Ordinary attributes, because it is the hot path."""

    __slots__ = (
        "base",
        "covered",
        "fresh",
        "heard_stored",
        "id",
        "limited",
        "loaded",
        "name",
        "others",
        "pending",
        "period",
        "read_s",
        "read_stored",
        "reading_stored",
        "reserved",
        "stored_here",
        "stored_name",
        "total",
        "unstored",
        "wanted",
        "whose",
    )

    def __init__(self, period: Period, whose: Whose, id_: str) -> None:
        self.period = period
        self.whose = whose
        self.id = id_
        self.name = f"h|{period.key}|{whose[0]}|{id_}"
        self.stored_name = f"d|{period.key}|{whose[0]}|{id_}"
        self.limited = False
        self.loaded = False
        self.wanted = True
        self.read_s = 0.0
        self.base = self.reserved = self.unstored = self.fresh = self.covered = self.others = 0
        self.total = UNKNOWN
        self.pending = 0
        """Part of `reserved`: requests that wait to be decided."""
        self.stored_here = 0
        """All that was stored here since the book was begun; it only grows."""
        self.heard_stored = self.reading_stored = self.read_stored = 0
        """The same of all other workers: as last heard, when the reading under way began, and
        when that of the base did."""

    @property
    def spent(self) -> int:
        """Settled and known here, without what is merely reserved."""
        return self.base + self.unstored + self.fresh + self.covered

    @property
    def known(self) -> int:
        """The total as far as it is known, without requests that wait to be decided."""
        known = self.total - self.pending
        return known if self.loaded else known - UNKNOWN

    @property
    def idle(self) -> bool:
        """Nothing is lost by forgetting it: its base can be read again."""
        return not (self.reserved or self.unstored or self.fresh or self.covered)

    def begin_reading(self, now_s: float) -> None:
        """The base is about to be read: what was stored up to now will be in it."""
        self.wanted = False
        self.read_s = now_s
        self.covered += self.fresh
        self.fresh = 0
        self.reading_stored = self.heard_stored

    def end_reading(self, base: int | None) -> None:
        """The base as read, or None: it could not be."""
        if base is None:
            self.wanted = True
            self.fresh += self.covered
            self.covered = 0
            return
        if not self.loaded:
            self.loaded = True
            self.total -= UNKNOWN
        stored_by_others = self.reading_stored - self.read_stored
        self.total += base - self.base - self.covered - stored_by_others
        self.base = base
        self.covered = 0
        self.others -= stored_by_others
        self.read_stored = self.reading_stored

    def hear(self, held: int, stored: int) -> None:
        """What all other workers hold and stored, as they say now."""
        less = self.heard_stored - stored
        if less > 0:
            # One is gone, and all it ever stored with it. What of that the base lacks is not
            # known: nothing is taken off before the next reading, which comes at once.
            self.wanted = True
            self.reading_stored -= less
            self.read_stored -= less
        self.heard_stored = stored
        others = held + stored - self.read_stored
        self.total += others - self.others
        self.others = others

    def hear_nothing(self) -> None:
        """The other workers cannot be asked."""
        self.reading_stored = self.read_stored = self.heard_stored
        self.total -= self.others
        self.others = 0

    def stored(self, credits: int, *, own: bool) -> None:
        """A row of so many credits was stored just now; ours, or one a dead worker left."""
        moved = min(credits, self.unstored) if own else 0
        self.unstored -= moved
        if not self.limited:
            self.total -= moved  # never read; should it be, from now on, this will be in it
            return
        self.fresh += credits
        self.stored_here += credits
        self.total += credits - moved


class Books:
    """All books in use. `shared`: other workers store and hold too."""

    def __init__(self, months: Months, *, shared: bool) -> None:
        self._months = months
        self._shared = shared
        self._books: dict[tuple[str, Whose, str], Book] = {}
        self._limited: dict[str, Book] = {}
        self._last: Mapping[str, int] = {}

    def __len__(self) -> int:
        return len(self._books)

    @property
    def limited(self) -> int:
        """How many of them have a limit."""
        return len(self._limited)

    def __iter__(self) -> Iterator[Book]:
        return iter(self._books.values())

    def get(self, period: Period, whose: Whose, id_: str, *, limited: bool) -> Book:
        """The book of one tenant or user, begun if need be. Only limited ones are read and told."""
        key = (period.key, whose, id_)
        book = self._books.get(key)
        if book is None:
            self._books[key] = book = Book(period, whose, id_)
        if limited and not book.limited:
            book.limited = True
            book.hear(self._last.get(book.name, 0), self._last.get(book.stored_name, 0))
            self._limited[book.name] = book
        return book

    def stored(self, entries: Iterable[Entry], *, own: bool) -> None:
        """Rows were committed just now."""
        for book, credits in self._sums(entries).items():
            book.stored(credits, own=own)

    def due(self, now_s: float) -> list[Book]:
        """The books to read now."""
        every_s = READ_EVERY_S if self._shared else READ_ALONE_S
        return [
            book
            for book in self._limited.values()
            if book.wanted
            or (since_s := now_s - book.read_s) >= every_s
            or (book.fresh and since_s >= READ_EVERY_S)
        ]

    def told(self) -> dict[str, int]:
        """What to tell the other workers, by name."""
        told: dict[str, int] = {}
        for name, book in self._limited.items():
            if held := book.reserved + book.unstored:
                told[name] = held
            if book.stored_here:
                told[book.stored_name] = book.stored_here
        return told

    def heard(self, others: Mapping[str, int]) -> None:
        """What all other workers hold and stored, by name; what is not named is nothing."""
        self._last = others
        for name, book in self._limited.items():
            held, stored = others.get(name, 0), others.get(book.stored_name, 0)
            if held or stored or book.others or book.heard_stored:
                book.hear(held, stored)

    def heard_nothing(self) -> None:
        """The other workers have not answered for so long that what they said last is nothing."""
        self._last = {}
        for book in self._limited.values():
            book.hear_nothing()

    def want_all(self) -> None:
        """Whatever is read already is to be read again."""
        for book in self._limited.values():
            book.wanted = True

    def sweep(self, in_use: set[Book]) -> None:
        """Forget what nobody uses and nothing hangs on."""
        idle = [book for book in self._books.values() if book.idle and book not in in_use]
        for book in idle:
            del self._books[book.period.key, book.whose, book.id]
            self._limited.pop(book.name, None)

    def _sums(self, entries: Iterable[Entry]) -> dict[Book, int]:
        sums: dict[Book, int] = {}
        books = self._books
        for entry in entries:
            credits = entry.credits
            if credits:
                key = self._months.of(entry.started_at).key
                for book in (
                    books.get((key, TENANT, entry.tenant_id)),
                    books.get((key, USER, entry.user_id)),
                ):
                    if book is not None:
                        sums[book] = sums.get(book, 0) + credits
        return sums

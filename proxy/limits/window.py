"""Calendar months in one zone: which month a moment belongs to, and when it begins and ends.

Owns the boundary, exactly 00:00 on the 1st as the zone's clocks show it (domain.md 8.2). Refuses to
know the time: moments are arguments.
"""

import datetime as dt
from typing import NamedTuple
from zoneinfo import ZoneInfo

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)


class Period(NamedTuple):
    """One calendar month: `key` is such as '2026-11'; from `start_ms` up to before `end_ms`."""

    key: str
    start_ms: int
    end_ms: int

    @property
    def next_day(self) -> str:
        """The day after its last, in its own zone: '2026-12-01'."""
        year, month = map(int, self.key.split("-"))
        return f"{_key(year * 12 + month)}-01"


class Months:
    """The calendar of one zone. Raises ValueError for a zone this machine does not know."""

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self._zone = _zone(zone)
        self._last = Period("", 0, 0)

    def of(self, ms: int) -> Period:
        """The month of a moment in Unix milliseconds. Nearly always the one asked for last."""
        last = self._last
        if last.start_ms <= ms < last.end_ms:
            return last
        self._last = found = self._find(ms)
        return found

    def _find(self, ms: int) -> Period:
        local = (_EPOCH + ms * _MILLISECOND).astimezone(self._zone)
        month = local.year * 12 + local.month - 1
        # Where clocks are set around midnight of the 1st, the date shown can be of the other month:
        # St. John's once went back from 00:01 to 23:01. A month begins once, with its first 00:00.
        while ms >= self._start_ms(month + 1):
            month += 1
        while ms < self._start_ms(month):
            month -= 1
        return Period(_key(month), self._start_ms(month), self._start_ms(month + 1))

    def _start_ms(self, month: int) -> int:
        # fold=0: of two midnights the first; of one that is skipped, the moment it is skipped.
        start = dt.datetime(month // 12, month % 12 + 1, 1, tzinfo=self._zone)
        return (start - _EPOCH) // _MILLISECOND


def _key(month: int) -> str:
    return f"{month // 12:04}-{month % 12 + 1:02}"


def _zone(name: str) -> dt.tzinfo:
    if name == "UTC":
        return dt.UTC  # there even where the system has no time zones installed
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"{name!r} is not a time zone this machine knows: write one such as `Europe/Berlin` or"
            " `UTC`; if it should be known, install the package tzdata."
        ) from None

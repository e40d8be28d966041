"""`/v1/usage/trend` and `heatmap`: usage along the clock of a zone.

Owns what an hour, a day, a month of a zone is. Storage adds up by the clock of one offset; a
stretch of time is cut where the zone's offset changes, and what belongs to one day comes together
again here. So a day in autumn has 25 hours, and zones of half hours have hours of their own.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Literal, NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, Limit, NoBody, Offset
from proxy.admin.usage_query import (
    Spanned,
    UsageQuery,
    credits,
    spanned,
    within,
    zone_named,
    zone_of,
)
from proxy.domain.sums import NOTHING_USED, Sums, Within, added
from proxy.ledger.support_record import moment

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WEEK_HOURS = 168
SUNDAY = 4
"""Days from the week day of the epoch, a Thursday, back to a Sunday."""
_LOOK_MS = 12 * HOUR_MS
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()

Interval = Literal["hour", "day", "month"]


class TimeStore(Protocol):
    """Where the sums come from. Implemented by `storage/usage.py`."""

    async def by_time(
        self, within: Within, every_ms: int, offset_ms: int, wrap: int | None = None, /
    ) -> list[tuple[int, Sums]]:
        """Per stretch of `every_ms` of a clock that is `offset_ms` ahead of UTC: its number since
        the epoch, from 0 to before `wrap` where that is given."""


class TrendQuery(UsageQuery, frozen=True):
    """`limit` and `offset` count hours, days or months, those without usage included."""

    interval: Interval = "day"
    limit: Limit = 1000
    offset: Offset = 0


class TrendPoint(msgspec.Struct, frozen=True):
    """One hour, day or month; `start` is where it begins in the zone, said in UTC."""

    start: str
    credits: float
    credits_in: float
    credits_out: float
    requests: int


class Trend(Spanned, frozen=True, kw_only=True):
    """Every hour, day or month of the stretch, in order, also those without usage."""

    interval: Interval
    data: list[TrendPoint]
    has_more: bool


class Heatmap(Spanned, frozen=True, kw_only=True):
    """Credits by week day (7 rows, Sunday first) and hour of the zone (24 columns, from 00)."""

    data: list[list[float]]


class Stretch(NamedTuple):
    """From `start_ms` up to before `end_ms` the zone is `offset_ms` ahead of UTC."""

    start_ms: int
    end_ms: int
    offset_ms: int


Cell = tuple[int, int]
"""What tells one hour, day or month of a zone from all others, in order of time."""


class UsageTimes:
    """The handlers. `zone` names the one whose months allowances are for."""

    def __init__(self, store: TimeStore, zone: str) -> None:
        self._store = store
        self._zone = zone_named(zone)

    def endpoints(self) -> list[AnyEndpoint]:
        """The rows of the table."""
        return [
            Endpoint(
                method="GET",
                path="/v1/usage/trend",
                summary="What was used, by hour, day or month",
                handler=self._trend,
                reply=Trend,
                query=TrendQuery,
                body=NoBody,
                tag="usage",
            ),
            Endpoint(
                method="GET",
                path="/v1/usage/heatmap",
                summary="Credits by day of the week and hour of the day",
                handler=self._heatmap,
                reply=Heatmap,
                query=UsageQuery,
                body=NoBody,
                tag="usage",
            ),
        ]

    async def _trend(self, asked: Asked[TrendQuery, None]) -> Trend:
        query, zone = asked.query, zone_of(asked.query, self._zone)
        meant = within(asked, zone)
        cells = _cells(meant, zone.clock, query.interval)
        end = query.offset + query.limit
        sums = {cell: NOTHING_USED for _, cell in cells}
        every_ms = HOUR_MS if query.interval == "hour" else DAY_MS
        for start_ms, end_ms, offset_ms in stretches(zone.clock, meant.start_ms, meant.end_ms):
            piece = replace(meant, start_ms=start_ms, end_ms=end_ms)
            for number, some in await self._store.by_time(piece, every_ms, offset_ms):
                cell = _cell(number, offset_ms, query.interval)
                sums[cell] = added(sums[cell], some)
        return Trend(
            **spanned(meant, zone),
            interval=query.interval,
            data=[_point(start_ms, sums[cell]) for start_ms, cell in cells[query.offset : end]],
            has_more=len(cells) > end,
        )

    async def _heatmap(self, asked: Asked[UsageQuery, None]) -> Heatmap:
        zone = zone_of(asked.query, self._zone)
        meant = within(asked, zone)
        week = [0] * WEEK_HOURS
        for start_ms, end_ms, offset_ms in stretches(zone.clock, meant.start_ms, meant.end_ms):
            piece = replace(meant, start_ms=start_ms, end_ms=end_ms)
            for hour, sums in await self._store.by_time(piece, HOUR_MS, offset_ms, WEEK_HOURS):
                week[(hour + SUNDAY * 24) % WEEK_HOURS] += sums.credits
        data = [[credits(micro) for micro in week[day * 24 : day * 24 + 24]] for day in range(7)]
        return Heatmap(**spanned(meant, zone), data=data)


def stretches(zone: dt.tzinfo, start_ms: int, end_ms: int) -> Iterator[Stretch]:
    """A stretch of time, cut where the zone's clocks are changed."""
    offset_ms = _offset_ms(zone, start_ms)
    at_ms = start_ms
    while at_ms < end_ms:
        next_ms = min(at_ms + _LOOK_MS, end_ms)
        if _offset_ms(zone, next_ms) != offset_ms:
            change_ms = _change(zone, at_ms, next_ms)
            if change_ms < end_ms:
                yield Stretch(start_ms, change_ms, offset_ms)
                start_ms, offset_ms = change_ms, _offset_ms(zone, change_ms)
                next_ms = change_ms
        at_ms = next_ms
    yield Stretch(start_ms, end_ms, offset_ms)


def _change(zone: dt.tzinfo, before_ms: int, after_ms: int) -> int:
    """The first moment of the new offset. Clocks are changed on whole seconds."""
    old = _offset_ms(zone, before_ms)
    before_s, after_s = before_ms // 1000, -(-after_ms // 1000)
    while after_s - before_s > 1:
        middle_s = (before_s + after_s) // 2
        if _offset_ms(zone, middle_s * 1000) == old:
            before_s = middle_s
        else:
            after_s = middle_s
    return after_s * 1000


def _offset_ms(zone: dt.tzinfo, at_ms: int) -> int:
    offset = dt.datetime.fromtimestamp(at_ms // 1000, zone).utcoffset()
    assert offset is not None, "a zone has an offset at all times"
    return offset // dt.timedelta(milliseconds=1)


def _cells(meant: Within, clock: dt.tzinfo, interval: Interval) -> list[tuple[int, Cell]]:
    """Every hour, day or month that a stretch of time touches: where it begins, and its cell."""
    cells: dict[Cell, int] = {}
    every_ms = HOUR_MS if interval == "hour" else DAY_MS
    for start_ms, end_ms, offset_ms in stretches(clock, meant.start_ms, meant.end_ms):
        first = (start_ms + offset_ms) // every_ms
        last = (end_ms - 1 + offset_ms) // every_ms
        for number in range(first, last + 1):
            cell = _cell(number, offset_ms, interval)
            if cell in cells:
                continue
            cells[cell] = _start_ms(cell, clock, interval)
            if start_ms > meant.start_ms:
                # An hour of the new offset begins with it: clocks were set within an hour.
                cells[cell] = max(cells[cell], start_ms)
    return sorted([(start_ms, cell) for cell, start_ms in cells.items()])


def _cell(number: int, offset_ms: int, interval: Interval) -> Cell:
    if interval == "hour":
        # The hour that comes twice in autumn is two hours.
        return (number, -offset_ms)
    if interval == "day":
        return (number, 0)
    day = dt.date.fromordinal(_EPOCH_DAY + number)
    return (day.year, day.month)


def _start_ms(cell: Cell, clock: dt.tzinfo, interval: Interval) -> int:
    if interval == "hour":
        return cell[0] * HOUR_MS + cell[1]
    day = dt.date.fromordinal(_EPOCH_DAY + cell[0]) if interval == "day" else dt.date(*cell, 1)
    # Midnight; where clocks skip it, the moment they are changed.
    return int(dt.datetime(day.year, day.month, day.day, tzinfo=clock).timestamp()) * 1000


def _point(start_ms: int, sums: Sums) -> TrendPoint:
    return TrendPoint(
        start=moment(start_ms),
        credits=credits(sums.credits),
        credits_in=credits(sums.credits_in),
        credits_out=credits(sums.credits_out),
        requests=sums.requests,
    )

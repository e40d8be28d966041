"""Sums of the books: which period, how much, and how credits are written for people.

Owns the rules of a period (domain.md 11) and the total line. The adding is done by storage.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

from proxy.domain.fault import Fault, Kind
from proxy.ledger.credits import MICRO_PER_CREDIT
from proxy.ledger.support_record import moment

PERIOD_DAYS_MAX = 400
YEARS = range(1970, 9000)
"""Dates outside have no meaning here, and the outermost have no neighbours to compute with."""
BY = ("model", "user", "day")

By = Literal["model", "user", "day"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICRO_PER_CENT = MICRO_PER_CREDIT // 100


class Sum(Protocol):
    """One group as storage adds it up; `credits` are micro-credits."""

    @property
    def label(self) -> str: ...
    @property
    def requests(self) -> int: ...
    @property
    def input_tokens(self) -> int: ...
    @property
    def output_tokens(self) -> int: ...
    @property
    def cache_tokens(self) -> int: ...
    @property
    def credits(self) -> int: ...


class SumStore(Protocol):
    """Where the sums come from."""

    async def sums(
        self, by: By, start_ms: int, end_ms: int, tenant_id: str | None = None, /
    ) -> Sequence[Sum]:
        """Sums of the requests that started from `start_ms` up to before `end_ms`."""


class Period(NamedTuple):
    """From `start_ms` up to before `end_ms`, Unix milliseconds."""

    start_ms: int
    end_ms: int


class Figures(msgspec.Struct, frozen=True):
    """One line of a report. `credits` are credits, as a plain number."""

    label: str
    requests: int
    input_tokens: int
    output_tokens: int
    cache_tokens: int
    credits: float


class Report(msgspec.Struct, frozen=True):
    """Lines in the order to show them, and their total."""

    by: str
    start: str
    end: str
    data: list[Figures]
    total: Figures


def period(
    start: str | None,
    end: str | None,
    now: dt.datetime,
    zone: dt.tzinfo = dt.UTC,
    *,
    fields: tuple[str, str] = ("", ""),
) -> Period:
    """The period meant by two ISO dates or date-times; the end is exclusive.

    Months, dates and date-times that name no zone are those of `zone`. Without both it is the
    current month. Without a start it begins with the month of the last moment before the end;
    without an end it lasts to the end of the current month. Raises Fault, which begins with the
    name of the field where `fields` gives them names.
    """
    end_at = _month_after(now, zone) if end is None else _read("end", fields[1], end, zone)
    if start is not None:
        start_at = _read("start", fields[0], start, zone)
    else:
        start_at = _month_of(end_at - dt.timedelta(milliseconds=1), zone)
    if start_at >= end_at:
        raise _refusal(fields[0], "The period must begin before it ends.")
    # On the clock of the zone: 400 of its days have an hour more or less than 400 times 24.
    length = end_at.astimezone(zone).replace(tzinfo=None) - start_at.astimezone(zone).replace(
        tzinfo=None
    )
    if length > dt.timedelta(days=PERIOD_DAYS_MAX):
        raise _refusal(fields[0], f"A period has at most {PERIOD_DAYS_MAX} days.")
    return Period(_ms(start_at), _ms(end_at))


async def report(store: SumStore, by: By, within: Period, tenant_id: str | None = None) -> Report:
    """The sums of a period. No rows: no lines and a total of zeros."""
    sums = await store.sums(by, within.start_ms, within.end_ms, tenant_id)
    return Report(
        by=by,
        start=moment(within.start_ms),
        end=moment(within.end_ms),
        data=[_figures(each.label, [each]) for each in sums],
        total=_figures("total", sums),
    )


def format_credits(credits: float) -> str:
    """Credits for people: two decimals, thousands apart."""
    cents = (round(credits * MICRO_PER_CREDIT) + _MICRO_PER_CENT // 2) // _MICRO_PER_CENT
    return f"{cents // 100:,}.{cents % 100:02}"


def _figures(label: str, sums: Sequence[Sum]) -> Figures:
    return Figures(
        label,
        sum(each.requests for each in sums),
        sum(each.input_tokens for each in sums),
        sum(each.output_tokens for each in sums),
        sum(each.cache_tokens for each in sums),
        # Added as micro-credits first: the total is exact, whatever the lines are rounded to.
        sum(each.credits for each in sums) / MICRO_PER_CREDIT,
    )


def _read(name: str, field: str, text: str, zone: dt.tzinfo) -> dt.datetime:
    """A date is its midnight; what names no zone is that of `zone`. In UTC."""
    try:
        at = dt.datetime.fromisoformat(text.strip())
        at = (at.replace(tzinfo=zone) if at.tzinfo is None else at).astimezone(dt.UTC)
        if at.year in YEARS:
            return at
    except (ValueError, OverflowError):
        pass
    raise _refusal(
        field,
        f"The {name} of the period is not a date.",
        hint="Write it as 2026-11-30 or 2026-11-30T12:00:00Z.",
    )


def _refusal(field: str, problem: str, hint: str = "") -> Fault:
    return Fault(Kind.BAD_REQUEST, f"{field}: {problem}" if field else problem, hint=hint)


def _month_of(at: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """The beginning of its month in a zone, in UTC."""
    first = at.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    return first.astimezone(dt.UTC)


def _month_after(at: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    # 32 days after its first day is always in the next month.
    return _month_of(_month_of(at, zone) + dt.timedelta(days=32), zone)


def _ms(at: dt.datetime) -> int:
    return (at - _EPOCH) // dt.timedelta(milliseconds=1)

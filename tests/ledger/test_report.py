"""Periods, sums, and credits as people read them."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.fault import Fault, Kind
from proxy.ledger.report import By, Figures, Period, format_credits, period, report

NOW = dt.datetime(2026, 11, 22, 8, 9, 10, 123_456, dt.UTC)


def ms(year: int, month: int, day: int = 1, hour: int = 0) -> int:
    return int(dt.datetime(year, month, day, hour, tzinfo=dt.UTC).timestamp()) * 1000


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, (ms(2026, 11), ms(2026, 12))),
        ("2026-11-03", None, (ms(2026, 11, 3), ms(2026, 12))),
        ("2026-08-03", None, (ms(2026, 8, 3), ms(2026, 12))),
        (None, "2026-10-15", (ms(2026, 10), ms(2026, 10, 15))),
        (None, "2026-10-01", (ms(2026, 9), ms(2026, 10))),
        ("2026-01-01", "2027-02-05", (ms(2026, 1), ms(2027, 2, 5))),
        ("2026-11-03T10:00:00Z", "2026-11-03T11:00", (ms(2026, 11, 3, 10), ms(2026, 11, 3, 11))),
        (
            "2026-11-03T10:00:00+02:00",
            "2026-11-03T09:00:00",
            (ms(2026, 11, 3, 8), ms(2026, 11, 3, 9)),
        ),
        (" 2026-11-03 ", " 2026-11-04 ", (ms(2026, 11, 3), ms(2026, 11, 4))),
    ],
)
def test_a_period_is_two_dates_and_the_current_month_without_them(
    start: str | None, end: str | None, expected: tuple[int, int]
) -> None:
    assert period(start, end, NOW) == Period(*expected)


def test_december_ends_with_the_year() -> None:
    assert period(None, None, dt.datetime(2026, 12, 31, 23, tzinfo=dt.UTC)) == Period(
        ms(2026, 12), ms(2027, 1)
    )


def test_the_month_is_that_of_utc_wherever_the_clock_stands() -> None:
    tokyo = dt.timezone(dt.timedelta(hours=9))
    assert period(None, None, dt.datetime(2026, 12, 1, 3, tzinfo=tokyo)) == Period(
        ms(2026, 11), ms(2026, 12)
    )


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, (ms(2026, 10, 31, 23), ms(2026, 11, 30, 23))),
        # Clocks go back on the 25th of October: that day has 25 hours, that month an hour more.
        ("2026-10-25", "2026-10-26", (ms(2026, 10, 24, 22), ms(2026, 10, 25, 23))),
        (None, "2026-11-01", (ms(2026, 9, 30, 22), ms(2026, 10, 31, 23))),
        ("2026-10-25T12:00", "2026-10-25T12:00Z", (ms(2026, 10, 25, 11), ms(2026, 10, 25, 12))),
        # 400 days there, and an hour more.
        ("2025-09-20", "2026-10-25T00:00", (ms(2025, 9, 19, 22), ms(2026, 10, 24, 22))),
        ("2025-09-22", "2026-10-27", (ms(2025, 9, 21, 22), ms(2026, 10, 26, 23))),
    ],
)
def test_a_zone_has_its_own_months_and_midnights(
    start: str | None, end: str | None, expected: tuple[int, int]
) -> None:
    assert period(start, end, NOW, BERLIN) == Period(*expected)


@pytest.mark.parametrize(
    ("start", "end", "field"),
    [
        ("no", None, "start_date: "),
        (None, "no", "end_date: "),
        ("2026-11-04", "2026-11-03", "start_date: "),
        ("2020-01-01", None, "start_date: "),
    ],
)
def test_a_field_with_a_name_is_named_first(start: str | None, end: str | None, field: str) -> None:
    with pytest.raises(Fault, match=f"^{field}"):
        period(start, end, NOW, fields=("start_date", "end_date"))


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("2026-11-03", "2026-11-03", "begin before"),
        ("2026-11-04", "2026-11-03", "begin before"),
        ("2027-01-01", None, "begin before"),
        ("2025-01-01", "2026-02-06", "400 days"),
        ("yesterday", None, "start of the period is not a date"),
        (None, "2026-13-01", "end of the period is not a date"),
        (None, "0001-01-01", "not a date"),
        ("9999-12-31T23:59:59-12:00", None, "not a date"),
        ("", None, "not a date"),
    ],
)
def test_a_period_that_makes_no_sense_is_refused(
    start: str | None, end: str | None, words: str
) -> None:
    with pytest.raises(Fault, match=words) as caught:
        period(start, end, NOW)
    assert caught.value.kind is Kind.BAD_REQUEST


@given(st.text(max_size=40))
def test_any_text_is_a_date_or_a_refusal(text: str) -> None:
    try:
        within = period(None, text, NOW)
    except Fault as fault:
        assert fault.kind is Kind.BAD_REQUEST
    else:
        assert within.start_ms < within.end_ms


class Group(NamedTuple):
    label: str
    requests: int
    input_tokens: int
    output_tokens: int
    cache_tokens: int
    credits: int


class Books:
    """Holds sums as storage would give them."""

    def __init__(self, *groups: Group) -> None:
        self.groups = groups
        self.asked: list[tuple[By, int, int, str | None]] = []

    async def sums(
        self, by: By, start_ms: int, end_ms: int, tenant_id: str | None = None
    ) -> Sequence[Group]:
        self.asked.append((by, start_ms, end_ms, tenant_id))
        return self.groups


async def test_a_report_has_the_lines_of_storage_and_their_exact_total() -> None:
    books = Books(Group("a", 2, 10, 20, 30, 1_000_001), Group("b", 1, 1, 2, 3, 4_999))
    within = Period(ms(2026, 11), ms(2026, 12))
    made = await report(books, "user", within, "tenant_1")
    assert books.asked == [("user", *within, "tenant_1")]
    assert (made.by, made.start, made.end) == (
        "user",
        "2026-11-01T00:00:00.000Z",
        "2026-12-01T00:00:00.000Z",
    )
    assert made.data == [Figures("a", 2, 10, 20, 30, 1.000001), Figures("b", 1, 1, 2, 3, 0.004999)]
    assert made.total == Figures("total", 3, 11, 22, 33, 1.005)


async def test_an_empty_period_is_zeros() -> None:
    made = await report(Books(), "model", Period(0, 1))
    assert made.data == []
    assert made.total == Figures("total", 0, 0, 0, 0, 0.0)


@pytest.mark.parametrize(
    ("credits", "text"),
    [
        (0.0, "0.00"),
        (0.004999, "0.00"),
        (0.005, "0.01"),
        (1.375, "1.38"),
        (4.125, "4.13"),
        (32.5, "32.50"),
        (1_234_567.891, "1,234,567.89"),
    ],
)
def test_credits_are_shown_with_two_decimals(credits: float, text: str) -> None:
    assert format_credits(credits) == text

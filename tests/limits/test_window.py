"""Months: exact at midnight of the first, in every zone, through every change of the clocks."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.limits.window import Months
from tests.kit.patience import examples

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",
    "America/Asuncion",
    "Asia/Kathmandu",
    "Etc/GMT+5",
)


def ms(text: str) -> int:
    return round(dt.datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("zone", "at", "key"),
    [
        ("UTC", "2026-11-30T23:59:59.999+00:00", "2026-11"),
        ("UTC", "2026-12-01T00:00:00+00:00", "2026-12"),
        ("UTC", "2026-12-31T23:59:59.999+00:00", "2026-12"),
        ("UTC", "2027-01-01T00:00:00+00:00", "2027-01"),
        ("UTC", "2028-02-29T12:00:00+00:00", "2028-02"),
        ("Europe/Berlin", "2026-11-30T22:59:59.999+00:00", "2026-11"),
        ("Europe/Berlin", "2026-11-30T23:00:00+00:00", "2026-12"),
        ("Europe/Berlin", "2026-07-31T22:00:00+00:00", "2026-08"),
        ("America/New_York", "2026-11-01T03:59:59.999+00:00", "2026-10"),
        ("America/New_York", "2026-11-01T04:00:00+00:00", "2026-11"),
        ("Pacific/Kiritimati", "2026-11-30T10:00:00+00:00", "2026-12"),
    ],
)
def test_a_month_begins_at_midnight_of_its_first_day_where_the_zone_is(
    zone: str, at: str, key: str
) -> None:
    period = Months(zone).of(ms(at))
    assert period.key == key
    assert period.start_ms <= ms(at) < period.end_ms


def test_a_midnight_that_the_clocks_skip_is_the_moment_they_skip_it() -> None:
    # Asuncion went from 00:00 to 01:00 on 2017-10-01.
    months = Months("America/Asuncion")
    assert months.of(ms("2017-10-01T03:59:59.999+00:00")).key == "2017-09"
    assert months.of(ms("2017-10-01T04:00:00+00:00")).key == "2017-10"


def test_a_midnight_that_comes_twice_begins_the_month_the_first_time() -> None:
    # St. John's went back from 00:01 on 2009-11-01 to 23:01 of the day before.
    months = Months("America/St_Johns")
    first = ms("2009-11-01T02:30:00+00:00")
    assert months.of(first - 1).key == "2009-10"
    assert {months.of(first + minutes * 60_000).key for minutes in range(90)} == {"2009-11"}


@examples(200)
@given(st.sampled_from(ZONES), st.integers(ms("1975-01-01T00:00Z"), ms("2200-01-01T00:00Z")))
def test_months_follow_each_other_without_gap_or_overlap(zone: str, moment: int) -> None:
    months = Months(zone)
    period = months.of(moment)
    assert period.start_ms <= moment < period.end_ms
    assert months.of(period.start_ms) == period == months.of(period.end_ms - 1)
    following = months.of(period.end_ms)
    assert following.start_ms == period.end_ms
    assert following.key == period.next_day[:7] > period.key
    assert months.of(period.start_ms - 1).end_ms == period.start_ms


def test_the_current_month_is_not_worked_out_again() -> None:
    months = Months("Europe/Berlin")
    assert months.of(ms("2026-11-23T10:00:00+00:00")) is months.of(ms("2026-11-23T10:00:01+00:00"))


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "Europe", "../etc/passwd", "\0", "utc?"])
def test_an_unknown_zone_is_refused_with_a_remedy(zone: str) -> None:
    with pytest.raises(ValueError, match=r"Europe/Berlin.*UTC.*tzdata"):
        Months(zone)

"""What commands share: values of options, pages put together, tables people can read."""

import argparse
import datetime as dt

import pytest

from proxy.cli.stored import (
    credits_of,
    date_of,
    every,
    listed,
    minute_of,
    ms_of,
    next_month_ms,
    or_none,
    print_table,
)
from proxy.config.settings import Limits, Settings


def zoned(name: str) -> Settings:
    return Settings(limits=Limits(time_zone=name))


def ms(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).timestamp() * 1000)


def test_lists_and_nothing() -> None:
    assert listed(" a, b ,,c") == ["a", "b", "c"]
    assert listed("") == []
    assert or_none(listed)("None") is None
    assert or_none(listed)("a") == ["a"]


@pytest.mark.parametrize(
    ("text", "micro"), [("0", 0), ("1500", 1_500_000_000), ("0.000001", 1), ("1e3", 10**9)]
)
def test_credits_are_exact(text: str, micro: int) -> None:
    assert credits_of(text) == micro


@pytest.mark.parametrize("text", ["", "x", "-1", "nan", "inf", "0.0000001", "9000000001"])
def test_what_is_no_amount_of_credits(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        credits_of(text)


@pytest.mark.parametrize(
    ("now", "zone", "begins"),
    [
        ("2026-11-23T12:00:00+00:00", "UTC", "2026-12-01T00:00:00+00:00"),
        ("2026-12-31T23:59:59+00:00", "UTC", "2027-01-01T00:00:00+00:00"),
        ("2026-11-30T22:59:00+00:00", "Europe/Berlin", "2026-12-01T00:00:00+01:00"),
        ("2026-11-30T23:00:00+00:00", "Europe/Berlin", "2027-01-01T00:00:00+01:00"),
        ("2026-10-15T00:00:00+00:00", "America/New_York", "2026-11-01T00:00:00-04:00"),
    ],
)
def test_the_next_month_is_that_of_the_zone(now: str, zone: str, begins: str) -> None:
    assert next_month_ms(ms(now), zoned(zone)) == ms(begins)


def test_a_date_without_a_zone_is_the_configurations() -> None:
    assert ms_of(date_of("2026-07-01"), zoned("Europe/Berlin")) == ms("2026-07-01T00:00:00+02:00")
    assert ms_of(date_of("2026-07-01T00:00:00Z"), zoned("Europe/Berlin")) == ms(
        "2026-07-01T00:00:00+00:00"
    )
    assert minute_of(ms("2026-07-01T01:02:03+00:00")) == "2026-07-01 01:02Z"
    assert minute_of(None) == ""


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "0001-01-01", "9999-12-31"])
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        date_of(text)


async def test_every_row_comes_however_many_pages_it_takes() -> None:
    rows = list(range(2_500))
    asked: list[int] = []

    async def page(limit: int, offset: int) -> list[int]:
        asked.append(offset)
        return rows[offset : offset + limit]

    assert await every(page) == rows
    assert asked == [0, 1000, 2000, 2500]


def test_columns_stand_below_their_headings(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "LONG"), [("x", ""), ("wide", "y")])
    assert capsys.readouterr().out == "A     LONG\nx     -\nwide  y\n"

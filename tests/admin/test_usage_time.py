"""Hours, days and months as the clocks of a zone show them, also when they are changed."""

import datetime as dt
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.admin.usage_time import HOUR_MS, UsageTimes, stretches
from proxy.storage.usage import Usage
from tests.admin.office_floor import Visit
from tests.admin.usage_floor import CREDIT, Ledger, ledger, ms


@pytest.fixture
async def books(tmp_path: Path, aiohttp_client: Visit) -> AsyncIterator[Ledger]:
    async with ledger(tmp_path) as books:
        await books.open(UsageTimes(Usage(books.database), "UTC").endpoints(), aiohttp_client)
        yield books


async def trend(books: Ledger, query: str) -> dict[str, float]:
    answer = await books.get(f"/v1/usage/trend?{query}")
    assert answer["has_more"] is False
    return {row["start"].replace(":00.000Z", ""): row["credits"] for row in answer["data"]}


async def test_days_without_usage_are_there_too(books: Ledger) -> None:
    await books.used("ada", "2026-11-03T23:59", credits_in=CREDIT, credits_out=2 * CREDIT)
    answer = await books.get("/v1/usage/trend")
    assert answer["interval"] == "day"
    assert len(answer["data"]) == 30
    assert answer["data"][2] == {
        "start": "2026-11-03T00:00:00.000Z",
        "credits": 3.0,
        "credits_in": 1.0,
        "credits_out": 2.0,
        "requests": 1,
    }
    assert sum(row["requests"] for row in answer["data"]) == 1


async def test_a_day_in_autumn_has_25_hours(books: Ledger) -> None:
    for hour in range(4):
        # 02:30 comes twice: at 00:30 and at 01:30 UTC.
        await books.used("ada", f"2026-10-25T0{hour}:30", credits_in=CREDIT)
    day = "start_date=2026-10-25&end_date=2026-10-26&timezone=Europe/Berlin"
    hours = await trend(books, f"interval=hour&{day}")
    assert len(hours) == 25
    assert [start for start, credits in hours.items() if credits] == [
        *("2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00", "2026-10-25T03:00"),
    ]
    assert await trend(books, f"interval=day&{day}") == {"2026-10-24T22:00": 4.0}
    heat = (await books.get(f"/v1/usage/heatmap?{day}"))["data"]
    assert heat[0][2:5] == [2.0, 1.0, 1.0]


async def test_a_day_in_spring_has_23_hours(books: Ledger) -> None:
    await books.used("ada", "2026-03-29T01:30", credits_in=CREDIT)
    day = "start_date=2026-03-29&end_date=2026-03-30&timezone=Europe/Berlin"
    hours = await trend(books, f"interval=hour&{day}")
    assert len(hours) == 23
    assert hours["2026-03-29T01:00"] == 1.0
    heat = (await books.get(f"/v1/usage/heatmap?{day}"))["data"]
    assert heat[0][1:4] == [0.0, 0.0, 1.0]


async def test_zones_of_half_hours_have_hours_of_their_own(books: Ledger) -> None:
    await books.used("ada", "2026-11-05T18:29", credits_in=CREDIT)
    await books.used("ada", "2026-11-05T18:30", credits_in=2 * CREDIT)
    day = "start_date=2026-11-05&end_date=2026-11-07&timezone=Asia/Kolkata"
    assert await trend(books, day) == {"2026-11-04T18:30": 1.0, "2026-11-05T18:30": 2.0}
    hours = await trend(books, f"interval=hour&{day}")
    assert hours["2026-11-05T17:30"] == 1.0
    assert hours["2026-11-05T18:30"] == 2.0


async def test_months_are_the_zones_too(books: Ledger) -> None:
    await books.used("ada", "2026-10-31T22:59", credits_in=CREDIT)
    await books.used("ada", "2026-10-31T23:00", credits_in=2 * CREDIT)
    query = "interval=month&start_date=2026-09-15&end_date=2026-12-01&timezone=Europe/Berlin"
    assert await trend(books, query) == {
        "2026-08-31T22:00": 0.0,
        "2026-09-30T22:00": 1.0,
        "2026-10-31T23:00": 2.0,
    }


async def test_the_week_begins_with_sunday(books: Ledger) -> None:
    await books.used("ada", "2026-11-22T08:00", credits_in=CREDIT)  # a Sunday
    await books.used("ada", "2026-11-15T08:30", credits_in=CREDIT)
    await books.used("ada", "2026-11-21T23:59", credits_in=5 * CREDIT)
    answer = await books.get("/v1/usage/heatmap")
    assert [len(day) for day in answer["data"]] == [24] * 7
    found = {
        (day, hour): credits
        for day, row in enumerate(answer["data"])
        for hour, credits in enumerate(row)
        if credits
    }
    assert found == {(0, 8): 2.0, (6, 23): 5.0}


async def test_long_trends_come_in_pages(books: Ledger) -> None:
    await books.used("ada", "2026-11-03T05:00", credits_in=CREDIT)
    query = "/v1/usage/trend?interval=hour&start_date=2026-11-01&end_date=2026-11-04"
    seen: list[dict[str, Any]] = []
    more = True
    while more:
        page = await books.get(f"{query}&limit=30&offset={len(seen)}")
        seen += page["data"]
        more = page["has_more"]
    assert seen == (await books.get(query))["data"]
    assert len(seen) == 72
    assert (await books.get(f"{query}&offset=100"))["data"] == []


async def test_an_interval_we_do_not_know_is_refused(books: Ledger) -> None:
    said = await books.ask("/v1/usage/trend?interval=week")
    assert said.status == 400
    assert said.message.startswith("interval: ")


_ZONES = ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia"]


@given(
    zone=st.sampled_from(_ZONES),
    start=st.integers(ms("2009-01-01T00:00"), ms("2027-01-01T00:00")),
    length=st.integers(1, 400 * 24 * HOUR_MS),
)
def test_stretches_cover_the_whole_and_have_one_offset_each(
    zone: str, start: int, length: int
) -> None:
    clock = ZoneInfo(zone)
    pieces = list(stretches(clock, start, start + length))
    assert pieces[0].start_ms == start
    assert pieces[-1].end_ms == start + length
    for before, after in pairwise(pieces):
        assert before.end_ms == after.start_ms
        assert before.offset_ms != after.offset_ms
    for piece in pieces:
        assert piece.start_ms < piece.end_ms
        for at_ms in (piece.start_ms, (piece.start_ms + piece.end_ms) // 2, piece.end_ms - 1):
            offset = dt.datetime.fromtimestamp(at_ms / 1000, clock).utcoffset()
            assert offset == dt.timedelta(milliseconds=piece.offset_ms)


@pytest.mark.parametrize("zone", [*_ZONES, "America/St_Johns", "America/Havana", "Asia/Beirut"])
@pytest.mark.parametrize("interval", ["hour", "day", "month"])
async def test_nothing_is_lost_wherever_clocks_are_changed(
    books: Ledger, zone: str, interval: str
) -> None:
    rows = [
        ("ada", {"started_at": at_ms, "credits_in": CREDIT})
        for year in (2010, 2011)
        for at_ms in range(ms(f"{year}-01-01T00:10"), ms(f"{year}-12-31T00:00"), 7 * HOUR_MS)
    ]
    await books.entries.insert(books.rows(rows))
    found = heat = 0.0
    for year in (2010, 2011):
        span = f"start_date={year}-01-01T00:00Z&end_date={year + 1}-01-01T00:00Z&timezone={zone}"
        starts: list[str] = []
        more = True
        while more:
            answer = await books.get(
                f"/v1/usage/trend?interval={interval}&{span}&offset={len(starts)}&limit=1000"
            )
            found += sum(row["credits"] for row in answer["data"])
            starts += [row["start"] for row in answer["data"]]
            more = answer["has_more"]
        assert starts == sorted(set(starts))
        heat += sum(map(sum, (await books.get(f"/v1/usage/heatmap?{span}"))["data"]))
    assert found == heat == len(rows)

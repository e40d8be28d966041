"""The rows themselves: paged without gaps, and as CSV that does no harm."""

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.admin.usage_events import CSV_PAGE, UsageEvents, defused
from proxy.domain.entry import Entry, Outcome
from proxy.domain.fault import Fault, Kind
from proxy.domain.sums import Within
from proxy.storage.usage import Usage
from tests.admin.office_floor import Visit
from tests.admin.usage_floor import CREDIT, Ledger, ledger, ms

PATH = "/v1/usage/events"
CSV = {"Accept": "text/csv"}


class Counted(Usage):
    """The real store, which notes what it was asked for, and fails when told to."""

    limits: list[int]
    fails_after: int | None = None

    async def events(self, within: Within, limit: int, **more: Any) -> list[Entry]:
        if self.fails_after == len(self.limits):
            raise Fault(Kind.UNAVAILABLE, "storage is away")
        self.limits.append(limit)
        return await super().events(within, limit, **more)


@pytest.fixture
async def books(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with ledger(tmp_path) as books:
        yield books


@pytest.fixture
async def store(books: Ledger, aiohttp_client: Visit) -> Counted:
    store = Counted(books.database)
    store.limits = []
    await books.open(UsageEvents(store, "UTC").endpoints(), aiohttp_client)
    return store


async def sheet(books: Ledger, query: str = "", key: str = "root") -> list[dict[str, str]]:
    said = await books.ask(PATH + query, key, **CSV)
    assert said.status == 200, said.body
    assert said.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(said.body.decode(), newline="")))


async def test_a_row_tells_all_that_the_ledger_knows(books: Ledger, store: Counted) -> None:
    name = await books.used(
        "ada",
        credits_in=CREDIT // 2,
        credits_out=1,
        streamed=True,
        outcome=Outcome.PARTIAL,
        error_type="api_error",
        first_byte_ms=7,
        usage_estimated=True,
    )
    answer = await books.get(PATH)
    ada = books.callers["ada"]
    assert answer == {
        "start": "2026-11-01T00:00:00.000Z",
        "end": "2026-12-01T00:00:00.000Z",
        "timezone": "UTC",
        "next_cursor": None,
        "data": [
            {
                "event_id": name,
                "request_id": "req_1",
                "started_at": "2026-11-22T08:00:00.000Z",
                "ended_at": "2026-11-22T08:09:10.000Z",
                "tenant_id": ada.tenant_id,
                "user_id": ada.user_id,
                "role": "general_user",
                "key_id": ada.key_id,
                "surface": "anthropic_gateway",
                "requested_model": "opus",
                "model": "model_a",
                "resolved_via": "alias",
                "streamed": True,
                "client": "curl",
                "user_agent": None,
                "session_id": None,
                "outcome": "partial",
                "status": 200,
                "error_type": "api_error",
                "stop_reason": None,
                "input_tokens": 0,
                "output_tokens": 0,
                "cache_write_5m_tokens": 0,
                "cache_write_1h_tokens": 0,
                "cache_read_tokens": 0,
                "thinking_tokens": 0,
                "web_searches": 0,
                "credits": 0.500001,
                "credits_in": 0.5,
                "credits_out": 0.000001,
                "credits_actions": 0.0,
                "provider": None,
                "provider_request_id": None,
                "first_byte_ms": 7,
                "total_ms": 0,
                "attempts": 1,
                "usage_estimated": True,
            }
        ],
    }


async def test_what_was_estimated_is_the_last_column(books: Ledger, store: Counted) -> None:
    await books.used("ada", request_id="req_told")
    await books.used("ada", request_id="req_guessed", usage_estimated=True)
    rows = await sheet(books)
    assert {row["request_id"]: row["usage_estimated"] for row in rows} == {
        "req_told": "false",
        "req_guessed": "true",
    }
    assert list(rows[0])[-1] == "usage_estimated"


async def test_pages_are_followed_by_cursor_while_rows_arrive(
    books: Ledger, store: Counted
) -> None:
    there = [await books.used("ada", f"2026-11-22T07:0{n % 3}") for n in range(7)]
    seen: list[str] = []
    query = "?limit=2"
    while True:
        page = await books.get(PATH + query, "ada")
        seen += [row["event_id"] for row in page["data"]]
        if page["next_cursor"] is None:
            break
        await books.used("ada", "2026-11-22T07:02")
        query = f"?limit=2&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen))
    assert set(there) <= set(seen)


async def test_one_request_can_be_looked_up(books: Ledger, store: Counted) -> None:
    mine = await books.used("ada", request_id="req_mine")
    await books.used("ada", request_id="req_other")
    answer = await books.get(f"{PATH}?request_id=req_mine", "ada")
    assert [row["event_id"] for row in answer["data"]] == [mine]
    assert (await books.get(f"{PATH}?request_id=req_mine", "dan"))["data"] == []


@pytest.mark.parametrize("cursor", ["x", "1", ".e", "9999999999999999.e", "1.é", "-1.e", "1.e f"])
async def test_a_cursor_of_somebody_elses_making_is_refused(
    books: Ledger, store: Counted, cursor: str
) -> None:
    said = await books.ask(f"{PATH}?cursor={cursor}")
    assert said.status == 400
    assert said.message.startswith("cursor: ")


async def test_csv_has_the_columns_and_rows_of_the_json(books: Ledger, store: Counted) -> None:
    await books.used("ada", credits_in=1_500_001, streamed=True, session_id="s, 1")
    await books.used("dan", "2026-11-22T07:00", first_byte_ms=3, user_agent="zwölf\n13")
    rows = await sheet(books)
    [ada, dan] = (await books.get(PATH))["data"]
    for row, event in zip(rows, [ada, dan], strict=True):
        assert list(row) == list(event)
        assert {
            name: event[name] for name in event if isinstance(event[name], str)
        }.items() <= row.items()
    assert (rows[0]["credits"], rows[0]["streamed"], rows[0]["first_byte_ms"]) == (
        *("1.500001", "true"),
        "",
    )
    assert (rows[1]["credits"], rows[1]["streamed"], rows[1]["first_byte_ms"]) == (
        *("0.000000", "false"),
        "3",
    )


async def test_csv_is_a_file_to_save(books: Ledger, store: Counted) -> None:
    said = await books.ask(PATH, **CSV)
    assert said.headers["content-disposition"] == 'attachment; filename="usage-events.csv"'
    assert said.body.count(b"\r\n") == 1
    assert said.headers["cache-control"] == "no-store"


async def test_csv_shows_only_what_its_reader_may_see(books: Ledger, store: Counted) -> None:
    mine = await books.used("ada")
    await books.used("bob")
    assert [row["event_id"] for row in await sheet(books, key="ada")] == [mine]
    user_id = books.callers["bob"].user_id
    assert (await books.ask(f"{PATH}?user_id={user_id}", "ada", **CSV)).status == 403


async def test_csv_is_all_rows_read_page_by_page(books: Ledger, store: Counted) -> None:
    number = 2 * CSV_PAGE + 1
    rows = books.rows([("ada", {"started_at": ms("2026-11-02") + n // 3}) for n in range(number)])
    await books.entries.insert(rows)
    found = await sheet(books)
    assert [row["event_id"] for row in found] == [
        row.event_id for row in sorted(rows, key=lambda row: (row.started_at, row.event_id))[::-1]
    ]
    assert store.limits == [CSV_PAGE] * 3


@pytest.mark.parametrize("limit", [1, CSV_PAGE, CSV_PAGE + 1])
async def test_csv_with_a_limit_stops_there(books: Ledger, store: Counted, limit: int) -> None:
    await books.entries.insert(books.rows([("ada", {})] * (CSV_PAGE + 5)))
    all_rows = await sheet(books)
    store.limits.clear()
    assert await sheet(books, f"?limit={limit}") == all_rows[:limit]
    assert sum(store.limits) == limit
    assert await sheet(books, f"?limit={limit}&offset=2") == all_rows[2 : limit + 2]


async def test_storage_that_fails_at_once_is_a_refusal(books: Ledger, store: Counted) -> None:
    store.fails_after = 0
    said = await books.ask(PATH, **CSV)
    assert said.status == 503
    assert said.message == "storage is away"


async def test_csv_that_breaks_off_does_not_look_whole(books: Ledger, store: Counted) -> None:
    await books.entries.insert(books.rows([("ada", {})] * (CSV_PAGE + 5)))
    store.fails_after = 1
    headers = {"X-Api-Key": "root", **CSV}
    with pytest.raises(Exception) as caught:
        async with books.browse.get(PATH, headers=headers) as reply:
            assert reply.status == 200
            await reply.read()
    assert "aiohttp" in type(caught.value).__module__


async def test_a_head_request_reads_one_page(books: Ledger, store: Counted) -> None:
    headers = {"X-Api-Key": "root", **CSV}
    async with books.browse.head(PATH, headers=headers) as reply:
        assert (reply.status, await reply.read()) == (200, b"")
    assert len(store.limits) == 1


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "  =HYPERLINK(1)",
        "=",
        "\n=1",
        "\f=1",
        "\u00a0=1",
    ],
)
def test_formulas_are_defused(text: str) -> None:
    assert defused(text) == "'" + text


@given(st.text())
def test_a_cell_never_begins_like_a_formula(text: str) -> None:
    cell = defused(text)
    assert not cell.strip().startswith(("=", "+", "-", "@"))
    assert cell in (text, "'" + text)


async def test_what_clients_call_themselves_is_defused_in_csv(
    books: Ledger, store: Counted
) -> None:
    await books.used("ada", user_agent='=cmd|"/c calc"!A1', client="@x")
    [row] = await sheet(books)
    assert row["user_agent"] == '\'=cmd|"/c calc"!A1'
    assert row["client"] == "'@x"

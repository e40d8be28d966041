"""The books: every field survives, twice is once, sums agree with each other."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.domain.entry import Entry, Outcome
from proxy.domain.refusal import Refusal
from proxy.storage.accounts import Accounts
from proxy.storage.database import Database
from proxy.storage.entries import DAY_MS, Entries
from proxy.storage.sqlite import SqliteDatabase

FULL = Entry(
    event_id="event_1",
    request_id="req_1",
    started_at=1_795_000_000_000,
    ended_at=1_795_000_001_000,
    tenant_id="tenant_1",
    user_id="user_1",
    role="general_user",
    key_id="key_1",
    requested_model="opus",
    model="anthropic.claude-opus-4-7",
    resolved_via="alias",
    outcome=Outcome.PARTIAL,
    status=200,
    streamed=True,
    user_agent="agent/1 (ü)",
    client="claude-code",
    session_id="session",
    input_tokens=1,
    output_tokens=2,
    cache_write_5m_tokens=3,
    cache_write_1h_tokens=4,
    cache_read_tokens=5,
    thinking_tokens=6,
    web_searches=7,
    credits_in=8_000_000_000_000,
    credits_out=9,
    credits_actions=10,
    error_type="api_error",
    stop_reason="end_turn",
    provider="anthropic",
    provider_request_id="req_up",
    first_byte_ms=11,
    total_ms=12,
    attempts=2,
    usage_estimated=True,
)


def entry(event_id: str, **changes: Any) -> Entry:
    return msgspec.structs.replace(FULL, event_id=event_id, **changes)


def refusal(request_id: str, at: int, **changes: Any) -> Refusal:
    fields: dict[str, Any] = {
        "request_id": request_id,
        "at": at,
        "tenant_id": "tenant_1",
        "user_id": "user_1",
        "key_id": "key_1",
        "requested_model": "gpt-9",
        "status": 404,
        "error_type": "not_found_error",
        "reason": "model_not_found",
        "client": "claude-code",
        "path": "/v1/anthropic/v1/messages",
    }
    return Refusal(**(fields | changes))


async def test_every_field_of_an_entry_survives(database: Database) -> None:
    entries = Entries(database)
    bare = Entry(
        *("event_2", "req_1", 5, 6, "t", "u", "r", "k", "asked", "model", "exact"),
        *(Outcome.UPSTREAM_ERROR, 502),
    )
    await entries.insert([FULL, bare])
    assert await entries.by_request_id("req_1") == [bare, FULL]
    assert await entries.by_request_id("req_2") == []


@pytest.mark.parametrize("outcome", Outcome)
async def test_every_outcome_survives(database: Database, outcome: Outcome) -> None:
    entries = Entries(database)
    await entries.insert([entry("event_1", outcome=outcome)])
    [loaded] = await entries.by_request_id("req_1")
    assert loaded.outcome is outcome


@pytest.mark.parametrize(
    ("table", "kind", "own"), [("entries", Entry, set()), ("refusals", Refusal, {"id"})]
)
async def test_columns_are_the_fields(
    database: Database, table: str, kind: type[msgspec.Struct], own: set[str]
) -> None:
    if isinstance(database, SqliteDatabase):
        names = "SELECT name FROM pragma_table_info(?)"
    else:
        names = "SELECT column_name::text FROM information_schema.columns WHERE table_name = ?"
    rows = await database.fetch(names, (table,))
    assert {name for (name,) in rows} == set(kind.__struct_fields__) | own


async def test_writing_twice_is_writing_once(database: Database) -> None:
    entries = Entries(database)
    await entries.insert([entry("event_1"), entry("event_2")])
    await entries.insert([entry("event_2", total_ms=99), entry("event_3")])
    written = await entries.by_request_id("req_1")
    assert [row.event_id for row in written] == ["event_1", "event_2", "event_3"]
    assert {row.total_ms for row in written} == {12}


async def test_sums_by_model_user_and_day(database: Database) -> None:
    accounts = Accounts(database)
    ada = await accounts.ensure_user("ada@example.com", await accounts.ensure_tenant("Default"))
    day = 20_000 * DAY_MS
    entries = Entries(database)
    await entries.insert(
        [
            entry("e1", model="a", user_id=ada.id, started_at=day, credits_in=1),
            entry("e2", model="a", user_id="user_gone", started_at=day + DAY_MS - 1, credits_in=2),
            entry("e3", model="b", user_id=ada.id, started_at=day + DAY_MS, credits_in=100),
            entry("e4", model="b", user_id=ada.id, started_at=day + 2 * DAY_MS, credits_in=1_000),
            entry("e5", model="b", user_id=ada.id, started_at=day - 1, credits_in=1_000),
        ]
    )
    period = (day, day + 2 * DAY_MS)
    assert await entries.sums("model", *period) == [
        ("b", 1, 1, 2, 12, 119),
        ("a", 2, 2, 4, 24, 41),
    ]
    assert await entries.sums("user", *period) == [
        ("ada@example.com", 2, 2, 4, 24, 139),
        ("user_gone", 1, 1, 2, 12, 21),
    ]
    assert await entries.sums("day", *period) == [
        ("2024-10-04", 2, 2, 4, 24, 41),
        ("2024-10-05", 1, 1, 2, 12, 119),
    ]


async def test_sums_of_one_tenant_leave_out_others(database: Database) -> None:
    entries = Entries(database)
    await entries.insert([entry("e1"), entry("e2", tenant_id="tenant_2", model="b")])
    [row] = await entries.sums("model", 0, 1 << 60, "tenant_2")
    assert (row.label, row.requests) == ("b", 1)
    assert await entries.sums("model", 0, 1 << 60, "tenant_3") == []


_rows = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["u", "v"]),
        st.integers(0, 5 * DAY_MS),
        st.integers(0, 10**15),
    ),
    max_size=20,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(_rows)
async def test_every_way_of_summing_comes_to_the_same_total(
    database: Database, rows: list[tuple[str, str, int, int]]
) -> None:
    await database.run([("DELETE FROM entries", ())])
    entries = Entries(database)
    await entries.insert(
        [
            entry(f"e{n}", model=model, user_id=user, started_at=at, credits_in=credits)
            for n, (model, user, at, credits) in enumerate(rows)
        ]
    )
    totals = set()
    for by in ("model", "user", "day"):
        sums = await entries.sums(by, 0, 10 * DAY_MS)
        totals.add((sum(row.requests for row in sums), sum(row.credits for row in sums)))
    assert totals == {(len(rows), sum(row[3] + 19 for row in rows))}


async def test_refusals_are_found_by_request_id(database: Database) -> None:
    entries = Entries(database)
    first, second = refusal("req_1", 1), refusal("req_1", 2, status=429, reason="burst_limit")
    await entries.insert_refusals([second, first, refusal("req_2", 1)])
    await entries.insert_refusals([])
    assert await entries.refusals_by_request_id("req_1") == [first, second]
    assert await entries.refusals_by_request_id("req_3") == []


async def test_only_the_newest_refusals_are_kept(database: Database) -> None:
    await Entries(database).insert_refusals([refusal(f"req_{n}", n) for n in range(8)])
    await Entries(database, refusals_kept_max=3).insert_refusals([refusal("req_new", 100)])
    rows = await database.fetch("SELECT request_id FROM refusals ORDER BY at")
    assert [name for (name,) in rows] == ["req_6", "req_7", "req_new"]


async def test_refusals_of_one_moment_are_cut_to_the_number_too(database: Database) -> None:
    entries = Entries(database, refusals_kept_max=3)
    await entries.insert_refusals([refusal(f"req_{n}", 7) for n in range(8)])
    assert await database.fetch("SELECT count(*) FROM refusals") == [(3,)]


async def test_refusals_are_not_pruned_at_every_batch(database: Database) -> None:
    entries = Entries(database, refusals_kept_max=3)
    for number in range(1_100):
        await entries.insert_refusals([refusal(f"req_{number}", number)] if number % 100 else [])
    [(kept,)] = await database.fetch("SELECT count(*) FROM refusals")
    assert 3 <= kept <= 3 + 1_000

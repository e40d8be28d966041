"""Sums over HTTP: whose they are, that they agree, and what is refused."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.admin.usage import UsageSums
from proxy.admin.usage_events import UsageEvents
from proxy.admin.usage_time import UsageTimes
from proxy.domain.entry import Outcome
from proxy.storage.kept_sums import KEPT
from proxy.storage.month_use import MonthUse
from proxy.storage.usage import Usage
from tests.admin.office_floor import Visit
from tests.admin.usage_floor import CREDIT, Ledger, ledger, ms

SUMS = ("summary", "models", "users", "sources", "trend", "heatmap", "events")


@pytest.fixture
async def books(tmp_path: Path, aiohttp_client: Visit) -> AsyncIterator[Ledger]:
    async with ledger(tmp_path) as books:
        store = Usage(books.database)
        endpoints = [
            *UsageSums(store, "UTC").endpoints(),
            *UsageTimes(store, "UTC").endpoints(),
            *UsageEvents(store, "UTC").endpoints(),
        ]
        await books.open(endpoints, aiohttp_client)
        yield books


async def test_nothing_used_is_zeros(books: Ledger) -> None:
    summary = await books.get("/v1/usage/summary", "ada")
    assert summary == {
        "start": "2026-11-01T00:00:00.000Z",
        "end": "2026-12-01T00:00:00.000Z",
        "timezone": "UTC",
        "requests": 0,
        "errors": 0,
        "input_tokens": 0,
        "output_tokens": 0,
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 0,
        "cache_read_tokens": 0,
        "thinking_tokens": 0,
        "web_searches": 0,
        "credits": 0.0,
        "credits_in": 0.0,
        "credits_out": 0.0,
        "credits_actions": 0.0,
        "active_users": 0,
    }
    for name in ("models", "users", "sources"):
        answer = await books.get(f"/v1/usage/{name}")
        assert (answer["data"], answer["has_more"]) == ([], False)


async def test_a_summary_adds_up_what_was_used(books: Ledger) -> None:
    figures = {"input_tokens": 1, "thinking_tokens": 2, "credits_in": 1, "credits_out": 250_000}
    await books.used("ada", **figures)
    await books.used("bob", outcome=Outcome.UPSTREAM_ERROR, credits_actions=3 * CREDIT, **figures)
    summary = await books.get("/v1/usage/summary", "carol")
    assert summary["requests"] == summary["active_users"] == 2
    assert (summary["errors"], summary["input_tokens"], summary["thinking_tokens"]) == (1, 2, 4)
    assert summary["credits"] == 3.500002
    assert (summary["credits_in"], summary["credits_out"]) == (0.000002, 0.5)


async def test_models_sources_and_users_come_dearest_first_and_in_pages(books: Ledger) -> None:
    await books.used("ada", model="a", credits_in=CREDIT)
    await books.used("ada", model="b", credits_in=5 * CREDIT, client="")
    await books.used("bob", model="c", credits_in=3 * CREDIT)
    first = await books.get("/v1/usage/models?limit=2")
    assert [(row["model"], row["credits"]) for row in first["data"]] == [("b", 5.0), ("c", 3.0)]
    assert first["has_more"] is True
    second = await books.get("/v1/usage/models?limit=2&offset=2")
    assert [row["model"] for row in second["data"]] == ["a"]
    assert second["has_more"] is False
    sources = (await books.get("/v1/usage/sources"))["data"]
    assert [(row["surface"], row["client"], row["credits"]) for row in sources] == [
        ("anthropic_gateway", None, 5.0),
        ("anthropic_gateway", "curl", 4.0),
    ]
    users = (await books.get("/v1/usage/users", "carol"))["data"]
    assert [(row["email"], row["requests"], row["credits"]) for row in users] == [
        ("ada@example.com", 2, 6.0),
        ("bob@example.com", 1, 3.0),
    ]


async def test_users_show_their_roles_cap_and_its_use_of_this_month(books: Ledger) -> None:
    await books.database.run(
        [("UPDATE roles SET user_credit_limit = 2.5 WHERE slug = 'general_user'", ())]
    )
    await books.used("ada", credits_in=CREDIT)
    await books.used("ada", "2026-10-05T00:00", credits_in=4 * CREDIT)
    [row] = (await books.get("/v1/usage/users?start_date=2026-10-01&end_date=2026-11-01"))["data"]
    assert (row["role"], row["role_limit"], row["role_used"]) == ("general_user", 2.5, 1.0)
    assert row["credits"] == 4.0


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize(
    ("key", "query", "seen"),
    [
        ("ada", "", {"ada"}),
        ("ada", "?tenant_id={One}&user_id={ada}", {"ada"}),
        ("ada", "?user_id={bob}", None),
        ("ada", "?tenant_id={Two}", None),
        ("ada", "?tenant_id={One}&user_id={dan}", None),
        ("carol", "", {"ada", "bob"}),
        ("carol", "?tenant_id={One}", {"ada", "bob"}),
        ("carol", "?user_id={bob}", {"bob"}),
        # Somebody of another tenant used nothing in this one.
        ("carol", "?user_id={dan}", set()),
        ("carol", "?tenant_id={Two}", None),
        ("carol", "?tenant_id=no_such", None),
        ("dan", "", {"dan"}),
        ("root", "", {"ada", "bob", "dan"}),
        ("root", "?tenant_id={Two}", {"dan"}),
        ("root", "?tenant_id={Two}&user_id={ada}", set()),
        ("root", "?user_id={bob}", {"bob"}),
    ],
)
async def test_who_sees_what(
    books: Ledger, name: str, key: str, query: str, seen: set[str] | None
) -> None:
    worth = {"ada": 1, "bob": 10, "dan": 100}
    for who, credits in worth.items():
        await books.used(who, credits_in=credits * CREDIT)
    ids = {who: caller.user_id for who, caller in books.callers.items()}
    ids |= {caller.tenant: caller.tenant_id for caller in books.callers.values()}
    said = await books.ask(f"/v1/usage/{name}{query.format(**ids)}", key)
    if seen is None:
        assert said.status == 403
        assert "you need the permission" in said.message
    else:
        assert said.status == 200
        assert credits_of(name, said.json()) == sum(worth[who] for who in seen)


def credits_of(name: str, answer: dict[str, Any]) -> float:
    """All credits in an answer."""
    if name == "summary":
        credits: float = answer["credits"]
        return credits
    if name == "heatmap":
        return sum(map(sum, answer["data"]))
    return sum(row["credits"] for row in answer["data"])


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("start_date=2026-11-03&end_date=2026-11-03", "start_date: The period must begin"),
        ("start_date=2025-01-01", "start_date: A period has at most 400 days"),
        ("start_date=yesterday", "start_date: The start of the period is not a date"),
        ("end_date=2026-02-30", "end_date: "),
        ("timezone=Mars/Olympus", "timezone: There is no such time zone"),
        ("timezone=../../etc/passwd", "timezone: "),
        ("timezone=Europe", "timezone: "),
        ("timezone=", "timezone: "),
    ],
)
async def test_what_makes_no_sense_is_refused(
    books: Ledger, name: str, query: str, words: str
) -> None:
    said = await books.ask(f"/v1/usage/{name}?{query}", "ada")
    assert said.status == 400
    assert said.message.startswith(words)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "offset=-1", "limit=x"])
@pytest.mark.parametrize("name", ["models", "users", "sources", "trend", "events"])
async def test_pages_have_bounds(books: Ledger, name: str, query: str) -> None:
    said = await books.ask(f"/v1/usage/{name}?{query}", "ada")
    assert said.status == 400
    assert said.message.startswith(query.partition("=")[0])


async def test_the_month_is_that_of_the_zone(books: Ledger) -> None:
    await books.used("ada", "2026-10-31T23:30", credits_in=CREDIT)
    in_berlin = await books.get("/v1/usage/summary?timezone=Europe/Berlin", "ada")
    assert (in_berlin["start"], in_berlin["credits"]) == ("2026-10-31T23:00:00.000Z", 1.0)
    assert in_berlin["timezone"] == "Europe/Berlin"
    assert (await books.get("/v1/usage/summary", "ada"))["credits"] == 0.0


async def test_a_model_can_be_picked_out(books: Ledger) -> None:
    await books.used("ada", model="a", credits_in=CREDIT)
    await books.used("ada", model="b", credits_in=2 * CREDIT)
    for name in SUMS:
        answer = await books.get(f"/v1/usage/{name}?model=b", "ada")
        assert credits_of(name, answer) == 2.0


_used = st.lists(
    st.tuples(
        st.sampled_from(["ada", "bob", "dan"]),
        st.fixed_dictionaries(
            {
                "model": st.sampled_from(["a", "b", "c"]),
                "client": st.sampled_from(["", "curl", "SDK"]),
                "started_at": st.integers(ms("2026-10-30T00:00"), ms("2026-12-02T00:00")),
                "credits_in": st.integers(0, 10**12),
                "credits_out": st.integers(0, 10**12),
                "credits_actions": st.integers(0, 10**9),
            }
        ),
    ),
    max_size=15,
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(used=_used, zone=st.sampled_from(["UTC", "Asia/Kolkata", "America/St_Johns"]))
async def test_all_sums_agree_with_each_other_and_with_what_limits_go_by(
    books: Ledger, used: list[tuple[str, dict[str, Any]]], zone: str
) -> None:
    tables = ("entries", "month_use", *[kept.table for kept in KEPT])
    await books.database.run([(f"DELETE FROM {table}", ()) for table in tables])
    await books.entries.insert(books.rows(used))
    one = books.callers["ada"].tenant_id

    async def micro(name: str, zone: str) -> int:
        answer = await books.get(f"/v1/usage/{name}?timezone={zone}&limit=1000", "carol")
        return round(credits_of(name, answer) * CREDIT)

    totals = {name: await micro(name, zone) for name in SUMS}
    assert len(set(totals.values())) == 1, totals
    by_tenant, by_user = await MonthUse(books.database).used(
        "2026-11", [one], [books.callers["ada"].user_id, books.callers["bob"].user_id]
    )
    assert await micro("summary", "UTC") == by_tenant.get(one, 0) == sum(by_user.values())

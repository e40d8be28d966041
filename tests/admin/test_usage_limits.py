"""The caller's month and what binds, as decided by the rules of the limits room."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proxy.admin.usage_limits import Rules, UsageLimits
from proxy.domain.model import Rates
from proxy.domain.terms import DEFAULT_LADDER, Pack, Step, TenantTerms
from proxy.limits.window import Months
from proxy.storage.month_use import MonthUse
from proxy.storage.packages import CreditPacks, Packages
from proxy.storage.tenants import Tenants
from proxy.storage.usage import Usage
from tests.admin.office_floor import Visit
from tests.admin.usage_floor import BY, CREDIT, NOW_MS, Ledger, ledger, ms
from tests.catalog.shop import make_catalog, make_model

DEAR = make_model("dear", rates=Rates(input=5000, output=25000))
PLAIN = make_model("plain", rates=Rates(input=3000, output=15000))
CHEAP = make_model("cheap", rates=Rates(input=300, output=1500))
BASE = msgspec.structs.replace(make_model("base", rates=Rates(input=3000)), base_level=True)
GONE = make_model("gone", enabled=False)
NAMES = {"dear", "plain", "cheap", "base"}


class Place:
    def __init__(self, books: Ledger) -> None:
        self.books = books
        self.rules = Rules(DEFAULT_LADDER, False)

    def agree(self, who: str, **changes: Any) -> None:
        self.books.callers[who] = self.books.callers[who].but(**changes)

    async def month(self, key: str = "ada") -> Any:
        return await self.books.get("/v1/usage", key)

    async def limits(self, key: str = "ada", query: str = "") -> Any:
        return await self.books.get(f"/v1/usage/limits{query}", key)


@pytest.fixture
async def place(tmp_path: Path, aiohttp_client: Visit) -> AsyncIterator[Place]:
    async with ledger(tmp_path) as books:
        place = Place(books)
        database = books.database
        catalog = make_catalog(DEAR, PLAIN, CHEAP, BASE, GONE)
        pages = UsageLimits(
            MonthUse(database),
            Usage(database),
            Tenants(database, lambda: NOW_MS),
            Packages(database),
            catalog=lambda: catalog,
            rules=lambda: place.rules,
            months=Months("UTC"),
        )
        await books.open(pages.endpoints(), aiohttp_client)
        yield place


async def test_without_terms_there_is_no_limit(place: Place) -> None:
    assert await place.month() == {
        "period": {
            "start": "2026-11-01T00:00:00.000Z",
            "end": "2026-12-01T00:00:00.000Z",
            "resets_at": "2026-12-01T00:00:00.000Z",
        },
        "credits_used": 0.0,
        "credit_limit": None,
        "credits_remaining": None,
        "role_limit": None,
        "role_used": 0.0,
        "requests": 0,
        "state": "normal",
        "role_state": "normal",
        "restricted_models": [],
    }
    limits = await place.limits()
    assert (limits["tenant"]["ratio"], limits["tenant"]["approaching_from"]) == (None, None)
    assert [step["credits"] for step in limits["tenant"]["ladder"]] == [None] * 4
    assert {row["name"] for row in limits["models"]} == NAMES


async def test_the_allowance_is_the_tenants_and_the_role_the_callers(place: Place) -> None:
    place.agree("ada", terms=TenantTerms(credits=100 * CREDIT), role_credits=50 * CREDIT)
    await place.books.used("ada", credits_in=10 * CREDIT)
    await place.books.used("ada", credits_out=5 * CREDIT)
    await place.books.used("bob", credits_in=20 * CREDIT)
    await place.books.used("dan", credits_in=40 * CREDIT)
    await place.books.used("ada", "2026-10-31T23:59", credits_in=CREDIT)
    month = await place.month()
    assert (month["credits_used"], month["credit_limit"], month["credits_remaining"]) == (
        *(35.0, 100.0),
        65.0,
    )
    assert (month["role_used"], month["role_limit"], month["requests"]) == (15.0, 50.0, 2)


@pytest.mark.parametrize(
    ("used", "state", "restricted"),
    [
        (79.99, "normal", set()),
        (80, "approaching", set()),
        (99.99, "approaching", set()),
        (100, "limited-1", {"dear", "plain"}),
        (110, "limited-2", {"dear", "plain"}),
        (125, "limited-3", {"dear", "plain"}),
        (150, "base-only", {"dear", "plain", "cheap"}),
    ],
)
async def test_the_ladder_is_climbed_step_by_step(
    place: Place, used: float, state: str, restricted: set[str]
) -> None:
    place.agree("ada", terms=TenantTerms(credits=100 * CREDIT))
    await place.books.used("bob", credits_in=round(used * CREDIT))
    month = await place.month()
    assert month["state"] == state
    assert set(month["restricted_models"]) == restricted
    limits = await place.limits()
    assert limits["tenant"]["state"] == state
    assert limits["tenant"]["ratio"] == pytest.approx(used / 100)
    assert [step["reached"] for step in limits["tenant"]["ladder"]] == [
        used >= credits for credits in (100, 110, 125, 150)
    ]
    by_name = {row["name"]: row for row in limits["models"]}
    assert {name for name, row in by_name.items() if row["restricted_by"] == "tenant"} == restricted
    assert {name: row["restricted_from"] for name, row in by_name.items()} == {
        "dear": 100.0,
        "plain": 100.0,
        "cheap": 150.0,
        "base": None,
    }


async def test_a_hard_stop_takes_the_base_level_too(place: Place) -> None:
    place.rules = Rules(DEFAULT_LADDER, True)
    place.agree("ada", terms=TenantTerms(credits=100 * CREDIT))
    await place.books.used("ada", credits_in=100 * CREDIT)
    month = await place.month()
    assert month["state"] == "hard-stop"
    assert set(month["restricted_models"]) == NAMES


async def test_a_limit_of_nothing_allows_nothing(place: Place) -> None:
    place.agree("ada", terms=TenantTerms(credits=0))
    month = await place.month()
    assert (month["state"], month["credit_limit"], month["credits_remaining"]) == (
        *("hard-stop", 0.0),
        0.0,
    )
    assert set(month["restricted_models"]) == NAMES
    assert (await place.limits())["tenant"]["ratio"] == 1.0


async def test_a_role_at_its_cap_may_use_nothing_though_the_tenant_may(place: Place) -> None:
    place.agree("ada", terms=TenantTerms(credits=100 * CREDIT), role_credits=10 * CREDIT)
    await place.books.used("ada", credits_in=8 * CREDIT)
    assert (await place.month())["role_state"] == "approaching"
    await place.books.used("ada", credits_in=2 * CREDIT)
    month = await place.month()
    assert (month["state"], month["role_state"]) == ("normal", "hard-stop")
    assert set(month["restricted_models"]) == NAMES
    limits = await place.limits()
    assert limits["role"] == {
        "role": "general_user",
        "state": "hard-stop",
        "credits_used": 10.0,
        "credit_limit": 10.0,
        "credits_remaining": 0.0,
        "ratio": 1.0,
    }
    assert {row["restricted_by"] for row in limits["models"]} == {"role"}


async def test_a_tenants_own_ladder_comes_before_the_installations(place: Place) -> None:
    place.agree("ada", terms=TenantTerms(credits=100 * CREDIT, ladder=(Step(0.5, 1.5),)))
    await place.books.used("ada", credits_in=50 * CREDIT)
    month = await place.month()
    assert (month["state"], month["restricted_models"]) == ("limited-1", ["dear"])


async def test_only_packs_of_this_month_count(place: Place) -> None:
    packs = (
        Pack(CREDIT, ms("2026-11-30T23:59")),
        Pack(10 * CREDIT, ms("2026-10-01"), ms("2026-11-01")),
        Pack(100 * CREDIT, ms("2026-12-01")),
    )
    place.agree("ada", terms=TenantTerms(credits=1_000 * CREDIT, packs=packs))
    assert (await place.month())["credit_limit"] == 1_001.0


async def test_hidden_models_are_in_no_list(place: Place) -> None:
    place.agree("ada", disabled_models=frozenset(["dear"]), allowed_models=frozenset(["cheap"]))
    assert [row["name"] for row in (await place.limits())["models"]] == ["cheap"]


async def test_the_msp_sees_the_limits_of_any_tenant(place: Place) -> None:
    books = place.books
    packages, tenants = Packages(books.database), Tenants(books.database)
    package = await packages.create(
        "Small",
        BY,
        monthly_credits=100 * CREDIT,
        allowed_models=["plain", "cheap"],
        ladder=(Step(0.9, 0.5),),
    )
    tenant_id = books.callers["dan"].tenant_id
    await tenants.change(tenant_id, BY, package_id=package.id, disabled_models=["cheap"])
    await CreditPacks(books.database).add(
        tenant_id, BY, name="More", credits=100 * CREDIT, valid_from=NOW_MS, valid_until=None
    )
    await books.used("dan", credits_in=180 * CREDIT)
    limits = await place.limits("root", f"?tenant_id={tenant_id}")
    assert limits["role"] is None
    assert limits["tenant"]["credit_limit"] == 200.0
    assert limits["tenant"]["state"] == "limited-1"
    assert [(row["name"], row["restricted"]) for row in limits["models"]] == [("plain", True)]


@pytest.mark.parametrize(
    ("key", "tenant", "status"),
    [
        *[("ada", "One", 200), ("ada", "Two", 403), ("carol", "Two", 403)],
        *[("root", "Two", 200), ("root", "no_such", 404), ("", "One", 401)],
    ],
)
async def test_whose_limits_are_whose(place: Place, key: str, tenant: str, status: int) -> None:
    ids = {caller.tenant: caller.tenant_id for caller in place.books.callers.values()}
    said = await place.books.ask(f"/v1/usage/limits?tenant_id={ids.get(tenant, tenant)}", key)
    assert said.status == status


# ---------------------------------------------------------------- banners


@pytest.mark.parametrize(
    ("used", "level", "says"),
    [
        (79.99, None, ""),
        (80, "warning", "has used 80 % of its credits"),
        (99.99, "warning", "has used 99 % of its credits"),
        (100, "limited", "has used 100 % of its credits for this month. What still works: models"),
        (150, "limited", "What still works: models of the base level."),
    ],
)
async def test_a_page_has_a_banner_for_the_tenants_allowance(
    place: Place, used: float, level: str | None, says: str
) -> None:
    place.agree("ada", terms=TenantTerms(credits=100 * CREDIT))
    await place.books.used("bob", credits_in=round(used * CREDIT))
    banners = (await place.limits())["banners"]
    if level is None:
        assert banners == []
        return
    [banner] = banners
    assert (banner["scope"], banner["level"]) == ("tenant", level)
    assert banner["state"] == (await place.month())["state"]
    assert banner["ratio"] == pytest.approx(used / 100)
    assert banner["resets_at"] == "2026-12-01T00:00:00.000Z"
    assert says in banner["message"]
    assert "2026-12-01 00:00 (UTC)" in banner["message"]


async def test_a_page_has_a_banner_for_a_cap_of_ones_own(place: Place) -> None:
    place.agree("ada", terms=TenantTerms(credits=100 * CREDIT), role_credits=10 * CREDIT)
    await place.books.used("ada", credits_in=8 * CREDIT)
    [banner] = (await place.limits())["banners"]
    assert (banner["scope"], banner["level"], banner["ratio"]) == ("role", "warning", 0.8)
    assert banner["message"].startswith("You have used 80 % of your own monthly limit.")
    await place.books.used("bob", credits_in=80 * CREDIT)
    await place.books.used("ada", credits_in=2 * CREDIT)
    first, second = (await place.limits())["banners"]
    assert (first["scope"], first["level"]) == ("tenant", "warning")
    assert (second["scope"], second["level"]) == ("role", "blocked")
    assert "Ask your administrator" in second["message"]


async def test_nothing_at_all_and_a_hard_stop_are_said(place: Place) -> None:
    place.agree("ada", terms=TenantTerms(credits=0))
    [banner] = (await place.limits())["banners"]
    assert (banner["level"], banner["ratio"]) == ("blocked", 1.0)
    assert "has no credits for this month. What still works: nothing." in banner["message"]
    place.rules = Rules(DEFAULT_LADDER, True)
    place.agree("ada", terms=TenantTerms(credits=CREDIT))
    await place.books.used("ada", credits_in=CREDIT)
    [banner] = (await place.limits())["banners"]
    assert (banner["level"], banner["state"]) == ("blocked", "hard-stop")


async def test_a_ladder_that_begins_early_is_told_truly(place: Place) -> None:
    place.agree("ada", terms=TenantTerms(credits=100 * CREDIT, ladder=(Step(0.5, 1.5),)))
    await place.books.used("ada", credits_in=60 * CREDIT)
    [banner] = (await place.limits())["banners"]
    assert banner["level"] == "limited"
    assert "has used 60 % of its credits" in banner["message"]
    assert "models with a multiplier below 1.5" in banner["message"]

"""Rates: set from now or from a moment to come, never for what has passed."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.admin.rates import RateDesk
from proxy.domain.model import Rates
from proxy.domain.permissions import MSP_MODELS, MSP_VIEW
from proxy.storage.rates import RateSheet
from tests.admin.office_floor import Visit
from tests.admin.usage_floor import NOW_MS, Ledger, ledger

PATH = "/v1/admin/rates"
RATES = {"input": 3000, "output": 15000}
WHOLE = {**RATES, "cache_write_5m": 0, "cache_write_1h": 0, "cache_read": 0}


@pytest.fixture
async def books(tmp_path: Path, aiohttp_client: Visit) -> AsyncIterator[Ledger]:
    async with ledger(tmp_path) as books:
        books.empower("root", MSP_MODELS)
        desk = RateDesk(RateSheet(books.database), lambda: {"model_a", "model_b"})
        await books.open(desk.endpoints(), aiohttp_client)
        yield books


async def test_rates_hold_from_now_on(books: Ledger) -> None:
    told = await books.done("PUT", PATH, {"model": "model_a", "rates": RATES})
    assert told == {
        "model": "model_a",
        "effective_from": "2026-11-22T08:09:10.000Z",
        "to_come": False,
        "rates": WHOLE,
        "created_at": "2026-11-22T08:09:10.000Z",
    }
    assert await RateSheet(books.database).current(NOW_MS) == {"model_a": Rates(3000, 15000)}
    assert [line[:2] for line in await books.audited()] == [("rates.set", "model_a")]


async def test_versions_are_listed_newest_first_and_in_pages(books: Ledger) -> None:
    for model, at in (("model_b", None), ("model_a", None), ("model_a", "2027-01-01T00:00:00Z")):
        wish = {"model": model, "rates": RATES, "effective_from": at}
        await books.done("PUT", PATH, wish)
    rows = (await books.get(PATH))["rates"]
    assert [(row["model"], row["to_come"]) for row in rows] == [
        ("model_a", True),
        ("model_a", False),
        ("model_b", False),
    ]
    assert rows[0]["effective_from"] == "2027-01-01T00:00:00.000Z"
    assert (await books.get(f"{PATH}?model=model_b"))["rates"] == rows[2:]
    assert await books.get(f"{PATH}?limit=2") == {"rates": rows[:2], "has_more": True}
    assert await books.get(f"{PATH}?limit=2&offset=2") == {"rates": rows[2:], "has_more": False}


async def test_what_has_passed_keeps_its_rates(books: Ledger) -> None:
    wish = {"model": "model_a", "rates": RATES, "effective_from": "2026-11-22T08:08:09Z"}
    said = await books.send("PUT", PATH, wish)
    assert said.status == 400
    assert said.message.startswith("effective_from: It has passed")
    # Within a minute it is now, whatever clock was read.
    told = await books.done("PUT", PATH, {**wish, "effective_from": "2026-11-22T08:09:00Z"})
    assert told["effective_from"] == "2026-11-22T08:09:10.000Z"


async def test_only_rates_to_come_can_be_taken_back(books: Ledger) -> None:
    at = "2026-12-01T00:00:00.000Z"
    await books.done("PUT", PATH, {"model": "model_a", "rates": RATES})
    await books.done("PUT", PATH, {"model": "model_a", "rates": RATES, "effective_from": at})
    gone = await books.done("DELETE", f"{PATH}/model_a?effective_from={at}")
    assert gone == {"model": "model_a", "effective_from": at, "withdrawn": True}
    assert len((await books.get(PATH))["rates"]) == 1
    assert (await books.send("DELETE", f"{PATH}/model_a?effective_from={at}")).status == 404
    now = "2026-11-22T08:09:10.000Z"
    assert (await books.send("DELETE", f"{PATH}/model_a?effective_from={now}")).status == 409
    assert (await books.send("DELETE", f"{PATH}/model_a")).status == 400


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"model": "model_z"}, "model"),
        ({"rates": {"input": 1}}, "rates.output"),
        ({"rates": {**RATES, "input": -1}}, "rates.input"),
        ({"rates": {**RATES, "cache_read": 1.5}}, "rates.cache_read"),
        ({"rates": {**RATES, "search": 1}}, "rates.search"),
        ({"effective_from": "tomorrow"}, "effective_from"),
        ({"effective_from": "9999-01-01T00:00:00Z"}, "effective_from"),
    ],
)
async def test_a_wrong_field_is_named_first(
    books: Ledger, changes: dict[str, Any], field: str
) -> None:
    said = await books.send("PUT", PATH, {"model": "model_a", "rates": RATES, **changes})
    assert said.status == 400
    assert said.message.startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("permissions", "reads", "writes"),
    [((MSP_MODELS,), 200, 200), ((MSP_VIEW,), 200, 403), (("models.disable",), 403, 403)],
)
async def test_who_may(
    books: Ledger, permissions: tuple[str, ...], reads: int, writes: int
) -> None:
    books.empower("ada", *permissions)
    assert (await books.ask(PATH, "ada")).status == reads
    wish = {"model": "model_a", "rates": RATES}
    assert (await books.send("PUT", PATH, wish, "ada")).status == writes
    at = "2027-01-01T00:00:00Z"
    said = await books.send("DELETE", f"{PATH}/model_a?effective_from={at}", None, "ada")
    assert said.status == (404 if writes == 200 else 403)

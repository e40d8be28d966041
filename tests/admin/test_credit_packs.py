"""Credit packs: for this month, for good, taken away again."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.admin.credit_packs import PackDesk
from proxy.domain.permissions import MSP_BILLING, MSP_VIEW
from proxy.limits.window import Months
from proxy.storage.packages import CreditPacks
from proxy.storage.tenants import Tenants
from tests.admin.office_floor import Visit
from tests.admin.usage_floor import CREDIT, Ledger, ledger

PATH = "/v1/admin/credit-packs"


@pytest.fixture
async def books(tmp_path: Path, aiohttp_client: Visit) -> AsyncIterator[Ledger]:
    async with ledger(tmp_path) as books:
        books.empower("root", MSP_BILLING)
        desk = PackDesk(
            CreditPacks(books.database), Tenants(books.database), Months("Europe/Berlin")
        )
        await books.open(desk.endpoints(), aiohttp_client)
        yield books


def tenant(books: Ledger) -> str:
    return books.callers["ada"].tenant_id


async def test_without_dates_a_pack_is_for_this_month(books: Ledger) -> None:
    made = await books.done("POST", PATH, {"tenant_id": tenant(books), "credits": 1500})
    assert made == {
        "id": made["id"],
        "tenant_id": tenant(books),
        "name": "1500 Extra Credits",
        "credits": 1500.0,
        "valid_from": "2026-11-22T08:09:10.000Z",
        # Midnight in Berlin.
        "valid_until": "2026-11-30T23:00:00.000Z",
        "created_at": "2026-11-22T08:09:10.000Z",
        "counts": True,
    }
    found = await Tenants(books.database).get(tenant(books))
    assert found is not None
    assert [pack.credits for pack in found.packs] == [1500 * CREDIT]


async def test_a_recurring_pack_has_no_end(books: Ledger) -> None:
    made = await books.done(
        "POST", PATH, {"tenant_id": tenant(books), "credits": 1, "recurring": True}
    )
    assert made["valid_until"] is None


async def test_a_pack_may_be_for_months_to_come(books: Ledger) -> None:
    wish = {"tenant_id": tenant(books), "credits": 0.5, "name": "Winter"}
    later = await books.done("POST", PATH, {**wish, "valid_from": "2026-12-24T00:00:00Z"})
    assert (later["valid_until"], later["counts"]) == ("2026-12-31T23:00:00.000Z", False)
    span = {"valid_from": "2026-10-01T00:00:00+02:00", "valid_until": "2026-11-01T00:00:00+01:00"}
    past = await books.done("POST", PATH, {**wish, **span})
    assert (past["valid_from"], past["valid_until"], past["counts"]) == (
        *("2026-09-30T22:00:00.000Z", "2026-10-31T23:00:00.000Z"),
        False,
    )
    rows = await books.get(f"{PATH}?tenant_id={tenant(books)}")
    assert rows == {"credit_packs": [past, later], "has_more": False}
    page = await books.get(f"{PATH}?tenant_id={tenant(books)}&limit=1")
    assert page == {"credit_packs": [past], "has_more": True}


async def test_a_pack_can_be_taken_away(books: Ledger) -> None:
    made = await books.done("POST", PATH, {"tenant_id": tenant(books), "credits": 1})
    gone = await books.done("DELETE", f"{PATH}/{made['id']}")
    assert gone == {"id": made["id"], "deleted": True}
    assert (await books.get(f"{PATH}?tenant_id={tenant(books)}"))["credit_packs"] == []
    assert (await books.send("DELETE", f"{PATH}/{made['id']}")).status == 404
    assert [line[:2] for line in await books.audited()] == [
        ("pack.add", made["id"]),
        ("pack.remove", made["id"]),
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"credits": 0}, "credits"),
        ({"credits": -1}, "credits"),
        ({"credits": 0.0000001}, "credits"),
        ({"credits": None}, "credits"),
        ({"valid_from": "2026-11-01"}, "valid_from"),
        ({"valid_from": "2026-11-01T00:00:00"}, "valid_from"),
        ({"valid_from": "0001-01-01T00:00:00Z"}, "valid_from"),
        ({"valid_until": "2026-11-22T08:09:10Z"}, "valid_until"),
        ({"valid_until": "2026-12-01T00:00:00Z", "recurring": True}, "valid_until"),
        ({"name": "a\nb"}, "name"),
    ],
)
async def test_a_wrong_field_is_named_first(
    books: Ledger, changes: dict[str, Any], field: str
) -> None:
    wish = {"tenant_id": tenant(books), "credits": 1, **changes}
    said = await books.send("POST", PATH, wish)
    assert said.status == 400
    assert said.message.startswith(f"{field}: ")


async def test_a_tenant_that_is_not_there_gets_none(books: Ledger) -> None:
    assert (await books.send("POST", PATH, {"tenant_id": "no", "credits": 1})).status == 404
    assert (await books.ask(f"{PATH}?tenant_id=no")).status == 404
    said = await books.ask(PATH)
    assert (said.status, said.message.partition(":")[0]) == (400, "tenant_id")


@pytest.mark.parametrize(
    ("permissions", "reads", "writes"),
    [((MSP_BILLING,), 200, 201), ((MSP_VIEW,), 200, 403), (("tenant.manage",), 403, 403)],
)
async def test_who_may(
    books: Ledger, permissions: tuple[str, ...], reads: int, writes: int
) -> None:
    books.empower("ada", *permissions)
    assert (await books.ask(f"{PATH}?tenant_id={tenant(books)}", "ada")).status == reads
    wish = {"tenant_id": tenant(books), "credits": 1}
    assert (await books.send("POST", PATH, wish, "ada")).status == writes
    said = await books.send("DELETE", f"{PATH}/x", None, "ada")
    assert said.status == (404 if writes == 201 else 403)

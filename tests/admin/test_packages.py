"""Packages: made, changed, deleted, and who may."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.admin.packages import PackageDesk
from proxy.domain.permissions import MSP_BILLING, MSP_VIEW
from proxy.storage.packages import Packages
from proxy.storage.tenants import Tenants
from tests.admin.office_floor import Visit
from tests.admin.usage_floor import BY, CREDIT, Ledger, ledger

PATH = "/v1/admin/packages"


@pytest.fixture
async def books(tmp_path: Path, aiohttp_client: Visit) -> AsyncIterator[Ledger]:
    async with ledger(tmp_path) as books:
        books.empower("root", MSP_BILLING)
        desk = PackageDesk(Packages(books.database), lambda: {"model_a", "model_b"})
        await books.open(desk.endpoints(), aiohttp_client)
        yield books


async def test_a_package_is_made_with_what_is_given(books: Ledger) -> None:
    made = await books.done("POST", PATH, {"name": "Starter"})
    assert made == {
        "id": made["id"],
        "name": "Starter",
        "monthly_credits": None,
        "allowed_models": None,
        "ladder": None,
        "created_at": "2026-11-22T08:09:10.000Z",
        "tenant_count": 0,
    }
    wish = {
        "name": "Professional",
        "monthly_credits": 1500.5,
        "allowed_models": ["model_b", "model_a"],
        "ladder": [{"ratio": 1.0, "multiplier": 1.0}, {"ratio": 1.5, "multiplier": None}],
    }
    full = await books.done("POST", PATH, wish)
    assert {name: full[name] for name in wish} == {
        **wish,
        "allowed_models": ["model_a", "model_b"],
    }
    assert await books.get(f"{PATH}/{full['id']}") == full
    stored = await Packages(books.database).get(full["id"])
    assert stored is not None
    assert stored.monthly_credits == 1_500_500_000


async def test_a_limit_of_0_is_not_no_limit(books: Ledger) -> None:
    made = await books.done("POST", PATH, {"name": "Nothing", "monthly_credits": 0})
    assert made["monthly_credits"] == 0.0


async def test_lists_come_by_name_and_in_pages(books: Ledger) -> None:
    for name in ("c", "a", "b"):
        await books.done("POST", PATH, {"name": name})
    first = await books.get(f"{PATH}?limit=2")
    assert ([row["name"] for row in first["packages"]], first["has_more"]) == (["a", "b"], True)
    rest = await books.get(f"{PATH}?limit=2&offset=2")
    assert ([row["name"] for row in rest["packages"]], rest["has_more"]) == (["c"], False)
    assert (await books.get(f"{PATH}?limit=3"))["has_more"] is False


async def test_what_is_left_out_of_a_change_stays(books: Ledger) -> None:
    made = await books.done(
        "POST", PATH, {"name": "S", "monthly_credits": 5, "allowed_models": ["model_a"]}
    )
    changed = await books.done("PATCH", f"{PATH}/{made['id']}", {"monthly_credits": 7})
    assert changed == {**made, "monthly_credits": 7.0}
    changed = await books.done(
        "PATCH",
        f"{PATH}/{made['id']}",
        {"name": "T", "monthly_credits": None, "allowed_models": None},
    )
    assert changed == {**made, "name": "T", "monthly_credits": None, "allowed_models": None}


async def test_every_change_leaves_its_line(books: Ledger) -> None:
    made = await books.done("POST", PATH, {"name": "S"})
    await books.done("PATCH", f"{PATH}/{made['id']}", {"monthly_credits": 7})
    assert await books.done("DELETE", f"{PATH}/{made['id']}") == {
        "id": made["id"],
        "deleted": True,
    }
    lines = await books.audited()
    assert [(line[0], line[1]) for line in lines] == [
        (f"package.{verb}", made["id"]) for verb in ("create", "change", "delete")
    ]
    assert lines[1][2:] == ({"monthly_credits": None}, {"monthly_credits": 7 * CREDIT})


async def test_a_package_in_use_stays(books: Ledger) -> None:
    made = await books.done("POST", PATH, {"name": "S"})
    tenants = Tenants(books.database)
    tenant_id = books.callers["ada"].tenant_id
    await tenants.change(tenant_id, BY, package_id=made["id"])
    assert (await books.get(f"{PATH}/{made['id']}"))["tenant_count"] == 1
    said = await books.send("DELETE", f"{PATH}/{made['id']}")
    assert said.status == 409
    assert "in use" in said.message


async def test_a_name_is_taken_once(books: Ledger) -> None:
    await books.done("POST", PATH, {"name": "S"})
    assert (await books.send("POST", PATH, {"name": "S"})).status == 409


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_what_is_not_there_is_not_found(books: Ledger, method: str) -> None:
    body = {"name": "T"} if method == "PATCH" else None
    assert (await books.send(method, f"{PATH}/package_none", body)).status == 404


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x", "monthly_credits": -1}, "monthly_credits"),
        ({"name": "x", "monthly_credits": 1e300}, "monthly_credits"),
        ({"name": "x", "monthly_credits": "5"}, "monthly_credits"),
        ({"name": "x", "credits": 5}, "credits"),
        ({"name": "x", "allowed_models": ["model_a", "no"]}, "allowed_models.1"),
        ({"name": "x", "ladder": [{"ratio": 0}]}, "ladder.0.ratio"),
        ({"name": "x", "ladder": [{"ratio": 1}, {"ratio": 1}]}, "ladder.1.ratio"),
        (
            {"name": "x", "ladder": [{"ratio": 1, "multiplier": 1}, {"ratio": 2, "multiplier": 2}]},
            "ladder.1.multiplier",
        ),
        ({"name": "x", "ladder": [{"ratio": 1}, {"ratio": 2}]}, "ladder.1.multiplier"),
        ({"name": "x", "ladder": [{"ratio": 1, "multiplier": -1}]}, "ladder.0.multiplier"),
        ({"name": "x", "ladder": [{"ratio": 1, "extra": 1}]}, "ladder.0.extra"),
        ({"name": "x", "ladder": [{"ratio": 1}] * 21}, "ladder"),
    ],
)
async def test_a_wrong_field_is_named_first(
    books: Ledger, wish: dict[str, Any], field: str
) -> None:
    said = await books.send("POST", PATH, wish)
    assert said.status == 400
    assert said.message.startswith(f"{field}: ")
    assert (await books.get(PATH))["packages"] == []


@pytest.mark.parametrize(
    ("permissions", "reads", "writes"),
    [((MSP_BILLING,), 200, 201), ((MSP_VIEW,), 200, 403), (("tenant.manage",), 403, 403)],
)
async def test_who_may(
    books: Ledger, permissions: tuple[str, ...], reads: int, writes: int
) -> None:
    books.empower("ada", *permissions)
    assert (await books.ask(PATH, "ada")).status == reads
    assert (await books.send("POST", PATH, {"name": "S"}, "ada")).status == writes
    for method in ("PATCH", "DELETE"):
        said = await books.send(method, f"{PATH}/x", {"name": "T"}, "ada")
        assert said.status == (404 if writes == 201 else 403)

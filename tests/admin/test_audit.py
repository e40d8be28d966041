"""The audit over HTTP: newest first, page by page, of everything or of one tenant."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from proxy.admin.audit import AuditPages
from proxy.domain.permissions import MSP_SETTINGS, MSP_VIEW
from proxy.storage.audit import Audit
from proxy.storage.notes import Notes
from proxy.storage.tenants import Tenants
from tests.admin.office_floor import Visit
from tests.admin.usage_floor import BY, Ledger, ledger

PATH = "/v1/admin/audit"


@pytest.fixture
async def books(tmp_path: Path, aiohttp_client: Visit) -> AsyncIterator[Ledger]:
    async with ledger(tmp_path) as books:
        await books.database.run([("DELETE FROM audit", ())])
        books.empower("root", MSP_SETTINGS)
        await books.open(AuditPages(Audit(books.database)).endpoints(), aiohttp_client)
        yield books


async def test_nothing_changed_is_an_empty_page(books: Ledger) -> None:
    assert await books.get(PATH) == {"data": [], "next_cursor": None}


async def test_a_line_says_who_changed_what_from_what_to_what(books: Ledger) -> None:
    tenant_id = books.callers["ada"].tenant_id
    await Tenants(books.database).change(tenant_id, BY, name="Uno")
    [line] = (await books.get(PATH))["data"]
    assert line == {
        "id": line["id"],
        "at": "2026-11-22T08:09:10.000Z",
        "actor_id": "user_root",
        "actor": "root@msp.example",
        "tenant_id": tenant_id,
        "action": "tenant.change",
        "target": tenant_id,
        "before": {"name": "One"},
        "after": {"name": "Uno"},
        "request_id": "req_root",
    }


async def test_pages_are_followed_by_cursor_while_lines_are_written(books: Ledger) -> None:
    notes = Notes(books.database)
    for n in range(5):
        await notes.note(msgspec.structs.replace(BY, at=BY.at + n // 2), "x.do", f"t{n}")
    seen: list[str] = []
    query = "?limit=2"
    while True:
        page = await books.get(PATH + query)
        seen += [line["target"] for line in page["data"]]
        if page["next_cursor"] is None:
            break
        await notes.note(msgspec.structs.replace(BY, at=BY.at + 100), "x.do", "later")
        query = f"?limit=2&cursor={page['next_cursor']}"
    assert sorted(seen) == ["t0", "t1", "t2", "t3", "t4"]
    assert seen[0] == "t4"


async def test_lines_of_one_tenant_or_of_the_installation(books: Ledger) -> None:
    tenant_id = books.callers["ada"].tenant_id
    await Tenants(books.database).change(tenant_id, BY, name="Uno")
    await Notes(books.database).note(BY, "x.do", "t")

    async def actions(query: str) -> list[str]:
        return [line["action"] for line in (await books.get(PATH + query))["data"]]

    assert await actions(f"?tenant_id={tenant_id}") == ["tenant.change"]
    assert await actions("?tenant_id=") == ["x.do"]
    assert await actions("?tenant_id=tenant_none") == []
    assert sorted(await actions("")) == ["tenant.change", "x.do"]


@pytest.mark.parametrize("query", ["cursor=x", "limit=0", "limit=1001"])
async def test_what_makes_no_sense_is_refused(books: Ledger, query: str) -> None:
    said = await books.ask(f"{PATH}?{query}")
    assert said.status == 400
    assert said.message.startswith(query.partition("=")[0])


async def test_only_the_installations_administrators_may(books: Ledger) -> None:
    books.empower("ada", MSP_VIEW, "tenant.manage")
    assert (await books.ask(PATH, "ada")).status == 403

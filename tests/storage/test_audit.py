"""The audit: lines that come with their change or not at all, read in pages."""

import pytest

from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor, AuditLine
from proxy.storage.audit import Audit, audited
from proxy.storage.database import Database


def actor(at: int) -> Actor:
    return Actor("user_root", "root@example.com", at, "req_1")


async def test_a_line_says_who_when_what_and_how_it_was(database: Database) -> None:
    before, after = {"name": "é", "list": [1, None]}, {"name": "b", "ratio": 0.5}
    await database.run(
        [audited(actor(7), "x.change", "x_1", tenant_id="tenant_1", before=before, after=after)]
    )
    [line] = await Audit(database).page()
    assert line == AuditLine(
        id=line.id,
        at=7,
        actor_id="user_root",
        actor="root@example.com",
        tenant_id="tenant_1",
        action="x.change",
        target="x_1",
        before=before,
        after=after,
        request_id="req_1",
    )


async def test_a_change_that_fails_leaves_no_line(database: Database) -> None:
    broken = ("INSERT INTO tenants (id, name, created_at) VALUES ('a', NULL, 1)", ())
    with pytest.raises(Fault):
        await database.run([audited(actor(1), "x.create", "x_1"), broken])
    assert await Audit(database).page() == []


async def test_pages_are_newest_first_and_lose_none_of_one_moment(database: Database) -> None:
    moments = [3, 1, 2, 2, 2, 3, 1]
    await database.run([audited(actor(at), "x.change", str(n)) for n, at in enumerate(moments)])
    audit = Audit(database)
    seen: list[AuditLine] = []
    cursor = None
    while page := await audit.page(2, cursor=cursor):
        seen += page
        cursor = page[-1].cursor
    assert [line.at for line in seen] == sorted(moments, reverse=True)
    assert sorted(line.target for line in seen) == [str(n) for n in range(len(moments))]


async def test_a_tenant_sees_its_own_lines_only(database: Database) -> None:
    await database.run(
        [
            audited(actor(n), "x.change", f"x_{n}", tenant_id=tenant)
            for n, tenant in enumerate(["tenant_1", "tenant_2", "", None])
        ]
    )
    audit = Audit(database)
    assert [line.target for line in await audit.page(tenant_id="tenant_1")] == ["x_0"]
    assert [line.target for line in await audit.page(tenant_id="")] == ["x_3", "x_2"]
    assert len(await audit.page()) == 4


@pytest.mark.parametrize("cursor", ["", "x", ".", "1", "x.y", "1²3.x", "9" * 16 + ".x", "-1.x"])
async def test_a_cursor_we_never_gave_is_refused(database: Database, cursor: str) -> None:
    with pytest.raises(Fault) as refused:
        await Audit(database).page(cursor=cursor)
    assert refused.value.kind is Kind.BAD_REQUEST
    assert refused.value.message.startswith("cursor: ")

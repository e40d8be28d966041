"""Queries: the audit, a line for every change an administrator made.

A line is a statement that goes into the very transaction of the change: there is no change without
its line. Lines are never edited.
"""

import msgspec

from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor, AuditLine
from proxy.storage.database import Database, Row, Statement
from proxy.storage.writing import new_id

LINES_MAX = 1_000

_INSERT = (
    "INSERT INTO audit (id, at, actor_id, actor, tenant_id, action, target, before, after,"
    " request_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SELECT = (
    "SELECT id, at, actor_id, actor, tenant_id, action, target, before, after, request_id"
    " FROM audit"
)


def audited(
    by: Actor,
    action: str,
    target: str,
    *,
    tenant_id: str | None = "",
    before: object = None,
    after: object = None,
) -> Statement:
    """The statement that goes into the transaction of a change. `before` and `after` are what
    changed as it was and is, of anything JSON can say; never anything secret."""
    return (
        _INSERT,
        (
            *(new_id("audit"), by.at, by.id, by.name, tenant_id or ""),
            *(action, target, _json(before), _json(after), by.request_id),
        ),
    )


class Audit:
    """Reads the lines."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, limit: int = 100, *, cursor: str | None = None, tenant_id: str | None = None
    ) -> list[AuditLine]:
        """Lines, newest first: of everything, or of one tenant ('': of the installation).
        `cursor` is that of the last line of the page before. BAD_REQUEST for one we never gave."""
        conditions: list[str] = []
        params: list[str | int] = []
        if tenant_id is not None:
            conditions.append("tenant_id = ?")
            params.append(tenant_id)
        if cursor is not None:
            conditions.append("(at < ? OR (at = ? AND id < ?))")
            at, line_id = _place(cursor)
            params += [at, at, line_id]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        rows = await self._database.fetch(
            f"{_SELECT}{where} ORDER BY at DESC, id DESC LIMIT ?", (*params, min(limit, LINES_MAX))
        )
        return [_line(row) for row in rows]


def _line(row: Row) -> AuditLine:
    line_id, at, actor_id, actor, tenant_id, action, target, before, after, request_id = row
    return AuditLine(
        id=line_id,
        at=at,
        actor_id=actor_id,
        actor=actor,
        tenant_id=tenant_id,
        action=action,
        target=target,
        before=msgspec.json.decode(before),
        after=msgspec.json.decode(after),
        request_id=request_id,
    )


def _place(cursor: str) -> tuple[int, str]:
    at, dot, line_id = cursor.partition(".")
    if not dot or not (at.isascii() and at.isdigit()) or len(at) > 15:
        raise Fault(Kind.BAD_REQUEST, "cursor: take it from the last row of the page before.")
    return int(at), line_id


def _json(document: object) -> str:
    return msgspec.json.encode(document, order="sorted").decode()

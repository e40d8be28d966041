"""Queries: what was used, by model, user, source and time, and the rows themselves in pages.

Sums are added up here in whole micro-credits; zones are not known here, only the offset of a
stretch of time. Every query reads one stretch of `started_at` and, where it is given, one tenant:
both have an index.
"""

from typing import Any

import msgspec

from proxy.domain.entry import CLIENT_GONE, COMPLETED, Entry
from proxy.domain.people import CREDIT
from proxy.domain.sums import ModelSums, SourceSums, Sums, UserSums, Within
from proxy.storage.database import Database, Row

# CAST: PostgreSQL would give a sum of BIGINT as NUMERIC. Coalesce: no rows have no sum.
_SUMS = ", ".join(
    [
        "count(*) AS requests",
        f"CAST(coalesce(sum(CASE WHEN e.outcome IN ('{COMPLETED.value}', '{CLIENT_GONE.value}')"
        " THEN 0 ELSE 1 END), 0) AS BIGINT) AS errors",
        *[
            f"CAST(coalesce(sum(e.{name}), 0) AS BIGINT) AS {name}"
            for name in Sums._fields
            if name not in ("requests", "errors")
        ],
    ]
)
_CREDITS = "credits_in + credits_out + credits_actions"
_SUM_NAMES = ", ".join([f"g.{name}" for name in Sums._fields])
_ENTRY = ", ".join([f"e.{name}" for name in Entry.__struct_fields__])


class Usage:
    """Reads the ledger; writes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def total(self, within: Within) -> tuple[Sums, int]:
        """The sums of all, and how many users they are of."""
        where, params = _where(within)
        rows = await self._database.fetch(
            f"SELECT count(DISTINCT e.user_id), {_SUMS} FROM entries e WHERE {where}", params
        )
        return Sums(*rows[0][1:]), rows[0][0]

    async def by_model(self, within: Within, limit: int, offset: int = 0) -> list[ModelSums]:
        """Per resolved model, dearest first."""
        rows = await self._groups("e.model AS model", "model", within, (limit, offset))
        return [ModelSums(row[0], Sums(*row[1:])) for row in rows]

    async def by_source(self, within: Within, limit: int, offset: int = 0) -> list[SourceSums]:
        """Per surface and client, dearest first."""
        columns = "e.surface AS surface, e.client AS client"
        rows = await self._groups(columns, "surface, client", within, (limit, offset))
        return [SourceSums(row[0], row[1], Sums(*row[2:])) for row in rows]

    async def by_user(
        self, within: Within, period: str, limit: int, offset: int = 0
    ) -> list[UserSums]:
        """Per user and tenant, dearest first. `period` is the running month, like '2026-11'.

        Who has left a tenant is only an id to it: the address is no longer its own to know. For the
        others the month is that of all tenants they were in, as their role's cap counts it.
        """
        where, params = _where(within)
        rows = await self._database.fetch(
            "SELECT g.user_id, g.tenant_id, u.email, r.slug, r.user_credit_limit,"
            " CASE WHEN u.id IS NULL THEN NULL ELSE (SELECT CAST(coalesce(sum(m.credits), 0) AS"
            " BIGINT) FROM month_use m WHERE m.period = ? AND m.user_id = g.user_id) END,"
            f" {_SUM_NAMES}"
            f" FROM (SELECT e.user_id AS user_id, e.tenant_id AS tenant_id, {_SUMS}"
            f" FROM entries e WHERE {where} GROUP BY e.user_id, e.tenant_id) g"
            " LEFT JOIN users u ON u.id = g.user_id AND u.tenant_id = g.tenant_id"
            " LEFT JOIN roles r ON r.id = u.role_id"
            f" ORDER BY {_CREDITS} DESC, g.user_id, g.tenant_id"
            " LIMIT ? OFFSET ?",
            (period, *params, limit, offset),
        )
        return [_user(row) for row in rows]

    async def by_time(
        self, within: Within, every_ms: int, offset_ms: int, wrap: int | None = None
    ) -> list[tuple[int, Sums]]:
        """Per stretch of `every_ms` of a clock that is `offset_ms` ahead of UTC: its number since
        the epoch, from 0 to before `wrap` where that is given (168 hours: a week)."""
        where, params = _where(within)
        # Written into the text: two parameters would not be seen to be the same expression.
        number = f"(e.started_at + {offset_ms:d}) / {every_ms:d}"
        if wrap is not None:
            number = f"({number}) % {wrap:d}"
        rows = await self._database.fetch(
            f"SELECT {number}, {_SUMS} FROM entries e WHERE {where} GROUP BY {number} ORDER BY 1",
            params,
        )
        return [(row[0], Sums(*row[1:])) for row in rows]

    async def requests(self, period: str, user_id: str) -> int:
        """How many generations a user began in a month such as '2026-11', in whatever tenant."""
        rows = await self._database.fetch(
            "SELECT CAST(coalesce(sum(requests), 0) AS BIGINT) FROM month_use"
            " WHERE period = ? AND user_id = ?",
            (period, user_id),
        )
        requests: int = rows[0][0]
        return requests

    async def events(
        self,
        within: Within,
        limit: int,
        *,
        before: tuple[int, str] | None = None,
        request_id: str | None = None,
        offset: int = 0,
    ) -> list[Entry]:
        """Rows, newest first; `before` is the start and event id of the last one of the page
        before, which rows that arrive meanwhile do not move."""
        if before is not None:
            within = msgspec.structs.replace(within, end_ms=min(within.end_ms, before[0] + 1))
        where, params = _where(within)
        if before is not None:
            where += " AND (e.started_at < ? OR e.event_id < ?)"
            params += before
        if request_id is not None:
            where += " AND e.request_id = ?"
            params += (request_id,)
        rows = await self._database.fetch(
            f"SELECT {_ENTRY} FROM entries e WHERE {where}"
            " ORDER BY e.started_at DESC, e.event_id DESC LIMIT ? OFFSET ?",
            (*params, limit, offset),
        )
        # Not strict: flags are stored as 0 and 1.
        return [msgspec.convert(row, Entry, strict=False) for row in rows]

    async def _groups(
        self, columns: str, names: str, within: Within, page: tuple[int, int]
    ) -> list[Row]:
        where, params = _where(within)
        # Wrapped: PostgreSQL orders by a name of the result, but not by a sum of names.
        return await self._database.fetch(
            f"SELECT * FROM (SELECT {columns}, {_SUMS} FROM entries e WHERE {where}"
            f" GROUP BY {names}) g ORDER BY {_CREDITS} DESC, {names} LIMIT ? OFFSET ?",
            (*params, *page),
        )


def _where(within: Within) -> tuple[str, tuple[Any, ...]]:
    where = "e.started_at >= ? AND e.started_at < ?"
    params: tuple[Any, ...] = (within.start_ms, within.end_ms)
    for name in ("tenant_id", "user_id", "model"):
        wanted = getattr(within, name)
        if wanted is not None:
            where += f" AND e.{name} = ?"
            params += (wanted,)
    return where, params


def _user(row: Row) -> UserSums:
    user_id, tenant_id, email, role, cap_credits, month_credits, *sums = row
    cap = None if cap_credits is None else round(cap_credits * CREDIT)
    return UserSums(user_id, tenant_id, email, role, cap, month_credits, Sums(*sums))

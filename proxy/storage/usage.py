"""Queries: what was used, by model, user, source and time, and the rows themselves in pages.

Sums are added up here in whole micro-credits; zones are not known here, only the offset of a
stretch of time. What was summed before is read as sums (`storage/layers.py`), and only what begins
or ends within an hour as rows. Every query reads one stretch of time and, where it is given, one
tenant: both have an index.
"""

from math import gcd

import msgspec

from proxy.domain.entry import Entry
from proxy.domain.people import CREDIT
from proxy.domain.sums import ModelSums, SourceSums, Sums, UserSums, Within
from proxy.storage.database import Database, Row
from proxy.storage.layers import owned, sums_within

# CAST: PostgreSQL would give a sum of BIGINT as NUMERIC. Coalesce: no rows have no sum.
_SUMS = ", ".join(
    [f"CAST(coalesce(sum(e.{name}), 0) AS BIGINT) AS {name}" for name in Sums._fields]
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
        people, whose = sums_within(within, ("user_id",))
        source, params = sums_within(within)
        rows = await self._database.fetch(
            f"SELECT (SELECT count(DISTINCT p.user_id) FROM {people} p), {_SUMS} FROM {source} e",
            (*whose, *params),
        )
        return Sums(*rows[0][1:]), rows[0][0]

    async def by_model(self, within: Within, limit: int, offset: int = 0) -> list[ModelSums]:
        """Per resolved model, dearest first."""
        rows = await self._groups(("model",), within, (limit, offset))
        return [ModelSums(row[0], Sums(*row[1:])) for row in rows]

    async def by_source(self, within: Within, limit: int, offset: int = 0) -> list[SourceSums]:
        """Per surface and client, dearest first."""
        rows = await self._groups(("surface", "client"), within, (limit, offset))
        return [SourceSums(row[0], row[1], Sums(*row[2:])) for row in rows]

    async def by_user(
        self, within: Within, period: str, limit: int, offset: int = 0
    ) -> list[UserSums]:
        """Per user and tenant, dearest first. `period` is the running month, like '2026-11'.

        Who has left a tenant is only an id to it: the address is no longer its own to know. For the
        others the month is that of all tenants they were in, as their role's cap counts it.
        """
        source, params = sums_within(within, ("user_id", "tenant_id"))
        rows = await self._database.fetch(
            "SELECT g.user_id, g.tenant_id, u.email, r.slug, r.user_credit_limit,"
            " CASE WHEN u.id IS NULL THEN NULL ELSE (SELECT CAST(coalesce(sum(m.credits), 0) AS"
            " BIGINT) FROM month_use m WHERE m.period = ? AND m.user_id = g.user_id) END,"
            f" {_SUM_NAMES}"
            f" FROM (SELECT e.user_id AS user_id, e.tenant_id AS tenant_id, {_SUMS}"
            f" FROM {source} e GROUP BY e.user_id, e.tenant_id) g"
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
        source, params = sums_within(within, fit_ms=gcd(every_ms, offset_ms))
        # Written into the text: two parameters would not be seen to be the same expression.
        number = f"(e.started_at + {offset_ms:d}) / {every_ms:d}"
        if wrap is not None:
            number = f"({number}) % {wrap:d}"
        rows = await self._database.fetch(
            f"SELECT {number}, {_SUMS} FROM {source} e GROUP BY {number} ORDER BY 1", params
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
        span = (within.start_ms, within.end_ms)
        where, params = owned(within, "e.started_at >= ? AND e.started_at < ?", span)
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
        self, columns: tuple[str, ...], within: Within, page: tuple[int, int]
    ) -> list[Row]:
        names = ", ".join(columns)
        source, params = sums_within(within, columns)
        # Wrapped: PostgreSQL orders by a name of the result, but not by a sum of names.
        return await self._database.fetch(
            f"SELECT * FROM (SELECT {names}, {_SUMS} FROM {source} e"
            f" GROUP BY {names}) g ORDER BY {_CREDITS} DESC, {names} LIMIT ? OFFSET ?",
            (*params, *page),
        )


def _user(row: Row) -> UserSums:
    user_id, tenant_id, email, role, cap_credits, month_credits, *sums = row
    cap = None if cap_credits is None else round(cap_credits * CREDIT)
    return UserSums(user_id, tenant_id, email, role, cap, month_credits, Sums(*sums))

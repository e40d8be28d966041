"""Queries: the sums of a month, as the transaction that stores the ledger's rows keeps them."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from proxy.storage.database import Database

IDS_PER_STATEMENT = 200

_TENANTS = "SELECT tenant_id, credits FROM month_use WHERE period = ? AND user_id = ''"
# All the tenants a user was in: moving does not give a role's month a second time.
# CAST: PostgreSQL would give a sum of BIGINT as NUMERIC.
_USERS = "SELECT user_id, CAST(sum(credits) AS BIGINT) FROM month_use WHERE period = ?"


class MonthUse:
    """Implements `limits.rounds.UseStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def used(
        self, period: str, tenants: Sequence[str], users: Sequence[str], /
    ) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """Micro-credits used in a month ('2026-11') by tenant and by user; who used none may be
        left out."""
        of_tenants = await self._read(_TENANTS, "tenant_id", period, tenants)
        # '' is the name of the tenants' own rows, never a user's.
        of_users = await self._read(_USERS, "user_id", period, [user for user in users if user])
        return of_tenants, of_users

    async def _read(
        self, query: str, column: str, period: str, ids: Sequence[str]
    ) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for start in range(0, len(ids), IDS_PER_STATEMENT):
            some = ids[start : start + IDS_PER_STATEMENT]
            sql = _sql(query, column, len(some))
            found.update(dict(await self._database.fetch(sql, (period, *some))))
        return found


@lru_cache(maxsize=2 * IDS_PER_STATEMENT)
def _sql(query: str, column: str, ids: int) -> str:
    sql = f"{query} AND {column} IN ({', '.join('?' * ids)})"
    return sql if query is _TENANTS else f"{sql} GROUP BY {column}"

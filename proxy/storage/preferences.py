"""Queries: each user's alias mapping (domain.md 6).

A put replaces the whole mapping; who wants to change one pick reads first. Every change raises the
version of `preferences`.
"""

from proxy.domain.alias_mapping import AliasMapping
from proxy.domain.people import Actor
from proxy.storage.audit import audited
from proxy.storage.changes import PREFERENCES, bump
from proxy.storage.database import Database, Statement, unix_ms

_PUT = (
    "INSERT INTO preferences (user_id, mapping_enabled, opus, sonnet, haiku, updated_at)"
    " VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (user_id) DO UPDATE SET mapping_enabled = excluded.mapping_enabled,"
    " opus = excluded.opus, sonnet = excluded.sonnet, haiku = excluded.haiku,"
    " updated_at = excluded.updated_at"
)


class Preferences:
    """What users chose for themselves. Implements `catalog.mappings.MappingStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, user_id: str, /) -> AliasMapping:
        """A user's mapping; the default one, which is off, if they never saved any."""
        rows = await self._database.fetch(
            "SELECT mapping_enabled, opus, sonnet, haiku FROM preferences WHERE user_id = ?",
            (user_id,),
        )
        if not rows:
            return AliasMapping()
        enabled, opus, sonnet, haiku = rows[0]
        return AliasMapping(enabled=bool(enabled), opus=opus, sonnet=sonnet, haiku=haiku)

    async def put(
        self, user_id: str, mapping: AliasMapping, by: Actor | None = None, tenant_id: str = "", /
    ) -> None:
        """Save a mapping whole, picks included while it is off. With `by` it leaves a line of the
        audit of that tenant."""
        params = (
            *(user_id, int(mapping.enabled), mapping.opus, mapping.sonnet, mapping.haiku),
            unix_ms(),
        )
        statements: list[Statement] = [(_PUT, params)]
        if by is not None:
            before = await self.get(user_id)
            statements.append(
                audited(
                    by,
                    "preferences.change",
                    user_id,
                    tenant_id=tenant_id,
                    before=before,
                    after=mapping,
                )
            )
        await self._database.run([*statements, bump(PREFERENCES)])

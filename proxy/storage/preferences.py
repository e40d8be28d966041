"""Queries: each user's alias mapping (domain.md 6).

A put replaces the whole mapping; who wants to change one pick reads first. Every change raises the
version of `preferences`.
"""

from proxy.domain.caller import AliasMapping
from proxy.storage.changes import PREFERENCES, bump
from proxy.storage.database import Database, unix_ms

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

    async def put(self, user_id: str, mapping: AliasMapping, /) -> None:
        """Save a mapping whole, picks included while it is off."""
        params = (
            *(user_id, int(mapping.enabled), mapping.opus, mapping.sonnet, mapping.haiku),
            unix_ms(),
        )
        await self._database.run([(_PUT, params), bump(PREFERENCES)])

"""Alias mappings in memory: whose `opus`, `sonnet` and `haiku` mean what.

Keyed by user and by our own version, which `invalidate` moves when anything about mappings changed
anywhere; what was read before that is never served after it.
"""

from typing import Protocol

from proxy.catalog.cupboard import Cupboard
from proxy.domain.alias_mapping import AliasMapping
from proxy.domain.people import Actor


class MappingStore(Protocol):
    """Where mappings live. Implemented by `storage/preferences.py`."""

    async def get(self, user_id: str, /) -> AliasMapping:
        """The user's mapping; the default one where nothing was ever saved."""

    async def put(
        self, user_id: str, mapping: AliasMapping, by: Actor | None = None, tenant_id: str = "", /
    ) -> None:
        """Save all of a user's mapping; with a line of the audit of that tenant where somebody did
        it."""


class AliasMaps:
    """One per process."""

    def __init__(
        self, store: MappingStore, *, users_cached_max: int = 10_000, ttl_s: float = 60
    ) -> None:
        self._store = store
        self._kept = Cupboard[AliasMapping](entries_max=users_cached_max, ttl_s=ttl_s)
        self._version = 0

    async def get(self, user_id: str) -> AliasMapping:
        """The user's mapping, from memory or the store."""
        # The version before reading: an answer overtaken by a change lands under a dead key.
        key = (user_id, self._version)
        mapping = await self._kept.get(key)
        if mapping is None:
            mapping = await self._store.get(user_id)
            await self._kept.put(key, mapping)
        return mapping

    def invalidate(self) -> None:
        """Some mapping changed; ask the store again, whoever it was."""
        self._version += 1

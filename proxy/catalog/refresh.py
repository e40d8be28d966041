"""The shelf: where the current catalogue lies, and how the next one gets there.

A snapshot is built whole (models of the settings, the operator's switches from storage) and swapped
in by one assignment; whoever holds the old one finishes with it. Knows no clock and no SQL: the
assembly watches storage's versions and says when.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from proxy.catalog.access import switched
from proxy.catalog.catalog import Catalog
from proxy.domain.model import Model


class SwitchStore(Protocol):
    """Where the operator's switches live. Implemented by `storage/models.py`."""

    async def switches(self) -> Mapping[str, bool]:
        """Model id to on or off, for the models somebody switched."""


class Shelf:
    """One per process. `current` is empty until the first `refresh`: nothing may be served before
    the switches are known."""

    def __init__(
        self,
        models: Iterable[Model],
        store: SwitchStore,
        *,
        mapping_applies_to_native_ids: bool = True,
        custom_aliases: Mapping[str, str] | None = None,
    ) -> None:
        self._models = tuple(models)
        self._store = store
        self._mapping_applies_to_native_ids = mapping_applies_to_native_ids
        self._custom_aliases = dict(custom_aliases or {})
        self._edition = 0
        self._started = 0
        self._shelved = 0
        self.current = Catalog((), "empty")

    async def refresh(self, version: int) -> None:
        """Read the switches and swap in the snapshot of this version of storage. When reading
        fails, the old one stays. Nothing is read when this version is there already."""
        if self.current.version != self._stamp(version):
            self._started += 1
            await self._build(version, self._started)

    def restock(
        self,
        models: Iterable[Model],
        *,
        mapping_applies_to_native_ids: bool,
        custom_aliases: Mapping[str, str],
    ) -> None:
        """The settings were read anew. Takes effect with the next `refresh`, whatever its
        version."""
        self._models = tuple(models)
        self._mapping_applies_to_native_ids = mapping_applies_to_native_ids
        self._custom_aliases = dict(custom_aliases)
        self._edition += 1

    async def _build(self, version: int, ticket: int) -> None:
        switches = await self._store.switches()
        if ticket < self._shelved:
            return  # a later reading overtook this one
        self._shelved = ticket
        self.current = Catalog(
            switched(self._models, switches),
            self._stamp(version),
            mapping_applies_to_native_ids=self._mapping_applies_to_native_ids,
            custom_aliases=self._custom_aliases,
        )

    def _stamp(self, version: int) -> str:
        return f"{self._edition}.{version}"

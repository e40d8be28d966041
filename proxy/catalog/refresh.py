"""The shelf: where the current catalogue lies, and how the next one gets there.

A snapshot is built whole (models of the settings, the operator's switches and rates from storage)
and swapped in by one assignment; whoever holds the old one finishes with it. Knows no clock and no
SQL: the assembly watches storage's versions and says when.
"""

from collections.abc import Iterable, Mapping
from math import inf
from typing import Protocol

from msgspec.structs import replace

from proxy.catalog.access import switched
from proxy.catalog.catalog import Catalog
from proxy.domain.model import Model, Rates


class SwitchStore(Protocol):
    """Where the operator's switches live. Implemented by `storage/models.py`."""

    async def switches(self) -> Mapping[str, bool]:
        """Model id to on or off, for the models somebody switched."""


class RateStore(Protocol):
    """Where rates live that an administrator set. Implemented by `storage/rates.py`."""

    async def current(self, now_ms: int, /) -> Mapping[str, Rates]:
        """The rates in effect, by model id; a model that is missing has the configuration's."""

    async def next_change(self, now_ms: int, /) -> int | None:
        """When the next ones come into effect: no version moves then."""


class ConfiguredRates:
    """No rates but the configuration's."""

    async def current(self, now_ms: int, /) -> Mapping[str, Rates]:
        """None."""
        return {}

    async def next_change(self, now_ms: int, /) -> int | None:
        """Never."""
        return None


CONFIGURED_RATES = ConfiguredRates()


class Shelf:
    """One per process. `current` is empty until the first `refresh`: nothing may be served before
    the switches are known."""

    def __init__(
        self,
        models: Iterable[Model],
        store: SwitchStore,
        rates: RateStore = CONFIGURED_RATES,
        *,
        mapping_applies_to_native_ids: bool = True,
        custom_aliases: Mapping[str, str] | None = None,
    ) -> None:
        self._models = tuple(models)
        self._store = store
        self._rates = rates
        self._rates_end_ms = inf
        self._mapping_applies_to_native_ids = mapping_applies_to_native_ids
        self._custom_aliases = dict(custom_aliases or {})
        self._edition = 0
        self._started = 0
        self._shelved = 0
        self.current = Catalog((), "empty")

    async def refresh(self, version: int, now_ms: int = 0) -> None:
        """Read switches and rates and swap in the snapshot of this version of storage. When reading
        fails, the old one stays. Nothing is read when this version is there already, unless by
        `now_ms` (Unix milliseconds) other rates have come into effect."""
        if now_ms >= self._rates_end_ms:
            self._edition += 1  # another snapshot of the same version
        if self.current.version != self._stamp(version):
            self._started += 1
            await self._build(version, self._started, now_ms)

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

    async def _build(self, version: int, ticket: int, now_ms: int) -> None:
        switches = await self._store.switches()
        rates = await self._rates.current(now_ms)
        end_ms = await self._rates.next_change(now_ms)
        if ticket < self._shelved:
            return  # a later reading overtook this one
        self._shelved = ticket
        self._rates_end_ms = inf if end_ms is None else end_ms
        priced = [
            replace(model, rates=rates[model.id]) if model.id in rates else model
            for model in self._models
        ]
        self.current = Catalog(
            switched(priced, switches),
            self._stamp(version),
            mapping_applies_to_native_ids=self._mapping_applies_to_native_ids,
            custom_aliases=self._custom_aliases,
        )

    def _stamp(self, version: int) -> str:
        return f"{self._edition}.{version}"

"""Queries: models an administrator switched on or off.

The catalogue itself comes from the configuration; a switch of the whole installation ('msp') wins
over it, in both directions. A tenant's or role's switch can only take away, and reaches the caller
through `keys.by_digest`. Every change raises the version of `models`.
"""

from typing import Literal

from proxy.storage.changes import MODELS, bump
from proxy.storage.database import Database

Scope = Literal["msp", "tenant", "role"]

_SET = (
    "INSERT INTO model_switches (scope, scope_id, model_id, enabled) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (scope, scope_id, model_id) DO UPDATE SET enabled = excluded.enabled"
)


class ModelSwitches:
    """Which models are on or off by an administrator's hand. Implements
    `catalog.refresh.SwitchStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def switches(self) -> dict[str, bool]:
        """The switches of the whole installation: model id to on or off."""
        rows = await self._database.fetch(
            "SELECT model_id, enabled FROM model_switches WHERE scope = 'msp'"
        )
        return {model_id: bool(enabled) for model_id, enabled in rows}

    async def set(
        self, model_id: str, *, enabled: bool, scope: Scope = "msp", scope_id: str = ""
    ) -> None:
        """Switch a model on or off, for all or for one tenant or role (`scope_id`)."""
        assert bool(scope_id) == (scope != "msp"), "only a tenant or a role has an id"
        params = (scope, scope_id, model_id, int(enabled))
        await self._database.run([(_SET, params), bump(MODELS)])

"""Queries: models an administrator switched on or off.

The catalogue itself comes from the configuration; a switch of the whole installation ('msp') wins
over it, in both directions. A tenant's or role's switch can only take away, and reaches the caller
through `keys.by_digest`. Every change raises the version of `models`.
"""

from collections.abc import Collection
from typing import Literal

from proxy.domain.people import Actor
from proxy.storage.audit import audited
from proxy.storage.changes import MODELS
from proxy.storage.database import Database, Statement
from proxy.storage.writing import commit

Scope = Literal["msp", "tenant", "role"]

_SET = (
    "INSERT INTO model_switches (scope, scope_id, model_id, enabled) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (scope, scope_id, model_id) DO UPDATE SET enabled = excluded.enabled"
)
_OF = "scope = ? AND scope_id = ?"


def replacing(scope: Scope, scope_id: str, disabled: Collection[str]) -> list[Statement]:
    """The statements after which exactly these models are off for a tenant or role."""
    return [
        (f"DELETE FROM model_switches WHERE {_OF}", (scope, scope_id)),
        *[(_SET, (scope, scope_id, model_id, 0)) for model_id in sorted(set(disabled))],
    ]


class ModelSwitches:
    """Which models are on or off by an administrator's hand. Implements
    `catalog.refresh.SwitchStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def switches(self, scope: Scope = "msp", scope_id: str = "") -> dict[str, bool]:
        """The switches of the whole installation, or of one tenant or role: model id to on or
        off. No switch: as configured, or as the installation has it."""
        rows = await self._database.fetch(
            f"SELECT model_id, enabled FROM model_switches WHERE {_OF}", (scope, scope_id)
        )
        return {model_id: bool(enabled) for model_id, enabled in rows}

    async def set(
        self,
        model_id: str,
        *,
        enabled: bool,
        scope: Scope = "msp",
        scope_id: str = "",
        by: Actor | None = None,
    ) -> None:
        """Switch a model on or off, for all or for one tenant or role (`scope_id`)."""
        assert bool(scope_id) == (scope != "msp"), "only a tenant or a role has an id"
        statement = (_SET, (scope, scope_id, model_id, int(enabled)))
        await self._commit(statement, model_id, scope, scope_id, after=enabled, by=by)

    async def clear(
        self, model_id: str, by: Actor, *, scope: Scope = "msp", scope_id: str = ""
    ) -> None:
        """Take a switch away: as configured again, or for a tenant or role as the installation
        has it. Clearing what was not switched changes nothing."""
        if model_id in await self.switches(scope, scope_id):
            delete = f"DELETE FROM model_switches WHERE {_OF} AND model_id = ?"
            statement = (delete, (scope, scope_id, model_id))
            await self._commit(statement, model_id, scope, scope_id, after=None, by=by)

    async def _commit(
        self,
        statement: Statement,
        model_id: str,
        scope: Scope,
        scope_id: str,
        *,
        after: bool | None,
        by: Actor | None,
    ) -> None:
        statements = [statement]
        if by is not None:
            before = (await self.switches(scope, scope_id)).get(model_id)
            place = {"scope": scope, "scope_id": scope_id}
            statements.append(
                audited(
                    by,
                    "model.switch",
                    model_id,
                    tenant_id=scope_id if scope == "tenant" else "",
                    before={**place, "enabled": before},
                    after={**place, "enabled": after},
                )
            )
        await commit(self._database, statements, MODELS)

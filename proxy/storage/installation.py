"""Queries: settings of the installation that an administrator changed, by name.

Knows no names and no shapes: a value is JSON, whoever asks says of which type. Every change raises
the version of `terms`.
"""

from typing import Any, TypeVar

import msgspec

from proxy.domain.people import Actor
from proxy.storage.audit import audited
from proxy.storage.changes import TERMS, bump
from proxy.storage.database import Database

_T = TypeVar("_T")
_SET = (
    "INSERT INTO installation (name, value) VALUES (?, ?)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


class Installation:
    """Named values."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str, kind: type[_T]) -> _T | None:
        """The value of this name as `kind`, or None: it is as configured."""
        rows = await self._database.fetch("SELECT value FROM installation WHERE name = ?", (name,))
        return msgspec.json.decode(rows[0][0], type=kind) if rows else None

    async def all(self) -> dict[str, Any]:
        """Every value that was set, by name."""
        rows = await self._database.fetch("SELECT name, value FROM installation ORDER BY name")
        return {name: msgspec.json.decode(value) for name, value in rows}

    async def set(self, name: str, value: object, by: Actor) -> None:
        """Set a value; anything JSON can say but null, which is what `clear` is for."""
        assert value is not None
        before = (await self.all()).get(name)
        text = msgspec.json.encode(value).decode()
        line = audited(by, "setting.change", name, before=before, after=value)
        await self._database.run([(_SET, (name, text)), line, bump(TERMS)])

    async def clear(self, name: str, by: Actor) -> None:
        """As configured again. Clearing what was not set changes nothing."""
        before = (await self.all()).get(name)
        if before is not None:
            line = audited(by, "setting.clear", name, before=before)
            delete = ("DELETE FROM installation WHERE name = ?", (name,))
            await self._database.run([delete, line, bump(TERMS)])

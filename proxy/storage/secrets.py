"""Secrets the gateway makes for itself once and finds again at every start, in every process.

They lie in the clear beside what they protect: whoever wants them apart gives his own by reference
in the configuration. Never logged, never shown.
"""

from collections.abc import Callable

from proxy.storage.database import Database


class Secrets:
    """The drawer of made secrets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stored_secret(self, name: str, make: Callable[[], bytes]) -> bytes:
        """The secret of this name; made and kept if it is missing. Of several processes that make
        one at once, the first wins and all get the same."""
        find = "SELECT value FROM secrets WHERE name = ?"
        rows = await self._database.fetch(find, (name,))
        if not rows:
            insert = "INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
            await self._database.run([(insert, (name, make()))])
            rows = await self._database.fetch(find, (name,))
        return bytes(rows[0][0])

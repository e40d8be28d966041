"""Queries: deeds that change no row and are noted all the same, as lines of the audit."""

from proxy.domain.people import Actor
from proxy.storage.audit import audited
from proxy.storage.database import Database


class Notes:
    """Writes lines."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, by: Actor, action: str, target: str, after: object = None) -> None:
        """One line of the installation's."""
        await self._database.run([audited(by, action, target, after=after)])

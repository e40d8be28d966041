"""Version numbers of what is stored, so that every process notices a change soon.

A topic's number goes up in the same transaction as the change itself. Who remembers something of
a topic reads the numbers now and then and forgets when one moved.
"""

from proxy.storage.database import Database, Statement

PEOPLE = "people"
"""Tenants, users, roles."""
KEYS = "keys"
PREFERENCES = "preferences"
MODELS = "models"
"""Model switches, also those of a tenant or a role, which decide what a caller may use."""

TERMS = "terms"
"""Packages, credit packs, rates, limits: what was agreed."""

TOPICS = (PEOPLE, KEYS, PREFERENCES, MODELS, TERMS)


def bump(topic: str) -> Statement:
    """The statement that goes into the transaction of a change."""
    return ("UPDATE changes SET version = version + 1 WHERE topic = ?", (topic,))


class Changes:
    """Reads the version numbers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def versions(self) -> dict[str, int]:
        """The version of every topic. One small query; meant to be asked every second."""
        rows = await self._database.fetch("SELECT topic, version FROM changes")
        return dict(rows)

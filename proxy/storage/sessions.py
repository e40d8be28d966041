"""Queries: who is signed in to the console. Knows digests only; what a browser holds is auth's.

Asked anew with every request of a page, so that a session ended in one process is ended in all.
"""

from proxy.domain.caller import Caller
from proxy.storage.callers import callers_by
from proxy.storage.database import Database, Statement
from proxy.storage.writing import new_id

SESSIONS_OF_USER_MAX = 20
"""Whoever signs in once more loses the oldest."""

_caller = callers_by("sessions", "k.expires_at > 0")
_TOO_MANY = (
    "DELETE FROM sessions WHERE user_id = ? AND digest NOT IN"
    " (SELECT digest FROM sessions WHERE user_id = ? ORDER BY seen_at DESC, created_at DESC"
    f" LIMIT {SESSIONS_OF_USER_MAX - 1})"
)


class Sessions:
    """Implements `auth.sessions.SessionStore`. Times are Unix milliseconds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def caller(self, digest: bytes, now_ms: int, /) -> tuple[Caller, int] | None:
        """Who is signed in by it and when they were last seen; None for one that is not there or
        whose user is deleted. Its end is `expires_at` of the caller."""
        caller = await _caller(self._database, digest, now_ms)
        if caller is None:
            return None
        seen = await self._database.fetch(
            "SELECT seen_at FROM sessions WHERE digest = ?", (digest,)
        )
        return (caller, seen[0][0]) if seen else None

    async def insert(
        self, digest: bytes, user_id: str, *, now_ms: int, expires_at: int, idle_since: int
    ) -> None:
        """Let somebody in. What ended meanwhile, or was not seen since `idle_since`, is removed."""
        insert = (
            "INSERT INTO sessions (digest, id, user_id, created_at, seen_at, expires_at)"
            " VALUES (?, ?, ?, ?, ?, ?)"
        )
        await self._database.run(
            [
                (
                    "DELETE FROM sessions WHERE expires_at <= ? OR seen_at < ?",
                    (now_ms, idle_since),
                ),
                (_TOO_MANY, (user_id, user_id)),
                (insert, (digest, new_id("session"), user_id, now_ms, now_ms, expires_at)),
            ]
        )

    async def touch(self, digest: bytes, now_ms: int, /) -> None:
        """It was seen now."""
        await self._database.run(
            [
                (
                    "UPDATE sessions SET seen_at = ? WHERE digest = ? AND seen_at < ?",
                    (now_ms, digest, now_ms),
                )
            ],
            commutes=True,
        )

    async def end(self, digest: bytes, /) -> None:
        """Sign out."""
        await self._database.run([("DELETE FROM sessions WHERE digest = ?", (digest,))])

    async def end_all(self, user_id: str, /) -> None:
        """Sign somebody out everywhere."""
        await self._database.run([sessions_ended(user_id)])


def sessions_ended(user_id: str) -> Statement:
    """The statement that goes into the transaction of whatever ends all sessions of somebody."""
    return ("DELETE FROM sessions WHERE user_id = ?", (user_id,))

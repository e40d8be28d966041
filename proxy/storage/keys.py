"""Queries: API keys. Knows digests only; what a key looks like and how it is digested is auth's.

Every change raises the version of `keys`; noting a last use is no change.
"""

from collections.abc import Callable, Sequence

from proxy.domain.caller import Caller
from proxy.domain.people import Actor, ApiKey
from proxy.storage.audit import audited
from proxy.storage.callers import callers_by
from proxy.storage.changes import KEYS
from proxy.storage.database import Database, Statement, unix_ms
from proxy.storage.writing import PAGE_MAX, commit, new_id

KEYS_OF_USER_MAX = 1_000
_callers = callers_by("keys", "k.revoked_at IS NULL")

_RECORDS = (
    "SELECT k.id, k.name, k.prefix, u.id, u.email, t.id, t.name,"
    " k.created_at, k.expires_at, k.revoked_at, k.last_used_at"
    " FROM keys k JOIN users u ON u.id = k.user_id JOIN tenants t ON t.id = u.tenant_id"
)
# Several workers note uses of the same key; a late one must not turn time back.
_TOUCH = (
    "UPDATE keys SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)"
)


class Keys:
    """Implements `auth.gate.KeyStore`. `now_ms` tells which of two agreed packages is in effect."""

    def __init__(self, database: Database, now_ms: Callable[[], int] = unix_ms) -> None:
        self._database = database
        self._now_ms = now_ms

    async def by_digest(self, digest: bytes, /) -> Caller | None:
        """The live rights behind a key; None if it is unknown or revoked or its user deleted.

        Whether it expired is for who knows the time of the request; `expires_at` is on the Caller.
        """
        return await _callers(self._database, digest, self._now_ms())

    async def insert(
        self,
        user_id: str,
        name: str,
        digest: bytes,
        prefix: str,
        by: Actor | None = None,
        *,
        expires_at: int | None = None,
    ) -> str:
        """Add a key and return its id. CONFLICT if the digest is there already."""
        key_id = new_id("key")
        insert = (
            "INSERT INTO keys (id, user_id, name, digest, prefix, created_at, expires_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        at = by.at if by else unix_ms()
        statements: list[Statement] = [
            (insert, (key_id, user_id, name, digest, prefix, at, expires_at))
        ]
        if by is not None:
            find = "SELECT tenant_id FROM users WHERE id = ?"
            owner = await self._database.fetch(find, (user_id,))
            tenant_id = owner[0][0] if owner else ""
            after = {"user_id": user_id, "name": name, "prefix": prefix, "expires_at": expires_at}
            line = audited(by, "key.create", key_id, tenant_id=tenant_id, after=after)
            statements.append(line)
        await commit(self._database, statements, KEYS)
        return key_id

    async def all(self) -> list[ApiKey]:
        """Every key, revoked ones too, oldest first."""
        rows = await self._database.fetch(f"{_RECORDS} ORDER BY k.created_at, k.id")
        return [ApiKey(*row) for row in rows]

    async def page(
        self,
        limit: int = 100,
        offset: int = 0,
        *,
        tenant_id: str | None = None,
        user_id: str | None = None,
        live_only: bool = False,
    ) -> list[ApiKey]:
        """Keys of a tenant, of a user, or of all, newest first; revoked ones too, unless
        `live_only`."""
        wanted = [("t.id = ?", tenant_id), ("u.id = ?", user_id)]
        conditions = [condition for condition, value in wanted if value is not None]
        if live_only:
            conditions.append("k.revoked_at IS NULL")
        params = [value for _, value in wanted if value is not None]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        rows = await self._database.fetch(
            f"{_RECORDS}{where} ORDER BY k.created_at DESC, k.id LIMIT ? OFFSET ?",
            (*params, min(limit, PAGE_MAX), offset),
        )
        return [ApiKey(*row) for row in rows]

    async def of_user(self, user_id: str, limit: int = KEYS_OF_USER_MAX) -> list[ApiKey]:
        """The keys of a user that are not revoked, newest first."""
        rows = await self._database.fetch(
            f"{_RECORDS} WHERE u.id = ? AND k.revoked_at IS NULL"
            " ORDER BY k.created_at DESC, k.id LIMIT ?",
            (user_id, min(limit, KEYS_OF_USER_MAX)),
        )
        return [ApiKey(*row) for row in rows]

    async def record(self, key_id: str) -> ApiKey | None:
        """One key, revoked or not."""
        rows = await self._database.fetch(f"{_RECORDS} WHERE k.id = ?", (key_id,))
        return ApiKey(*rows[0]) if rows else None

    async def record_by_digest(self, digest: bytes) -> ApiKey | None:
        """The key of a digest, revoked or not, whatever the state of its owner."""
        rows = await self._database.fetch(f"{_RECORDS} WHERE k.digest = ?", (digest,))
        return ApiKey(*rows[0]) if rows else None

    async def revoke(self, key_id: str, by: Actor | None = None) -> None:
        """End a key for good. Revoking again, or a key that is not there, changes nothing."""
        key = await self.record(key_id)
        if key is None or key.revoked_at is not None:
            return
        revoke = "UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
        statements: list[Statement] = [(revoke, (by.at if by else unix_ms(), key_id))]
        if by is not None:
            before = {"user_id": key.user_id, "name": key.name, "prefix": key.prefix}
            line = audited(by, "key.revoke", key_id, tenant_id=key.tenant_id, before=before)
            statements.append(line)
        await commit(self._database, statements, KEYS)

    async def touch(self, used: Sequence[tuple[str, int]], /) -> None:
        """Note the last uses of keys: pairs of key id and Unix milliseconds."""
        await self._database.run_many(_TOUCH, [(at, key_id, at) for key_id, at in used])

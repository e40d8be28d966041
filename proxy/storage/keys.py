"""Queries: API keys. Knows digests only; what a key looks like and how it is digested is auth's.

Every change raises the version of `keys`; noting a last use is no change.
"""

import os
from collections.abc import Sequence

import msgspec

from proxy.domain.caller import Caller
from proxy.domain.ids import make_id
from proxy.storage.accounts import ACTIVE, ID_NOISE_BYTES
from proxy.storage.changes import KEYS, bump
from proxy.storage.database import Database, unix_ms


class KeyRecord(msgspec.Struct, frozen=True):
    """A key as its owner and the operator see it. Times are Unix milliseconds."""

    id: str
    name: str
    prefix: str
    user_id: str
    email: str
    tenant_id: str
    tenant: str
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    last_used_at: int | None


_RECORDS = (
    "SELECT k.id, k.name, k.prefix, u.id, u.email, t.id, t.name,"
    " k.created_at, k.expires_at, k.revoked_at, k.last_used_at"
    " FROM keys k JOIN users u ON u.id = k.user_id JOIN tenants t ON t.id = u.tenant_id"
)
# Everything that decides what a caller may do in one statement, so in one snapshot: one row for
# each model that is switched off for them, or one row without a model.
_CALLER = (
    "SELECT k.id, k.expires_at, u.id, u.email, u.status, t.id, t.name, t.status,"
    " r.slug, r.permissions, r.disabled_models, s.model_id"
    " FROM keys k"
    " JOIN users u ON u.id = k.user_id"
    " JOIN tenants t ON t.id = u.tenant_id"
    " JOIN roles r ON r.id = u.role_id"
    " LEFT JOIN model_switches s ON s.enabled = 0"
    " AND (s.scope = 'msp' OR (s.scope = 'tenant' AND s.scope_id = t.id)"
    " OR (s.scope = 'role' AND s.scope_id = r.id))"
    " WHERE k.digest = ? AND k.revoked_at IS NULL AND u.status <> 'Deleted'"
)
# Several workers note uses of the same key; a late one must not turn time back.
_TOUCH = (
    "UPDATE keys SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)"
)


class Keys:
    """Implements `auth.gate.KeyStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_digest(self, digest: bytes, /) -> Caller | None:
        """The live rights behind a key; None if it is unknown or revoked or its user deleted.

        Whether it expired is for who knows the time; `expires_at` is on the Caller.
        """
        rows = await self._database.fetch(_CALLER, (digest,))
        if not rows:
            return None
        key_id, expires_at, user_id, email, user_status = rows[0][:5]
        tenant_id, tenant, tenant_status, role, permissions, disabled = rows[0][5:11]
        switched_off = frozenset([row[11] for row in rows if row[11] is not None])
        return Caller(
            key_id=key_id,
            user_id=user_id,
            email=email,
            tenant_id=tenant_id,
            tenant=tenant,
            role=role,
            permissions=msgspec.json.decode(permissions, type=frozenset[str]),
            disabled_models=switched_off | msgspec.json.decode(disabled, type=frozenset[str]),
            active=user_status == ACTIVE and tenant_status == ACTIVE,
            expires_at=expires_at,
        )

    async def insert(
        self, user_id: str, name: str, digest: bytes, prefix: str, *, expires_at: int | None = None
    ) -> str:
        """Add a key and return its id. CONFLICT if the digest is there already."""
        key_id = make_id("key", os.urandom(ID_NOISE_BYTES))
        insert = (
            "INSERT INTO keys (id, user_id, name, digest, prefix, created_at, expires_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        params = (key_id, user_id, name, digest, prefix, unix_ms(), expires_at)
        await self._database.run([(insert, params), bump(KEYS)])
        return key_id

    async def all(self) -> list[KeyRecord]:
        """Every key, revoked ones too, oldest first."""
        rows = await self._database.fetch(f"{_RECORDS} ORDER BY k.created_at, k.id")
        return [KeyRecord(*row) for row in rows]

    async def record(self, key_id: str) -> KeyRecord | None:
        """One key, revoked or not."""
        rows = await self._database.fetch(f"{_RECORDS} WHERE k.id = ?", (key_id,))
        return KeyRecord(*rows[0]) if rows else None

    async def record_by_digest(self, digest: bytes) -> KeyRecord | None:
        """The key of a digest, revoked or not, whatever the state of its owner."""
        rows = await self._database.fetch(f"{_RECORDS} WHERE k.digest = ?", (digest,))
        return KeyRecord(*rows[0]) if rows else None

    async def revoke(self, key_id: str) -> None:
        """End a key for good. Revoking again, or a key that is not there, changes nothing."""
        revoke = "UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
        await self._database.run([(revoke, (unix_ms(), key_id)), bump(KEYS)])

    async def touch(self, used: Sequence[tuple[str, int]], /) -> None:
        """Note the last uses of keys: pairs of key id and Unix milliseconds."""
        await self._database.run_many(_TOUCH, [(at, key_id, at) for key_id, at in used])

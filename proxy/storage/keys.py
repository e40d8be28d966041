"""Queries: API keys. Knows digests only; what a key looks like and how it is digested is auth's.

Every change raises the version of `keys`; noting a last use is no change.
"""

from collections.abc import Callable, Sequence

import msgspec

from proxy.domain.caller import Caller
from proxy.domain.people import ACTIVE, CREDIT, Actor, ApiKey, TenantConfig
from proxy.domain.terms import Burst, Ladder, Pack, TenantTerms
from proxy.storage.audit import audited
from proxy.storage.changes import KEYS
from proxy.storage.database import Database, Row, Statement, unix_ms
from proxy.storage.writing import PAGE_MAX, commit, new_id

KEYS_OF_USER_MAX = 1_000
PACKS_KEPT_MS = 62 * 86_400_000
"""A pack that ended is looked at for this long: it counts for the whole month it ended in, and a
request for the month it began in."""

_RECORDS = (
    "SELECT k.id, k.name, k.prefix, u.id, u.email, t.id, t.name,"
    " k.created_at, k.expires_at, k.revoked_at, k.last_used_at"
    " FROM keys k JOIN users u ON u.id = k.user_id JOIN tenants t ON t.id = u.tenant_id"
)
# Everything that decides what a caller may do in one statement, so in one snapshot: first a row for
# each model that is switched off for them, or one without a model, then a row for each credit pack.
# Of two packages the one agreed on for now.
_OWNER = " FROM keys k JOIN users u ON u.id = k.user_id"
_CALLER = (
    "SELECT k.id, k.expires_at, u.id, u.email, u.status, t.id, t.name, t.status,"
    " r.id, r.slug, r.permissions, r.disabled_models, r.user_credit_limit,"
    " p.monthly_credits, p.allowed_models, t.ladder, p.ladder, t.burst,"
    " t.config, s.model_id, NULL, NULL, NULL"
    f"{_OWNER}"
    " JOIN tenants t ON t.id = u.tenant_id"
    " JOIN roles r ON r.id = u.role_id"
    " LEFT JOIN packages p ON p.id = CASE WHEN t.next_package_from <= ?"
    " THEN t.next_package_id ELSE t.package_id END"
    " LEFT JOIN model_switches s ON s.enabled = 0"
    " AND (s.scope = 'msp' OR (s.scope = 'tenant' AND s.scope_id = t.id)"
    " OR (s.scope = 'role' AND s.scope_id = r.id))"
    " WHERE k.digest = ? AND k.revoked_at IS NULL AND u.status <> 'Deleted'"
    f" UNION ALL SELECT {', '.join(['NULL'] * 20)}, c.credits, c.valid_from, c.valid_until"
    f"{_OWNER}"
    " JOIN credit_packs c ON c.tenant_id = u.tenant_id"
    " WHERE k.digest = ? AND (c.valid_until IS NULL OR c.valid_until > ?)"
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
        now_ms = self._now_ms()
        params = (now_ms, digest, digest, now_ms - PACKS_KEPT_MS)
        rows = await self._database.fetch(_CALLER, params)
        of_caller = [row for row in rows if row[0] is not None]
        packs = [Pack(*row[20:]) for row in rows if row[0] is None]
        return _caller(of_caller, packs) if of_caller else None

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
    ) -> list[ApiKey]:
        """Keys of a tenant, of a user, or of all, revoked ones too, newest first."""
        wanted = [("t.id = ?", tenant_id), ("u.id = ?", user_id)]
        conditions = [condition for condition, value in wanted if value is not None]
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


def _caller(rows: list[Row], packs: list[Pack]) -> Caller:
    key_id, expires_at, user_id, email, user_status, tenant_id, tenant, tenant_status = rows[0][:8]
    role_id, role, permissions, disabled, role_credits = rows[0][8:13]
    monthly_credits, allowed, tenants_ladder, packages_ladder, burst, config = rows[0][13:19]
    switched_off = frozenset([row[19] for row in rows if row[19] is not None])
    ladder = tenants_ladder or packages_ladder
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
        role_id=role_id,
        allowed_models=msgspec.json.decode(allowed, type=frozenset[str]) if allowed else None,
        role_credits=None if role_credits is None else round(role_credits * CREDIT),
        terms=TenantTerms(
            credits=monthly_credits,
            packs=tuple(sorted(packs, key=lambda pack: pack.from_ms)),
            ladder=msgspec.json.decode(ladder, type=Ladder) if ladder else None,
            burst=msgspec.json.decode(burst, type=Burst) if burst else None,
        ),
        web_search=msgspec.json.decode(config, type=TenantConfig).web_search,
    )

"""Queries: the live rights behind a credential, whichever it is: an API key or a session.

Everything that decides what a caller may do is read in one statement, so in one snapshot.
"""

from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from proxy.domain.caller import Caller
from proxy.domain.people import ACTIVE, CREDIT, TenantConfig
from proxy.domain.terms import Burst, Ladder, Pack, TenantTerms
from proxy.storage.database import Database, Row

PACKS_KEPT_MS = 62 * 86_400_000
"""A pack that ended is looked at for this long: it counts for the whole month it ended in, and a
request for the month it began in."""

CallerOf = Callable[[Database, bytes, int], Awaitable[Caller | None]]
"""The caller behind a digest at a moment (Unix milliseconds); None for an unknown one."""


def callers_by(table: Literal["keys", "sessions"], alive: str) -> CallerOf:
    """Looks a digest up in one of the tables of credentials; `alive` is the condition under which
    its row `k` counts."""
    # First a row for each model that is switched off for them, or one without a model, then a row
    # for each credit pack. Of two packages the one agreed on for now.
    owner = f" FROM {table} k JOIN users u ON u.id = k.user_id"
    sql = (
        "SELECT k.id, k.expires_at, u.id, u.email, u.status, t.id, t.name, t.status,"
        " r.id, r.slug, r.permissions, r.disabled_models, r.user_credit_limit,"
        " p.monthly_credits, p.allowed_models, t.ladder, p.ladder, t.burst,"
        " t.config, s.model_id, NULL, NULL, NULL"
        f"{owner}"
        " JOIN tenants t ON t.id = u.tenant_id"
        " JOIN roles r ON r.id = u.role_id"
        " LEFT JOIN packages p ON p.id = CASE WHEN t.next_package_from <= ?"
        " THEN t.next_package_id ELSE t.package_id END"
        " LEFT JOIN model_switches s ON s.enabled = 0"
        " AND (s.scope = 'msp' OR (s.scope = 'tenant' AND s.scope_id = t.id)"
        " OR (s.scope = 'role' AND s.scope_id = r.id))"
        f" WHERE k.digest = ? AND {alive} AND u.status <> 'Deleted'"
        f" UNION ALL SELECT {', '.join(['NULL'] * 20)}, c.credits, c.valid_from, c.valid_until"
        f"{owner}"
        " JOIN credit_packs c ON c.tenant_id = u.tenant_id"
        " WHERE k.digest = ? AND (c.valid_until IS NULL OR c.valid_until > ?)"
    )

    async def caller(database: Database, digest: bytes, now_ms: int) -> Caller | None:
        rows = await database.fetch(sql, (now_ms, digest, digest, now_ms - PACKS_KEPT_MS))
        of_caller = [row for row in rows if row[0] is not None]
        packs = [Pack(*row[20:]) for row in rows if row[0] is None]
        return _caller(of_caller, packs) if of_caller else None

    return caller


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

"""Queries: roles, the default ones and those somebody made. Every change raises the version of
`people`, one of switched-off models that of `models` as well.

Refuses what would make a role more than its place: a tenant's role never has rights of the MSP's
people, and neither does a default role of tenants. Who may give which role is for who asks.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from proxy.domain.fault import Fault, Kind
from proxy.domain.people import CREDIT, Actor, Role
from proxy.domain.permissions import MEANINGS, MSP_PERMISSIONS
from proxy.storage.audit import audited
from proxy.storage.changes import MODELS, PEOPLE
from proxy.storage.database import Database, Row, Statement
from proxy.storage.models import replacing
from proxy.storage.writing import (
    AMOUNT_MAX,
    PAGE_MAX,
    checked_name,
    commit,
    given,
    new_id,
    to_json,
    update,
)

PRIMARY_ADMIN = "msp_primary_admin"
GENERAL_USER_ID = "role_general_user"
DESCRIPTION_CHARACTERS_MAX = 1_000

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_ROLES = (
    "SELECT r.id, r.tenant_id, r.slug, r.display_name, r.description, r.permissions,"
    " r.user_credit_limit, r.disabled_models, r.is_default,"
    " (SELECT count(*) FROM users u WHERE u.role_id = r.id AND u.status <> 'Deleted')"
    " FROM roles r"
)
# A tenant's own before the one that is there for all.
_BY_SLUG = (
    " WHERE r.slug = ? AND (r.tenant_id = ? OR r.tenant_id IS NULL)"
    " ORDER BY CASE WHEN r.tenant_id IS NULL THEN 1 ELSE 0 END LIMIT 1"
)


class Roles:
    """What people may do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def defaults(self, limit: int = 100, offset: int = 0) -> list[Role]:
        """The roles that were there from the start, by slug; those of the MSP's people too."""
        return await self._read(
            " WHERE r.is_default = 1 ORDER BY r.slug LIMIT ? OFFSET ?",
            (min(limit, PAGE_MAX), offset),
        )

    async def custom(
        self, tenant_id: str | None = None, limit: int = 100, offset: int = 0
    ) -> list[Role]:
        """Roles somebody made, by slug: those a tenant's users can have (its own, and those for
        all), or every one there is."""
        where, params = _customs(tenant_id)
        return await self._read(
            f"{where} ORDER BY r.slug, r.id LIMIT ? OFFSET ?",
            (*params, min(limit, PAGE_MAX), offset),
        )

    async def count(self, tenant_id: str | None = None) -> int:
        """How many roles `custom` has in all."""
        where, params = _customs(tenant_id)
        rows = await self._database.fetch(f"SELECT count(*) FROM roles r{where}", params)
        total: int = rows[0][0]
        return total

    async def get(self, role_id: str) -> Role | None:
        """One role."""
        found = await self._read(" WHERE r.id = ?", (role_id,))
        return found[0] if found else None

    async def by_slug(self, slug: str, tenant_id: str) -> Role | None:
        """The role of this slug that users of a tenant can have."""
        found = await self._read(_BY_SLUG, (slug, tenant_id))
        return found[0] if found else None

    async def create(
        self,
        slug: str,
        by: Actor,
        *,
        tenant_id: str | None = None,
        display_name: str = "",
        description: str = "",
        permissions: Collection[str] = (),
        user_credit_limit: float | None = None,
        disabled_models: Collection[str] = (),
    ) -> Role:
        """A new role of a tenant, or without one of the whole installation. CONFLICT where one of
        this slug is there, among the default ones too; NOT_FOUND for the tenant."""
        fields: dict[str, Any] = {
            "slug": slug,
            "display_name": display_name or slug,
            "description": description,
            "permissions": permissions,
            "user_credit_limit": user_credit_limit,
            "disabled_models": disabled_models,
        }
        _check(fields, msp=tenant_id is None)
        find = "SELECT 1 FROM tenants WHERE id = ?"
        if tenant_id is not None and not await self._database.fetch(find, (tenant_id,)):
            raise Fault(Kind.NOT_FOUND, f"tenant_id: there is no tenant {tenant_id!r}.")
        await self._refuse_default_slug(slug)
        role_id = new_id("role")
        columns = {"id": role_id, "tenant_id": tenant_id, **_columns(fields)}
        insert = (
            f"INSERT INTO roles ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
            tuple(columns.values()),
        )
        statements: list[Statement] = [
            insert,
            *replacing("role", role_id, fields["disabled_models"]),
            audited(by, "role.create", role_id, tenant_id=tenant_id, after=fields),
        ]
        await commit(self._database, statements, PEOPLE, MODELS, conflict=_taken(slug))
        return await self._role(role_id)

    async def change(
        self,
        role_id: str,
        by: Actor,
        *,
        slug: str | UnsetType = UNSET,
        display_name: str | UnsetType = UNSET,
        description: str | UnsetType = UNSET,
        permissions: Collection[str] | UnsetType = UNSET,
        user_credit_limit: float | UnsetType | None = UNSET,
        disabled_models: Collection[str] | UnsetType = UNSET,
    ) -> Role:
        """Change what is given; it counts for all who have the role, at once. A default role keeps
        its slug, the Primary Admin's its permissions: CONFLICT."""
        before = await self._role(role_id)
        fields = given(
            slug=slug,
            display_name=display_name,
            description=description,
            permissions=permissions,
            user_credit_limit=user_credit_limit,
            disabled_models=disabled_models,
        )
        if not fields:
            return before
        tenants_default = before.is_default and not before.slug.startswith("msp_")
        _check(fields, msp=before.tenant_id is None and not tenants_default)
        await self._refuse_change(before, fields)
        statements = []
        topics = [PEOPLE]
        if "disabled_models" in fields:
            statements += replacing("role", role_id, fields["disabled_models"])
            topics.append(MODELS)
        statements += [
            update("roles", role_id, _columns(fields)),
            audited(
                by,
                "role.change",
                role_id,
                tenant_id=before.tenant_id,
                before={field: getattr(before, field) for field in fields},
                after=fields,
            ),
        ]
        conflict = _taken(fields.get("slug", before.slug))
        await commit(self._database, statements, *topics, conflict=conflict)
        return await self._role(role_id)

    async def delete(self, role_id: str, by: Actor) -> None:
        """Delete a role. CONFLICT for a default one, and while somebody has it (domain.md 12)."""
        before = await self._role(role_id)
        if before.is_default:
            raise Fault(Kind.CONFLICT, f"{before.slug} is a default role and stays.")
        statements: list[Statement] = [
            # Deleted users are kept for the books; they must not keep the role as well.
            (
                "UPDATE users SET role_id = ? WHERE role_id = ? AND status = 'Deleted'",
                (GENERAL_USER_ID, role_id),
            ),
            ("DELETE FROM roles WHERE id = ?", (role_id,)),
            *replacing("role", role_id, ()),
            audited(by, "role.delete", role_id, tenant_id=before.tenant_id, before=before),
        ]
        await commit(
            self._database,
            statements,
            PEOPLE,
            MODELS,
            conflict=f"The role {before.slug} is in use.",
            hint="Give its users another one first.",
        )

    async def _refuse_change(self, before: Role, fields: dict[str, Any]) -> None:
        if "slug" in fields and fields["slug"] != before.slug:
            if before.is_default:
                raise Fault(Kind.CONFLICT, f"slug: {before.slug} is a default role and keeps it.")
            await self._refuse_default_slug(fields["slug"])
        if before.slug == PRIMARY_ADMIN and before.is_default and "permissions" in fields:
            raise Fault(
                Kind.CONFLICT,
                "permissions: the Primary Admin may do everything.",
                hint="Give people another role instead.",
            )

    async def _refuse_default_slug(self, slug: str) -> None:
        find = "SELECT 1 FROM roles WHERE slug = ? AND is_default = 1"
        if await self._database.fetch(find, (slug,)):
            raise Fault(Kind.CONFLICT, _taken(slug))

    async def _role(self, role_id: str) -> Role:
        role = await self.get(role_id)
        if role is None:
            raise Fault(
                Kind.NOT_FOUND,
                f"There is no role {role_id!r}.",
                hint="`hatz-gateway role list` and GET /v1/admin/roles show them.",
            )
        return role

    async def _read(self, rest: str, params: Sequence[Any]) -> list[Role]:
        rows = await self._database.fetch(f"{_ROLES}{rest}", params)
        if not rows:
            return []
        ids = [row[0] for row in rows]
        off: dict[str, list[str]] = {}
        for role_id, model_id in await self._database.fetch(
            "SELECT scope_id, model_id FROM model_switches WHERE scope = 'role' AND enabled = 0"
            f" AND scope_id IN ({', '.join('?' * len(ids))})",
            ids,
        ):
            off.setdefault(role_id, []).append(model_id)
        return [_role(row, off.get(row[0], [])) for row in rows]


def _customs(tenant_id: str | None) -> tuple[str, tuple[str, ...]]:
    if tenant_id is None:
        return " WHERE r.is_default = 0", ()
    return " WHERE r.is_default = 0 AND (r.tenant_id = ? OR r.tenant_id IS NULL)", (tenant_id,)


def _check(fields: dict[str, Any], *, msp: bool) -> None:
    """Fields as they may be stored, in place. `msp`: may it have rights of the MSP's people?"""
    if "slug" in fields and not _SLUG.fullmatch(fields["slug"]):
        raise Fault(
            Kind.BAD_REQUEST,
            "slug: it has 1 to 64 of a-z, 0-9, `_` and `-`, and begins with a letter or digit.",
        )
    if "display_name" in fields:
        fields["display_name"] = checked_name("display_name", fields["display_name"])
    if len(fields.get("description", "")) > DESCRIPTION_CHARACTERS_MAX:
        raise Fault(
            Kind.BAD_REQUEST,
            f"description: it has at most {DESCRIPTION_CHARACTERS_MAX} characters.",
        )
    if "permissions" in fields:
        fields["permissions"] = _permissions(fields["permissions"], msp=msp)
    limit = fields.get("user_credit_limit")
    if limit is not None and not 0 <= limit <= AMOUNT_MAX / CREDIT:  # false for nan too
        raise Fault(Kind.BAD_REQUEST, "user_credit_limit: it is null or 0 or more credits.")
    if "disabled_models" in fields:
        fields["disabled_models"] = tuple(sorted(set(fields["disabled_models"])))


def _permissions(names: Collection[str], *, msp: bool) -> tuple[str, ...]:
    unknown = sorted(set(names) - MEANINGS.keys())
    if unknown:
        raise Fault(
            Kind.BAD_REQUEST,
            f"permissions: there is no permission {unknown[0]!r}.",
            hint=f"There are: {', '.join(MEANINGS)}.",
        )
    if not msp and MSP_PERMISSIONS & set(names):
        raise Fault(
            Kind.BAD_REQUEST,
            f"permissions: {min(MSP_PERMISSIONS & set(names))} is only for roles of the MSP's"
            " own people.",
        )
    return tuple(sorted(set(names)))


def _columns(fields: dict[str, Any]) -> dict[str, Any]:
    columns = dict(fields)
    if "permissions" in columns:
        columns["permissions"] = to_json(columns["permissions"])
    if "disabled_models" in columns:
        # Kept as switches; the column is what an older release wrote.
        columns["disabled_models"] = "[]"
    return columns


def _role(row: Row, off: list[str]) -> Role:
    role_id, tenant_id, slug, display_name, description, permissions, limit, disabled = row[:8]
    listed = msgspec.json.decode(disabled, type=list[str])
    return Role(
        id=role_id,
        tenant_id=tenant_id,
        slug=slug,
        display_name=display_name,
        description=description,
        permissions=msgspec.json.decode(permissions, type=frozenset[str]),
        user_credit_limit=limit,
        disabled_models=tuple(sorted({*off, *listed})),
        is_default=bool(row[8]),
        assigned_users=row[9],
    )


def _taken(slug: str) -> str:
    return f"slug: there is already a role {slug!r}."

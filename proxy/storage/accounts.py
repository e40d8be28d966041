"""Queries: tenants, users and their roles.

Ids are made here. Every change raises the version of `people`.
"""

import os
import re

import msgspec

from proxy.domain.fault import Fault, Kind
from proxy.domain.ids import make_id
from proxy.storage.changes import PEOPLE, bump
from proxy.storage.database import Database, Row, unix_ms

ID_NOISE_BYTES = 18
FIRST_USER_ROLE = "client_admin"
NEXT_USER_ROLE = "general_user"
ACTIVE = "Active"

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_EMAIL_CHARACTERS_MAX = 254
_NAME_CHARACTERS_MAX = 200


class TenantRecord(msgspec.Struct, frozen=True):
    """A workspace."""

    id: str
    name: str
    status: str
    created_at: int


class RoleRecord(msgspec.Struct, frozen=True):
    """A role; without a tenant it is a default role, there for all."""

    id: str
    tenant_id: str | None
    slug: str
    display_name: str
    permissions: frozenset[str]
    user_credit_limit: float | None
    disabled_models: frozenset[str]


class UserRecord(msgspec.Struct, frozen=True):
    """A user, with the slug of their role and the standing of their tenant."""

    id: str
    email: str
    status: str
    role: str
    tenant_id: str
    tenant: str
    tenant_status: str
    created_at: int

    @property
    def active(self) -> bool:
        """May this user's keys be used (domain.md 2.4)?"""
        return self.status == ACTIVE and self.tenant_status == ACTIVE


_USERS = (
    "SELECT u.id, u.email, u.status, r.slug, t.id, t.name, t.status, u.created_at"
    " FROM users u JOIN tenants t ON t.id = u.tenant_id JOIN roles r ON r.id = u.role_id"
)
_ROLES = (
    "SELECT id, tenant_id, slug, display_name, permissions, user_credit_limit, disabled_models"
    " FROM roles"
)
# Whether somebody is the first is decided in the statement that adds them, so that of two at once
# only one is. `WHERE true` keeps SQLite's parser from reading ON CONFLICT as part of a join.
_ADD_USER = (
    "INSERT INTO users (id, tenant_id, email, email_folded, role_id, created_at)"
    " SELECT ?, ?, ?, ?, CASE WHEN EXISTS (SELECT 1 FROM users WHERE tenant_id = ?)"
    " THEN ? ELSE ? END, CAST(? AS BIGINT) WHERE true"
    " ON CONFLICT (tenant_id, email_folded) DO NOTHING"
)


class Accounts:
    """People and the workspaces they belong to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ensure_tenant(self, name: str) -> str:
        """The id of the tenant of this name; makes it if it is missing."""
        name = name.strip()
        if not 0 < len(name) <= _NAME_CHARACTERS_MAX or not name.isprintable():
            raise Fault(
                Kind.BAD_REQUEST,
                f"A tenant's name has 1 to {_NAME_CHARACTERS_MAX} printable characters.",
            )
        find = "SELECT id FROM tenants WHERE name = ?"
        found = await self._database.fetch(find, (name,))
        if not found:
            await self._database.run(
                [
                    (
                        "INSERT INTO tenants (id, name, created_at) VALUES (?, ?, ?)"
                        " ON CONFLICT (name) DO NOTHING",
                        (_new_id("tenant"), name, unix_ms()),
                    ),
                    bump(PEOPLE),
                ]
            )
            found = await self._database.fetch(find, (name,))
        tenant_id: str = found[0][0]
        return tenant_id

    async def ensure_user(
        self, email: str, tenant_id: str, role_slug: str | None = None
    ) -> UserRecord:
        """The user of this address in a tenant; adds them if they are missing.

        Without a role the first user of a tenant becomes its client_admin and later ones
        general_user. A role that differs from the one an existing user has is a Fault: adding
        somebody must not change anybody.
        """
        email = email.strip()
        if len(email) > _EMAIL_CHARACTERS_MAX or not _EMAIL.fullmatch(email):
            raise Fault(
                Kind.BAD_REQUEST, "A user is named by an email address, like a@example.com."
            )
        user = await self._user_by_email(email, tenant_id)
        if user is None:
            first = await self._role_or_fault(role_slug or FIRST_USER_ROLE, tenant_id)
            later = await self._role_or_fault(role_slug or NEXT_USER_ROLE, tenant_id)
            params = (
                *(_new_id("user"), tenant_id, email, email.casefold(), tenant_id),
                *(later.id, first.id, unix_ms()),
            )
            await self._database.run([(_ADD_USER, params), bump(PEOPLE)])
            user = await self._user_by_email(email, tenant_id)
            assert user is not None
        if role_slug is not None and user.role != role_slug:
            raise Fault(
                Kind.CONFLICT,
                f"{user.email} is already in {user.tenant} with the role {user.role}.",
                hint=f"Leave the role out or name {user.role}.",
            )
        return user

    async def role_by_slug(self, slug: str, tenant_id: str) -> RoleRecord | None:
        """A tenant's role of this slug; its own before the default one."""
        rows = await self._database.fetch(
            f"{_ROLES} WHERE slug = ? AND (tenant_id = ? OR tenant_id IS NULL)"
            " ORDER BY CASE WHEN tenant_id IS NULL THEN 1 ELSE 0 END LIMIT 1",
            (slug, tenant_id),
        )
        return _role(rows[0]) if rows else None

    async def tenants(self) -> list[TenantRecord]:
        """All tenants, by name."""
        rows = await self._database.fetch(
            "SELECT id, name, status, created_at FROM tenants ORDER BY name"
        )
        return [TenantRecord(*row) for row in rows]

    async def roles(self, tenant_id: str) -> list[RoleRecord]:
        """The roles users of a tenant can have: the default ones and its own."""
        rows = await self._database.fetch(
            f"{_ROLES} WHERE tenant_id = ? OR tenant_id IS NULL ORDER BY slug", (tenant_id,)
        )
        return [_role(row) for row in rows]

    async def users(self, tenant_id: str) -> list[UserRecord]:
        """The users of a tenant, by address."""
        rows = await self._database.fetch(
            f"{_USERS} WHERE u.tenant_id = ? ORDER BY u.email_folded", (tenant_id,)
        )
        return [UserRecord(*row) for row in rows]

    async def _user_by_email(self, email: str, tenant_id: str) -> UserRecord | None:
        rows = await self._database.fetch(
            f"{_USERS} WHERE u.tenant_id = ? AND u.email_folded = ?", (tenant_id, email.casefold())
        )
        return UserRecord(*rows[0]) if rows else None

    async def _role_or_fault(self, slug: str, tenant_id: str) -> RoleRecord:
        role = await self.role_by_slug(slug, tenant_id)
        if role is None:
            known = ", ".join(role.slug for role in await self.roles(tenant_id))
            raise Fault(Kind.NOT_FOUND, f"There is no role {slug!r}.", hint=f"There are: {known}.")
        return role


def _new_id(prefix: str) -> str:
    return make_id(prefix, os.urandom(ID_NOISE_BYTES))


def _role(row: Row) -> RoleRecord:
    role_id, tenant_id, slug, display_name, permissions, credit_limit, disabled = row
    return RoleRecord(
        id=role_id,
        tenant_id=tenant_id,
        slug=slug,
        display_name=display_name,
        permissions=msgspec.json.decode(permissions, type=frozenset[str]),
        user_credit_limit=credit_limit,
        disabled_models=msgspec.json.decode(disabled, type=frozenset[str]),
    )

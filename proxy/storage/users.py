"""Queries: users. Every change raises the version of `people`.

A deleted user stays for the books, without keys and without a claim to the address: whoever is
invited by it later is somebody new. Who may give which role is for who asks.
"""

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import UNSET, UnsetType

from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor, Role, User
from proxy.storage.audit import audited
from proxy.storage.changes import KEYS, PEOPLE
from proxy.storage.database import Database, Statement
from proxy.storage.passwords import links_ended
from proxy.storage.roles import Roles
from proxy.storage.sessions import sessions_ended
from proxy.storage.writing import (
    PAGE_MAX,
    checked_email,
    checked_name,
    commit,
    given,
    new_id,
    update,
)

GENERAL_USER = "general_user"
"""What somebody is who is invited without a role (domain.md 2.3)."""
FOUND_MAX = 100

USERS = (
    "SELECT u.id, t.id, t.name, t.status, u.email, u.first_name, u.last_name, r.slug, r.id,"
    " u.status, u.created_at"
    " FROM users u JOIN tenants t ON t.id = u.tenant_id JOIN roles r ON r.id = u.role_id"
)


class Users:
    """The people."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._roles = Roles(database)

    async def page(
        self, tenant_id: str | None = None, limit: int = 100, offset: int = 0
    ) -> list[User]:
        """Users of a tenant, or of all, by address; deleted ones are left out."""
        where, params = _present(tenant_id)
        return await self._read(
            f"{where} ORDER BY u.email_folded, u.id LIMIT ? OFFSET ?",
            (*params, min(limit, PAGE_MAX), offset),
        )

    async def count(self, tenant_id: str | None = None) -> int:
        """How many users `page` has in all."""
        where, params = _present(tenant_id)
        rows = await self._database.fetch(f"SELECT count(*) FROM users u{where}", params)
        total: int = rows[0][0]
        return total

    async def get(self, user_id: str) -> User | None:
        """One user, deleted or not."""
        found = await self._read(" WHERE u.id = ?", (user_id,))
        return found[0] if found else None

    async def by_email(self, email: str, tenant_id: str) -> User | None:
        """The user of this address in a tenant."""
        found = await self.search(email, tenant_id)
        return found[0] if found else None

    async def search(self, email: str, tenant_id: str | None = None) -> list[User]:
        """The users of this address, letters' case aside: one per tenant at most."""
        where, params = _present(tenant_id)
        return await self._read(
            f"{where} AND u.email_folded = ? ORDER BY t.name LIMIT ?",
            (*params, email.strip().casefold(), FOUND_MAX),
        )

    async def role(self, slug: str, tenant_id: str) -> Role:
        """The role of this slug that users of a tenant can have, or NOT_FOUND that names them."""
        role = await self._roles.by_slug(slug, tenant_id)
        if role is None:
            known = [*await self._roles.defaults(), *await self._roles.custom(tenant_id)]
            slugs = ", ".join(sorted([role.slug for role in known]))
            raise Fault(
                Kind.NOT_FOUND, f"role: there is no role {slug!r}.", hint=f"There are: {slugs}."
            )
        return role

    async def create(
        self,
        email: str,
        tenant_id: str,
        by: Actor,
        *,
        role: str = GENERAL_USER,
        first_name: str = "",
        last_name: str = "",
        status: Literal["Active", "Invited"] = "Invited",
    ) -> User:
        """A new user. CONFLICT where the address is taken in this tenant, NOT_FOUND for tenant or
        role (a slug)."""
        fields = {
            "email": checked_email(email),
            "first_name": checked_name("first_name", first_name, least=0),
            "last_name": checked_name("last_name", last_name, least=0),
            "status": status,
        }
        email = fields["email"]
        await self._refuse_unknown(tenant_id)
        wanted = await self.role(role, tenant_id)
        user_id = new_id("user")
        insert = (
            "INSERT INTO users (id, tenant_id, email, email_folded, role_id, first_name,"
            " last_name, status, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(user_id, tenant_id, email, email.casefold(), wanted.id),
                *(fields["first_name"], fields["last_name"], status, by.at),
            ),
        )
        after = {**fields, "role": wanted.slug}
        line = audited(by, "user.create", user_id, tenant_id=tenant_id, after=after)
        await commit(
            self._database,
            [insert, line],
            PEOPLE,
            conflict=f"email: {email} is already a user of this tenant.",
            hint="Change that user instead.",
        )
        return await self._user(user_id)

    async def change(
        self,
        user_id: str,
        by: Actor,
        *,
        role: str | UnsetType = UNSET,
        status: Literal["Active", "Suspended"] | UnsetType = UNSET,
        first_name: str | UnsetType = UNSET,
        last_name: str | UnsetType = UNSET,
    ) -> User:
        """Change what is given. NOT_FOUND for the user, a deleted one too, and for the role (a
        slug). Keys stay: a role counts for them at once, and a suspended user's do not work."""
        before = await self._user(user_id)
        fields = given(role=role, status=status, first_name=first_name, last_name=last_name)
        if not fields:
            return before
        columns: dict[str, Any] = {}
        for name in ("first_name", "last_name"):
            if name in fields:
                columns[name] = fields[name] = checked_name(name, fields[name], least=0)
        if "status" in fields:
            columns["status"] = _status(fields["status"])
        if "role" in fields:
            columns["role_id"] = (await self.role(fields["role"], before.tenant_id)).id
        line = audited(
            by,
            "user.change",
            user_id,
            tenant_id=before.tenant_id,
            before={name: getattr(before, name) for name in fields},
            after=fields,
        )
        await commit(self._database, [update("users", user_id, columns), line], PEOPLE)
        return await self._user(user_id)

    async def move(self, user_id: str, tenant_id: str, by: Actor, *, role: str = "") -> User:
        """Move a user to another tenant, with their keys; what they were in the old one does not
        follow them: without a role they are a general_user there. CONFLICT where the address is
        taken there."""
        before = await self._user(user_id)
        await self._refuse_unknown(tenant_id)
        wanted = await self.role(role or GENERAL_USER, tenant_id)
        columns = {"tenant_id": tenant_id, "role_id": wanted.id}
        was = {"tenant_id": before.tenant_id, "role": before.role}
        after = {"tenant_id": tenant_id, "role": wanted.slug}
        # Both tenants may read it in their audit.
        lines = [
            audited(by, "user.move", user_id, tenant_id=concerned, before=was, after=after)
            for concerned in sorted({before.tenant_id, tenant_id})
        ]
        await commit(
            self._database,
            [update("users", user_id, columns), *lines],
            PEOPLE,
            conflict=f"tenant_id: there is already a user {before.email} in that tenant.",
        )
        return await self._user(user_id)

    async def delete(self, user_id: str, by: Actor) -> None:
        """Delete a user and end their keys for good, in one transaction."""
        before = await self._user(user_id)
        statements: list[Statement] = [
            # The space makes it a value no address can have.
            (
                "UPDATE users SET status = 'Deleted', email_folded = ? WHERE id = ?",
                (f"deleted {user_id}", user_id),
            ),
            (
                "UPDATE keys SET revoked_at = ? WHERE user_id = ? AND revoked_at IS NULL",
                (by.at, user_id),
            ),
            ("DELETE FROM passwords WHERE user_id = ?", (user_id,)),
            sessions_ended(user_id),
            links_ended(user_id),
            ("DELETE FROM identities WHERE user_id = ?", (user_id,)),
            audited(by, "user.delete", user_id, tenant_id=before.tenant_id, before=before),
        ]
        await commit(self._database, statements, PEOPLE, KEYS)

    async def _refuse_unknown(self, tenant_id: str) -> None:
        if not await self._database.fetch("SELECT 1 FROM tenants WHERE id = ?", (tenant_id,)):
            raise Fault(Kind.NOT_FOUND, f"tenant_id: there is no tenant {tenant_id!r}.")

    async def _user(self, user_id: str) -> User:
        user = await self.get(user_id)
        if user is None or user.status == "Deleted":
            raise Fault(
                Kind.NOT_FOUND,
                f"There is no user {user_id!r}.",
                hint="`hatz-gateway user list` and GET /v1/admin/users show them.",
            )
        return user

    async def _read(self, rest: str, params: Sequence[Any]) -> list[User]:
        return [User(*row) for row in await self._database.fetch(f"{USERS}{rest}", params)]


def _present(tenant_id: str | None) -> tuple[str, tuple[str, ...]]:
    if tenant_id is None:
        return " WHERE u.status <> 'Deleted'", ()
    return " WHERE u.tenant_id = ? AND u.status <> 'Deleted'", (tenant_id,)


def _status(status: str) -> str:
    if status not in ("Active", "Suspended"):
        raise Fault(
            Kind.BAD_REQUEST, "status: a user is made Active or Suspended; others are deleted."
        )
    return status

"""Queries: tenants and users that are to be there, made when they are missing.

For whoever provisions by name, a script or a demo: asking for somebody changes nobody. All else
about them stands in `tenants.py` and `users.py`.
"""

from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor, User
from proxy.storage.audit import audited
from proxy.storage.changes import PEOPLE
from proxy.storage.database import Database, Statement, unix_ms
from proxy.storage.users import Users
from proxy.storage.writing import checked_email, checked_name, commit, new_id

FIRST_USER_ROLE = "client_admin"
NEXT_USER_ROLE = "general_user"

_ADD_TENANT = (
    "INSERT INTO tenants (id, name, created_at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING"
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
        self._users = Users(database)

    async def ensure_tenant(self, name: str, by: Actor | None = None) -> str:
        """The id of the tenant of this name; makes it if it is missing."""
        name = checked_name("tenant", name)
        find = "SELECT id FROM tenants WHERE name = ?"
        found = await self._database.fetch(find, (name,))
        if not found:
            tenant_id = new_id("tenant")
            at = by.at if by else unix_ms()
            statements: list[Statement] = [(_ADD_TENANT, (tenant_id, name, at))]
            if by is not None:
                after = {"name": name}
                line = audited(by, "tenant.create", tenant_id, tenant_id=tenant_id, after=after)
                statements.append(line)
            await commit(self._database, statements, PEOPLE)
            found = await self._database.fetch(find, (name,))
        there: str = found[0][0]
        return there

    async def ensure_user(
        self, email: str, tenant_id: str, role_slug: str | None = None, by: Actor | None = None
    ) -> User:
        """The user of this address in a tenant; adds them, Active, if they are missing.

        Without a role the first user of a tenant becomes its client_admin and later ones
        general_user. A role that differs from the one an existing user has is a Fault: adding
        somebody must not change anybody.
        """
        email = checked_email(email)
        user = await self._users.by_email(email, tenant_id)
        if user is None:
            await self._add_user(email, tenant_id, role_slug, by)
            user = await self._users.by_email(email, tenant_id)
            assert user is not None
        if role_slug is not None and user.role != role_slug:
            raise Fault(
                Kind.CONFLICT,
                f"{user.email} is already in {user.tenant} with the role {user.role}.",
                hint=f"Leave the role out or name {user.role}.",
            )
        return user

    async def _add_user(
        self, email: str, tenant_id: str, role_slug: str | None, by: Actor | None
    ) -> None:
        first = await self._users.role(role_slug or FIRST_USER_ROLE, tenant_id)
        later = await self._users.role(role_slug or NEXT_USER_ROLE, tenant_id)
        user_id = new_id("user")
        params = (
            *(user_id, tenant_id, email, email.casefold(), tenant_id),
            *(later.id, first.id, by.at if by else unix_ms()),
        )
        statements: list[Statement] = [(_ADD_USER, params)]
        if by is not None:
            after = {"email": email, "role": role_slug}
            line = audited(by, "user.create", user_id, tenant_id=tenant_id, after=after)
            statements.append(line)
        await commit(self._database, statements, PEOPLE)

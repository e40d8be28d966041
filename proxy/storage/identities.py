"""Queries: who of the people is who at a provider of identities (OpenID Connect).

A user is one person there, for good, until an administrator removes the link. Linking, what it
changes of the user, and its line of the audit are one transaction.
"""

from proxy.domain.fault import Fault, Kind
from proxy.domain.identity import Candidate, Person
from proxy.domain.people import Account, Actor
from proxy.storage.audit import audited
from proxy.storage.changes import PEOPLE
from proxy.storage.database import Database, Statement
from proxy.storage.users import GENERAL_USER, Users
from proxy.storage.writing import commit

CANDIDATES_MAX = 50

_CANDIDATES = (
    "SELECT u.id, u.email, u.status, t.id, t.name, t.status, i.subject"
    " FROM users u JOIN tenants t ON t.id = u.tenant_id"
    " LEFT JOIN identities i ON i.user_id = u.id AND i.issuer = ?"
    " WHERE u.status <> 'Deleted' AND u.id IN (SELECT id FROM users WHERE email_folded = ?"
    " UNION SELECT user_id FROM identities WHERE issuer = ? AND subject = ?)"
    f" ORDER BY t.name LIMIT {CANDIDATES_MAX}"
)
_LINK = "INSERT INTO identities (issuer, subject, user_id, linked_at) VALUES (?, ?, ?, ?)"


class Identities:
    """Implements `auth.single_sign_on.IdentityStore`. Newcomers go to the tenant of this name, with
    this role (a slug)."""

    def __init__(
        self, database: Database, *, newcomer_tenant: str = "", newcomer_role: str = GENERAL_USER
    ) -> None:
        self._database = database
        self._users = Users(database)
        self._newcomer_tenant = newcomer_tenant
        self._newcomer_role = newcomer_role

    async def candidates(self, issuer: str, subject: str, email: str, /) -> list[Candidate]:
        """Accounts linked to this person, and those of this address (empty: none)."""
        rows = await self._database.fetch(
            _CANDIDATES, (issuer, email.strip().casefold(), issuer, subject)
        )
        return [
            Candidate(
                Account(
                    user_id=user_id,
                    email=address,
                    status=status,
                    tenant_id=tenant_id,
                    tenant=tenant,
                    tenant_status=tenant_status,
                    password_hash=None,
                ),
                linked,
            )
            for user_id, address, status, tenant_id, tenant, tenant_status, linked in rows
        ]

    async def link(self, account: Account, issuer: str, subject: str, by: Actor, /) -> None:
        """From now on this account is this person's; one more time changes nothing. Who was only
        invited is Active from now on. CONFLICT where it is another's meanwhile."""
        where = "SELECT subject FROM identities WHERE issuer = ? AND user_id = ?"
        there = await self._database.fetch(where, (issuer, account.user_id))
        if there and there[0][0] != subject:
            raise Fault(Kind.CONFLICT, "the account is linked to another subject.")
        statements: list[Statement] = []
        if not there:
            after = {"issuer": issuer, "subject": subject}
            statements = [
                (_LINK, (issuer, subject, account.user_id, by.at)),
                audited(
                    *(by, "identity.link", account.user_id),
                    tenant_id=account.tenant_id,
                    after=after,
                ),
            ]
        if account.status == "Invited":
            activate = "UPDATE users SET status = 'Active' WHERE id = ? AND status = 'Invited'"
            statements += [
                (activate, (account.user_id,)),
                audited(
                    *(by, "user.change", account.user_id),
                    tenant_id=account.tenant_id,
                    before={"status": "Invited"},
                    after={"status": "Active"},
                ),
            ]
        if statements:
            conflict = "the account is linked to another subject."
            await commit(self._database, statements, PEOPLE, conflict=conflict)

    async def of_user(self, user_id: str, /) -> list[tuple[str, int]]:
        """Issuers a user is linked at, and since when (Unix milliseconds)."""
        where = "SELECT issuer, linked_at FROM identities WHERE user_id = ? ORDER BY issuer"
        rows = await self._database.fetch(where, (user_id,))
        return [(issuer, linked_at) for issuer, linked_at in rows]

    async def unlink(self, user_id: str, tenant_id: str, by: Actor, /) -> int:
        """The account is nobody's at any provider; how many links that were."""
        found = await self._database.fetch(
            "SELECT issuer, subject FROM identities WHERE user_id = ?", (user_id,)
        )
        if found:
            before = [{"issuer": issuer, "subject": subject} for issuer, subject in found]
            line = audited(by, "identity.unlink", user_id, tenant_id=tenant_id, before=before)
            delete = ("DELETE FROM identities WHERE user_id = ?", (user_id,))
            await commit(self._database, [delete, line])
        return len(found)

    async def newcomer(self, person: Person, by: Actor, /) -> Account:
        """Add somebody. Raises Fault."""
        rows = await self._database.fetch(
            "SELECT id FROM tenants WHERE name = ? AND status = 'Active'", (self._newcomer_tenant,)
        )
        if not rows:
            raise Fault(Kind.NOT_FOUND, "there is no active tenant as oidc.newcomers_tenant says.")
        user = await self._users.create(
            person.email,
            rows[0][0],
            by,
            role=self._newcomer_role,
            first_name=person.first_name,
            last_name=person.last_name,
            status="Active",
        )
        return Account(
            user_id=user.id,
            email=user.email,
            status=user.status,
            tenant_id=user.tenant_id,
            tenant=user.tenant,
            tenant_status=user.tenant_status,
            password_hash=None,
        )

"""Queries: passwords of the console, links by which one is chosen, and tries to sign in.

Knows hashes and digests only. A new password ends every session of its owner, in one transaction
with its line of the audit.
"""

from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Account, Actor
from proxy.storage.audit import audited
from proxy.storage.changes import PEOPLE
from proxy.storage.database import Database, Row, Statement
from proxy.storage.sessions import sessions_ended
from proxy.storage.writing import commit

ACCOUNTS_MAX = 10
"""In so many tenants one address is looked at."""
LINKS_OF_USER_MAX = 5

_ACCOUNTS = (
    "SELECT u.id, u.email, u.status, t.id, t.name, t.status, p.hash"
    " FROM users u JOIN tenants t ON t.id = u.tenant_id"
    " LEFT JOIN passwords p ON p.user_id = u.id"
)
_SET = (
    "INSERT INTO passwords (user_id, hash, changed_at) VALUES (?, ?, ?)"
    " ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at"
)
_TRY = (
    "INSERT INTO sign_in_tries (subject, tries, first_at) VALUES (?, 1, ?)"
    " ON CONFLICT (subject) DO UPDATE SET tries = sign_in_tries.tries + 1"
)


class Passwords:
    """Implements `auth.sign_in.AccountStore`. Times are Unix milliseconds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accounts(self, email: str, /) -> list[Account]:
        """Everybody of this address, letters' case aside: one per tenant at most."""
        rows = await self._database.fetch(
            f"{_ACCOUNTS} WHERE u.email_folded = ? AND u.status <> 'Deleted' ORDER BY t.name"
            f" LIMIT {ACCOUNTS_MAX}",
            (email.strip().casefold(),),
        )
        return [_account(row) for row in rows]

    async def account(self, user_id: str, /) -> Account | None:
        """One of them."""
        rows = await self._database.fetch(
            f"{_ACCOUNTS} WHERE u.id = ? AND u.status <> 'Deleted'", (user_id,)
        )
        return _account(rows[0]) if rows else None

    async def set(self, user_id: str, password_hash: str, by: Actor, /) -> None:
        """A new password: every session and every link of its owner ends. Who was only invited is
        Active from now on."""
        account = await self.account(user_id)
        if account is None:
            raise Fault(Kind.NOT_FOUND, "There is no such user.")
        statements: list[Statement] = [
            (_SET, (user_id, password_hash, by.at)),
            sessions_ended(user_id),
            links_ended(user_id),
            audited(by, "password.set", user_id, tenant_id=account.tenant_id),
        ]
        if account.status != "Invited":
            await commit(self._database, statements)
            return
        statements += [
            ("UPDATE users SET status = 'Active' WHERE id = ? AND status = 'Invited'", (user_id,)),
            audited(
                *(by, "user.change", user_id),
                tenant_id=account.tenant_id,
                before={"status": "Invited"},
                after={"status": "Active"},
            ),
        ]
        await commit(self._database, statements, PEOPLE)

    async def add_link(
        self, digest: bytes, user_id: str, expires_at: int, by: Actor, tenant_id: str, /
    ) -> None:
        """A link for somebody; those made for them before are no longer good."""
        insert = "INSERT INTO sign_in_links (digest, user_id, expires_at) VALUES (?, ?, ?)"
        await commit(
            self._database,
            [
                links_ended(user_id),
                ("DELETE FROM sign_in_links WHERE expires_at <= ?", (by.at,)),
                (insert, (digest, user_id, expires_at)),
                audited(by, "sign_in_link.create", user_id, tenant_id=tenant_id),
            ],
        )

    async def add_mail_link(self, digest: bytes, user_id: str, expires_at: int, /) -> None:
        """A link that goes to somebody by mail, beside those before, of which the last ones stay
        good."""
        insert = "INSERT INTO sign_in_links (digest, user_id, expires_at) VALUES (?, ?, ?)"
        too_many = (
            "DELETE FROM sign_in_links WHERE user_id = ? AND digest NOT IN (SELECT digest FROM"
            " sign_in_links WHERE user_id = ? ORDER BY expires_at DESC"
            f" LIMIT {LINKS_OF_USER_MAX - 1})"
        )
        await self._database.run(
            [(too_many, (user_id, user_id)), (insert, (digest, user_id, expires_at))]
        )

    async def by_link(self, digest: bytes, now_ms: int, /) -> Account | None:
        """Whose link it is, while it is good."""
        rows = await self._database.fetch(
            f"{_ACCOUNTS} JOIN sign_in_links l ON l.user_id = u.id"
            " WHERE l.digest = ? AND l.expires_at > ? AND u.status <> 'Deleted'",
            (digest, now_ms),
        )
        return _account(rows[0]) if rows else None

    async def count_try(self, subject: str, now_ms: int, window_ms: int, /) -> int:
        """One more try; how many it were since the window of this subject began."""
        await self._database.run(
            [
                ("DELETE FROM sign_in_tries WHERE first_at <= ?", (now_ms - window_ms,)),
                (_TRY, (subject, now_ms)),
            ],
            commutes=True,
        )
        found = "SELECT tries FROM sign_in_tries WHERE subject = ?"
        rows = await self._database.fetch(found, (subject,))
        return int(rows[0][0]) if rows else 1

    async def forget_tries(self, subject: str, /) -> None:
        """It was them."""
        await self._database.run([("DELETE FROM sign_in_tries WHERE subject = ?", (subject,))])

    async def note_sign_in(self, account: Account, way: str, now_ms: int, /) -> None:
        """A line of the audit: somebody came in, and by which way."""
        by = Actor(account.user_id, account.email, now_ms)
        after = {"by": way}
        line = audited(
            *(by, "session.begin", account.user_id), tenant_id=account.tenant_id, after=after
        )
        await self._database.run([line], commutes=True)


def links_ended(user_id: str) -> Statement:
    """The statement that ends the links of somebody."""
    return ("DELETE FROM sign_in_links WHERE user_id = ?", (user_id,))


def _account(row: Row) -> Account:
    user_id, email, status, tenant_id, tenant, tenant_status, password_hash = row
    return Account(
        user_id=user_id,
        email=email,
        status=status,
        tenant_id=tenant_id,
        tenant=tenant,
        tenant_status=tenant_status,
        password_hash=password_hash,
    )

"""Queries: letters that wait for the mail server, and what tenants were told.

A letter is taken by moving its due time ahead: two workers never try it at once, and it comes back
when its taker died. Letters that are over are kept for a while and then go, notices after a year.
"""

import os
from collections.abc import Sequence

from proxy.domain.fault import Fault, Kind
from proxy.domain.letter import Letter, LetterKind, Notice, Recipient
from proxy.domain.people import Actor
from proxy.domain.permissions import MANAGE_TENANT
from proxy.storage.audit import audited
from proxy.storage.database import Database, Statement

KEPT_MS = 30 * 86_400_000
RECIPIENTS_MAX = 50

_INSERT = (
    "INSERT INTO letters (id, kind, tenant_id, user_id, recipient, subject, body, reply_to,"
    " created_at, due_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_NOTICE = "INSERT INTO notices (tenant_id, period, kind, created_at) VALUES (?, ?, ?, ?)"
_OVER = "DELETE FROM letters WHERE ended_at < ?"
# By the name of the month: `period` of a year ago and before.
_FORGOTTEN = "DELETE FROM notices WHERE period <= ?"
# In one transaction that is alone: what is due is due for one of them only.
_TAKE = (
    "UPDATE letters SET due_at = ?, taken_by = ?, attempts = attempts + 1 WHERE id IN"
    " (SELECT id FROM letters WHERE due_at <= ? ORDER BY due_at, id LIMIT ?)"
)
_TAKEN = (
    "SELECT id, kind, tenant_id, user_id, recipient, subject, body, created_at, reply_to, attempts"
    " FROM letters WHERE taken_by = ? AND due_at IS NOT NULL ORDER BY created_at, id"
)
# A person who was suspended, deleted or activated since need not be told any more.
_IS_WANTED = (
    "SELECT l.id FROM letters l JOIN users u ON u.id = l.user_id WHERE l.taken_by = ?"
    " AND u.status = CASE WHEN l.kind = 'invitation' THEN 'Invited' ELSE 'Active' END"
)
# Packs only add to a package: who used 0.8 of the package alone is looked at closely. The division
# comes first, so that no number outgrows 64 bits.
_NEAR = (
    "SELECT m.tenant_id, m.credits FROM month_use m JOIN tenants t ON t.id = m.tenant_id"
    " JOIN packages p ON p.id = t.package_id"
    " WHERE m.period = ? AND m.user_id = '' AND t.status = 'Active'"
    " AND m.credits >= p.monthly_credits / 10 * 8"
    " AND NOT EXISTS (SELECT 1 FROM notices n WHERE n.tenant_id = m.tenant_id"
    "  AND n.period = m.period AND n.kind = 'allowance_reached')"
    " AND (m.credits >= p.monthly_credits OR NOT EXISTS (SELECT 1 FROM notices n"
    "  WHERE n.tenant_id = m.tenant_id AND n.period = m.period"
    "  AND n.kind = 'allowance_approaching')) ORDER BY m.tenant_id LIMIT ?"
)
_ADMINISTRATORS = (
    "SELECT u.id, u.email, u.first_name FROM users u JOIN roles r ON r.id = u.role_id"
    f" WHERE u.tenant_id = ? AND u.status = 'Active' AND r.permissions LIKE '%\"{MANAGE_TENANT}\"%'"
    " ORDER BY u.created_at, u.id LIMIT ?"
)


class Letters:
    """Implements `notices.outbox.LetterStore` and `notices.watch.NoticeStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._token = ""

    # ------------------------------------------------------------ who is to be told

    async def near(self, period: str, tenants_max: int, /) -> list[tuple[str, int]]:
        """Active tenants who may have to be told something of this month, with their micro-credits;
        those who cannot be have been left out."""
        rows = await self._database.fetch(_NEAR, (period, tenants_max))
        return [(tenant_id, credits) for tenant_id, credits in rows]

    async def told(self, period: str, tenant_id: str, /) -> set[str]:
        """The kinds of what a tenant was told in a month."""
        find = "SELECT kind FROM notices WHERE period = ? AND tenant_id = ?"
        return {kind for (kind,) in await self._database.fetch(find, (period, tenant_id))}

    async def administrators(self, tenant_id: str, /) -> list[Recipient]:
        """Active users of a tenant who may manage it; the longest there, if there are very many."""
        rows = await self._database.fetch(_ADMINISTRATORS, (tenant_id, RECIPIENTS_MAX))
        return [Recipient(*row) for row in rows]

    # ------------------------------------------------------------ letters

    async def waiting(self) -> int:
        """How many letters are not over."""
        rows = await self._database.fetch("SELECT count(*) FROM letters WHERE due_at IS NOT NULL")
        count: int = rows[0][0]
        return count

    async def last_written(self, user_id: str, kind: LetterKind, /) -> int | None:
        """When a user was last written to, Unix milliseconds."""
        rows = await self._database.fetch(
            "SELECT max(created_at) FROM letters WHERE user_id = ? AND kind = ?", (user_id, kind)
        )
        at: int | None = rows[0][0]
        return at

    async def post(
        self, letters: Sequence[Letter], now_ms: int, *, notice: Notice | None, by: Actor | None
    ) -> bool:
        """Put letters where they are taken from, with a line of the audit for each that somebody
        has sent. False: another worker has given this notice already, or wrote these letters."""
        statements: list[Statement] = [(_OVER, (now_ms - KEPT_MS,))]
        if notice is not None:
            year, month = notice.period.split("-")
            statements.append((_FORGOTTEN, (f"{int(year) - 1:04}-{month}",)))
            given = (notice.tenant_id, notice.period, notice.kind, now_ms)
            statements.append((_NOTICE, given))
        for letter in letters:
            statements.append(_inserted(letter))
            if by is not None:
                after = {"email": letter.recipient, "mail": letter.kind}
                statements.append(
                    audited(
                        by, "user.mail", letter.user_id, tenant_id=letter.tenant_id, after=after
                    )
                )
        try:
            await self._database.run(statements)
        except Fault as fault:
            if fault.kind is not Kind.CONFLICT:
                raise
            return False
        return True

    async def take(self, now_ms: int, until_ms: int, letters_max: int, /) -> list[Letter]:
        """Letters that are due, for the caller alone until `until_ms`. What nobody wants any more
        is ended on the way."""
        if not await self._database.fetch(
            "SELECT 1 FROM letters WHERE due_at <= ? LIMIT 1", (now_ms,)
        ):
            return []
        token = self._token = os.urandom(12).hex()
        await self._database.run([(_TAKE, (until_ms, token, now_ms, letters_max))])
        rows = await self._database.fetch(_TAKEN, (token,))
        taken = [Letter(**dict(zip(_COLUMNS, row, strict=True))) for row in rows]
        wanted = {row[0] for row in await self._database.fetch(_IS_WANTED, (token,))}
        for letter in taken:
            if letter.id not in wanted:
                await self.end(letter.id, "not_wanted", now_ms)
        return [letter for letter in taken if letter.id in wanted]

    async def put_back(self, letter_id: str, due_ms: int, /) -> None:
        """It is tried again from then on, unless somebody else has it by now."""
        again = "UPDATE letters SET due_at = ? WHERE id = ? AND taken_by = ? AND due_at IS NOT NULL"
        await self._database.run([(again, (due_ms, letter_id, self._token))], commutes=True)

    async def end(self, letter_id: str, outcome: str, now_ms: int, /) -> None:
        """It is over: `sent`, `given_up`, `not_wanted`. Its words are not kept."""
        over = (
            "UPDATE letters SET due_at = NULL, body = '', outcome = ?, ended_at = ?"
            " WHERE id = ? AND due_at IS NOT NULL"
        )
        await self._database.run([(over, (outcome, now_ms, letter_id))], commutes=True)


_COLUMNS = (
    *("id", "kind", "tenant_id", "user_id", "recipient", "subject", "body", "created_at"),
    *("reply_to", "attempts"),
)


def _inserted(letter: Letter) -> Statement:
    return (
        _INSERT,
        (
            *(letter.id, letter.kind, letter.tenant_id, letter.user_id, letter.recipient),
            *(letter.subject, letter.body, letter.reply_to, letter.created_at, letter.created_at),
        ),
    )

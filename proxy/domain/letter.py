"""A letter: mail that waits until the operator's mail server takes it.

Written whole when there is reason to, so that nothing has to be looked up again when it is sent.
"""

from typing import Literal

import msgspec

LetterKind = Literal["allowance_approaching", "allowance_reached", "invitation"]
NoticeKind = Literal["allowance_approaching", "allowance_reached"]


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """To one user. `id` names it for ever: there is never a second one of the same. `created_at` is
    in Unix milliseconds, `attempts` how often it was tried, the running try included."""

    id: str
    kind: LetterKind
    tenant_id: str
    user_id: str
    recipient: str
    subject: str
    body: str
    created_at: int
    reply_to: str = ""
    attempts: int = 0


class Notice(msgspec.Struct, frozen=True):
    """That a tenant is told something: once for each month ('2026-11') and kind."""

    tenant_id: str
    period: str
    kind: NoticeKind


class Recipient(msgspec.Struct, frozen=True):
    """A user who is written to."""

    id: str
    email: str
    first_name: str


class Sent(msgspec.Struct, frozen=True):
    """The mail server has the letter."""


class PutOff(msgspec.Struct, frozen=True):
    """It does not take this letter now."""

    why: str


class Refused(msgspec.Struct, frozen=True):
    """It will never take this letter."""

    why: str


class Away(msgspec.Struct, frozen=True):
    """It takes no letter at all now: it is not reached, or does not want us."""

    why: str


Fate = Sent | PutOff | Refused | Away
"""What became of trying to hand a letter over."""

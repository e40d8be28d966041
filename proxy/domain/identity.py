"""Somebody at a provider of identities, whom of ours they may be, and why they may not come in."""

from typing import Final

import msgspec

from proxy.domain.people import Account

TROUBLES: Final = {
    "silent": "The sign-in service cannot be reached. Try again in a moment.",
    "denied": "The sign-in service did not let you in.",
    "over": "That took too long, or was begun in another browser. Try again.",
    "distrusted": "The answer of the sign-in service could not be trusted. Try again; if that does"
    " not help, tell the operator of this gateway.",
    "misconfigured": "The sign-in service does not accept this gateway. Tell its operator.",
    "no_email": "The sign-in service does not vouch for your email address. Confirm it there, or"
    " ask your administrator.",
    "not_known": "Nobody here has your email address. Ask your administrator for an invitation.",
    "not_active": "Your account or workspace is not active. Ask your administrator.",
    "linked": "Your email address belongs to another account of the sign-in service here. Ask your"
    " administrator to remove that link.",
    "too_many": "Too many tries to sign in. Wait 15 minutes.",
}
"""Why nobody was signed in, as people are told."""


class Person(msgspec.Struct, frozen=True):
    """Who signed in there. `subject` is the provider's own name for them, which never changes
    hands; `email` is empty unless the provider vouches for it."""

    subject: str
    email: str = ""
    first_name: str = ""
    last_name: str = ""


class Candidate(msgspec.Struct, frozen=True):
    """An account, and who it is linked to at the provider; None: to nobody yet."""

    account: Account
    subject: str | None

"""Somebody at a provider of identities, and whom of ours they may be."""

import msgspec

from proxy.domain.people import Account


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

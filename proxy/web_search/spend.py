"""Usage of a request that took several rounds (translation.md 9.9): all of them together, as
Anthropic counts, and the searches that worked."""

from collections.abc import Iterable

import msgspec

from proxy.domain.usage import Usage


def summed(rounds: Iterable[Usage], searches: int) -> Usage:
    """One report for the client. Each round stays a provider call of its own in the ledger."""
    total = Usage()
    for usage in rounds:
        for name in Usage.__struct_fields__:
            setattr(total, name, getattr(total, name) + getattr(usage, name))
    return msgspec.structs.replace(total, web_searches=searches)

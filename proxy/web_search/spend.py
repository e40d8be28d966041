"""Usage of a request that took several rounds (translation.md 9.9): all of them together, as
Anthropic counts, and the searches that worked."""

from collections.abc import Iterable

from proxy.domain.usage import Usage


def summed(rounds: Iterable[Usage], searches: int) -> Usage:
    """One report for the client. Each round stays a provider call of its own in the ledger."""
    columns = zip(*(usage.figures() for usage in (Usage(), *rounds)), strict=True)
    total = Usage(*map(sum, columns))
    total.web_searches = searches
    return total

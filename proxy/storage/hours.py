"""Sums of the ledger by hour, tenant, user, model and client: what pages about usage read.

A sum is written in the very transaction that writes the rows it is of, so it is theirs always.
Hours are those of UTC; whoever asks by the clock of a zone that is half an hour off, or for a
stretch that begins within an hour, reads rows for what is not whole hours.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

from proxy.domain.entry import CLIENT_GONE, COMPLETED, Entry
from proxy.domain.sums import Sums
from proxy.storage.database import Statement

HOUR_MS = 3_600_000
SUMS_PER_STATEMENT = 32

_KEYS = ("hour", "tenant_id", "user_id", "model", "surface", "client")
_ADDED = Sums._fields[2:]
_figures = attrgetter(*_ADDED)
_GOOD = (COMPLETED, CLIENT_GONE)


class HourKey(NamedTuple):
    """What one sum is of."""

    hour: int
    tenant_id: str
    user_id: str
    model: str
    surface: str
    client: str


def hours_of(entries: Iterable[Entry]) -> list[tuple[HourKey, Sums]]:
    """What some rows add to the sums of their hours; in an order that is always the same, so that
    two transactions which add to the same sums never wait for each other in turn."""
    # Plain tuples until the end: this runs for every row there is.
    sums: dict[tuple[int, str, str, str, str, str], list[int]] = {}
    for row in entries:
        key = (
            *(row.started_at // HOUR_MS, row.tenant_id, row.user_id),
            *(row.model, row.surface, row.client),
        )
        found = sums.get(key)
        if found is None:
            found = sums[key] = [0] * len(Sums._fields)
        found[0] += 1
        if row.outcome not in _GOOD:
            found[1] += 1
        for place, figure in enumerate(_figures(row), 2):
            if figure:
                found[place] += figure
    return [(HourKey(*key), Sums(*sums[key])) for key in sorted(sums)]


def hours_added(sums: Sequence[tuple[HourKey, Sums]]) -> list[Statement]:
    """The statements that add to the sums; for one transaction with the rows."""
    statements: list[Statement] = []
    start = 0
    while start < len(sums):
        # Few different lengths: a database remembers each statement it has seen.
        number = min(SUMS_PER_STATEMENT, 1 << (len(sums) - start).bit_length() - 1)
        some = sums[start : start + number]
        params = list(chain.from_iterable([(*key, *figures) for key, figures in some]))
        statements.append((_add(number), params))
        start += number
    return statements


@lru_cache(maxsize=SUMS_PER_STATEMENT)
def _add(number: int) -> str:
    row = f"({', '.join('?' * (len(_KEYS) + len(Sums._fields)))})"
    raised = ", ".join([f"{name} = hour_use.{name} + excluded.{name}" for name in Sums._fields])
    return (
        f"INSERT INTO hour_use ({', '.join((*_KEYS, *Sums._fields))})"
        f" VALUES {', '.join([row] * number)}"
        f" ON CONFLICT ({', '.join(_KEYS)}) DO UPDATE SET {raised}"
    )

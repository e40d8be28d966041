"""Rows of the ledger for tests of their sums."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from proxy.domain.entry import Entry, Outcome
from proxy.domain.sums import NOTHING_USED, Sums, added
from proxy.storage.kept_sums import HOUR_MS, KEPT

FIRST = 480_000 * HOUR_MS
"""Midnight of a day in UTC."""
TABLES = ("entries", "month_use", *[kept.table for kept in KEPT])
_GOOD = (Outcome.COMPLETED, Outcome.CLIENT_GONE)


def entry(event_id: str, **more: Any) -> Entry:
    """A row; `more` is what is not as usual."""
    values = {
        "request_id": "req",
        "started_at": FIRST,
        "tenant_id": "t",
        "user_id": "u",
        "role": "r",
        "key_id": "k",
        "requested_model": "m",
        "model": "m",
        "resolved_via": "exact",
        "outcome": Outcome.COMPLETED,
        "status": 200,
        "credits_in": 7,
        **more,
    }
    return Entry(event_id=event_id, ended_at=values["started_at"] + 1, **values)


def sums_of_rows(rows: Iterable[Entry]) -> Sums:
    """What they come to, added up one by one."""
    sums = NOTHING_USED
    for row in rows:
        figures = [getattr(row, name) for name in Sums._fields[2:]]
        sums = added(sums, Sums(1, row.outcome not in _GOOD, *figures))
    return sums


def grouped(rows: Iterable[Entry], name: Callable[[Entry], Hashable]) -> dict[Hashable, Sums]:
    """The same by what `name` says of each."""
    groups = defaultdict(list)
    for row in rows:
        groups[name(row)].append(row)
    return {key: sums_of_rows(some) for key, some in groups.items()}

"""Sums of the ledger that grow with its rows: what pages about usage read.

By hour they know tenant, user, model, surface and client; wider ones know less, so that there are
few: by quarter of an hour all together, by day what was asked or who asked, each for a tenant and,
under the empty name, for all. Every sum is written in the very transaction that writes the rows it
is of, so it is theirs always. Hours and days are those of UTC; `storage/layers.py` knows which of
them make up a stretch of time.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import add, attrgetter, itemgetter
from typing import Final, NamedTuple

from proxy.domain.entry import CLIENT_GONE, COMPLETED, Entry
from proxy.domain.sums import Sums
from proxy.storage.database import Statement

QUARTER_MS: Final = 900_000
HOUR_MS: Final = 4 * QUARTER_MS
DAY_MS: Final = 24 * HOUR_MS
ALL: Final = ""
"""In the place of a tenant: the sum is of all of them."""
SUMS_PER_STATEMENT = 32

_Key = tuple[str, ...]
_Figures = Sequence[int]
_Sums = dict[_Key, _Figures]
_key = attrgetter("tenant_id", "user_id", "model", "surface", "client")
_who = itemgetter(0, 1)
_asked = itemgetter(0, 2, 3, 4)
_figures = attrgetter(*Sums._fields[2:])
_GOOD = (COMPLETED, CLIENT_GONE)


class Kept(NamedTuple):
    """A table of sums: its name, and the columns that tell one sum from the next, of which the
    first is the time."""

    table: str
    keys: tuple[str, ...]


HOURS: Final = Kept("hour_use", ("hour", "tenant_id", "user_id", "model", "surface", "client"))
PEOPLE: Final = Kept("day_people", ("day", "tenant_id", "user_id"))
DAYS: Final = Kept("day_use", ("day", "tenant_id", "model", "surface", "client"))
QUARTERS: Final = Kept("quarter_use", ("quarter", "tenant_id"))
KEPT: Final = (HOURS, PEOPLE, DAYS, QUARTERS)


def sums_added(entries: Iterable[Entry]) -> list[Statement]:
    """The statements that add some rows to all sums; for one transaction with them. Always in the
    same order, so that two transactions which add to the same sums never wait for each other in
    turn; those that most transactions share come last and are held the shortest."""
    kept = _kept_of(entries)
    return list(chain.from_iterable([_added(which, kept[which]) for which in KEPT]))


def _kept_of(entries: Iterable[Entry]) -> dict[Kept, dict[int, _Sums]]:
    """What some rows add to each table, by its time and then by the rest of the key."""
    kept: dict[Kept, dict[int, _Sums]] = {which: {} for which in KEPT}
    # Most often there is one quarter, and everybody's key is made once.
    for quarter, rows in _by_quarter(entries).items():
        parts = {key: _summed(some) for key, some in rows.items()}
        asked = _folded(parts, _asked)
        tenants = _folded(asked, lambda key: key[:1])
        _put(kept[HOURS], quarter // 4, parts)
        _put(kept[PEOPLE], quarter // 96, _folded(parts, _who))
        _put(kept[DAYS], quarter // 96, asked | _folded(asked, lambda key: (ALL, *key[1:])))
        _put(kept[QUARTERS], quarter, tenants | _folded(tenants, lambda key: (ALL,)))
    return kept


def _by_quarter(entries: Iterable[Entry]) -> dict[int, dict[_Key, list[_Figures]]]:
    """The figures of the rows, as the finest sums have them."""
    # This runs for every row there is.
    groups: dict[int, dict[_Key, list[_Figures]]] = {}
    for row in entries:
        quarter = row.started_at // QUARTER_MS
        group = groups.get(quarter)
        if group is None:
            group = groups[quarter] = {}
        figures = (1, 0 if row.outcome in _GOOD else 1, *_figures(row))
        key = _key(row)
        found = group.get(key)
        if found is None:
            group[key] = [figures]
        else:
            found.append(figures)
    return groups


def _summed(rows: list[_Figures]) -> _Figures:
    return rows[0] if len(rows) == 1 else list(map(sum, zip(*rows, strict=True)))


def _folded(sums: _Sums, wider: Callable[[_Key], _Key]) -> _Sums:
    """Sums of sums, by a key that knows less."""
    groups: dict[_Key, list[_Figures]] = {}
    for key, figures in sums.items():
        name = wider(key)
        found = groups.get(name)
        if found is None:
            groups[name] = [figures]
        else:
            found.append(figures)
    return {key: _summed(some) for key, some in groups.items()}


def _put(sums: dict[int, _Sums], at: int, more: _Sums) -> None:
    """To what is there of the same time."""
    there = sums.get(at)
    if there is None:
        sums[at] = more
        return
    together = dict(there)
    for key, figures in more.items():
        found = together.get(key)
        together[key] = figures if found is None else list(map(add, found, figures))
    sums[at] = together


def _added(kept: Kept, sums: Mapping[int, _Sums]) -> list[Statement]:
    rows = [
        (at, *key, *some[key])
        for at, some in sorted(sums.items(), key=itemgetter(0))
        for key in sorted(some)
    ]
    statements: list[Statement] = []
    start = 0
    while start < len(rows):
        # Few different lengths: a database remembers each statement it has seen.
        number = min(SUMS_PER_STATEMENT, 1 << (len(rows) - start).bit_length() - 1)
        params = list(chain.from_iterable(rows[start : start + number]))
        statements.append((_statement(kept, number), params))
        start += number
    return statements


@lru_cache(maxsize=SUMS_PER_STATEMENT * len(KEPT))
def _statement(kept: Kept, number: int) -> str:
    columns = (*kept.keys, *Sums._fields)
    row = f"({', '.join('?' * len(columns))})"
    raised = ", ".join([f"{name} = {kept.table}.{name} + excluded.{name}" for name in Sums._fields])
    return (
        f"INSERT INTO {kept.table} ({', '.join(columns)}) VALUES {', '.join([row] * number)}"
        f" ON CONFLICT ({', '.join(kept.keys)}) DO UPDATE SET {raised}"
    )

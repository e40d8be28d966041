"""Sums of the ledger that grow with its rows: what pages about usage read.

By hour they know tenant, user, model, surface and client; wider ones know less, so that there are
few: by quarter of an hour all together, by day what was asked or who asked, each for a tenant and,
under the empty name, for all. Every sum is written in the very transaction that writes the rows it
is of, so it is theirs always. Hours and days are those of UTC; `storage/layers.py` knows which of
them make up a stretch of time.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import chain
from operator import add, attrgetter
from typing import Any, Final, NamedTuple

from proxy.domain.entry import CLIENT_GONE, COMPLETED, Entry
from proxy.domain.sums import Sums
from proxy.storage.database import Statement

QUARTER_MS: Final = 900_000
HOUR_MS: Final = 4 * QUARTER_MS
DAY_MS: Final = 24 * HOUR_MS
ALL: Final = ""
"""In the place of a tenant: the sum is of all of them."""
SUMS_PER_STATEMENT = 32

_Key = tuple[Any, ...]
_Figures = list[int]
_figures = attrgetter(*Sums._fields[2:])
_GOOD = (COMPLETED, CLIENT_GONE)


class Kept(NamedTuple):
    """A table of sums: its name, and the columns that tell one sum from the next."""

    table: str
    keys: tuple[str, ...]


HOURS: Final = Kept("hour_use", ("hour", "tenant_id", "user_id", "model", "surface", "client"))
PEOPLE: Final = Kept("day_people", ("day", "tenant_id", "user_id"))
DAYS: Final = Kept("day_use", ("tenant_id", "day", "model", "surface", "client"))
QUARTERS: Final = Kept("quarter_use", ("tenant_id", "quarter"))
KEPT: Final = (HOURS, PEOPLE, DAYS, QUARTERS)


def sums_added(entries: Iterable[Entry]) -> list[Statement]:
    """The statements that add some rows to all sums; for one transaction with them. Always in the
    same order, so that two transactions which add to the same sums never wait for each other in
    turn; those that most transactions share come last and are held the shortest."""
    kept = kept_of(entries)
    return list(chain.from_iterable([_added(which, kept[which]) for which in KEPT]))


def kept_of(entries: Iterable[Entry]) -> dict[Kept, dict[_Key, _Figures]]:
    """What some rows add to each table, by key; figures are in the order of `Sums`."""
    parts = _parts(entries)
    asked = _folded(parts, lambda key: (key[1], key[0], *key[3:]))
    days = _folded(asked, lambda key: (key[0], key[1] // 96, *key[2:]))
    quarters = _folded(asked, lambda key: key[:2])
    return {
        HOURS: _folded(parts, lambda key: (key[0] // 4, *key[1:])),
        PEOPLE: _folded(parts, lambda key: (key[0] // 96, key[1], key[2])),
        DAYS: _folded(days, lambda key: (ALL, *key[1:])) | days,
        QUARTERS: _folded(quarters, lambda key: (ALL, key[1])) | quarters,
    }


def _parts(entries: Iterable[Entry]) -> dict[_Key, _Figures]:
    """By quarter of an hour, tenant, user, model, surface, client."""
    # Plain tuples and lists: this runs for every row there is.
    sums: dict[_Key, _Figures] = {}
    for row in entries:
        key = (
            *(row.started_at // QUARTER_MS, row.tenant_id, row.user_id),
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
    return sums


def _folded(sums: Mapping[_Key, _Figures], wider: Callable[[_Key], _Key]) -> dict[_Key, _Figures]:
    """Sums of sums, by a key that knows less."""
    found: dict[_Key, _Figures] = {}
    for key, figures in sums.items():
        name = wider(key)
        there = found.get(name)
        found[name] = figures if there is None else list(map(add, there, figures))
    return found


def _added(kept: Kept, sums: Mapping[_Key, _Figures]) -> list[Statement]:
    keys = sorted(sums)
    statements: list[Statement] = []
    start = 0
    while start < len(keys):
        # Few different lengths: a database remembers each statement it has seen.
        number = min(SUMS_PER_STATEMENT, 1 << (len(keys) - start).bit_length() - 1)
        some = keys[start : start + number]
        params = list(chain.from_iterable([(*key, *sums[key]) for key in some]))
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

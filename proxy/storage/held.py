"""Queries: what each worker holds at this moment, for the limits of several workers.

A worker writes its own rows only. Everything is small and short-lived: what workers do not take
back themselves, others remove once they are dead.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

from proxy.storage.database import Database, Statement

NAMES_PER_STATEMENT = 100
ROWS_MAX = 500_000
"""More amounts than workers could exchange in time; beyond it there is something else wrong."""

_BEAT = (
    "INSERT INTO held_workers (worker, seen_at) VALUES (?, ?)"
    " ON CONFLICT (worker) DO UPDATE SET seen_at = excluded.seen_at"
)
_ROWS = (
    "SELECT w.worker, w.seen_at, coalesce(h.name, ''), coalesce(h.amount, 0)"
    " FROM held_workers w LEFT JOIN held h ON h.worker = w.worker LIMIT ?"
)
_ALL_OF = "DELETE FROM held WHERE worker = ?"
_FORGET = "DELETE FROM held_workers WHERE worker = ? AND seen_at = ?"
# Only where the line above found the worker's beat unchanged.
_FORGET_AMOUNTS = (
    "DELETE FROM held WHERE worker = ?"
    " AND NOT EXISTS (SELECT 1 FROM held_workers w WHERE w.worker = held.worker)"
)


class Held:
    """Implements `limits.counters.HeldStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tell(
        self, worker: str, beat: int, changed: Sequence[tuple[str, int]], gone: Sequence[str], /
    ) -> None:
        """Note the beat, write the changed amounts, remove those gone; all or nothing."""
        await self._database.run(
            [(_BEAT, (worker, beat)), *_removals(worker, gone), *_writes(worker, changed)]
        )

    async def tell_anew(self, worker: str, beat: int, held: Sequence[tuple[str, int]], /) -> None:
        """Note the beat and put these amounts in the place of whatever was there."""
        await self._database.run(
            [(_BEAT, (worker, beat)), (_ALL_OF, (worker,)), *_writes(worker, held)]
        )

    async def rows(self) -> Sequence[tuple[str, int, str, int]]:
        """All amounts of all workers: worker, beat, name, amount. A worker that holds nothing has
        one row with an empty name."""
        return [
            (worker, beat, name, amount)
            for worker, beat, name, amount in await self._database.fetch(_ROWS, (ROWS_MAX,))
        ]

    async def forget(self, dead: Sequence[tuple[str, int]], /) -> None:
        """Remove workers with all they held, unless their beat is no longer the one given."""
        statements: list[Statement] = []
        for worker, beat in dead:
            statements += [(_FORGET, (worker, beat)), (_FORGET_AMOUNTS, (worker,))]
        await self._database.run(statements)


def _writes(worker: str, amounts: Sequence[tuple[str, int]]) -> list[Statement]:
    return [
        (_upsert(len(some)), list(chain.from_iterable([(worker, *each) for each in some])))
        for start in range(0, len(amounts), NAMES_PER_STATEMENT)
        if (some := amounts[start : start + NAMES_PER_STATEMENT])
    ]


def _removals(worker: str, names: Sequence[str]) -> list[Statement]:
    return [
        (_delete(len(some)), (worker, *some))
        for start in range(0, len(names), NAMES_PER_STATEMENT)
        if (some := names[start : start + NAMES_PER_STATEMENT])
    ]


@lru_cache(maxsize=NAMES_PER_STATEMENT)
def _upsert(rows: int) -> str:
    return (
        f"INSERT INTO held (worker, name, amount) VALUES {', '.join(['(?, ?, ?)'] * rows)}"
        " ON CONFLICT (worker, name) DO UPDATE SET amount = excluded.amount"
    )


@lru_cache(maxsize=NAMES_PER_STATEMENT)
def _delete(names: int) -> str:
    return f"DELETE FROM held WHERE worker = ? AND name IN ({', '.join('?' * names)})"

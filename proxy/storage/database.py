"""What every query of this room is written against.

One placeholder style (`?`), times as Unix milliseconds, booleans as 0 and 1, only SQL that SQLite
and PostgreSQL both understand. A driver raises `Fault` and nothing else: CONFLICT where a
constraint said no, UNAVAILABLE where the database could not answer. Neither ever carries a
parameter, because parameters may be secret.
"""

import time
from collections.abc import Sequence
from typing import Any, Protocol

Row = tuple[Any, ...]
Statement = tuple[str, Sequence[Any]]


class Database(Protocol):
    """One open database, safe to use from many tasks of one event loop."""

    async def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """The rows of one reading statement."""

    async def has_table(self, name: str) -> bool:
        """Is there a table of this name?"""

    async def run(self, statements: Sequence[Statement], *, commutes: bool = False) -> None:
        """All statements in one transaction: all of them happen or none.

        It is alone: nothing that its statements read changes before its end. Where that does not
        matter, because it only adds or overwrites what is its own, `commutes` lets others happen
        beside it.
        """

    async def run_many(
        self, sql: str, rows: Sequence[Sequence[Any]], *, commutes: bool = False
    ) -> None:
        """One statement for each row of parameters, all in one transaction."""

    async def close(self) -> None:
        """Finish what was begun and let go of the database."""


def unix_ms() -> int:
    """The wall clock, as it is written into records."""
    return time.time_ns() // 1_000_000

"""The default driver: one SQLite file, shared by all processes of one machine.

Owns the connection, its one thread, and the manners between processes: WAL, so that readers and
the writer do not wait for each other; BEGIN IMMEDIATE, so that a transaction waits for its turn at
its start and never fails in its middle; patience when the file is locked all the same.

`synchronous=NORMAL`: what was committed survives the death of the process; the last moments before
a power cut may be lost, the file stays whole. Nothing on a request's warm path waits for this room.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar

from proxy.domain.fault import Fault, Kind, Source
from proxy.storage.database import Database, Row, Statement

BUSY_TIMEOUT_MS = 5_000
PATIENCE_S = 20.0
"""How long one piece of work is tried while other processes hold the file. SQLite's own
`busy_timeout` does not cover everything (the switch to WAL, recovery after a crash)."""
PAUSE_S = 0.02

_BUSY_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_PRIMARY_CODE = 0xFF  # SQLite's extended codes carry the primary one in the low byte

_T = TypeVar("_T")


class SqliteDatabase:
    """One connection that lives on one thread of its own, so the event loop never blocks."""

    def __init__(self, connection: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._thread = thread

    @classmethod
    async def open(cls, path: str | Path) -> Self:
        """Open a database file; make it, readable by its owner only, and its folder if missing."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        opened = False
        try:
            loop = asyncio.get_running_loop()
            connection = await loop.run_in_executor(thread, _connect, Path(path))
            opened = True
        finally:
            if not opened:
                thread.shutdown(wait=False)
        return cls(connection, thread)

    async def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """The rows of one reading statement."""
        return await self._on_thread(lambda: self._connection.execute(sql, params).fetchall())

    async def has_table(self, name: str) -> bool:
        """Is there a table of this name?"""
        find = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return bool(await self.fetch(find, (name,)))

    async def run(self, statements: Sequence[Statement], *, commutes: bool = False) -> None:
        """All statements in one transaction; a file has one writer at a time in any case."""

        def work() -> None:
            for sql, params in statements:
                self._connection.execute(sql, params)

        await self._on_thread(lambda: self._in_transaction(work))

    async def run_many(
        self, sql: str, rows: Sequence[Sequence[Any]], *, commutes: bool = False
    ) -> None:
        """One statement for each row of parameters, all in one transaction."""
        if not rows:
            return

        def work() -> None:
            self._connection.executemany(sql, rows)

        await self._on_thread(lambda: self._in_transaction(work))

    async def close(self) -> None:
        """Wait for the work that was handed in, then close. Closing twice is nothing."""

        def work() -> None:
            self._thread.shutdown()
            self._connection.close()  # may take a while: the last one out tidies up the WAL

        await asyncio.get_running_loop().run_in_executor(None, work)

    async def _on_thread(self, work: Callable[[], _T]) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, _patiently, work)

    def _in_transaction(self, work: Callable[[], None]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        committed = False
        try:
            work()
            self._connection.execute("COMMIT")
            committed = True
        finally:
            # Some errors (disk full) make SQLite roll back by itself.
            if not committed and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _connect(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Made here and not by SQLite, so that nobody else can ever read it; SQLite gives its
        # side files (-wal, -shm) the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise _unavailable(f"{path}: {error.strerror}") from error

    def work() -> sqlite3.Connection:
        # No implicit transactions: ours begin where we say. The connection may be closed from
        # another thread than its own, after that one has ended.
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False
        )
        prepared = False
        try:
            # Counts only for a file that is still empty: rows of the ledger are wide, and the
            # larger page takes a sixth off the cost of inserting one.
            connection.execute("PRAGMA page_size = 8192")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            # What SQLite must remember to take back a statement of many rows, it would write to a
            # file of its own for each: nearly as many pages as the rows themselves.
            connection.execute("PRAGMA temp_store = MEMORY")
            # Pages of indexes are written again and again: bring them home every 32 MB, not every
            # 8, and most of that is spared.
            connection.execute("PRAGMA wal_autocheckpoint = 4000")
            connection.execute("PRAGMA foreign_keys = ON")
            prepared = True
        finally:
            if not prepared:
                connection.close()
        return connection

    return _patiently(work)


def _patiently(work: Callable[[], _T]) -> _T:
    """Do it, again and again while other processes hold the file; sqlite's errors become Faults."""
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        try:
            return work()
        except sqlite3.IntegrityError as error:
            # Names the constraint, for example "UNIQUE constraint failed: keys.digest".
            raise Fault(
                Kind.CONFLICT, "It conflicts with what is stored.", detail=str(error)
            ) from error
        except sqlite3.ProgrammingError:
            raise  # a mistake of ours, not the database's answer
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
            if code not in _BUSY_CODES or time.monotonic() >= give_up_at:
                raise _unavailable(str(error)) from error
        time.sleep(PAUSE_S)


def _unavailable(detail: str) -> Fault:
    return Fault(
        Kind.UNAVAILABLE,
        "The gateway's storage does not answer at the moment; try again.",
        detail=detail,
        source=Source.HOUSE,
        reason="storage_unavailable",
    )


_: type[Database] = SqliteDatabase

"""The driver for PostgreSQL: for several machines, or where one is there anyway.

Owns the pool of connections, the translation of `?`, and the manners of transactions. A
transaction is alone, as it is in SQLite, unless its caller says that it may happen beside others:
a lock is taken at its start, so what a statement of it read cannot be changed by another before
the end. A database that went away and came back is found again by the next statement.

A statement is repeated only when it is certain that it has not happened. Where the connection
broke during COMMIT nobody knows; that is UNAVAILABLE, and whoever tries again must bring something
that tells doubles apart, as the ledger does.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]

from proxy.domain.fault import Fault, Kind, Source
from proxy.storage.database import Database, Row, Statement

CONNECTIONS_MAX = 4
"""For each worker. Most statements take a millisecond, so few connections serve many tasks."""
CONNECT_S = 5.0
ANSWER_S = 20.0
"""How long one statement, and the wait for a connection, may take."""
LOCK_SHARE = 0.75
"""A transaction waits for another one for this share of it."""
TIDY_S = 2.0
TRIES = 4
"""How often a transaction is begun that others got in the way of."""
ALONE = 0x6861747A
"""The lock of transactions that are alone; any number will do that all workers agree on."""

_ROLLED_BACK = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
_REFUSED = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)
_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""The connection is gone, and with it every transaction that was not yet being committed."""

_Fit = Callable[[Sequence[Any]], Sequence[Any]]
_T = TypeVar("_T")


class PostgresDatabase:
    """A bounded pool of connections; `open` tries the first one."""

    def __init__(self, pool: asyncpg.Pool, place: str, answer_s: float) -> None:
        self._pool = pool
        self._place = place
        self._answer_s = answer_s
        self._working = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def __repr__(self) -> str:
        return f"PostgresDatabase({self._place})"

    @classmethod
    async def open(cls, url: str, *, answer_s: float = ANSWER_S) -> Self:
        """Connect; raises a Fault that names host and database, never user and password."""
        place = _place(url)
        settings = {
            "application_name": "hatz-gateway",
            "lock_timeout": f"{answer_s * LOCK_SHARE * 1000:.0f}ms",
            # Should our own giving up never reach the server.
            "statement_timeout": f"{answer_s * 1000:.0f}ms",
            # A machine that fell silent inside a transaction must not hold up the others.
            "idle_in_transaction_session_timeout": f"{answer_s * 1000:.0f}ms",
        }
        pool = await asyncpg.create_pool(
            url,
            min_size=0,
            max_size=CONNECTIONS_MAX,
            timeout=CONNECT_S,
            command_timeout=answer_s,
            max_cacheable_statement_size=0,  # the ledger's are long and come again and again
            reset=_nothing,  # no statement of ours changes its session
            server_settings=settings,
        )
        database = cls(pool, place, answer_s)
        opened = False
        try:
            await database.fetch("SELECT 1")
            opened = True
        finally:
            if not opened:
                pool.terminate()
        return database

    async def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """The rows of one reading statement."""
        text = translated(sql)

        async def work(connection: asyncpg.Connection, fit: _Fit) -> list[Row]:
            return list(map(tuple, await connection.fetch(text, *fit(params))))

        # Reading twice is reading once. Anything else that returns rows may have happened.
        reads = text.lstrip()[:6].upper() == "SELECT"
        return await self._done(work, lambda: reads)

    async def has_table(self, name: str) -> bool:
        """Is there a table of this name, where statements look for it?"""
        return bool(await self.fetch("SELECT 1 WHERE to_regclass(?) IS NOT NULL", (name,)))

    async def run(self, statements: Sequence[Statement], *, commutes: bool = False) -> None:
        """All statements in one transaction."""
        runs = [
            (sql, [params for _, params in group])
            for sql, group in groupby(statements, itemgetter(0))
        ]
        await self._in_transaction(runs, commutes)

    async def run_many(
        self, sql: str, rows: Sequence[Sequence[Any]], *, commutes: bool = False
    ) -> None:
        """One statement for each row of parameters, all in one transaction."""
        if rows:
            await self._in_transaction([(sql, rows)], commutes)

    async def close(self) -> None:
        """Wait for the work that was handed in, then close. Closing twice is nothing."""
        try:
            async with asyncio.timeout(self._answer_s):
                await self._idle.wait()
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    async def _in_transaction(
        self, runs: Sequence[tuple[str, Sequence[Sequence[Any]]]], commutes: bool
    ) -> None:
        # READ WRITE: a server that only follows another one says so at once.
        begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
        if not commutes:
            begin += f"; SELECT pg_advisory_xact_lock({ALONE})"
        committing = False

        async def work(connection: asyncpg.Connection, fit: _Fit) -> None:
            nonlocal committing
            await connection.execute(begin)
            for sql, rows in runs:
                text = translated(sql)
                if len(rows) > 1:
                    await connection.executemany(text, map(fit, rows))
                else:
                    await connection.execute(text, *fit(rows[0]))
            committing = True
            await connection.execute("COMMIT")

        await self._done(work, lambda: not committing)

    async def _done(
        self,
        work: Callable[[asyncpg.Connection, _Fit], Awaitable[_T]],
        repeatable: Callable[[], bool],
    ) -> _T:
        """Do it on a connection; again where that is certain to be safe. The driver's errors
        become Faults, without what came before: it may show parameters."""
        fit: _Fit = _as_given
        lost = tries = 0
        while True:
            tries += 1
            try:
                async with self._connection() as connection:
                    return await work(connection, fit)
            except TimeoutError:  # an OSError, but the connection was not lost
                raise self._away("no answer in time", known=repeatable()) from None
            except ValueError as error:  # of settings; they may show the URL
                raise self._away(f"{type(error).__name__}: is the URL right?") from None
            except _LOST as error:
                lost += 1
                if lost > 1 or not repeatable():
                    raise self._away(_words(error), known=repeatable()) from None
                # All others lead to the same server, and are as dead.
                await self._pool.expire_connections()
            except _ROLLED_BACK as error:
                if tries >= TRIES:
                    raise self._away(_words(error)) from None
            except asyncpg.CharacterNotInRepertoireError as error:
                if fit is _without_nul:
                    raise _refused(error) from None
                fit = _without_nul
            except _REFUSED as error:
                raise _refused(error) from None
            except asyncpg.PostgresError as error:
                raise self._away(_words(error)) from None

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        """One of the pool; thrown away if it was left in a state that nobody knows."""
        self._working += 1
        self._idle.clear()
        try:
            async with self._pool.acquire(timeout=self._answer_s) as connection:
                try:
                    yield connection
                except asyncpg.PostgresError as error:
                    if not isinstance(error, _LOST) and connection.is_in_transaction():
                        await connection.execute("ROLLBACK")
                    raise
                except BaseException:
                    await _tidied(connection)
                    raise
        finally:
            self._working -= 1
            if not self._working:
                self._idle.set()

    def _away(self, words: str, *, known: bool = True) -> Fault:
        doubt = "" if known else "; it is not known whether the transaction was committed"
        return Fault(
            Kind.UNAVAILABLE,
            "The gateway's storage does not answer at the moment; try again.",
            detail=f"{self._place}: {words}{doubt}",
            source=Source.HOUSE,
            reason="storage_unavailable",
        )


async def _tidied(connection: asyncpg.Connection) -> None:
    """A statement was given up, or worse: end it at the server too, which would go on with it and
    hold its locks; throw the connection away if that does not work."""
    tidy = False
    try:
        async with asyncio.timeout(TIDY_S):
            await connection.execute("ROLLBACK")  # the driver first waits for the end of the other
        tidy = True
    except (asyncpg.PostgresError, *_LOST):
        pass  # the server has noticed by itself, or is out of reach
    finally:
        if not tidy:
            _thrown_away(connection)


def _thrown_away(connection: asyncpg.Connection) -> None:
    try:
        connection.terminate()
    except asyncpg.InterfaceError:
        pass  # it was closed, and the pool has forgotten it


async def _nothing(_: object) -> None:
    """What is to be put right before a connection goes back to the pool."""


# ---------------------------------------------------------------- statements

_TOKEN = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | \? | \bBLOB\b""",
    re.VERBOSE | re.DOTALL,
)


@lru_cache(maxsize=1024)
def translated(sql: str) -> str:
    """The statement as PostgreSQL wants it: `$1` for the first `?`, BYTEA for a type of BLOB."""
    number = 0

    def put(match: re.Match[str]) -> str:
        nonlocal number
        token = match[0]
        if token == "?":
            number += 1
            return f"${number}"
        return "BYTEA" if token == "BLOB" else token

    return _TOKEN.sub(put, sql)


def _as_given(params: Sequence[Any]) -> Sequence[Any]:
    return params


def _without_nul(params: Sequence[Any]) -> Sequence[Any]:
    """SQLite's text can hold the character NUL, PostgreSQL's cannot: it is replaced."""
    return [
        value.replace("\0", "\ufffd") if isinstance(value, str) and "\0" in value else value
        for value in params
    ]


# ---------------------------------------------------------------- errors


def _refused(error: Exception) -> Fault:
    """What the database will never take, said without the values."""
    detail = str(getattr(error, "message", "") or "")
    if isinstance(error, asyncpg.DataError):
        # These messages show the value. Which parameter it was is all that may be known.
        argument = re.search(r"query argument \$\d+", str(error))
        detail = f"{type(error).__name__}: {argument[0] if argument else 'a value'} does not fit"
    return Fault(Kind.CONFLICT, "It conflicts with what is stored.", detail=detail)


def _words(error: Exception) -> str:
    # Not str(error): that of the server's errors goes on with values of the row.
    words = getattr(error, "message", None) or getattr(error, "strerror", None)
    return f"{type(error).__name__}: {words or str(error).partition(chr(10))[0]}"


def _place(url: str) -> str:
    """Host and database of a URL, for people; who logs in, and how, is left out."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the database"
    return f"{parts.hostname or ''}{port}{parts.path}"


_: type[Database] = PostgresDatabase

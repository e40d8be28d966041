"""A migrated database for every test, of either kind, and processes of our own beside it."""

import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from proxy.storage.database import Database
from proxy.storage.migrations import migrate
from proxy.storage.opening import open_database

ROOT = Path(__file__).parents[2]
Spawn = Callable[..., subprocess.Popen[str]]
OpenAnother = Callable[[], Awaitable[Database]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the SQLite file of the test is."""
    return tmp_path / "var" / "gateway.db"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, path: Path) -> str:
    """Where the test's own empty database is: every query must work in both."""
    if request.param == "sqlite":
        return f"sqlite:///{path}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def another(url: str) -> AsyncIterator[OpenAnother]:
    """Open the test's database once more, as another process would."""
    opened: list[Database] = []

    async def open_another() -> Database:
        opened.append(await open_database(url))
        return opened[-1]

    yield open_another
    for database in opened:
        await database.close()


@pytest.fixture
async def empty(another: OpenAnother) -> Database:
    """Open, but without a schema."""
    return await another()


@pytest.fixture
async def database(empty: Database) -> Database:
    """Open and up to date."""
    await migrate(empty)
    return empty


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start a Python process on a piece of code; it waits for a line on its standard input by
    itself where the code says so. None outlives the test."""
    processes: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()

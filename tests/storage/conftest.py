"""A migrated SQLite file for every test, and processes of our own beside it."""

import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from proxy.storage.migrations import migrate
from proxy.storage.sqlite import SqliteDatabase

ROOT = Path(__file__).parents[2]
Spawn = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "gateway.db"


@pytest.fixture
async def empty(path: Path) -> AsyncIterator[SqliteDatabase]:
    """Open, but without a schema."""
    database = await SqliteDatabase.open(path)
    yield database
    await database.close()


@pytest.fixture
async def database(empty: SqliteDatabase) -> SqliteDatabase:
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

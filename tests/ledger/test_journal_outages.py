"""Storage away under load, workers killed, disks full: nothing lost, nothing doubled, sums right.

Each trouble is a real one, of a real PostgreSQL server or a real SQLite file.
"""

import asyncio
import collections
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.domain.entry import Entry
from proxy.ledger.journal import Journal
from proxy.ledger.segment import listed, spooled_bytes
from proxy.storage import sqlite
from proxy.storage.database import Database
from proxy.storage.entries import Entries
from proxy.storage.migrations import migrate
from proxy.storage.opening import open_database
from proxy.storage.postgres import PostgresDatabase
from tests.kit.servers import Postgres

ROOT = Path(__file__).parents[2]
MakeEntry = Callable[..., Entry]
Sums = dict[tuple[str, str], tuple[int, int]]
LATE_S = 1.0
"""A reply may never wait for storage; this much is granted to a busy machine."""


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/gateway.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = await open_database(url)
    await migrate(database)
    yield database
    await database.close()


class Outage:
    """Takes storage away and gives it back."""

    def __init__(
        self, database: Database, away: Callable[[], Any], back: Callable[[], Any]
    ) -> None:
        self.database = database
        self.away = away
        self.back = back


@pytest.fixture(params=["sqlite locked", "postgres killed", "postgres stopped", "postgres paused"])
async def outage(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Outage]:
    if request.param == "sqlite locked":
        monkeypatch.setattr(sqlite, "PATIENCE_S", 0.05)
        monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 10)
        path = tmp_path / "gateway.db"
        database: Database = await open_database(f"sqlite:///{path}")
        await migrate(database)
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        yield Outage(
            database,
            lambda: other.execute("BEGIN EXCLUSIVE"),
            lambda: other.execute("ROLLBACK"),
        )
        other.close()
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = request.getfixturevalue("postgres_url")
        database = await PostgresDatabase.open(url, answer_s=1.0)
        await migrate(database)
        ways = {
            "postgres killed": (server.kill, server.start),
            "postgres stopped": (server.stop, server.start),
            "postgres paused": (server.pause, server.resume),
        }
        yield Outage(database, *ways[request.param])
    await database.close()


@pytest.fixture
def many(entry: MakeEntry) -> Callable[[str, int], list[Entry]]:
    """Rows of several tenants and users, each with credits of its own."""

    def make(prefix: str, number: int) -> list[Entry]:
        return [
            entry(f"{prefix}_{n:06d}", tenant_id=f"t{n % 2}", user_id=f"u{n % 7}", credits_in=n + 1)
            for n in range(number)
        ]

    return make


def expected_of(rows: list[Entry]) -> Sums:
    sums: collections.defaultdict[tuple[str, str], list[int]] = collections.defaultdict(
        lambda: [0, 0]
    )
    for row in rows:
        for owner in (row.user_id, ""):
            sums[row.tenant_id, owner][0] += row.credits_in
            sums[row.tenant_id, owner][1] += 1
    return {key: (credits, requests) for key, (credits, requests) in sums.items()}


async def assert_all_there_once(database: Database, rows: list[Entry]) -> None:
    stored = [name for (name,) in await database.fetch("SELECT event_id FROM entries")]
    assert sorted(stored) == sorted(row.event_id for row in rows)
    sums = await database.fetch("SELECT tenant_id, user_id, credits, requests FROM month_use")
    assert {row[:2]: row[2:] for row in sums} == expected_of(rows)


async def until(what: Callable[[], bool], within_s: float = 30.0) -> None:
    end = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


async def test_storage_away_for_a_while_under_load_costs_nothing_and_holds_up_nobody(
    outage: Outage, tmp_path: Path, many: Callable[[str, int], list[Entry]]
) -> None:
    told: list[Entry] = []

    def stored(rows: list[Entry], /, *, own: bool) -> None:
        assert own
        told.extend(rows)

    journal = Journal(
        tmp_path / "journal", "w0", Entries(outage.database), flush_ms=10, stored=stored
    )
    journal.open()
    running = asyncio.create_task(journal.run())
    rows = many("e", 4_000)
    done = 0
    latest_s = 0.0
    largest_backlog = 0

    def record(row: Entry) -> None:
        begun = time.monotonic()

        def written() -> None:
            nonlocal done, latest_s
            done += 1
            latest_s = max(latest_s, time.monotonic() - begun)

        journal.record(row, written)

    for number, row in enumerate(rows):
        record(row)
        if number == 1_000:
            await until(lambda: journal.rows_stored > 0)
            await asyncio.to_thread(outage.away)
        if number == 3_000:
            await until(lambda: journal.store_trouble != "")
            assert journal.healthy
            await asyncio.to_thread(outage.back)
        if number % 20 == 0:
            largest_backlog = max(largest_backlog, journal.backlog_bytes)
            await asyncio.sleep(0.002)
    await until(lambda: done == len(rows))
    await until(lambda: not listed_rows(tmp_path / "journal"))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert latest_s < LATE_S
    assert largest_backlog < 1 << 20
    assert (journal.lost, journal.rows_rejected) == (0, 0)
    await assert_all_there_once(outage.database, rows)
    assert {row.event_id for row in told} == {row.event_id for row in rows}
    await journal.close()


def listed_rows(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in listed(folder))


async def test_an_outage_longer_than_the_spool_stops_new_requests_until_storage_is_back(
    outage: Outage, tmp_path: Path, many: Callable[[str, int], list[Entry]]
) -> None:
    limit = 64 << 10
    folder = tmp_path / "journal"
    journal = Journal(folder, "w0", Entries(outage.database), flush_ms=10, spool_bytes_max=limit)
    journal.open()
    await asyncio.to_thread(outage.away)
    rows: list[Entry] = []
    waiting = iter(many("e", 5_000))
    while journal.healthy:
        rows.append(next(waiting))
        journal.record(rows[-1], lambda: None)
        await asyncio.sleep(0)
    assert not await journal.drain()
    assert "folder is full" in journal.trouble
    assert spooled_bytes(folder) < limit + 1_000
    await asyncio.to_thread(outage.back)
    end = time.monotonic() + 30
    while not await journal.drain():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
    assert journal.healthy
    assert journal.spool_bytes == 0
    await journal.close()
    await assert_all_there_once(outage.database, rows)


async def test_a_full_disk_under_the_spool_is_said_and_costs_no_row(
    database: Database, tmp_path: Path, many: Callable[[str, int], list[Entry]]
) -> None:
    journal = Journal(tmp_path / "journal", "w0", Entries(database), flush_ms=10)
    journal.open()
    rows = many("e", 400)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # What a full disk does: a write takes what there is room for, the next one fails.
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    told = 0
    try:
        for row in rows:

            def written() -> None:
                nonlocal told
                told += 1

            journal.record(row, written)
            await asyncio.sleep(0)
        assert told == len(rows)
        assert not journal.healthy
        assert "cannot write" in journal.trouble or "took only part" in journal.trouble
        on_sqlite = not isinstance(database, PostgresDatabase)
        # PostgreSQL lies on another disk and takes what waits in memory at once.
        assert await journal.drain() is not on_sqlite
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert await journal.drain()
    assert journal.healthy
    assert journal.lost == 0
    await journal.close()
    await assert_all_there_once(database, rows)


# ---------------------------------------------------------------- workers killed

WORKER = """
import asyncio, os, signal, sys
from pathlib import Path
from proxy.domain.entry import Entry, Outcome
from proxy.ledger.journal import Journal
from proxy.ledger.segment import Segment
from proxy.storage.entries import Entries
from proxy.storage.opening import open_database

async def main(folder, url, prefix, dies_at):
    database = await open_database(url)
    journal = Journal(folder, "w0", Entries(database), flush_ms=5)
    journal.open()
    asyncio.create_task(journal.run())
    number = 0
    while True:
        for _ in range(number % 7 + 1):
            number += 1
            name = f"{prefix}_{number}"
            who = (f"t{number % 2}", f"u{number % 7}")
            row = Entry(name, name, 1, 2, *who, *("r", "k", "m", "m", "id"), Outcome.COMPLETED, 200)
            row.credits_in = number
            journal.record(row, lambda name=name: os.write(1, name.encode() + b"\\n"))
        if number >= dies_at > 0:
            # Exactly between the commit and the removal of the file.
            Segment.discard = lambda self: os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.sleep(0)

asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
"""


def told_until_killed(
    folder: Path, url: str, prefix: str, *, lines: int, dies_at: int
) -> list[str]:
    """Run a worker until it dies of itself, or kill it after so many lines; all it told."""
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), url, prefix, str(dies_at)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert worker.stdout is not None
    output = b""
    while chunk := os.read(worker.stdout.fileno(), 1 << 16):
        output += chunk
        if not dies_at and output.count(b"\n") >= lines:
            worker.kill()
    worker.stdout.close()
    assert worker.wait() == -signal.SIGKILL
    return output[: output.rfind(b"\n")].decode().split("\n")


@pytest.mark.parametrize("between_commit_and_removal", [True, False])
async def test_workers_killed_at_any_moment_lose_nothing_they_told_and_double_nothing(
    between_commit_and_removal: bool, database: Database, url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "journal"
    told: list[str] = []
    doubles = 0
    for kill, lines in enumerate((1, 300, 2_000)):
        told += await asyncio.to_thread(
            told_until_killed,
            *(folder, url, f"run{kill}"),
            lines=lines,
            dies_at=lines if between_commit_and_removal else 0,
        )
        stored = {name for (name,) in await database.fetch("SELECT event_id FROM entries")}
        doubles += sum(name in stored for name in waiting_in(folder))
    if between_commit_and_removal:
        assert doubles > 0  # there was something that could have been added twice
    journal = Journal(folder, "w0", Entries(database), flush_ms=5)
    journal.open()
    await journal.replay()
    await journal.close()
    assert listed(folder) == []
    rows = await database.fetch("SELECT event_id, tenant_id, user_id, credits_in FROM entries")
    assert set(told) <= {row[0] for row in rows}
    expected: Sums = {}
    for _, tenant_id, user_id, credits in rows:
        for owner in (user_id, ""):
            had = expected.get((tenant_id, owner), (0, 0))
            expected[tenant_id, owner] = (had[0] + credits, had[1] + 1)
    sums = await database.fetch("SELECT tenant_id, user_id, credits, requests FROM month_use")
    assert {row[:2]: row[2:] for row in sums} == expected


def waiting_in(folder: Path) -> list[str]:
    return [
        line.split(b'"')[3].decode()
        for path in listed(folder)
        for line in path.read_bytes().splitlines()
        if line.endswith(b"}")
    ]

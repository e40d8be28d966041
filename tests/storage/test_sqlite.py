"""The driver: transactions whole or not at all, many processes, an event loop that never blocks."""

import asyncio
import sqlite3
import stat
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from proxy.domain.fault import Fault, Kind, Source
from proxy.storage.sqlite import SqliteDatabase

Spawn = Callable[..., subprocess.Popen[str]]

COUNT = "CREATE TABLE counts (name TEXT PRIMARY KEY, number BIGINT NOT NULL CHECK (number >= 0))"


@pytest.fixture
async def empty(path: Path) -> AsyncIterator[SqliteDatabase]:
    database = await SqliteDatabase.open(path)
    yield database
    await database.close()


async def counted(database: SqliteDatabase) -> dict[str, int]:
    return dict(await database.fetch("SELECT name, number FROM counts"))


async def test_rows_come_back_as_they_were_put(empty: SqliteDatabase) -> None:
    await empty.run([("CREATE TABLE t (a TEXT, b BIGINT, c BLOB, d BIGINT)", ())])
    row = ("ü", 1 << 60, b"\x00\xff", None)
    await empty.run_many("INSERT INTO t VALUES (?, ?, ?, ?)", [row, row])
    assert await empty.fetch("SELECT * FROM t WHERE b = ?", (1 << 60,)) == [row, row]


async def test_file_and_side_files_are_for_their_owner_only(
    empty: SqliteDatabase, path: Path
) -> None:
    await empty.run([(COUNT, ())])
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["gateway.db", "gateway.db-shm", "gateway.db-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_the_promised_pragmas_hold(empty: SqliteDatabase) -> None:
    assert await empty.fetch("PRAGMA journal_mode") == [("wal",)]
    assert await empty.fetch("PRAGMA synchronous") == [(1,)]
    assert await empty.fetch("PRAGMA foreign_keys") == [(1,)]
    assert await empty.fetch("PRAGMA busy_timeout") == [(5000,)]


async def test_a_transaction_that_fails_leaves_nothing(empty: SqliteDatabase) -> None:
    await empty.run([(COUNT, ())])
    insert = "INSERT INTO counts VALUES (?, ?)"
    with pytest.raises(Fault) as failed:
        await empty.run([(insert, ("a", 1)), (insert, ("a", 2))])
    assert failed.value.kind is Kind.CONFLICT
    assert failed.value.detail == "UNIQUE constraint failed: counts.name"
    with pytest.raises(Fault):
        await empty.run_many(insert, [("b", 1), ("c", -1)])
    assert await counted(empty) == {}
    await empty.run([(insert, ("a", 3))])
    assert await counted(empty) == {"a": 3}


async def test_run_many_of_nothing_is_nothing(empty: SqliteDatabase) -> None:
    await empty.run_many("this is never even read", [])
    assert await empty.fetch("SELECT count(*) FROM sqlite_master") == [(0,)]


async def test_trouble_of_the_database_is_a_fault_of_the_house_without_values(
    empty: SqliteDatabase,
) -> None:
    with pytest.raises(Fault) as failed:
        await empty.fetch("SELECT * FROM nowhere WHERE a = ?", ("hzat-secret",))
    fault = failed.value
    assert (fault.kind, fault.source) == (Kind.UNAVAILABLE, Source.HOUSE)
    assert "nowhere" in fault.detail
    assert "nowhere" not in fault.message
    assert "hzat-secret" not in fault.message + fault.detail + repr(fault)


async def test_a_mistake_of_ours_is_not_disguised(empty: SqliteDatabase) -> None:
    with pytest.raises(sqlite3.ProgrammingError):
        await empty.fetch("SELECT ?, ?", (1,))


async def test_a_folder_that_cannot_be_made_is_a_fault_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Fault) as failed:
        await SqliteDatabase.open(tmp_path / "file" / "gateway.db")
    assert str(tmp_path / "file" / "gateway.db") in failed.value.detail


async def test_a_file_that_is_no_database_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").write_bytes(b"not a database at all, by no means" * 100)
    with pytest.raises(Fault) as failed:
        await SqliteDatabase.open(tmp_path / "gateway.db")
    assert "not a database" in failed.value.detail


async def test_closing_waits_for_work_and_twice_is_nothing(path: Path) -> None:
    database = await SqliteDatabase.open(path)
    await database.run([(COUNT, ())])
    insert = "INSERT INTO counts VALUES (?, ?)"
    writing = [asyncio.create_task(database.run([(insert, (str(n), n))])) for n in range(20)]
    await asyncio.sleep(0)
    await database.close()
    await database.close()
    await asyncio.gather(*writing)
    again = await SqliteDatabase.open(path)
    assert len(await counted(again)) == 20
    await again.close()


async def test_the_loop_stays_free_while_the_database_works(empty: SqliteDatabase) -> None:
    long_query = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)"
        " SELECT max(i) FROM n"
    )
    asking = asyncio.create_task(empty.fetch(long_query))
    turns = 0
    while not asking.done():
        await asyncio.sleep(0)
        turns += 1
    assert await asking == [(1_000_000,)]
    assert turns > 10


async def test_a_writer_waits_for_another_process_to_finish_its_transaction(
    empty: SqliteDatabase, path: Path
) -> None:
    await empty.run([(COUNT, ())])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO counts VALUES ('other', 1)")
    writing = asyncio.create_task(empty.run([("INSERT INTO counts VALUES ('ours', 1)", ())]))
    done, _ = await asyncio.wait([writing], timeout=0.1)
    assert not done
    other.execute("COMMIT")
    other.close()
    await writing
    assert await counted(empty) == {"other": 1, "ours": 1}


async def test_reading_does_not_wait_for_a_writer(empty: SqliteDatabase, path: Path) -> None:
    await empty.run([(COUNT, ())])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO counts VALUES ('other', 1)")
    assert await counted(empty) == {}
    other.execute("ROLLBACK")
    other.close()


async def test_patience_ends(
    empty: SqliteDatabase, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await empty.run([(COUNT, ()), ("PRAGMA busy_timeout = 1", ())])
    monkeypatch.setattr("proxy.storage.sqlite.PATIENCE_S", 0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    before = time.monotonic()
    with pytest.raises(Fault) as failed:
        await empty.run([("INSERT INTO counts VALUES ('ours', 1)", ())])
    assert failed.value.kind is Kind.UNAVAILABLE
    assert "locked" in failed.value.detail
    assert time.monotonic() - before < 5
    other.execute("ROLLBACK")
    other.close()


ADDER = """
import asyncio, sys
from proxy.storage.sqlite import SqliteDatabase

async def main():
    input()  # all begin together
    database = await SqliteDatabase.open(sys.argv[1])
    for _ in range(int(sys.argv[2])):
        await database.run([("UPDATE counts SET number = number + 1 WHERE name = 'all'", ())])
        await database.fetch("SELECT * FROM counts")
    await database.close()

asyncio.run(main())
"""


async def test_processes_that_write_at_once_lose_nothing(
    empty: SqliteDatabase, path: Path, spawn: Spawn
) -> None:
    await empty.run([(COUNT, ()), ("INSERT INTO counts VALUES ('all', 0)", ())])
    processes = [spawn(ADDER, path, 100) for _ in range(3)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for _ in range(100):
        await empty.run([("UPDATE counts SET number = number + 1 WHERE name = 'all'", ())])
    for process in processes:
        _, errors = await asyncio.to_thread(process.communicate)
        assert (process.returncode, errors) == (0, "")
    assert await counted(empty) == {"all": 400}

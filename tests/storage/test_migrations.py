"""Steps are applied once, whole, in order, by whoever comes first."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from msgspec.structs import astuple

from proxy.domain.entry import Entry, Outcome
from proxy.domain.fault import Fault, Kind
from proxy.storage.database import Database, Statement
from proxy.storage.entries import Entries
from proxy.storage.migrations import SCHEMA, Step, migrate, steps
from proxy.storage.sqlite import SqliteDatabase

Spawn = Callable[..., subprocess.Popen[str]]
OpenAnother = Callable[[], Awaitable[Database]]

FIRST = Step(1, "0001_first", ("CREATE TABLE one (a TEXT)", "INSERT INTO one VALUES ('x')"))
SECOND = Step(2, "0002_second", ("CREATE TABLE two (a TEXT)",))
BROKEN = Step(2, "0002_broken", ("CREATE TABLE two (a TEXT)", "CREATE TABLE one (a TEXT)"))


async def tables(database: Database) -> set[str]:
    if isinstance(database, SqliteDatabase):
        names = "SELECT name FROM sqlite_master WHERE type = 'table'"
    else:
        names = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'"
    rows = await database.fetch(names)
    return {name for (name,) in rows}


async def test_an_empty_database_gets_every_step_once(empty: Database) -> None:
    assert await migrate(empty) == [step.name for step in steps()]
    assert await migrate(empty) == []
    assert {"tenants", "users", "keys", "entries", "refusals"} <= await tables(empty)


def test_steps_are_numbered_without_gaps_and_no_file_is_left_out() -> None:
    numbers = [step.number for step in steps()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [step.name for step in steps()] == sorted(path.stem for path in SCHEMA.iterdir())


async def test_only_missing_steps_are_applied(empty: Database) -> None:
    assert await migrate(empty, [FIRST]) == ["0001_first"]
    assert await migrate(empty, [FIRST, SECOND]) == ["0002_second"]
    assert await empty.fetch("SELECT a FROM one") == [("x",)]


async def test_rows_from_before_a_step_are_still_the_rows_they_were(empty: Database) -> None:
    """A ledger of the first releases; nothing in it had been estimated."""
    known = steps()
    await migrate(empty, [step for step in known if step.number <= 4])
    row = Entry(
        *("evt_1", "req_1", 1, 2, "t", "u", "r", "k", "m", "m", "id"), Outcome.COMPLETED, 200
    )
    names = ", ".join(Entry.__struct_fields__[:-1])
    values = astuple(row)[:-1]
    marks = ", ".join("?" * len(values))
    await empty.run([(f"INSERT INTO entries ({names}) VALUES ({marks})", values)])
    await migrate(empty)
    assert await Entries(empty).by_request_id("req_1") == [row]


async def test_a_step_that_fails_leaves_nothing_and_can_be_repaired(empty: Database) -> None:
    with pytest.raises(Fault):
        await migrate(empty, [FIRST, BROKEN])
    assert await tables(empty) == {"migrations", "one"}
    assert await migrate(empty, [FIRST, SECOND]) == ["0002_second"]


async def test_a_conflict_inside_a_step_is_not_taken_for_another_process(
    empty: Database,
) -> None:
    clash = ("CREATE TABLE one (a TEXT UNIQUE)", *["INSERT INTO one VALUES ('x')"] * 2)
    with pytest.raises(Fault) as failed:
        await migrate(empty, [Step(1, "0001_clash", clash)])
    assert failed.value.kind is Kind.CONFLICT
    assert await tables(empty) == {"migrations"}


async def test_a_database_newer_than_the_code_is_refused(empty: Database) -> None:
    await migrate(empty, [FIRST, SECOND])
    with pytest.raises(Fault) as failed:
        await migrate(empty, [FIRST])
    assert "newer than this release" in failed.value.message
    assert "0002_second" in failed.value.message


def test_a_statement_without_an_end_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "0001_open.sql").write_text("-- why;\nCREATE TABLE one (\n  a TEXT\n)\n")
    with pytest.raises(ValueError, match="does not end"):
        steps(tmp_path)


def test_comments_and_blank_lines_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "0001_x.sql").write_text("-- a; b\n\nCREATE TABLE one (\n  -- c;\n  a TEXT\n);\n")
    assert steps(tmp_path) == [Step(1, "0001_x", ("CREATE TABLE one (\n  a TEXT\n)",))]


MIGRATOR = """
import asyncio, sys
from proxy.storage.migrations import migrate
from proxy.storage.opening import open_database

async def main():
    print("ready", flush=True)
    input()
    database = await open_database(sys.argv[1])
    print(len(await migrate(database)))
    await database.close()

asyncio.run(main())
"""


async def test_processes_that_migrate_at_once_apply_each_step_once(url: str, spawn: Spawn) -> None:
    processes = [spawn(MIGRATOR, url) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    applied = 0
    for process in processes:
        out, errors = await asyncio.to_thread(process.communicate)
        assert (process.returncode, errors) == (0, "")
        applied += int(out)
    assert applied == len(steps())


class Latecomer:
    """A database where somebody else has done it between the look and the deed."""

    def __init__(self, database: Database, faster: Database) -> None:
        self.fetch = database.fetch
        self.run_many = database.run_many
        self.close = database.close
        self._database = database
        self._faster = faster

    async def run(self, statements: Sequence[Statement]) -> None:
        if "INSERT INTO migrations" in statements[0][0]:
            await migrate(self._faster)
        await self._database.run(statements)


async def test_steps_another_process_finished_in_between_are_passed_over(
    empty: Database, another: OpenAnother
) -> None:
    faster = await another()
    assert await migrate(Latecomer(empty, faster)) == []
    assert len(await empty.fetch("SELECT number FROM migrations")) == len(steps())

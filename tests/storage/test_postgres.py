"""The driver for PostgreSQL: transactions whole or not at all, outages survived, nothing repeated
that may have happened, nothing told that came from a parameter."""

import asyncio
import subprocess
import time
import traceback
from collections.abc import AsyncIterator, Callable

import pytest

from proxy.domain.fault import Fault, Kind, Source
from proxy.storage.postgres import CONNECTIONS_MAX, PostgresDatabase, translated
from tests.kit.servers import Postgres

Spawn = Callable[..., subprocess.Popen[str]]

COUNT = "CREATE TABLE counts (name TEXT PRIMARY KEY, number BIGINT NOT NULL CHECK (number >= 0))"
INSERT = "INSERT INTO counts VALUES (?, ?)"


@pytest.fixture
async def empty(postgres_url: str) -> AsyncIterator[PostgresDatabase]:
    database = await PostgresDatabase.open(postgres_url)
    yield database
    await database.close()


async def counted(database: PostgresDatabase) -> dict[str, int]:
    return dict(await database.fetch("SELECT name, number FROM counts"))


async def seen(database: PostgresDatabase, *statements: str) -> None:
    """Until the server is at work on statements that begin like these."""
    at_work = (
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
        " AND datname = current_database() AND query LIKE ?"
    )
    for statement in statements:
        until = time.monotonic() + 10
        while await database.fetch(at_work, (statement + "%",)) == [(0,)]:
            assert time.monotonic() < until, f"{statement} is not seen"
            await asyncio.sleep(0.01)


def everything_told(fault: Fault) -> str:
    """All that a log could say of it."""
    return fault.message + fault.detail + repr(fault) + "".join(traceback.format_exception(fault))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("SELECT 1", "SELECT 1"),
        ("SELECT ? WHERE a = ? AND b IN (?, ?)", "SELECT $1 WHERE a = $2 AND b IN ($3, $4)"),
        ("SELECT 'why?' || ?", "SELECT 'why?' || $1"),
        ("SELECT 'it''s ?' || ?", "SELECT 'it''s ?' || $1"),
        ('SELECT "odd?name", ?', 'SELECT "odd?name", $1'),
        ("SELECT ? -- really?\n, ?", "SELECT $1 -- really?\n, $2"),
        ("SELECT /* ? ' */ ?, '/*' || ?", "SELECT /* ? ' */ $1, '/*' || $2"),
        ("CREATE TABLE t (a BLOB, BLOBS TEXT)", "CREATE TABLE t (a BYTEA, BLOBS TEXT)"),
        ("SELECT 'BLOB'", "SELECT 'BLOB'"),
    ],
)
def test_marks_are_numbered_where_they_are_marks(ours: str, theirs: str) -> None:
    assert translated(ours) == theirs


async def test_rows_come_back_as_they_were_put(empty: PostgresDatabase) -> None:
    columns = "a TEXT, b BIGINT, c BLOB, d BIGINT, e SMALLINT, f DOUBLE PRECISION"
    await empty.run([(f"CREATE TABLE t ({columns})", ())])
    row = ("ü", 1 << 60, b"\x00\xff", None, 1, 0.1)
    await empty.run_many("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", [row, row])
    assert await empty.fetch("SELECT * FROM t WHERE b = ?", (1 << 60,)) == [row, row]


async def test_flags_and_whole_numbers_fit_their_columns(empty: PostgresDatabase) -> None:
    await empty.run([("CREATE TABLE t (e SMALLINT, f DOUBLE PRECISION)", ())])
    await empty.run([("INSERT INTO t VALUES (?, ?)", (True, 5))])
    assert await empty.fetch("SELECT e, f FROM t") == [(1, 5.0)]


async def test_a_character_that_postgresql_cannot_hold_costs_itself_not_the_row(
    empty: PostgresDatabase,
) -> None:
    await empty.run([(COUNT, ())])
    await empty.run_many(INSERT, [("a\0b", 1), ("c", 2)])
    assert await counted(empty) == {"a\ufffdb": 1, "c": 2}
    assert await empty.fetch("SELECT number FROM counts WHERE name = ?", ("a\0b",)) == [(1,)]


async def test_a_transaction_that_fails_leaves_nothing(empty: PostgresDatabase) -> None:
    await empty.run([(COUNT, ())])
    secret = "-".join(["hz", "secret"])
    with pytest.raises(Fault) as failed:
        await empty.run([(INSERT, (secret, 1)), (INSERT, (secret, 2))])
    assert failed.value.kind is Kind.CONFLICT
    assert failed.value.detail == ('duplicate key value violates unique constraint "counts_pkey"')
    assert secret not in everything_told(failed.value)
    with pytest.raises(Fault):
        await empty.run_many(INSERT, [("b", 1), ("c", -1)])
    assert await counted(empty) == {}
    await empty.run([(INSERT, ("a", 3))])
    assert await counted(empty) == {"a": 3}


@pytest.mark.parametrize(
    ("row", "which"),
    [(("a", 1 << 70), "$2"), (("a", "hidden"), "$2"), (("\ud800hidden", 1), "$1")],
)
async def test_a_value_that_can_never_fit_is_a_conflict_that_does_not_show_it(
    empty: PostgresDatabase, row: tuple[object, object], which: str
) -> None:
    await empty.run([(COUNT, ())])
    with pytest.raises(Fault) as failed:
        await empty.run([(INSERT, row)])
    assert failed.value.kind is Kind.CONFLICT
    assert failed.value.detail == f"DataError: query argument {which} does not fit"
    assert "hidden" not in everything_told(failed.value)
    assert str(1 << 70) not in everything_told(failed.value)
    assert await counted(empty) == {}


async def test_run_many_of_nothing_is_nothing(empty: PostgresDatabase) -> None:
    await empty.run_many("this is never even read", [])
    await empty.run([])
    assert await empty.fetch("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


async def test_trouble_of_the_database_is_a_fault_of_the_house_without_values(
    empty: PostgresDatabase,
) -> None:
    secret = "-".join(["hz", "secret"])
    with pytest.raises(Fault) as failed:
        await empty.fetch("SELECT * FROM nowhere WHERE a = ?", (secret,))
    fault = failed.value
    assert (fault.kind, fault.source) == (Kind.UNAVAILABLE, Source.HOUSE)
    assert "nowhere" in fault.detail
    assert "nowhere" not in fault.message
    assert secret not in everything_told(fault)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (lambda url, port: url.replace("gateway:", "gateway:not-"), "password authentication"),
        (lambda url, port: url + "-not", "does not exist"),
        (lambda url, port: url.replace(f":{port}", ":1"), "127.0.0.1:1/"),
        (lambda url, port: url.replace(f":{port}", ":port"), "is the URL right?"),
        (lambda url, port: url + "?sslmode=never", "is the URL right?"),
        (lambda url, port: url.replace("127.0.0.1", "nowhere.invalid"), "nowhere.invalid"),
    ],
)
async def test_what_cannot_be_opened_is_explained_without_the_password(
    postgres: Postgres,
    postgres_url: str,
    changed: Callable[[str, int], str],
    says: str,
) -> None:
    with pytest.raises(Fault) as failed:
        await PostgresDatabase.open(changed(postgres_url, postgres.port))
    assert failed.value.kind is Kind.UNAVAILABLE
    assert says in failed.value.detail
    assert postgres.password not in everything_told(failed.value)


async def test_it_shows_where_it_is_and_not_how_to_come_in(
    empty: PostgresDatabase, postgres: Postgres, postgres_url: str
) -> None:
    name = postgres_url.rpartition("/")[2]
    assert repr(empty) == f"PostgresDatabase(127.0.0.1:{postgres.port}/{name})"


async def test_closing_waits_for_work_and_twice_is_nothing(
    empty: PostgresDatabase, postgres_url: str
) -> None:
    await empty.run([(COUNT, ())])
    database = await PostgresDatabase.open(postgres_url)
    writing = [asyncio.create_task(database.run([(INSERT, (str(n), n))])) for n in range(20)]
    await asyncio.sleep(0)
    await database.close()
    await database.close()
    await asyncio.gather(*writing)
    assert len(await counted(empty)) == 20


async def test_many_tasks_share_few_connections(empty: PostgresDatabase) -> None:
    mine = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    answers = await asyncio.gather(*[empty.fetch(mine) for _ in range(60)])
    assert len(answers) == 60
    assert await empty.fetch(mine) == [(CONNECTIONS_MAX,)]


async def test_a_cancelled_transaction_has_not_happened(empty: PostgresDatabase) -> None:
    await empty.run([(COUNT, ())])
    slow = ("SELECT pg_sleep(30)", ())
    writing = asyncio.create_task(empty.run([(INSERT, ("a", 1)), slow]))
    await seen(empty, "SELECT pg_sleep")
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await empty.run([(INSERT, ("a", 2))])
    assert await counted(empty) == {"a": 2}


# ---------------------------------------------------------------- many at once


async def test_a_transaction_is_alone(empty: PostgresDatabase) -> None:
    await empty.run([(COUNT, ())])
    next_number = "INSERT INTO counts SELECT ?, count(*) FROM counts"
    await asyncio.gather(*[empty.run([(next_number, (str(n),))]) for n in range(20)])
    assert sorted((await counted(empty)).values()) == list(range(20))


async def test_transactions_that_commute_do_not_wait_for_each_other(
    empty: PostgresDatabase, postgres_url: str
) -> None:
    await empty.run([(COUNT, ())])
    held = asyncio.create_task(empty.run([(INSERT, ("slow", 1)), ("SELECT pg_sleep(30)", ())]))
    await seen(empty, "SELECT pg_sleep")
    await empty.run([(INSERT, ("quick", 1))], commutes=True)
    await empty.run_many(INSERT, [("quicker", 1)], commutes=True)
    assert not held.done()
    assert set(await counted(empty)) == {"quick", "quicker"}
    held.cancel()
    with pytest.raises(asyncio.CancelledError):
        await held


async def test_transactions_that_get_in_each_others_way_all_happen(
    empty: PostgresDatabase,
) -> None:
    await empty.run([(COUNT, ()), (INSERT, ("a", 0)), (INSERT, ("b", 0))])
    add = "UPDATE counts SET number = number + 1 WHERE name = ?"
    pause = ("SELECT pg_sleep(0.05)", ())
    ways = [("a", "b"), ("b", "a")] * 2
    await asyncio.gather(
        *[empty.run([(add, one), pause, (add, two)], commutes=True) for one, two in ways]
    )
    assert await counted(empty) == {"a": 4, "b": 4}


ADDER = """
import asyncio, sys
from proxy.storage.postgres import PostgresDatabase

async def main():
    input()  # all begin together
    database = await PostgresDatabase.open(sys.argv[1])
    for number in range(int(sys.argv[2])):
        add = ("UPDATE counts SET number = number + 1 WHERE name = 'all'", ())
        await database.run([add], commutes=bool(number % 2))
        await database.fetch("SELECT * FROM counts")
    await database.close()

asyncio.run(main())
"""


async def test_processes_that_write_at_once_lose_nothing(
    empty: PostgresDatabase, postgres_url: str, spawn: Spawn
) -> None:
    await empty.run([(COUNT, ()), (INSERT, ("all", 0))])
    processes = [spawn(ADDER, postgres_url, 100) for _ in range(3)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = await asyncio.to_thread(process.communicate)
        assert (process.returncode, errors) == (0, "")
    assert await counted(empty) == {"all": 300}


# ---------------------------------------------------------------- outages


async def test_a_server_that_was_started_anew_is_not_even_noticed(
    empty: PostgresDatabase, postgres: Postgres
) -> None:
    await empty.run([(COUNT, ())])
    await asyncio.gather(*[empty.fetch("SELECT 1") for _ in range(20)])
    for end in (postgres.stop, postgres.kill):
        end()
        postgres.start()
        await empty.run([(INSERT, (end.__name__, 1))])
        assert end.__name__ in await counted(empty)


async def test_a_statement_cut_off_is_done_again_where_it_certainly_has_not_happened(
    empty: PostgresDatabase, postgres: Postgres
) -> None:
    await empty.run([(COUNT, ())])
    slow = ("SELECT pg_sleep(0.5)", ())
    writing = asyncio.create_task(empty.run([(INSERT, ("a", 1)), slow]))
    reading = asyncio.create_task(empty.fetch("SELECT 7, pg_sleep(0.5)::text"))
    await seen(empty, "SELECT pg_sleep", "SELECT 7")
    # Not the server, only its connections to us: they can be made anew at once.
    postgres.ask(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'hatz-gateway'"
    )
    assert (await reading)[0][0] == 7
    await writing
    assert await counted(empty) == {"a": 1}


async def test_while_it_is_away_every_statement_says_so_at_once_and_works_when_it_is_back(
    empty: PostgresDatabase, postgres: Postgres
) -> None:
    await empty.run([(COUNT, ())])
    postgres.kill()
    began = time.monotonic()
    for work in (empty.fetch("SELECT 1"), empty.run([(INSERT, ("a", 1))])):
        with pytest.raises(Fault) as failed:
            await work
        assert failed.value.kind is Kind.UNAVAILABLE
        assert f"127.0.0.1:{postgres.port}/" in failed.value.detail
        assert postgres.password not in everything_told(failed.value)
    assert time.monotonic() - began < 2
    postgres.start()
    await empty.run([(INSERT, ("a", 1))])
    assert await counted(empty) == {"a": 1}


async def test_a_server_that_stands_still_holds_nobody_up_for_ever(
    postgres: Postgres, postgres_url: str
) -> None:
    database = await PostgresDatabase.open(postgres_url, answer_s=1.0)
    await database.run([(COUNT, ())])
    postgres.pause()
    began = time.monotonic()
    for work in (database.fetch("SELECT 1"), database.run([(INSERT, ("a", 1))])):
        with pytest.raises(Fault) as failed:
            await work
        assert "no answer in time" in failed.value.detail
    assert time.monotonic() - began < 8
    postgres.resume()
    await database.run([(INSERT, ("b", 1))])
    assert "b" in await counted(database)
    await database.close()


SLOW_COMMIT = [
    "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS"
    " $$BEGIN PERFORM pg_sleep(30); RETURN NULL; END$$",
    "CREATE CONSTRAINT TRIGGER dawdles AFTER INSERT ON counts"
    " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dawdle()",
]


async def test_a_commit_whose_end_nobody_saw_is_not_done_again(
    empty: PostgresDatabase, postgres: Postgres
) -> None:
    await empty.run([(COUNT, ()), *[(sql, ()) for sql in SLOW_COMMIT]])
    writing = asyncio.create_task(empty.run([(INSERT, ("a", 1))]))
    await seen(empty, "COMMIT")
    postgres.kill()
    postgres.start()
    with pytest.raises(Fault) as failed:
        await writing
    assert failed.value.kind is Kind.UNAVAILABLE
    assert "not known whether" in failed.value.detail
    assert await counted(empty) == {}


async def test_a_server_that_may_only_be_read_is_written_to_all_the_same_or_says_why(
    empty: PostgresDatabase, postgres: Postgres, postgres_url: str
) -> None:
    await empty.run([(COUNT, ())])
    name = postgres_url.rpartition("/")[2]
    # As it is on a machine that was a copy once and whose settings nobody changed back.
    postgres.ask(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    careful = await PostgresDatabase.open(postgres_url)
    await careful.run([(INSERT, ("a", 1))])
    assert await counted(careful) == {"a": 1}
    await careful.close()

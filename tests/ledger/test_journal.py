"""The journal: on disk before the client sees the end, in storage soon after, nothing twice."""

import asyncio
import contextlib
import itertools
import logging
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proxy.domain.entry import Entry
from proxy.domain.refusal import Refusal
from proxy.ledger import journal as journal_module
from proxy.ledger.journal import Journal
from proxy.ledger.segment import Line, listed
from proxy.storage.entries import Entries
from proxy.storage.migrations import migrate
from proxy.storage.sqlite import SqliteDatabase

MakeEntry = Callable[..., Entry]
MakeRefusal = Callable[..., Refusal]


def nothing() -> None:
    """A `written` nobody waits for."""


async def turn() -> None:
    await asyncio.sleep(0)


def opened(folder: Path, store: Any, worker: str = "w0", **settings: Any) -> Journal:
    made = Journal(folder, worker, store, **settings)
    made.open()
    return made


@contextlib.contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """What a full disk does: a write takes what there is room for, the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def on_disk(folder: Path) -> bytes:
    return b"".join([path.read_bytes() for path in listed(folder)])


# ---------------------------------------------------------------------- the hot side


async def test_all_rows_of_a_turn_are_one_write_and_callbacks_come_after_it_in_order(
    tmp_path: Path, shelf: Any, entry: MakeEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[bytes] = []
    write = os.write

    def watched(fd: int, data: bytes) -> int:
        writes.append(bytes(data))
        return write(fd, data)

    monkeypatch.setattr(journal_module.os, "write", watched)
    journal = opened(tmp_path, shelf)
    told: list[tuple[int, bytes]] = []
    for number in range(50):
        journal.record(
            entry(f"evt_{number}"), lambda number=number: told.append((number, on_disk(tmp_path)))
        )
    assert writes == [] and told == []
    await turn()
    assert len(writes) == 1 and writes[0].count(b"\n") == 50
    assert [number for number, _ in told] == list(range(50))
    assert all(seen == writes[0] for _, seen in told)
    await journal.close()
    assert len(shelf.entries) == 50


async def test_a_callback_may_record_and_is_told_in_the_next_turn(
    tmp_path: Path, shelf: Any, entry: MakeEntry
) -> None:
    journal = opened(tmp_path, shelf)
    told: list[str] = []

    def first() -> None:
        told.append("first")
        journal.record(entry("evt_2"), lambda: told.append("second"))

    journal.record(entry("evt_1"), first)
    await turn()
    assert told == ["first"]
    await turn()
    assert told == ["first", "second"]
    await journal.close()


async def test_a_callback_that_fails_is_reported_and_does_not_silence_the_others(
    tmp_path: Path, shelf: Any, entry: MakeEntry
) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    journal = opened(tmp_path, shelf)
    told: list[str] = []

    def fails() -> None:
        raise ZeroDivisionError

    journal.record(entry("evt_1"), fails)
    journal.record(entry("evt_2"), lambda: told.append("evt_2"))
    await turn()
    await turn()
    assert told == ["evt_2"]
    assert [type(context["exception"]) for context in reported] == [ZeroDivisionError]
    await journal.close()
    assert sorted(shelf.entries) == ["evt_1", "evt_2"]


async def test_a_row_arrives_as_it_was_recorded(
    tmp_path: Path, shelf: Any, entry: MakeEntry, refusal: MakeRefusal
) -> None:
    row = entry("evt_1", user_agent='q"\\ü\n', streamed=True, first_byte_ms=3, credits_in=10**15)
    refused = refusal("req_9")
    journal = opened(tmp_path, shelf)
    journal.record(row, nothing)
    journal.record_refusal(refused)
    await journal.close()
    assert shelf.entries == {"evt_1": row}
    assert shelf.refusals == [refused]
    assert listed(tmp_path) == []


async def test_text_that_is_no_text_costs_the_character_not_the_row(
    tmp_path: Path, shelf: Any, entry: MakeEntry
) -> None:
    journal = opened(tmp_path, shelf)
    journal.record(entry("evt_1", user_agent="a\udcffb"), nothing)
    journal.record(entry("evt_2"), nothing)
    await journal.close()
    assert shelf.entries["evt_1"].user_agent == "a?b"
    assert "evt_2" in shelf.entries


async def test_refusals_are_kept_up_to_a_rate_and_the_rest_is_counted(
    tmp_path: Path, shelf: Any, refusal: MakeRefusal
) -> None:
    journal = opened(tmp_path, shelf, refusals_per_second_max=3)
    for second in (1, 2):
        for number in range(5):
            journal.record_refusal(refusal(f"req_{second}_{number}", second * 1000 + number))
    await journal.close()
    assert [row.request_id[-1] for row in shelf.refusals] == ["0", "1", "2"] * 2
    assert journal.refusals_dropped == 4


async def test_recording_before_open_or_after_close_is_our_mistake(
    tmp_path: Path, shelf: Any, entry: MakeEntry
) -> None:
    with pytest.raises(AssertionError):
        Journal(tmp_path, "w0", shelf).record(entry("evt_1"), nothing)
    journal = opened(tmp_path, shelf)
    await journal.close()
    with pytest.raises(AssertionError):
        journal.record(entry("evt_1"), nothing)


@pytest.mark.parametrize("worker", ["", "../w", "a/b", "w-0", "w 0"])
def test_a_worker_whose_name_would_break_file_names_is_refused(
    tmp_path: Path, shelf: Any, worker: str
) -> None:
    with pytest.raises(AssertionError):
        Journal(tmp_path, worker, shelf)


# ---------------------------------------------------------------------- the way to storage


async def test_rows_reach_storage_in_batches_and_their_file_goes(
    tmp_path: Path, shelf: Any, entry: MakeEntry
) -> None:
    journal = opened(tmp_path, shelf)
    for number in range(2_500):
        journal.record(entry(f"evt_{number}"), nothing)
    await turn()
    assert await journal.drain()
    assert shelf.batches == [1_000, 1_000, 500]
    assert journal.rows_stored == 2_500
    assert on_disk(tmp_path) == b"" and journal.spool_bytes == 0
    journal.record(entry("evt_more"), nothing)
    await turn()
    assert await journal.drain()
    assert "evt_more" in shelf.entries
    await journal.close()


async def test_an_idle_journal_touches_neither_disk_nor_storage(tmp_path: Path, shelf: Any) -> None:
    journal = opened(tmp_path, shelf)
    await journal.drain()
    before = listed(tmp_path)
    for _ in range(5):
        assert await journal.drain()
    assert listed(tmp_path) == before
    assert shelf.batches == []
    await journal.close()


async def test_rows_stay_on_disk_while_storage_is_away_and_follow_when_it_is_back(
    tmp_path: Path, shelf: Any, entry: MakeEntry
) -> None:
    journal = opened(tmp_path, shelf)
    shelf.break_down()
    for number in range(5):
        journal.record(entry(f"evt_{number}"), nothing)
        await turn()
        assert not await journal.drain()
    assert journal.healthy
    assert "disk on fire" in journal.store_trouble
    assert journal.backlog_bytes == 0
    assert on_disk(tmp_path).count(b"\n") == 5
    # One file waits and one is written: a long outage must not open a file every flush.
    assert len(listed(tmp_path)) == 2
    shelf.mend()
    assert await journal.drain()
    assert await journal.drain()
    assert sorted(shelf.entries) == [f"evt_{number}" for number in range(5)]
    assert journal.store_trouble == ""
    await journal.close()


async def test_a_row_that_can_never_be_stored_is_set_aside_and_holds_up_no_other(
    tmp_path: Path, shelf: Any, entry: MakeEntry
) -> None:
    journal = opened(tmp_path, shelf)
    shelf.never = {"evt_3"}
    for number in range(8):
        journal.record(entry(f"evt_{number}"), nothing)
    await journal.close()
    assert sorted(shelf.entries) == [f"evt_{n}" for n in range(8) if n != 3]
    assert (journal.rows_rejected, journal.rows_stored) == (1, 7)
    aside = tmp_path / "w0-00000000.rejected"
    # Cured and renamed, it is replayed like any segment.
    shelf.never = set()
    aside.rename(aside.with_suffix(".jsonl"))
    assert await Journal(tmp_path, "w0", shelf).replay() == 1
    assert "evt_3" in shelf.entries


class Ticks:
    """Stands for the pause between two rounds: the test turns the clock."""

    def __init__(self) -> None:
        self.asked_s: list[float] = []
        self._asleep = asyncio.Event()
        self._go = asyncio.Event()

    async def sleep(self, pause_s: float) -> None:
        self.asked_s.append(pause_s)
        self._asleep.set()
        await self._go.wait()
        self._go.clear()

    async def tick(self) -> None:
        await self._asleep.wait()
        self._asleep.clear()
        self._go.set()
        await self._asleep.wait()


async def test_who_waits_for_rows_to_be_stored_hears_of_each_and_of_those_set_aside(
    tmp_path: Path, shelf: Any, entry: MakeEntry, refusal: MakeRefusal
) -> None:
    heard: list[str] = []

    def stored(rows: list[Entry], /, *, own: bool) -> None:
        assert own
        heard.extend(row.event_id for row in rows)

    journal = opened(tmp_path, shelf, stored=stored)
    shelf.never = {"evt_2"}
    shelf.break_down()
    for number in range(4):
        journal.record(entry(f"evt_{number}"), nothing)
    journal.record_refusal(refusal("req_1"))
    await turn()
    assert not await journal.drain()
    assert heard == []
    shelf.mend()
    assert await journal.drain()
    assert sorted(heard) == ["evt_0", "evt_1", "evt_2", "evt_3"]
    assert sorted(shelf.entries) == ["evt_0", "evt_1", "evt_3"]
    await journal.close()


async def test_who_waits_for_rows_hears_which_of_them_a_dead_worker_had_left(
    tmp_path: Path, shelf: Any, entry: MakeEntry
) -> None:
    dead = opened(tmp_path, shelf)
    dead.record(entry("evt_old"), nothing)
    await turn()
    assert dead._segment is not None
    dead._segment.release()  # as the kernel does when a process dies
    heard: list[tuple[str, bool]] = []

    def stored(rows: list[Entry], /, *, own: bool) -> None:
        heard.extend((row.event_id, own) for row in rows)

    journal = opened(tmp_path, shelf, stored=stored)
    journal.record(entry("evt_new"), nothing)
    await turn()
    assert await journal.drain()
    assert sorted(heard) == [("evt_new", True), ("evt_old", False)]
    await journal.close()


async def test_the_writer_moves_rows_each_round_and_backs_off_while_storage_is_away(
    tmp_path: Path, shelf: Any, entry: MakeEntry
) -> None:
    tried = 0
    insert = shelf.insert

    async def counted(entries: list[Entry]) -> None:
        nonlocal tried
        tried += 1
        await insert(entries)

    shelf.insert = counted
    ticks = Ticks()
    journal = opened(tmp_path, shelf, flush_ms=250, sleep=ticks.sleep)
    running = asyncio.create_task(journal.run())
    journal.record(entry("evt_1"), nothing)
    await ticks.tick()
    assert list(shelf.entries) == ["evt_1"]

    shelf.break_down()
    tried = 0
    journal.record(entry("evt_2"), nothing)
    attempts = []
    for _ in range(600):
        await ticks.tick()
        attempts.append(tried)
    rounds = [n for n, (a, b) in enumerate(zip([0, *attempts], attempts, strict=False)) if b > a]
    pauses = [b - a for a, b in itertools.pairwise(rounds)]
    assert pauses[:6] == [2, 4, 8, 16, 32, 64]
    assert max(pauses) == 120  # half a minute of rounds of 250 ms
    assert set(ticks.asked_s) == {0.25}

    shelf.mend()
    for _ in range(120):
        await ticks.tick()
    assert sorted(shelf.entries) == ["evt_1", "evt_2"]
    tried = 0
    journal.record(entry("evt_3"), nothing)
    await ticks.tick()
    assert tried == 1
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert journal.healthy
    await journal.close()


async def test_a_writer_that_dies_of_a_mistake_of_ours_makes_the_journal_unhealthy(
    tmp_path: Path, shelf: Any, entry: MakeEntry
) -> None:
    async def broken(_: list[Entry]) -> None:
        raise ZeroDivisionError

    shelf.insert = broken
    ticks = Ticks()
    journal = opened(tmp_path, shelf, sleep=ticks.sleep)
    running = asyncio.create_task(journal.run())
    journal.record(entry("evt_1"), nothing)
    ticking = asyncio.create_task(ticks.tick())
    with pytest.raises(ZeroDivisionError):
        await running
    ticking.cancel()
    assert journal.trouble == "the ledger's writer has stopped"
    assert b"evt_1" in on_disk(tmp_path)


async def test_a_writer_cancelled_in_the_middle_of_an_insert_loses_and_doubles_nothing(
    tmp_path: Path, shelf: Any, entry: MakeEntry
) -> None:
    inside = asyncio.Event()
    insert = shelf.insert

    async def slow(entries: list[Entry]) -> None:
        await insert(entries)
        inside.set()
        await asyncio.Event().wait()

    shelf.insert = slow
    journal = opened(tmp_path, shelf)
    journal.record(entry("evt_1"), nothing)
    draining = asyncio.create_task(journal.drain())
    await inside.wait()
    draining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await draining
    shelf.insert = insert
    await journal.close()
    assert list(shelf.entries) == ["evt_1"]
    assert listed(tmp_path) == []


async def test_a_folder_at_its_limit_is_unhealthy_and_nothing_in_it_is_deleted(
    tmp_path: Path, shelf: Any, entry: MakeEntry
) -> None:
    journal = opened(tmp_path, shelf, spool_bytes_max=2_000, backlog_bytes_max=2_000)
    shelf.break_down()
    told = 0

    def tell() -> None:
        nonlocal told
        told += 1

    for number in range(40):
        journal.record(entry(f"evt_{number:03}"), tell)
        await turn()
        await journal.drain()
    assert told == 40
    assert not journal.healthy
    assert "limit" in journal.trouble
    assert len(on_disk(tmp_path)) <= 4_000
    kept = on_disk(tmp_path).count(b"\n")
    assert journal.lost > 0
    assert journal.backlog_bytes <= 2_500
    shelf.mend()
    for _ in range(3):
        await journal.drain()
    assert journal.healthy, journal.trouble
    assert len(shelf.entries) == 40 - journal.lost
    assert len(shelf.entries) > kept
    await journal.close()


# ---------------------------------------------------------------------- disks that fail


async def test_a_full_disk_holds_up_no_reply_and_loses_no_row(
    tmp_path: Path, shelf: Any, entry: MakeEntry, caplog: pytest.LogCaptureFixture
) -> None:
    journal = opened(tmp_path, shelf)
    shelf.break_down()
    told: list[int] = []
    with files_no_larger_than(1_000):
        for number in range(20):
            journal.record(entry(f"evt_{number:02}"), lambda number=number: told.append(number))
            await turn()
        assert told == list(range(20))
        assert not journal.healthy
        assert journal.backlog_bytes > 0
        # What the file took ends at the end of a line, although the disk took part of the next.
        assert 0 < len(on_disk(tmp_path)) < 1_000
        assert on_disk(tmp_path).endswith(b"\n")
        assert not await journal.drain()
    assert len([record for record in caplog.records if "wait in memory" in record.message]) == 1
    await journal.drain()
    assert journal.healthy
    assert journal.backlog_bytes == 0
    shelf.mend()
    assert await journal.drain()
    await journal.close()
    assert len(shelf.entries) == 20
    assert journal.lost == 0
    assert (journal.lines_torn, listed(tmp_path)) == (0, [])


async def test_while_the_disk_is_full_rows_go_to_storage_straight_from_memory(
    tmp_path: Path, shelf: Any, entry: MakeEntry, refusal: MakeRefusal
) -> None:
    journal = opened(tmp_path, shelf)
    with files_no_larger_than(1):
        for number in range(5):
            journal.record(entry(f"evt_{number}"), nothing)
        journal.record_refusal(refusal("req_1"))
        await turn()
        assert not journal.healthy
        assert await journal.drain()
        assert len(shelf.entries) == 5 and len(shelf.refusals) == 1
    await journal.drain()
    assert journal.healthy
    await journal.close()


async def test_rows_in_memory_stay_there_when_storage_is_away_too(
    tmp_path: Path, shelf: Any, entry: MakeEntry
) -> None:
    journal = opened(tmp_path, shelf)
    shelf.break_down()
    with files_no_larger_than(0):
        for number in range(3):
            journal.record(entry(f"evt_{number}"), nothing)
        await turn()
        waiting = journal.backlog_bytes
        assert not await journal.drain()
        assert journal.backlog_bytes == waiting > 0
        shelf.mend()
        assert await journal.drain()
        assert len(shelf.entries) == 3
    assert journal.lost == 0
    await journal.close()


async def test_rows_that_nowhere_takes_until_the_end_are_counted_as_lost(
    tmp_path: Path, shelf: Any, entry: MakeEntry, caplog: pytest.LogCaptureFixture
) -> None:
    journal = opened(tmp_path, shelf)
    shelf.break_down()
    with files_no_larger_than(0):
        journal.record(entry("evt_1"), nothing)
        journal.record(entry("evt_2"), nothing)
        await journal.close()
    assert journal.lost == 2
    assert "lost at the end: 2" in caplog.text


async def test_a_disk_that_is_no_longer_full_is_noticed_without_new_rows(
    tmp_path: Path, shelf: Any, entry: MakeEntry
) -> None:
    journal = opened(tmp_path, shelf)
    with files_no_larger_than(0):
        journal.record(entry("evt_1"), nothing)
        await turn()
        await journal.drain()
        await journal.drain()
        assert "evt_1" in shelf.entries
        assert not journal.healthy
    await journal.drain()
    assert journal.healthy
    await journal.close()
    assert listed(tmp_path) == []


async def test_when_even_memory_is_full_rows_are_lost_loudly_and_replies_still_go_out(
    tmp_path: Path, shelf: Any, entry: MakeEntry, caplog: pytest.LogCaptureFixture
) -> None:
    journal = opened(tmp_path, shelf, backlog_bytes_max=1_000)
    shelf.break_down()
    told: list[int] = []
    with files_no_larger_than(0):
        for number in range(100):
            journal.record(entry(f"evt_{number}"), lambda number=number: told.append(number))
            await turn()
    assert told == list(range(100))
    assert 0 < journal.lost < 100
    assert any("lost" in record.message for record in caplog.records)
    assert len([record for record in caplog.records if "lost" in record.message]) < 10
    shelf.mend()
    await journal.close()
    assert len(shelf.entries) == 100 - journal.lost


async def test_a_stump_that_cannot_be_cut_off_costs_no_other_row(
    tmp_path: Path, shelf: Any, entry: MakeEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(fd: int, size: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(journal_module.os, "ftruncate", refuses)
    journal = opened(tmp_path, shelf)
    shelf.break_down()
    with files_no_larger_than(600):
        for number in range(4):
            journal.record(entry(f"evt_{number}"), nothing)
        await turn()
    await journal.drain()
    shelf.mend()
    await journal.close()
    assert sorted(shelf.entries) == [f"evt_{number}" for number in range(4)]
    assert journal.lines_torn == 1


async def test_a_folder_deleted_behind_our_back_loses_nothing(
    tmp_path: Path, shelf: Any, entry: MakeEntry
) -> None:
    folder = tmp_path / "journal"
    journal = opened(folder, shelf)
    for path in listed(folder):
        path.unlink()
    folder.rmdir()
    journal.record(entry("evt_1"), nothing)
    await turn()
    assert await journal.drain()
    journal.record(entry("evt_2"), nothing)
    await journal.close()
    assert sorted(shelf.entries) == ["evt_1", "evt_2"]


@pytest.mark.parametrize("away", [False, True], ids=["storage there", "storage away"])
async def test_a_folder_that_takes_no_new_file_loses_nothing(
    tmp_path: Path, shelf: Any, entry: MakeEntry, away: bool
) -> None:
    folder, aside = tmp_path / "journal", tmp_path / "aside"
    journal = opened(folder, shelf)
    if away:
        shelf.break_down()
        journal.record(entry("evt_0"), nothing)
        await turn()
        await journal.drain()  # leaves one file waiting, so that the next is kept in use
    journal.record(entry("evt_1"), nothing)
    await turn()
    folder.rename(aside)
    folder.write_text("a file")
    await journal.drain()
    journal.record(entry("evt_2"), nothing)
    await turn()
    assert away or not journal.healthy
    await journal.drain()
    folder.unlink()
    aside.rename(folder)
    shelf.mend()
    for _ in range(3):
        assert await journal.drain()
    assert journal.healthy
    await journal.close()
    assert sorted(shelf.entries) == (["evt_0"] if away else []) + ["evt_1", "evt_2"]
    assert journal.lost == 0


async def test_something_odd_in_the_folder_does_not_stop_a_replay(
    tmp_path: Path, shelf: Any, entry: MakeEntry, caplog: pytest.LogCaptureFixture
) -> None:
    await left_behind(tmp_path, shelf, [entry("evt_1")])
    (tmp_path / "a.jsonl").mkdir()
    assert await Journal(tmp_path, "w1", shelf).replay() == 1
    assert "cannot replay a.jsonl" in caplog.text


async def test_a_folder_that_cannot_be_used_is_said_at_the_start(
    tmp_path: Path, shelf: Any
) -> None:
    (tmp_path / "journal").write_text("a file")
    with pytest.raises(OSError):
        opened(tmp_path / "journal", shelf)


# ---------------------------------------------------------------------- crashes


async def left_behind(folder: Path, shelf: Any, rows: list[Entry | Refusal]) -> bytes:
    """What a worker leaves that dies before storage took its rows."""
    shelf.break_down()
    journal = opened(folder, shelf)
    for row in rows:
        if isinstance(row, Entry):
            journal.record(row, nothing)
        else:
            journal.record_refusal(row)
    await journal.close()
    shelf.mend()
    return on_disk(folder)


async def test_after_a_crash_at_any_byte_all_whole_rows_come_back_exactly_once(
    tmp_path: Path,
    shelf: Any,
    entry: MakeEntry,
    refusal: MakeRefusal,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = [entry("evt_1"), refusal("req_2"), entry("evt_3", user_agent="ü")]
    data = await left_behind(tmp_path, shelf, rows)
    assert data.count(b"\n") == 3
    for path in listed(tmp_path):
        path.unlink()
    caplog.set_level(logging.CRITICAL)
    wrong = []
    for cut in range(len(data) + 1):
        (tmp_path / "w0-00000000.jsonl").write_bytes(data[:cut])
        store = type(shelf)()
        await Journal(tmp_path, "w1", store).replay()
        whole = data[:cut].count(b"\n")
        rest = data[:cut].rpartition(b"\n")[2]
        torn = tmp_path / "w0-00000000.torn"
        kept = torn.read_bytes() if torn.exists() else b"\n"
        came = [*store.entries.values(), *store.refusals]
        due = sorted(rows[:whole], key=lambda row: isinstance(row, Refusal))
        if came != due or kept != rest + b"\n" or listed(tmp_path):
            wrong.append(cut)
        torn.unlink(missing_ok=True)
    assert wrong == []


async def test_replay_takes_what_dead_workers_left_and_leaves_the_living_alone(
    tmp_path: Path, shelf: Any, entry: MakeEntry
) -> None:
    await left_behind(tmp_path, shelf, [entry("evt_dead")])
    living = opened(tmp_path, shelf, "w1")
    living.record(entry("evt_living"), nothing)
    await turn()
    restarted = opened(tmp_path, shelf, "w0")
    assert await restarted.replay() == 1
    assert list(shelf.entries) == ["evt_dead"]
    assert b"evt_living" in on_disk(tmp_path)
    await living.close()
    assert sorted(shelf.entries) == ["evt_dead", "evt_living"]
    await restarted.close()
    assert listed(tmp_path) == []


async def test_a_restart_under_the_same_name_overwrites_nothing(
    tmp_path: Path, shelf: Any, entry: MakeEntry
) -> None:
    for number in range(3):
        await left_behind(tmp_path, shelf, [entry(f"evt_{number}")])
    journal = opened(tmp_path, shelf)
    assert await journal.replay() == 3
    await journal.close()
    assert len(shelf.entries) == 3


async def test_rows_already_in_storage_are_not_doubled_by_a_replay(
    tmp_path: Path, entry: MakeEntry, shelf: Any
) -> None:
    data = await left_behind(tmp_path, shelf, [entry("evt_1"), entry("evt_2")])
    (path,) = listed(tmp_path)
    database = await SqliteDatabase.open(tmp_path / "gateway.db")
    await migrate(database)
    entries = Entries(database)
    for _ in range(2):
        path.write_bytes(data)
        assert await Journal(tmp_path, "w0", entries).replay() == 2
    for name in ("evt_1", "evt_2"):
        assert await entries.by_request_id(f"req_{name}") == [entry(name)]
    await database.close()


async def test_a_replay_that_storage_refuses_is_done_by_the_writer_later(
    tmp_path: Path, shelf: Any, entry: MakeEntry
) -> None:
    await left_behind(tmp_path, shelf, [entry("evt_1")])
    journal = opened(tmp_path, shelf, "w1")
    shelf.break_down()
    assert await journal.replay() == 0
    assert b"evt_1" in on_disk(tmp_path)
    shelf.mend()
    assert await journal.drain()
    assert list(shelf.entries) == ["evt_1"]
    await journal.close()


async def test_nothing_to_replay_is_no_trouble(tmp_path: Path, shelf: Any) -> None:
    assert await Journal(tmp_path / "not there", "w0", shelf).replay() == 0


async def test_a_segment_of_another_release_loses_unknown_fields_only(
    tmp_path: Path, shelf: Any, entry: MakeEntry
) -> None:
    row = msgspec.to_builtins(Line(entry=entry("evt_1")))
    row["entry"].append("a field of the future")
    (tmp_path / "w0-00000000.jsonl").write_bytes(msgspec.json.encode(row) + b"\n")
    assert await Journal(tmp_path, "w1", shelf).replay() == 1
    assert shelf.entries["evt_1"] == entry("evt_1")


WORKER = """
import asyncio, os, sys
from pathlib import Path
from proxy.domain.entry import Entry, Outcome
from proxy.ledger.journal import Journal
from proxy.storage.entries import Entries
from proxy.storage.sqlite import SqliteDatabase

async def main(folder, prefix):
    database = await SqliteDatabase.open(folder / "gateway.db")
    journal = Journal(folder / "journal", "w0", Entries(database), flush_ms=5)
    journal.open()
    running = asyncio.create_task(journal.run())
    number = 0
    while True:
        for _ in range(number % 7 + 1):
            number += 1
            name = f"{prefix}_{number}"
            texts = ("t", "u", "r", "k", "m", "m", "id")
            row = Entry(name, name, 1, 2, *texts, Outcome.COMPLETED, 200)
            journal.record(row, lambda name=name: os.write(1, name.encode() + b"\\n"))
        await asyncio.sleep(0)

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


def told_until_killed(folder: Path, prefix: str, lines: int) -> list[str]:
    """Run a worker, kill it after so many lines; all whole lines it told."""
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), prefix], stdout=subprocess.PIPE
    )
    assert worker.stdout is not None
    output = b""
    while output.count(b"\n") < lines:
        chunk = os.read(worker.stdout.fileno(), 1 << 16)
        assert chunk, "the worker ended by itself"
        output += chunk
    os.kill(worker.pid, signal.SIGKILL)
    output += worker.stdout.read()
    worker.stdout.close()
    assert worker.wait() == -signal.SIGKILL
    return output[: output.rfind(b"\n")].decode().split("\n")


async def test_what_a_killed_worker_told_is_in_storage_after_replay_and_nothing_is_there_twice(
    tmp_path: Path,
) -> None:
    database = await SqliteDatabase.open(tmp_path / "gateway.db")
    await migrate(database)
    told: list[str] = []
    for kill, lines in enumerate((1, 500, 3_000)):
        told += await asyncio.to_thread(told_until_killed, tmp_path, f"run{kill}", lines)
    assert len(told) > 3_500
    entries = Entries(database)
    journal = opened(tmp_path / "journal", entries)
    await journal.replay()
    await journal.close()
    rows = await database.fetch("SELECT event_id FROM entries")
    stored = {row[0] for row in rows}
    assert len(stored) == len(rows)
    assert set(told) <= stored
    assert listed(tmp_path / "journal") == []
    await database.close()


def conforms(entries: Entries) -> Awaitable[object]:
    """The type checker proves here that storage is what the journal asks for."""
    return Journal(Path(), "w0", entries).replay()

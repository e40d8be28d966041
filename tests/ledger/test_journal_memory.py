"""Rows that storage takes at once come from memory; whatever goes wrong, none is missing after."""

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.entry import Entry, Outcome
from proxy.domain.fault import Fault, Kind
from proxy.domain.refusal import Refusal
from proxy.ledger import journal as journal_module
from proxy.ledger import segment as segment_module
from proxy.ledger.journal import ROWS_REMEMBERED_MAX, Journal
from proxy.ledger.segment import Segment
from tests.kit.patience import examples

WORDS = ("tenant_1", "user_1", "general_user", "key_1", "sonnet", "claude-sonnet-5", "alias")
MakeEntry = Callable[..., Entry]
MakeRefusal = Callable[..., Refusal]


def nothing() -> None:
    """A `written` nobody waits for."""


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Where files were read from."""
    found: list[int] = []
    read = Segment.read

    def watched(segment: Segment, offset: int) -> Any:
        found.append(offset)
        return read(segment, offset)

    monkeypatch.setattr(segment_module.Segment, "read", watched)
    return found


def opened(folder: Path, store: Any) -> Journal:
    journal = Journal(folder, "w0", store)
    journal.open()
    return journal


async def test_rows_that_are_stored_at_once_are_not_read_again(
    tmp_path: Path, shelf: Any, entry: MakeEntry, readings: list[int]
) -> None:
    journal = opened(tmp_path, shelf)
    for turn in range(3):
        for number in range(5):
            journal.record(entry(f"evt_{turn}_{number}"), nothing)
        await asyncio.sleep(0)
    assert await journal.drain()
    assert len(shelf.entries) == 15 and readings == []
    await journal.close()


async def test_a_refusal_among_the_rows_sends_the_writer_to_the_file(
    tmp_path: Path, shelf: Any, entry: MakeEntry, refusal: MakeRefusal, readings: list[int]
) -> None:
    journal = opened(tmp_path, shelf)
    journal.record(entry("evt_1"), nothing)
    journal.record_refusal(refusal("req_1"))
    await asyncio.sleep(0)
    assert await journal.drain()
    assert len(shelf.entries) == len(shelf.refusals) == 1 and readings
    await journal.close()


async def test_memory_holds_no_more_rows_than_it_may(
    tmp_path: Path, shelf: Any, entry: MakeEntry, readings: list[int]
) -> None:
    journal = opened(tmp_path, shelf)
    rows = ROWS_REMEMBERED_MAX + 1
    for number in range(rows):
        journal.record(entry(f"evt_{number}"), nothing)
    await asyncio.sleep(0)
    assert await journal.drain()
    assert len(shelf.entries) == rows and readings
    await journal.close()


async def test_nothing_is_remembered_while_storage_is_away(
    tmp_path: Path, shelf: Any, entry: MakeEntry, readings: list[int]
) -> None:
    journal = opened(tmp_path, shelf)
    shelf.break_down()
    for number in range(4):
        journal.record(entry(f"evt_{number}"), nothing)
        await asyncio.sleep(0)
        assert not await journal.drain()
    shelf.mend()
    while len(shelf.entries) < 4:  # file by file
        assert await journal.drain()
    assert readings
    await journal.close()


class Books:
    """A store that is away at times."""

    def __init__(self) -> None:
        self.away = False
        self.entries: dict[str, Entry] = {}
        self.refusals: set[str] = set()

    async def insert(self, entries: list[Entry]) -> None:
        self._ask()
        for entry in entries:
            assert self.entries.setdefault(entry.event_id, entry) == entry

    async def insert_refusals(self, refusals: list[Refusal]) -> None:
        self._ask()
        self.refusals |= {refusal.request_id for refusal in refusals}

    def _ask(self) -> None:
        if self.away:
            raise Fault(Kind.UNAVAILABLE, "storage is away")


STEPS = st.lists(
    st.sampled_from(
        ["row", "row", "row", "refusal", "turn", "drain", "away", "back", "full", "room"]
    ),
    max_size=40,
)


@given(STEPS)
@examples(150)
def test_whatever_fails_when_no_row_is_missing_or_altered(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_walk(Path(folder), steps))


async def _walk(folder: Path, steps: list[str]) -> None:
    shelf = Books()
    journal = opened(folder, shelf)
    rows: dict[str, Entry] = {}
    refused = 0
    write = os.write
    full = False

    def cramped(fd: int, data: bytes) -> int:
        if not full or not data.strip():
            return write(fd, data)
        if len(data) < 100:
            raise OSError(28, "No space left on device")
        return write(fd, bytes(data[: len(data) // 2]))

    journal_module.os.write = cramped  # type: ignore[assignment]
    try:
        for step in steps:
            if step == "row":
                name = f"evt_{len(rows)}"
                rows[name] = Entry(name, "req", 1, 2, *WORDS, Outcome.COMPLETED, 200)
                journal.record(rows[name], nothing)
            elif step == "refusal":
                words = ("t", "u", "k", "gpt-9", 404, "not_found_error", "no_model", "curl", "/")
                journal.record_refusal(Refusal(f"req_{refused}", 1_000, *words))
                refused += 1
            elif step == "turn":
                await asyncio.sleep(0)
            elif step == "drain":
                await journal.drain()
            elif step in ("away", "back"):
                shelf.away = step == "away"
            else:
                full = step == "full"
        full = shelf.away = False
        await asyncio.sleep(0)
        for _ in range(3):
            await journal.drain()
        await journal.close()
    finally:
        journal_module.os.write = write
    assert shelf.entries == rows
    assert shelf.refusals == {f"req_{n}" for n in range(refused)}
    assert journal.lost == 0 and journal.rows_rejected == 0

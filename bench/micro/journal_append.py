"""What does it cost to have a row of the ledger on disk, alone and with others of its turn?"""

import asyncio
import pathlib
import tempfile

from bench.micro.step import Step
from proxy.domain.entry import Entry, Outcome
from proxy.domain.refusal import Refusal
from proxy.ledger.journal import Journal
from proxy.ledger.segment import listed

TOGETHER = 32


class _Shelf:
    """Storage that takes everything, asked at the end alone: no row is moved while we measure."""

    def __init__(self) -> None:
        self.rows = 0

    async def insert(self, entries: list[Entry], /) -> object:
        """Count them."""
        self.rows += len(entries)
        return None

    async def insert_refusals(self, refusals: list[Refusal], /) -> object:
        """There are none."""
        raise AssertionError("nothing is refused here")


class _Turns:
    """A journal in a folder of its own, and a loop that is turned by hand."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="bench-micro-")
        self._loop = asyncio.new_event_loop()
        self._row = Entry(
            event_id="event",
            request_id="req_0123456789",
            started_at=1_795_420_800_000,
            ended_at=1_795_420_801_000,
            tenant_id="tenant_1",
            user_id="user_1",
            role="general_user",
            key_id="key_1",
            requested_model="opus",
            model="anthropic.bench",
            resolved_via="alias",
            outcome=Outcome.COMPLETED,
            status=200,
            credits_out=5_000,
        )
        self.journal = Journal(pathlib.Path(self._folder.name), "w0", _Shelf())
        self._loop.run_until_complete(self._open())

    async def _open(self) -> None:
        self.journal.open()

    def record(self, rows: int) -> int:
        """So many rows in one turn of the loop; how many of them were heard to be written."""
        told: list[None] = []

        async def turn() -> None:
            for _ in range(rows):
                self.journal.record(self._row, lambda: told.append(None))
            await asyncio.sleep(0)

        self._loop.run_until_complete(turn())
        return len(told)

    def on_disk(self) -> bytes:
        """All that was written."""
        found = listed(pathlib.Path(self._folder.name))
        return b"".join(path.read_bytes() for path in found)

    def close(self) -> None:
        """End the loop, forget the folder."""
        if not self._loop.is_closed():
            self._loop.run_until_complete(self.journal.close())
            self._loop.close()
            self._folder.cleanup()


def steps() -> list[Step]:
    """Each turn of the loop writes once, however many rows it has."""
    turns = _Turns()

    def check_one(result: object) -> None:
        assert result == 1
        assert turns.on_disk().endswith(b"\n")

    def check_many(result: object) -> None:
        before = turns.on_disk().count(b"\n")
        assert result == TOGETHER
        turns.record(TOGETHER)
        assert turns.on_disk().count(b"\n") == before + TOGETHER

    return [
        Step("a row and its turn of the loop", lambda: turns.record(1), check_one, 1, turns.close),
        Step(
            f"one of {TOGETHER} in a turn",
            lambda: turns.record(TOGETHER),
            check_many,
            TOGETHER,
            turns.close,
        ),
    ]

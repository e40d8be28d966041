"""The journal: a generation's row is on disk before its client sees the end, and then in storage.

`record` appends to memory; one write per turn of the loop carries all rows of that turn to an
append-only file, and only then are the `written` callbacks called, which send the last bytes of
the replies. So whatever a client saw finished survives `kill -9`. It is not synced: a power cut may
take the last seconds. Nothing here is awaited by a request.

`run` moves rows from the files to storage. Storage may be away for long: rows stay in the files
and are read again from there, so memory stays bounded. While it takes them at once they come from
memory. A row may be inserted more than once; its event id makes that harmless.
"""

import asyncio
import logging
import os
import re
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Protocol, TypeVar

import msgspec

from proxy.domain.entry import Entry
from proxy.domain.fault import Fault, Kind
from proxy.domain.refusal import Refusal
from proxy.ledger.segment import (
    READ_BYTES_MAX,
    ROWS_MAX,
    Segment,
    claim,
    create,
    listed,
    read_lines,
    spooled_bytes,
)

SEGMENT_BYTES_MAX: Final = 16 << 20
"""A segment this large is closed even while storage is away."""
BACKLOG_BYTES_MAX: Final = 16 << 20
"""What may wait in memory while the file cannot be written: some 25,000 rows."""
ROWS_REMEMBERED_MAX: Final = 8_000
"""Of one segment, some 6 MB: more than a worker writes between two visits to storage."""
REFUSALS_PER_SECOND_MAX: Final = 100
BACK_OFF_MS_MAX: Final = 30_000

_ENTRY: Final = b'{"entry":'
_REFUSAL: Final = b'{"refusal":'
_END: Final = b"}\n"

_OUTAGES: Final = (Fault, OSError)
_REFUSALS_OF_STORAGE: Final = (Fault, ValueError, TypeError, OverflowError)

_log = logging.getLogger(__name__)
_Row = TypeVar("_Row", Entry, Refusal)


class Stored(Protocol):
    """Who waits for rows to be stored."""

    def __call__(self, entries: list[Entry], /, *, own: bool) -> None:
        """They are no longer on their way. Not `own`: a dead worker had left them."""


def _nobody_waits(entries: list[Entry], /, *, own: bool) -> None:
    return None


class EntryStore(Protocol):
    """Where rows end up. Inserting a row whose event id is already there changes nothing.

    Raises a Fault: CONFLICT where it can never take what it was given, others where it is away.
    """

    async def insert(self, entries: list[Entry], /) -> object:
        """Store rows of the ledger, all or none."""

    async def insert_refusals(self, refusals: list[Refusal], /) -> object:
        """Store support records of refused requests, all or none."""


class Journal:
    """Write-behind books of one worker. Made and used on one loop; `open` comes first.

    Rows wait while storage is away. A row that storage can never take is set aside in a `.rejected`
    file, so that it does not hold up all others. The counters only grow; metrics read them.

    `stored` hears of rows that are no longer on their way: committed, or set aside. It may hear of
    rows of other workers, which this one replays, and of a row twice. It must not raise.
    """

    def __init__(
        self,
        folder: Path,
        worker: str,
        store: EntryStore,
        *,
        flush_ms: int = 250,
        spool_bytes_max: int = 1 << 30,
        backlog_bytes_max: int = BACKLOG_BYTES_MAX,
        refusals_per_second_max: int = REFUSALS_PER_SECOND_MAX,
        stored: Stored = _nobody_waits,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        assert re.fullmatch(r"[A-Za-z0-9_.]{1,64}", worker), "a worker's name is part of file names"
        self.lost = 0
        """Rows dropped because neither file nor memory had room. Never silent: see the log."""
        self.refusals_dropped = 0
        """Support records not kept because too many came in one second."""
        self.rows_stored = 0
        self.rows_rejected = 0
        self.lines_torn = 0
        self.spool_bytes = 0
        """What the folder held when last looked at, and what we wrote since."""
        self.store_trouble = ""
        """Why storage takes no rows at the moment; empty when it does. Not unhealthy by itself."""

        self._folder = folder
        self._worker = worker
        self._store = store
        self._flush_s = flush_ms / 1000
        self._back_off_ticks_max = max(1, BACK_OFF_MS_MAX // max(1, flush_ms))
        self._spool_bytes_max = spool_bytes_max
        self._backlog_bytes_max = backlog_bytes_max
        self._refusals_per_second_max = refusals_per_second_max
        self._stored = stored
        self._sleep = sleep

        self._encode_into = msgspec.json.Encoder().encode_into
        self._pending = bytearray()
        self._fresh: list[Entry] = []
        """The rows in `_pending`; not all of them where `_forgetful`."""
        self._forgetful = False
        self._waiting: deque[Callable[[], None]] = deque()
        self._flush_due = False
        self._call_soon: Callable[[Callable[[], None]], object] | None = None

        self._sequence = 0
        self._segment: Segment | None = None
        self._full: deque[Segment] = deque()  # closed, ours, waiting for storage; oldest first
        self._replay_due = True
        self._draining = asyncio.Lock()
        self._failures = 0
        self._ticks_to_skip = 0
        self._file_trouble = ""
        self._writer_trouble = ""
        self._refusal_second = 0
        self._refusals_this_second = 0

    # ------------------------------------------------------------------ the hot side

    def open(self) -> None:
        """Begin the first segment; raises OSError where the folder cannot be used."""
        self._call_soon = asyncio.get_running_loop().call_soon
        self._segment, self._sequence = create(self._folder, self._worker, self._sequence)
        self._segment.rows = []
        self.spool_bytes = spooled_bytes(self._folder)

    def record(self, entry: Entry, written: Callable[[], None]) -> None:
        """Take a row; `written` is called within the next turn, when the row is in the file.

        If the file cannot be written it is called all the same: replies are not held back.
        """
        appended = self._append(_ENTRY, entry)
        if appended is None:
            self._lose()
        elif not self._forgetful:  # what will be read from the file is not held twice
            self._fresh.append(appended)
        self._waiting.append(written)
        if not self._flush_due:
            self._schedule()

    def record_refusal(self, refusal: Refusal) -> None:
        """Take the support record of a refused request, unless too many come in one second."""
        second = refusal.at // 1000
        if second != self._refusal_second:
            self._refusal_second = second
            self._refusals_this_second = 0
        self._refusals_this_second += 1
        within = self._refusals_this_second <= self._refusals_per_second_max
        if not within or self._append(_REFUSAL, refusal) is None:
            self.refusals_dropped += 1
            return
        self._forgetful = True
        if not self._flush_due:
            self._schedule()

    @property
    def backlog_bytes(self) -> int:
        """What waits in memory."""
        return len(self._pending)

    @property
    def healthy(self) -> bool:
        """May new generations begin?"""
        return not self.trouble

    @property
    def trouble(self) -> str:
        """Why new generations should not begin; empty when they may."""
        if self._file_trouble:
            return self._file_trouble
        if self.spool_bytes >= self._spool_bytes_max:
            return f"the journal's folder is full; storage: {self.store_trouble or 'catching up'}"
        return self._writer_trouble

    def _append(self, opening: bytes, row: _Row) -> _Row | None:
        """The row as it was written to memory; None where there is no room."""
        pending = self._pending
        start = len(pending)
        if start >= self._backlog_bytes_max:
            return None
        pending += opening
        try:
            self._encode_into(row, pending, -1)
        except UnicodeEncodeError:
            # Half a surrogate pair out of some header: the row counts more than the character.
            del pending[start + len(opening) :]
            row = _encodable(row)
            self._encode_into(row, pending, -1)
        pending += _END
        return row

    def _schedule(self) -> None:
        assert self._call_soon is not None, "the journal is not open"
        self._flush_due = True
        self._call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        if self._pending:
            self._write()
        if self._waiting:
            self._tell()

    def _tell(self) -> None:
        # A callback that fails is the loop's to report; the others must be called all the same.
        waiting = self._waiting
        try:
            for _ in range(len(waiting)):
                waiting.popleft()()
        finally:
            if waiting and not self._flush_due:
                self._schedule()

    def _write(self) -> None:
        segment, pending = self._segment, self._pending
        if segment is None:
            return
        # The cap stops new generations; those already running may still end in the file.
        if self.spool_bytes + len(pending) > self._spool_bytes_max + self._backlog_bytes_max:
            self._file_is_in_trouble("the journal's folder is over its limit")
            return
        try:
            written = os.write(segment.fd, pending)
        except OSError as error:
            self._file_is_in_trouble(f"cannot write {segment.path.name}: {error.strerror}")
            return
        if written < len(pending):
            written = self._back_to_line_end(segment, written)
            self._file_is_in_trouble(f"{segment.path.name} took only part of what was written")
            del pending[:written]
        else:
            pending.clear()
            self._remember(segment)
            self._file_trouble = self._over(self._file_trouble)
        segment.size += written
        self.spool_bytes += written

    def _remember(self, segment: Segment) -> None:
        """All that waited is in the file: its rows need not be read from there."""
        fresh, self._fresh = self._fresh, []
        if self._forgetful:
            self._forgetful = False
            segment.rows = None
        elif segment.rows is not None:
            segment.rows += fresh
            if len(segment.rows) > ROWS_REMEMBERED_MAX:
                segment.rows = None

    def _forget(self) -> None:
        """Something went another way than from memory to the file to storage at once."""
        self._fresh = []
        self._forgetful = True
        if self._segment is not None:
            self._segment.rows = None
        for segment in self._full:
            segment.rows = None

    def _back_to_line_end(self, segment: Segment, written: int) -> int:
        """Take back the part of a line that the file had room for; how much stays."""
        whole = self._pending.rfind(b"\n", 0, written) + 1
        try:
            os.ftruncate(segment.fd, segment.size + whole)
        except OSError:
            # The stump stays and will be set aside when read; what follows begins a new line.
            segment.size += written - whole
            self._pending[whole:whole] = b"\n"
        return whole

    def _lose(self) -> None:
        self.lost += 1
        if self.lost.bit_count() == 1:  # 1, 2, 4, 8 …: loud, but no flood
            _log.error("ledger rows lost: %d so far; %s", self.lost, self.trouble)

    def _file_is_in_trouble(self, trouble: str) -> None:
        if not self._file_trouble:
            _log.error("ledger: %s; rows wait in memory", trouble)
        self._file_trouble = trouble
        self._forget()

    def _over(self, trouble: str) -> str:
        if trouble:
            _log.warning("ledger: no longer: %s", trouble)
        return ""

    # ------------------------------------------------------------------ the way to storage

    async def run(self) -> None:
        """Move rows to storage for ever; with growing pauses while it does not take them."""
        self._writer_trouble = ""
        trouble = "the ledger's writer has stopped"
        try:
            while True:
                await self._sleep(self._flush_s)
                if self._ticks_to_skip:
                    self._ticks_to_skip -= 1
                    self._retry_write()
                else:
                    await self.drain()
        except asyncio.CancelledError:
            trouble = ""
            raise
        finally:
            self._writer_trouble = trouble

    async def drain(self) -> bool:
        """Bring everything recorded so far to storage once. False if some of it could not go."""
        async with self._draining:
            self._retry_write()
            done = await self._drain_segments() and await self._drain_memory()
            if done:
                self._failures = self._ticks_to_skip = 0
            else:
                self._failures = min(self._failures + 1, 30)
                self._ticks_to_skip = min(2**self._failures, self._back_off_ticks_max) - 1
            return done

    async def replay(self) -> int:
        """Store what dead workers left in the folder; the number of rows. `run` tries again."""
        before = self.rows_stored
        async with self._draining:
            await self._replay()
        return self.rows_stored - before

    async def close(self) -> None:
        """Write, store once, let go. What storage did not take stays in the folder."""
        await asyncio.sleep(0)  # the flush that is due comes first
        await self.drain()
        self._call_soon = None
        if rows := self._pending.count(_ENTRY):
            self.lost += rows
            _log.error("ledger rows lost at the end: %d; %s", rows, self.trouble)
        while self._full:
            self._full.popleft().release()
        if self._segment is not None:
            segment, self._segment = self._segment, None
            if segment.size:
                segment.release()
            else:
                segment.discard()

    def _retry_write(self) -> None:
        if self._file_trouble and not self._pending:
            # Nobody sends while we are unhealthy: a blank line finds out whether it is over.
            self._pending += b"\n"
        if self._pending:
            self._write()  # the callbacks stay with the turn they were promised to

    async def _drain_segments(self) -> bool:
        if self._replay_due and not await self._replay():
            return False
        segment = self._segment
        if segment is None or segment.size >= (SEGMENT_BYTES_MAX if self._full else 1):
            await self._rotate()
        moved = bool(self._full)
        done = True
        while self._full and done:
            done = await self._store_segment(self._full[0])
            if done:
                await asyncio.to_thread(self._full.popleft().discard)
        if moved:
            self.spool_bytes = await asyncio.to_thread(spooled_bytes, self._folder)
        return done

    async def _rotate(self) -> None:
        fresh = None
        try:
            fresh, self._sequence = await asyncio.to_thread(
                create, self._folder, self._worker, self._sequence
            )
        except OSError as error:
            self._file_is_in_trouble(f"cannot begin a journal file: {error.strerror}")
            if self.store_trouble:
                return  # better one file that grows than none
        # Without a new file the old one is emptied and removed: that makes room for the next.
        if self._segment is not None:
            self._full.append(self._segment)
        if fresh is not None:
            # One more while others still wait is read again, when its turn comes.
            fresh.rows = None if len(self._full) > 1 else []
        self._segment = fresh

    async def _drain_memory(self) -> bool:
        """Rows the file did not take may still go to storage directly."""
        if not self._file_trouble or not self._pending:
            return True
        taken, self._pending = self._pending, bytearray()
        offset = 0
        rejected: list[bytes] = []
        try:
            while offset < len(taken):
                batch = read_lines(bytes(taken[offset : offset + READ_BYTES_MAX]))
                await self._insert(self._store.insert, batch.entries, rejected, self._own_stored)
                await self._insert(self._store.insert_refusals, batch.refusals, rejected, _untold)
                offset += batch.end
        except _OUTAGES as error:
            self._store_is_in_trouble(error)
        finally:
            self._pending[:0] = taken[offset:]
            self._forget()
            self.lost += len(rejected)  # there is no file to set them aside in
        return offset == len(taken)

    async def _replay(self) -> bool:
        self._replay_due = True
        for path in await asyncio.to_thread(listed, self._folder):
            try:
                segment = await asyncio.to_thread(claim, path)
            except OSError as error:
                _log.error("ledger: cannot replay %s: %s", path.name, error.strerror)
                continue
            if segment is None:
                continue
            stored = False
            try:
                stored = await self._store_segment(segment, own=False)
            finally:
                if not stored:
                    segment.release()
            if not stored:
                return False
            await asyncio.to_thread(segment.discard)
        self._replay_due = False
        return True

    async def _store_segment(self, segment: Segment, *, own: bool = True) -> bool:
        offset = 0
        torn: list[bytes] = []
        rejected: list[bytes] = []
        try:
            gone = self._own_stored if own else self._others_stored
            rows = segment.rows
            if rows is not None:
                for start in range(0, len(rows), ROWS_MAX):
                    some = rows[start : start + ROWS_MAX]
                    await self._insert(self._store.insert, some, rejected, gone)
                offset = segment.size
            while offset < segment.size:
                batch = await asyncio.to_thread(segment.read, offset)
                await self._insert(self._store.insert, batch.entries, rejected, gone)
                await self._insert(self._store.insert_refusals, batch.refusals, rejected, _untold)
                torn += batch.torn
                offset = batch.end
            for suffix, lines in ((".torn", torn), (".rejected", rejected)):
                if lines:
                    _log.error("ledger: %d lines set aside: %s", len(lines), segment.path.name)
                    await asyncio.to_thread(segment.set_aside, suffix, lines)
        except _OUTAGES as error:
            self._store_is_in_trouble(error)
            return False
        self.lines_torn += len(torn)
        self.store_trouble = self._over(self.store_trouble)
        return True

    async def _insert(
        self,
        insert: Callable[[list[_Row]], Awaitable[object]],
        rows: list[_Row],
        rejected: list[bytes],
        gone: Callable[[list[_Row]], None],
    ) -> None:
        """Insert rows; one that cannot be stored is found by halving and set aside. `gone` hears
        of both."""
        if not rows:
            return
        try:
            await insert(rows)
        except _REFUSALS_OF_STORAGE as error:
            if isinstance(error, Fault) and error.kind is not Kind.CONFLICT:
                raise
            if len(rows) > 1:
                middle = len(rows) // 2
                await self._insert(insert, rows[:middle], rejected, gone)
                await self._insert(insert, rows[middle:], rejected, gone)
                return
            self.rows_rejected += 1
            # Worded as in the segment: once the reason is cured, renaming the file replays it.
            rejected.append(msgspec.json.encode({type(rows[0]).__name__.lower(): rows[0]}))
            _log.error("ledger: storage refuses a row: %s", _told(error))
        else:
            self.rows_stored += len(rows)
        gone(rows)

    def _own_stored(self, entries: list[Entry]) -> None:
        self._stored(entries, own=True)

    def _others_stored(self, entries: list[Entry]) -> None:
        self._stored(entries, own=False)

    def _store_is_in_trouble(self, error: Exception) -> None:
        if not self.store_trouble:
            _log.error("ledger: storage takes no rows: %s", _told(error))
        self.store_trouble = _told(error)
        self._forget()


def _untold(_: list[Refusal]) -> None:
    """Nobody waits for support records."""


def _told(error: Exception) -> str:
    detail = error.detail if isinstance(error, Fault) else ""
    return f"{type(error).__name__}: {detail or error}"


def _encodable(row: _Row) -> _Row:
    """The row with everything UTF-8 cannot say replaced."""
    texts = {
        field: value.encode("utf-8", "replace").decode()
        for field, value in msgspec.structs.asdict(row).items()
        if type(value) is str
    }
    return msgspec.structs.replace(row, **texts)

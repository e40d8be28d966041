"""One file of the journal: rows that are safe on disk and not yet in storage.

Owns names, locks and the reading of lines. Everything here may block, so the journal calls it off
the loop. A segment belongs to whoever holds the lock on it; the kernel drops the lock when a
process dies, so no file has to say who is alive. One line is one JSON object of one row; blank
lines mean nothing.
"""

import fcntl
import logging
import os
from pathlib import Path
from typing import NamedTuple

import msgspec

from proxy.domain.entry import Entry
from proxy.domain.refusal import Refusal

ROWS_MAX = 1_000
READ_BYTES_MAX = 1 << 20
WINDOW_BYTES = 1 << 18
SUFFIX = ".jsonl"


class Line(msgspec.Struct, omit_defaults=True, gc=False):
    """What a line can hold: the journal writes exactly one of the two."""

    entry: Entry | None = None
    refusal: Refusal | None = None


class Batch(NamedTuple):
    """Some lines of a segment. `torn` are those nobody can read; `end` is where to go on."""

    entries: list[Entry]
    refusals: list[Refusal]
    torn: list[bytes]
    end: int


_log = logging.getLogger(__name__)
_decoder = msgspec.json.Decoder(Line)
_decode = _decoder.decode


class Segment:
    """A locked file. `size` is what its writer has put into it so far.

    `rows` are all rows in it, as long as its writer remembers them: what is stored at once need not
    be read again. None where only the file knows.
    """

    __slots__ = ("fd", "path", "rows", "size")

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd
        self.size = os.fstat(fd).st_size
        self.rows: list[Entry] | None = None

    def read(self, offset: int) -> Batch:
        """The lines from `offset` on, as many as make one insert."""
        chunk = os.pread(self.fd, READ_BYTES_MAX, offset)
        if not chunk:  # somebody cut the file short
            return Batch([], [], [], self.size)
        batch = read_lines(chunk)
        at_end = len(chunk) < READ_BYTES_MAX and b"\n" not in chunk[batch.end :]
        if batch.end < len(chunk) and (batch.end == 0 or at_end):
            # A crash in the middle of a write leaves a line without its end; so does damage.
            batch.torn.append(chunk[batch.end :])
            return batch._replace(end=offset + len(chunk))
        return batch._replace(end=offset + batch.end)

    def set_aside(self, suffix: str, lines: list[bytes]) -> None:
        """Keep lines that cannot be stored beside the segment, for a human to look at.

        Appended, because numbers begin anew at each start and so may names.
        """
        with self.path.with_suffix(suffix).open("ab") as file:
            file.write(b"\n".join(lines) + b"\n")

    def discard(self) -> None:
        """Its rows are in storage: the file may go. If it will not, replaying it does no harm."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            _log.error("ledger: cannot delete %s: %s", self.path.name, error.strerror)
        self.release()

    def release(self) -> None:
        """Give up the lock; the file stays for whoever replays it."""
        os.close(self.fd)


def read_lines(chunk: bytes) -> Batch:
    """The whole lines of a chunk, up to ROWS_MAX; `end` is behind the last one read."""
    return _read_at_once(chunk) or _read_one_by_one(chunk)


def _read_at_once(chunk: bytes) -> Batch | None:
    """A window of lines in one call of the decoder, which takes half the time; None where that
    does not work, because one of them is torn or there are too many."""
    stop = chunk.rfind(b"\n", 0, WINDOW_BYTES) + 1
    if stop == 0:
        return None
    try:
        lines = _decoder.decode_lines(chunk[:stop])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    entries = [line.entry for line in lines if line.entry is not None]
    refusals = [line.refusal for line in lines if line.refusal is not None]
    if len(lines) > ROWS_MAX or len(entries) + len(refusals) != len(lines):
        return None
    return Batch(entries, refusals, [], stop)


def _read_one_by_one(chunk: bytes) -> Batch:
    batch = Batch([], [], [], 0)
    start = rows = 0
    while rows < ROWS_MAX and (stop := chunk.find(b"\n", start)) >= 0:
        text = chunk[start:stop]
        start = stop + 1
        rows += 1
        if not text:
            continue
        try:
            line = _decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            batch.torn.append(text)
            continue
        if line.entry is not None:
            batch.entries.append(line.entry)
        elif line.refusal is not None:
            batch.refusals.append(line.refusal)
        else:
            batch.torn.append(text)
    return batch._replace(end=start)


def create(folder: Path, worker: str, sequence: int) -> tuple[Segment, int]:
    """A new empty segment of ours under the first free number, and the number after it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
    while True:
        path = folder / f"{worker}-{sequence:08d}{SUFFIX}"
        sequence += 1
        try:
            fd = os.open(path, flags, 0o600)
        except FileExistsError:
            continue
        if _owns(path, fd):
            return Segment(path, fd), sequence
        os.close(fd)  # somebody's replay was faster than our lock and took it for a dead one


def claim(path: Path) -> Segment | None:
    """A segment left behind, now ours; None if its owner lives or it is gone."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_APPEND)
    except FileNotFoundError:
        return None
    if _owns(path, fd):
        return Segment(path, fd)
    os.close(fd)
    return None


def listed(folder: Path) -> list[Path]:
    """All segments in the folder, in the order they were begun."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def spooled_bytes(folder: Path) -> int:
    """How much all segments of all workers take."""
    total = 0
    for path in listed(folder):
        try:
            total += path.stat().st_size
        except OSError:
            pass  # mostly: another worker has deleted it meanwhile
    return total


def _owns(path: Path, fd: int) -> bool:
    """Take the lock. Whoever had it before us may have deleted the file: then it is worthless."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(path.stat(), os.fstat(fd))
    except (BlockingIOError, FileNotFoundError):
        return False

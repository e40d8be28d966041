"""One file of the journal: locks, names, and lines that may be damaged."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from proxy.domain.entry import Entry
from proxy.ledger import segment as segment_module
from proxy.ledger.segment import (
    READ_BYTES_MAX,
    ROWS_MAX,
    Line,
    Segment,
    claim,
    create,
    listed,
    read_lines,
    spooled_bytes,
)

MakeEntry = Callable[..., Entry]


def line(row: Entry) -> bytes:
    return msgspec.json.encode(Line(entry=row)) + b"\n"


def whole(segment: Segment) -> tuple[list[str], list[bytes]]:
    ids: list[str] = []
    torn: list[bytes] = []
    offset = 0
    while offset < segment.size:
        batch = segment.read(offset)
        assert offset < batch.end <= segment.size
        ids += [entry.event_id for entry in batch.entries]
        torn += batch.torn
        offset = batch.end
    return ids, torn


def filled(folder: Path, data: bytes) -> Segment:
    (folder / "w0-00000007.jsonl").write_bytes(data)
    segment = claim(folder / "w0-00000007.jsonl")
    assert segment is not None
    return segment


def test_a_living_owners_segment_cannot_be_claimed_and_a_dead_ones_can(tmp_path: Path) -> None:
    segment, _ = create(tmp_path, "w0", 0)
    assert claim(segment.path) is None
    segment.release()
    again = claim(segment.path)
    assert again is not None
    again.release()


def test_a_segment_that_is_gone_cannot_be_claimed(tmp_path: Path) -> None:
    assert claim(tmp_path / "w0-00000000.jsonl") is None


def test_new_segments_never_take_a_name_that_is_in_use(tmp_path: Path) -> None:
    segments = []
    sequence = 0
    for _ in range(3):
        segment, sequence = create(tmp_path, "w0", sequence)
        segments.append(segment)
    other, _ = create(tmp_path, "w0", 0)
    assert [path.name for path in listed(tmp_path)] == [f"w0-0000000{n}.jsonl" for n in range(4)]
    for segment in [*segments, other]:
        segment.discard()
    assert listed(tmp_path) == []


def test_a_file_deleted_before_the_lock_was_ours_is_worthless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = segment_module.fcntl.flock
    doomed = [tmp_path / "w0-00000000.jsonl", tmp_path / "w0-00000005.jsonl"]

    def late(fd: int, how: int) -> None:
        # Somebody's replay had it, found nothing in it, and deleted it.
        for path in doomed:
            path.unlink(missing_ok=True)
        lock(fd, how)

    monkeypatch.setattr(segment_module.fcntl, "flock", late)
    segment, _ = create(tmp_path, "w0", 0)
    assert segment.path.name == "w0-00000001.jsonl"
    assert segment.path.exists()
    segment.discard()
    doomed[1].write_bytes(b"")
    assert claim(doomed[1]) is None


def test_lines_set_aside_under_a_name_used_before_are_added(tmp_path: Path) -> None:
    for line in (b"one", b"two"):
        segment, _ = create(tmp_path, "w0", 0)
        segment.set_aside(".torn", [line])
        segment.discard()
    assert (tmp_path / "w0-00000000.torn").read_bytes() == b"one\ntwo\n"


def test_only_the_owner_of_the_files_may_read_them(tmp_path: Path) -> None:
    segment, _ = create(tmp_path / "journal", "w0", 0)
    assert os.stat(segment.path).st_mode & 0o077 == 0
    assert os.stat(segment.path.parent).st_mode & 0o077 == 0
    segment.discard()


def test_rows_are_read_in_batches_and_in_order(tmp_path: Path, entry: MakeEntry) -> None:
    ids = [f"evt_{n}" for n in range(2 * ROWS_MAX + 5)]
    segment = filled(tmp_path, b"".join([line(entry(name)) for name in ids]))
    assert len(segment.read(0).entries) == ROWS_MAX
    assert whole(segment) == (ids, [])
    segment.release()


def test_a_row_of_the_release_before_is_read_with_what_it_did_not_know(
    tmp_path: Path, entry: MakeEntry
) -> None:
    new = entry("evt_new", usage_estimated=True, attempts=3)
    values = msgspec.to_builtins(new)
    assert Entry.__struct_fields__[-1] == "usage_estimated"
    old = msgspec.json.encode({"entry": ["evt_old", *values[1:-1]]}) + b"\n"
    segment = filled(tmp_path, old + line(new))
    rows = segment.read(0).entries
    assert [(row.event_id, row.usage_estimated, row.attempts) for row in rows] == [
        ("evt_old", False, 3),
        ("evt_new", True, 3),
    ]
    segment.release()


def test_rows_that_straddle_two_reads_come_whole(tmp_path: Path, entry: MakeEntry) -> None:
    ids = [f"evt_{n}" for n in range(30)]
    rows = [entry(name, user_agent="x" * 70_000) for name in ids]
    segment = filled(tmp_path, b"".join([line(row) for row in rows]))
    assert segment.size > 2 * READ_BYTES_MAX
    assert whole(segment) == (ids, [])
    segment.release()


@pytest.mark.parametrize(
    "damage",
    [
        b"not json",
        b'{"entry":{"event_id":"evt_x"}}',
        b'{"entry":null}',
        b"{}",
        b"[]",
        b"\xff\xfe",
        b"\0" * 5_000,
        b'{"entry":{"event_id":"\xff"}}',
        b"x" * (READ_BYTES_MAX + 5),
    ],
    ids=lambda damage: damage[:12].hex(),
)
def test_damage_in_the_middle_does_not_stop_the_rest(
    tmp_path: Path, entry: MakeEntry, damage: bytes
) -> None:
    segment = filled(tmp_path, line(entry("evt_1")) + damage + b"\n" + line(entry("evt_2")))
    ids, torn = whole(segment)
    assert ids == ["evt_1", "evt_2"]
    assert b"".join(torn) == damage
    segment.release()


def test_a_file_that_cannot_be_deleted_is_let_go_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    segment, _ = create(tmp_path, "w0", 0)
    segment.path.unlink()
    segment.path.mkdir()
    segment.discard()
    assert "cannot delete w0-00000000.jsonl" in caplog.text
    with pytest.raises(OSError):
        os.fstat(segment.fd)


def test_blank_lines_mean_nothing(entry: MakeEntry) -> None:
    batch = read_lines(b"\n\n" + line(entry("evt_1")) + b"\n")
    assert [row.event_id for row in batch.entries] == ["evt_1"]
    assert batch.torn == []


def test_a_file_that_was_cut_short_behind_our_back_is_read_to_its_end(
    tmp_path: Path, entry: MakeEntry
) -> None:
    segment = filled(tmp_path, line(entry("evt_1")) + line(entry("evt_2")))
    os.truncate(segment.path, len(line(entry("evt_1"))))
    assert whole(segment) == (["evt_1"], [])
    segment.release()


def test_the_space_of_all_workers_is_counted_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "w0-00000000.jsonl").write_bytes(b"x" * 10)
    (tmp_path / "w1-00000000.jsonl").write_bytes(b"x" * 20)
    (tmp_path / "w1-00000000.torn").write_bytes(b"x" * 40)
    (tmp_path / "w1-00000001.jsonl").symlink_to("gone")
    assert spooled_bytes(tmp_path) == 30

"""Whichever worker is asked answers for all."""

import time
from pathlib import Path

from proxy.observe.metrics import Metrics
from proxy.observe.workers import WorkerBoard


def metrics(replies: int) -> Metrics:
    counts = Metrics()
    for _ in range(replies):
        counts.replied.append(("messages", 200))
    return counts


def total(board: WorkerBoard) -> int:
    return board.total().replies.get("messages 200", 0)


def test_each_worker_adds_what_the_others_laid_down(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "when needed"
    boards = [WorkerBoard(folder, f"w{index}", metrics(10**index), time.time) for index in range(3)]
    assert [total(board) for board in boards] == [1, 10, 100]
    for board in boards:
        board.publish()
    assert [total(board) for board in boards] == [111, 111, 111]


def test_the_own_counts_are_those_of_this_moment(tmp_path: Path) -> None:
    own = metrics(1)
    board = WorkerBoard(tmp_path, "w0", own, time.time)
    board.publish()
    own.replied.append(("messages", 200))
    assert total(board) == 2


def test_a_worker_that_left_is_no_longer_counted(tmp_path: Path) -> None:
    stays, leaves = (
        WorkerBoard(tmp_path, "w0", metrics(1), time.time),
        WorkerBoard(tmp_path, "w1", metrics(5), time.time),
    )
    leaves.publish()
    assert total(stays) == 6
    leaves.withdraw()
    leaves.withdraw()
    assert total(stays) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_worker_started_again_takes_the_place_of_the_old(tmp_path: Path) -> None:
    other = WorkerBoard(tmp_path, "w0", metrics(1), time.time)
    WorkerBoard(tmp_path, "w1", metrics(50), time.time).publish()
    WorkerBoard(tmp_path, "w1", metrics(2), time.time).publish()
    assert total(other) == 3


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    board = WorkerBoard(tmp_path, "w0", metrics(1), time.time)
    (tmp_path / "w1.json").write_text("{")
    (tmp_path / "w2.json").mkdir()
    assert total(board) == 1


def test_counts_of_a_worker_that_never_came_back_are_left_out(tmp_path: Path) -> None:
    WorkerBoard(tmp_path, "w1", metrics(5), time.time).publish()
    assert total(WorkerBoard(tmp_path, "w0", metrics(1), time.time)) == 6
    assert total(WorkerBoard(tmp_path, "w0", metrics(1), lambda: time.time() + 60)) == 1

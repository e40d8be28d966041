"""Workers of one machine hear each other, and nobody else hears them."""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from proxy.observe.roll_call import ANSWER_BYTES_MAX, Answer, Heard
from proxy.observe.roll_call_local import QUESTION_BYTES_MAX, LocalRoad

NAMES = ["w0", "w1", "w2"]
Open = Callable[..., "asyncio.Future[LocalRoad]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Longer than the address of a socket may be."""
    return tmp_path / ("long" * 30) / "workers"


@pytest.fixture
async def come(folder: Path) -> AsyncIterator[Open]:
    opened: list[LocalRoad] = []

    async def come(name: str, says: bytes | None = None) -> LocalRoad:
        def answer(question: bytes) -> bytes:
            return name.encode() + b" heard " + question if says is None else says

        road = LocalRoad(folder, name, [each for each in NAMES if each != name], answer)
        await road.open()
        opened.append(road)
        return road

    yield come  # type: ignore[misc]
    for road in opened:
        road.close()
        road.close()


def bound(folder: Path, worker: str) -> socket.socket:
    """A socket in the place of a worker's."""
    there = socket.socket(socket.AF_UNIX)
    here = os.open(folder, os.O_RDONLY)
    there.bind(f"/proc/self/fd/{here}/{worker}.sock")
    os.close(here)
    return there


async def test_each_hears_all_others(come: Open) -> None:
    roads = [await come(name) for name in NAMES]
    for road, name in zip(roads, NAMES, strict=True):
        others = [each for each in NAMES if each != name]
        answers = [Answer(each, f"{each} heard what?".encode()) for each in others]
        assert await road.ask(b"what?") == Heard(answers, 0)


async def test_who_is_not_there_is_silent(come: Open) -> None:
    one, two = await come("w0"), await come("w1")
    assert await one.ask(b"?") == Heard([Answer("w1", b"w1 heard ?")], 1)
    two.close()
    assert await one.ask(b"?") == Heard([], 2)


async def test_who_is_started_again_takes_the_place_and_keeps_it(come: Open) -> None:
    one, old = await come("w0"), await come("w1", b"old")
    await come("w1", b"new")
    assert (await one.ask(b"?")).answers == [Answer("w1", b"new")]
    old.close()
    assert (await one.ask(b"?")).answers == [Answer("w1", b"new")]


async def test_who_died_without_a_word_leaves_a_place_that_can_be_taken(
    come: Open, folder: Path
) -> None:
    one = await come("w0")
    with bound(folder, "w1"):
        pass
    assert (await one.ask(b"?")).answers == []
    await come("w1", b"back")
    assert (await one.ask(b"?")).answers == [Answer("w1", b"back")]


async def test_who_has_no_time_is_not_waited_for(come: Open, folder: Path) -> None:
    one = await come("w0")
    await come("w2", b"here")
    with bound(folder, "w1") as busy:
        busy.listen()
        heard = await asyncio.wait_for(one.ask(b"?"), 10)
    assert heard == Heard([Answer("w2", b"here")], 1)


async def test_only_who_may_can_ask(come: Open, folder: Path) -> None:
    await come("w0")
    assert stat.S_IMODE((folder / "w0.sock").stat().st_mode) == 0o600


async def test_nothing_is_left_behind(come: Open, folder: Path) -> None:
    road = await come("w0")
    assert os.listdir(folder) == ["w0.sock"]
    road.close()
    assert os.listdir(folder) == []


async def test_too_long_an_answer_is_none(come: Open) -> None:
    one = await come("w0")
    await come("w1", b"x" * (ANSWER_BYTES_MAX + 1))
    assert await one.ask(b"?") == Heard([], 2)


async def test_a_question_without_an_end_is_cut_off(come: Open, folder: Path) -> None:
    one, _ = await come("w0"), await come("w1")
    here = os.open(folder, os.O_RDONLY)
    reader, writer = await asyncio.open_unix_connection(f"/proc/self/fd/{here}/w1.sock")
    os.close(here)
    writer.write(b"x" * (QUESTION_BYTES_MAX + 1))
    try:
        assert await reader.read() == b""
    except ConnectionResetError:
        pass  # it did not read all of it
    writer.close()
    assert (await one.ask(b"?")).answers == [Answer("w1", b"w1 heard ?")]


async def test_where_no_socket_can_be_made_the_worker_serves_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    road = LocalRoad(tmp_path / "file" / "workers", "w0", ["w1"], lambda question: question)
    await road.open()
    assert "cannot ask this one" in caplog.text
    assert await road.ask(b"?") == Heard([], 1)
    road.close()

"""Where tasks are born."""

import asyncio
import logging

import pytest

from proxy.gateway.tasks import Tasks


async def test_a_task_is_named_and_runs():
    tasks, seen = Tasks(), []

    async def work() -> None:
        seen.append(asyncio.current_task().get_name())

    tasks.start(work(), "look up a key")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert seen == ["look up a key"]


async def test_an_exception_nobody_expected_is_logged_with_the_tasks_name(
    caplog: pytest.LogCaptureFixture,
):
    tasks = Tasks()

    async def work() -> None:
        raise ValueError("a bug")

    tasks.start(work(), "look up a key")
    for _ in range(3):
        await asyncio.sleep(0)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR and "look up a key" in record.message
    assert "a bug" in caplog.text


async def test_stop_cancels_what_still_runs_and_waits_for_it(caplog: pytest.LogCaptureFixture):
    tasks, put_away = Tasks(), []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            put_away.append(True)

    for _ in range(3):
        tasks.start(work(), "wait")
    await asyncio.sleep(0)
    await tasks.stop()
    await tasks.stop()
    assert put_away == [True] * 3
    assert not caplog.records

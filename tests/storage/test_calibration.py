"""Means of all workers: formed where they are stored, bounded, and none lost."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.storage.calibration import ADDITIONS_BETWEEN_PRUNINGS, StoredCalibration
from proxy.storage.database import Database

OpenAnother = Callable[[], Awaitable[Database]]


async def test_what_is_added_is_one_mean_by_weight(database: Database) -> None:
    store = StoredCalibration(database)
    assert await store.read(10) == []
    await store.add([("a", 1.0, 3.0), ("b", 0.7, 0.05)], 100.0)
    await store.add([("a", 2.0, 1.0)], 100.0)
    assert sorted(await store.read(10)) == [
        ("a", pytest.approx(1.25), pytest.approx(4.0)),
        ("b", pytest.approx(0.7), pytest.approx(0.05)),
    ]
    await store.add([], 100.0)


async def test_a_weight_stops_at_its_most_and_the_mean_goes_on(database: Database) -> None:
    store = StoredCalibration(database)
    await store.add([("a", 1.0, 500.0)], 100.0)
    assert await store.read(1) == [("a", 1.0, 100.0)]
    await store.add([("a", 2.0, 1.0)], 100.0)
    [(_, ratio, weight)] = await store.read(1)
    assert (ratio, weight) == (pytest.approx(1 + 1 / 101), 100.0)
    for _ in range(20):
        await store.add([("a", 2.0, 50.0)], 100.0)
    [(_, ratio, weight)] = await store.read(1)
    assert (ratio, weight) == (pytest.approx(2.0, abs=0.001), 100.0)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.tuples(st.floats(0.7, 2.0), st.floats(0.01, 100.0)), min_size=1, max_size=8))
async def test_a_mean_lies_between_what_was_added(
    database: Database, seen: list[tuple[float, float]]
) -> None:
    await database.run([("DELETE FROM calibration", ())])
    store = StoredCalibration(database)
    for ratio, weight in seen:
        await store.add([("a", ratio, weight)], 100.0)
    [(_, mean, weight)] = await store.read(1)
    ratios = [ratio for ratio, _ in seen]
    assert min(ratios) - 1e-9 <= mean <= max(ratios) + 1e-9
    assert weight == pytest.approx(min(sum(weight for _, weight in seen), 100.0))


async def test_workers_that_add_at_once_all_count(database: Database, another: OpenAnother) -> None:
    workers = [StoredCalibration(each) for each in (database, await another(), await another())]
    names = [f"model_{n}" for n in range(30)]
    await asyncio.gather(
        *[
            worker.add(
                [(name, 1.0 + n / 2, 1.0) for name in names[:: 1 if round_ % 2 else -1]], 1e6
            )
            for round_ in range(10)
            for n, worker in enumerate(workers)
        ]
    )
    rows = await workers[0].read(100)
    assert sorted(name for name, _, _ in rows) == sorted(names)
    for _, ratio, weight in rows:
        assert (ratio, weight) == (pytest.approx(1.5), pytest.approx(30.0))


async def test_only_the_newest_models_are_kept_and_read(database: Database) -> None:
    store = StoredCalibration(database, models_kept_max=5)
    for n in range(ADDITIONS_BETWEEN_PRUNINGS + 2):
        await store.add([(f"model_{n:03}", 1.0, 1.0)], 100.0)
    kept = await store.read(1_000)
    assert len(kept) == 5
    last = f"model_{ADDITIONS_BETWEEN_PRUNINGS + 1:03}"
    assert last in {name for name, _, _ in kept}
    assert len(await store.read(2)) == 2

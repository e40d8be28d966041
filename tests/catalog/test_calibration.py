"""Estimates come to what models really count, whoever saw it, and whatever a provider says."""

import asyncio
import math
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.catalog.calibration import (
    CALIBRATED,
    CLAUDE_PRIOR,
    ESTIMATE,
    RATIO_MAX,
    RATIO_MIN,
    RAW_MIN,
    WEIGHT_MAX,
    Calibration,
)
from proxy.domain.fault import Fault, Kind
from proxy.storage.calibration import StoredCalibration
from proxy.storage.migrations import migrate
from proxy.storage.sqlite import SqliteDatabase
from tests.kit.patience import examples

Rows = Sequence[tuple[str, float, float]]


class Away:
    """Storage that answers only while it is there, and keeps what it was given."""

    def __init__(self, rows: Rows = ()) -> None:
        self.fault: Fault | None = None
        self.rows = list(rows)
        self.given: list[Rows] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, models_max: int, /) -> Rows:
        await self.gate.wait()
        if self.fault:
            raise self.fault
        return self.rows[:models_max]

    async def add(self, seen: Rows, weight_max: float, /) -> None:
        await self.gate.wait()
        if self.fault:
            raise self.fault
        self.given.append(seen)


def fresh() -> Calibration:
    return Calibration(Away())


def ratio_of(calibration: Calibration, model_id: str = "m") -> float:
    return calibration.estimate(model_id, 1_000_000)[0] / 1_000_000


def test_nothing_known_is_the_prior_rounded_up() -> None:
    assert fresh().estimate("m", 1_001) == (1_001, ESTIMATE)
    assert fresh().estimate("m", 1_001, prior=CLAUDE_PRIOR) == (1_302, ESTIMATE)
    assert fresh().estimate("m", 10, prior=1.1) == (11, ESTIMATE)
    assert fresh().estimate("m", 0) == (0, ESTIMATE)


def test_a_few_requests_are_enough_to_be_calibrated() -> None:
    calibration = fresh()
    seen = []
    for _ in range(4):
        calibration.observe("m", 10_000, 14_000)
        seen.append(calibration.estimate("m", 1_000, prior=CLAUDE_PRIOR))
    assert [tokens for tokens, _ in seen] == [1_334, 1_367, 1_400, 1_400]
    assert [source for _, source in seen] == [ESTIMATE, ESTIMATE, CALIBRATED, CALIBRATED]
    assert calibration.estimate("another", 1_000) == (1_000, ESTIMATE)


def test_a_mean_comes_to_the_truth_through_noise_and_follows_it_when_it_moves() -> None:
    dice = random.Random(1)
    calibration = fresh()
    for _ in range(300):
        raw = dice.randrange(2_000, 100_000)
        calibration.observe("m", raw, round(raw * 1.25 * dice.uniform(0.8, 1.2)))
    assert ratio_of(calibration) == pytest.approx(1.25, rel=0.03)
    for _ in range(500):
        raw = dice.randrange(2_000, 100_000)
        calibration.observe("m", raw, round(raw * 0.9 * dice.uniform(0.8, 1.2)))
    assert ratio_of(calibration) == pytest.approx(0.9, rel=0.03)


def test_one_request_among_many_moves_little() -> None:
    calibration = fresh()
    for _ in range(200):
        calibration.observe("m", 10_000, 10_000)
    calibration.observe("m", 10_000, 20_000)
    assert 1.005 < ratio_of(calibration) < 1.011


@pytest.mark.parametrize(("actual", "ratio"), [(10**12, RATIO_MAX), (1, RATIO_MIN)])
def test_ratios_stay_within_what_can_be_true(actual: int, ratio: float) -> None:
    calibration = fresh()
    for _ in range(10):
        calibration.observe("m", 10_000, actual)
    assert ratio_of(calibration) == pytest.approx(ratio)


def test_small_prompts_weigh_little_and_tiny_ones_nothing() -> None:
    calibration = fresh()
    for _ in range(1_000):
        calibration.observe("m", RAW_MIN - 1, 90)
        calibration.observe("m", 5_000, 0)
    assert calibration.estimate("m", 1_000) == (1_000, ESTIMATE)
    for _ in range(10):
        calibration.observe("m", 5_000, 5_000)
        calibration.observe("m", 100, 200)
    assert 1.05 < ratio_of(calibration) < 1.1


@examples(100)
@given(
    st.lists(st.tuples(st.integers(-5, 10**9), st.integers(-5, 10**12)), max_size=60),
    st.integers(0, 10**7),
)
def test_whatever_was_seen_the_estimate_is_possible(seen: list[tuple[int, int]], raw: int) -> None:
    calibration = fresh()
    for estimated, actual in seen:
        calibration.observe("m", estimated, actual)
    tokens, _ = calibration.estimate("m", raw)
    assert math.floor(raw * RATIO_MIN) <= tokens <= math.ceil(raw * RATIO_MAX)


def test_models_are_bounded_and_those_seen_longest_ago_go_first() -> None:
    calibration = Calibration(Away(), models_max=3)
    for _ in range(4):
        calibration.observe("old", 5_000, 6_000)
        calibration.observe("kept", 5_000, 6_000)
    for n in range(50):
        calibration.observe(f"m{n}", 5_000, 6_000)
        calibration.observe("kept", 5_000, 6_000)
    assert calibration.estimate("old", 1_000) == (1_000, ESTIMATE)
    assert calibration.estimate("kept", 1_000) == (1_200, CALIBRATED)


async def test_what_was_learned_survives_a_restart(tmp_path: Path) -> None:
    database = await SqliteDatabase.open(tmp_path / "gateway.db")
    await migrate(database)
    before = Calibration(StoredCalibration(database))
    for _ in range(5):
        before.observe("m", 10_000, 13_000)
    assert await before.flush()
    after = Calibration(StoredCalibration(database))
    assert after.estimate("m", 1_000) == (1_000, ESTIMATE)
    assert await after.load()
    assert after.estimate("m", 1_000) == (1_300, CALIBRATED)
    await database.close()


async def test_two_workers_come_to_one_mean_of_all_they_saw(tmp_path: Path) -> None:
    database = await SqliteDatabase.open(tmp_path / "gateway.db")
    await migrate(database)
    one, two = (Calibration(StoredCalibration(database)) for _ in range(2))
    for _ in range(20):
        one.observe("m", 10_000, 12_000)
    for _ in range(10):
        two.observe("m", 10_000, 15_000)
    for worker in (one, two, one):
        assert await worker.flush()
    assert ratio_of(one) == pytest.approx(1.3) == ratio_of(two)
    # Nothing new: flushing again and again adds nothing.
    for _ in range(5):
        await asyncio.gather(one.flush(), two.flush())
    assert ratio_of(one) == pytest.approx(1.3) == ratio_of(two)
    await database.close()


async def test_many_rounds_of_two_workers_stay_bounded_and_follow_the_truth(
    tmp_path: Path,
) -> None:
    database = await SqliteDatabase.open(tmp_path / "gateway.db")
    await migrate(database)
    store = StoredCalibration(database)
    workers = [Calibration(store) for _ in range(2)]
    for true in (1.5, 0.8):
        for _ in range(30):
            for worker in workers:
                for _ in range(40):
                    worker.observe("m", 10_000, round(10_000 * true))
                await worker.flush()
    [(_, ratio, weight)] = await store.read(10)
    assert ratio == pytest.approx(0.8, abs=0.01)
    assert weight == WEIGHT_MAX
    assert [ratio_of(worker) for worker in workers] == pytest.approx([0.8, 0.8], abs=0.01)
    await database.close()


async def test_while_storage_is_away_work_goes_on_and_nothing_is_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Away()
    calibration = Calibration(store)
    store.fault = Fault(Kind.UNAVAILABLE, "storage is away", detail="no route")
    for number in range(3):
        for _ in range(4):
            calibration.observe("m", 10_000, 12_000)
        assert not await calibration.flush()
        assert calibration.estimate("m", 1_000) == (1_200, CALIBRATED), number
    assert not await calibration.load()
    assert [record.getMessage() for record in caplog.records] == [
        "calibration: storage does not answer: no route"
    ]
    store.fault = None
    assert await calibration.flush()
    [[(model_id, ratio, weight)]] = store.given
    assert (model_id, ratio, weight) == ("m", pytest.approx(1.2), pytest.approx(12))


async def test_what_storage_can_never_take_is_not_brought_again() -> None:
    store = Away()
    calibration = Calibration(store)
    calibration.observe("m", 10_000, 12_000)
    store.fault = Fault(Kind.CONFLICT, "no")
    assert not await calibration.flush()
    store.fault = None
    assert await calibration.flush()
    assert store.given == []


async def test_what_is_seen_during_a_flush_is_brought_by_the_next() -> None:
    store = Away()
    calibration = Calibration(store)
    calibration.observe("m", 10_000, 12_000)
    store.gate.clear()
    flushing = asyncio.create_task(calibration.flush())
    await asyncio.sleep(0)
    calibration.observe("m", 10_000, 18_000)
    store.gate.set()
    assert await flushing
    assert await calibration.flush()
    assert [[ratio for _, ratio, _ in seen] for seen in store.given] == [[1.2], [1.8]]


async def test_a_flush_that_is_cancelled_loses_nothing() -> None:
    store = Away()
    calibration = Calibration(store)
    calibration.observe("m", 10_000, 12_000)
    store.gate.clear()
    flushing = asyncio.create_task(calibration.flush())
    await asyncio.sleep(0)
    calibration.observe("m", 10_000, 14_000)
    flushing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await flushing
    store.gate.set()
    assert await calibration.flush()
    [[(_, ratio, weight)]] = store.given
    assert (ratio, weight) == (pytest.approx(1.3), 2)


async def test_what_is_stored_and_cannot_be_true_is_not_believed() -> None:
    calibration = Calibration(
        Away(
            [
                ("huge", 1e9, 1e9),
                ("nan", math.nan, 5.0),
                ("weightless", 1.5, 0.0),
                ("endless", 1.5, math.inf),
            ]
        )
    )
    assert await calibration.load()
    assert calibration.estimate("huge", 1_000) == (2_000, CALIBRATED)
    for model_id in ("nan", "weightless", "endless"):
        assert calibration.estimate(model_id, 1_000) == (1_000, ESTIMATE)
    # A weight beyond the most would never move again.
    for _ in range(500):
        calibration.observe("huge", 10_000, 10_000)
    assert ratio_of(calibration, "huge") < 1.02

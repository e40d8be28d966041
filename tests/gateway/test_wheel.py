"""The one timer of a process."""

import asyncio

import pytest

from proxy.gateway.wheel import Wheel
from tests.kit.journey import until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.gateway.wheel.TICK_S", 0.001)


class Thing:
    def __init__(self) -> None:
        self.ticks: list[float] = []
        self.ticked = asyncio.Event()

    def tick(self, now_s: float) -> None:
        self.ticks.append(now_s)
        self.ticked.set()

    async def after_ticks(self, count: int) -> None:
        while len(self.ticks) < count:
            self.ticked.clear()
            await asyncio.wait_for(self.ticked.wait(), 5)


async def test_each_turn_tells_the_time_of_the_given_clock():
    clock = iter(range(100, 10_000))
    wheel = Wheel(lambda: next(clock))
    assert wheel.now_s == 100
    thing = Thing()
    wheel.watch(thing)
    wheel.start()
    await thing.after_ticks(3)
    wheel.stop()
    assert thing.ticks == [101, 102, 103]
    assert wheel.now_s == 103


async def test_nothing_is_asked_after_it_is_no_longer_watched():
    wheel = Wheel(lambda: 0.0)
    thing, other = Thing(), Thing()
    wheel.watch(thing)
    wheel.watch(other)
    wheel.unwatch(thing)
    wheel.unwatch(thing)
    wheel.start()
    await other.after_ticks(3)
    wheel.stop()
    assert thing.ticks == []
    assert wheel.watched() == [other]


async def test_one_that_ends_another_in_its_tick_spares_it_the_rest_of_the_turn():
    wheel = Wheel(lambda: 0.0)

    class Ends(Thing):
        other: "Ends"

        def tick(self, now_s: float) -> None:
            super().tick(now_s)
            wheel.unwatch(self.other)

    one, two, witness = Ends(), Ends(), Thing()
    one.other, two.other = two, one
    wheel.watch(one)
    wheel.watch(two)
    wheel.start()
    await until(lambda: one.ticks or two.ticks)
    wheel.watch(witness)
    await witness.after_ticks(2)
    wheel.stop()
    assert (one.ticks == []) != (two.ticks == [])


async def test_a_stopped_wheel_asks_nobody():
    wheel = Wheel(lambda: 0.0)
    thing = Thing()
    wheel.watch(thing)
    wheel.stop()
    wheel.start()
    wheel.stop()
    await asyncio.sleep(0.01)
    assert thing.ticks == []


async def test_one_that_fails_does_not_stop_the_wheel():
    loop = asyncio.get_running_loop()
    failures: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: failures.append(context))
    wheel = Wheel(lambda: 0.0)

    class Fails(Thing):
        def tick(self, now_s: float) -> None:
            wheel.unwatch(self)
            raise RuntimeError("a bug")

    thing = Thing()
    wheel.watch(Fails())
    wheel.start()
    await until(lambda: failures)
    wheel.watch(thing)
    await thing.after_ticks(2)
    wheel.stop()
    assert len(failures) == 1

"""How late the event loop is."""

import asyncio
import time

from proxy.server.loop_lag import LOOK_S, LoopLag


async def test_a_blocked_loop_is_noticed_and_a_free_one_is_not_blamed() -> None:
    looks: list[float] = []
    looked = asyncio.Event()

    def note(lag_s: float) -> None:
        looks.append(lag_s)
        looked.set()

    lag = LoopLag(time.monotonic, note)
    lag.start()
    await looked.wait()
    looks.clear()
    time.sleep(LOOK_S + 0.3)  # noqa: ASYNC251 - it is what is measured
    looked.clear()
    await looked.wait()
    assert looks[0] >= 0.25
    lag.stop()
    count = len(looks)
    await asyncio.sleep(LOOK_S * 2)
    assert len(looks) == count
    assert min(looks) >= 0.0

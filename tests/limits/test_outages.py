"""Redis killed and back, under real desks: the policy meanwhile, and everything told afterwards."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from proxy.config.settings import Limits
from proxy.domain.fault import Fault
from proxy.limits.counters_redis import RedisCounters
from proxy.limits.desk import Desk
from proxy.limits.ticket import Ticket
from tests.kit.servers import Redis
from tests.limits.hammer import wall_ms
from tests.limits.stores import CREDIT, DEAR, Ledger, make_caller

LIMIT = 100 * CREDIT
CALLER = make_caller(credits=LIMIT)


async def enter(desk: Desk, credits: int) -> Ticket:
    now_ms = wall_ms()
    return desk.admit(
        CALLER, DEAR, estimate_credits=credits, estimate_tokens=1, now_ms=now_ms
    ) or await desk.ask(CALLER, DEAR, estimate_credits=credits, estimate_tokens=1, now_ms=now_ms)


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not met():  # noqa: ASYNC110 - what is awaited happens in a server
            await asyncio.sleep(0.02)


@pytest.fixture(params=["open", "closed"])
def policy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def desks(redis_server: Redis, policy: str) -> AsyncIterator[list[Desk]]:
    """Two workers over one ledger and a real Redis, exchanging as they do in service."""
    settings = msgspec.convert({"when_counters_lost": policy}, Limits)
    ledger = Ledger()
    both = [
        Desk(
            settings,
            ledger,
            RedisCounters.open(redis_server.url(), name),
            clock=time.monotonic,
            wall_ms=wall_ms,
        )
        for name in ("one", "two")
    ]
    tasks = [asyncio.create_task(desk.run()) for desk in both]
    yield both
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for desk in both:
        await desk.close()


def heard(desk: Desk) -> int:
    return sum(book.others for book in desk._books)


async def test_redis_killed_and_back(desks: list[Desk], redis_server: Redis, policy: str) -> None:
    one, two = desks
    (await enter(two, CREDIT)).release()
    await enter(one, 50 * CREDIT)
    await until(lambda: heard(two) == 50 * CREDIT and heard(one) == 0)

    redis_server.kill()
    await until(lambda: bool(one.trouble) and bool(two.trouble))
    began_s = time.monotonic()
    await enter(one, 49 * CREDIT)  # far from the limit, as far as one worker knows
    if policy == "open":
        await enter(one, CREDIT)
        with pytest.raises(Fault) as caught:
            await enter(one, CREDIT)
        assert caught.value.reason == "tenant_limit"
    else:
        with pytest.raises(Fault) as caught:
            await enter(one, CREDIT)
        assert caught.value.reason == "limits_unavailable"
    assert one.blind == 1
    assert time.monotonic() - began_s < 0.2  # nobody waited for it

    redis_server.start()
    await until(lambda: not one.trouble and not two.trouble)
    held = 100 if policy == "open" else 99
    await until(lambda: heard(two) == held * CREDIT)
    if policy == "open":
        with pytest.raises(Fault) as caught:
            await enter(two, CREDIT)
        assert caught.value.reason == "tenant_limit"
    else:
        await enter(two, CREDIT)
        await until(lambda: heard(one) == CREDIT)

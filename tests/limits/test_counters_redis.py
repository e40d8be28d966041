"""The same between machines, over a real Redis: restarts, silence, and no password anywhere."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from redis.asyncio import Redis as Client

from proxy.domain.fault import Fault
from proxy.limits.counters_redis import PREFIX, RedisCounters
from tests.kit.servers import Redis

Open = Callable[[str], RedisCounters]


@pytest.fixture
async def opened(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Open]:
    """Open counters of a worker; all are closed at the end, whatever became of the server. They
    have more patience than in a gateway: a busy machine stands still for half a second at times."""
    monkeypatch.setattr("proxy.limits.counters_redis.TIMEOUT_S", 2.0)
    all_: list[RedisCounters] = []

    def open_(worker: str) -> RedisCounters:
        all_.append(RedisCounters.open(redis_url, worker))
        return all_[-1]

    yield open_
    for counters in all_:
        try:
            await counters.close()
        except Fault:
            pass  # the test took the server away


async def eventually(attempt: Callable[[], Awaitable[object]]) -> None:
    for _ in range(100):
        try:
            await attempt()
        except Fault:
            await asyncio.sleep(0.05)
        else:
            return
    await attempt()


async def test_everyone_hears_the_sum_of_all_others(opened: Open) -> None:
    one, two, three = opened("one"), opened("two"), opened("three")
    assert await one.exchange({"a": 10, "b": 1}) == {}
    assert await two.exchange({"a": 5}) == {"a": 10, "b": 1}
    assert await three.exchange({}) == {"a": 15, "b": 1}
    assert await one.exchange({"a": 7}) == {"a": 5}
    assert await two.exchange({}) == {"a": 7}


async def test_amounts_are_exact_up_to_what_an_installation_can_hold(opened: Open) -> None:
    one, two = opened("one"), opened("two")
    await one.exchange({"a": 2**53 - 1, "b": 1})
    assert await two.exchange({}) == {"a": 2**53 - 1, "b": 1}


async def test_hundreds_of_names_are_one_exchange(opened: Open) -> None:
    one, two = opened("one"), opened("two")
    many = {f"name {i}": i + 1 for i in range(20_000)}
    await one.exchange(many)
    assert await two.exchange({}) == many
    await one.exchange({})
    assert await two.exchange({}) == {}


async def test_a_worker_that_says_nothing_ends_by_itself(opened: Open, redis_url: str) -> None:
    one, two = opened("one"), opened("two")
    await one.exchange({"a": 10})
    async with Client.from_url(redis_url, protocol=2) as client:
        milliseconds = await client.pttl(f"{PREFIX}:held:one")
        assert 4_000 < milliseconds <= 5_000
        # As if five seconds had gone by.
        await client.zadd(f"{PREFIX}:workers", {"one": 1})
    assert await two.exchange({}) == {}
    assert await one.exchange({"a": 10}) == {}
    assert await two.exchange({}) == {"a": 10}


async def test_what_redis_forgot_is_told_again_in_the_same_exchange(
    opened: Open, redis_server: Redis
) -> None:
    one, two = opened("one"), opened("two")
    await one.exchange({"a": 10, "b": 2})
    assert redis_server.ask("FLUSHALL") == b"+OK\r\n"
    await one.exchange({"a": 11, "b": 2})
    assert await two.exchange({}) == {"a": 11, "b": 2}


async def test_an_exchange_that_arrives_late_overwrites_nothing(opened: Open) -> None:
    one, two = opened("one"), opened("two")
    await one.exchange({"a": 1})
    await one.exchange({"a": 2})
    one._turn -= 1  # the one before, held up on its way
    await one.exchange({"a": 99})
    assert await two.exchange({}) == {"a": 2}


async def test_a_server_that_went_is_a_fault_and_one_that_is_back_is_used(
    opened: Open, redis_server: Redis
) -> None:
    one, two = opened("one"), opened("two")
    await one.exchange({"a": 10})
    redis_server.kill()
    with pytest.raises(Fault) as caught:
        await one.exchange({"a": 12})
    assert caught.value.status == 503
    redis_server.start()
    await eventually(lambda: one.exchange({"a": 12}))
    assert await two.exchange({}) == {"a": 12}


async def test_a_server_that_stands_still_is_given_up_soon(
    opened: Open, redis_server: Redis
) -> None:
    one, two = opened("one"), opened("two")
    await one.exchange({"a": 10})
    redis_server.pause()
    async with asyncio.timeout(3):
        with pytest.raises(Fault):
            await one.exchange({"a": 11})
    redis_server.resume()
    await eventually(lambda: one.exchange({"a": 12}))
    assert await two.exchange({}) == {"a": 12}


async def test_who_leaves_holds_nothing(opened: Open) -> None:
    one, two = opened("one"), opened("two")
    await one.exchange({"a": 10})
    await one.close()
    assert await two.exchange({}) == {}


async def test_no_password_is_told_to_anybody(redis_server: Redis) -> None:
    password = redis_server.password
    wrong = RedisCounters.open(redis_server.url().replace(password, "wrong-secret"), "one")
    with pytest.raises(Fault) as refused:
        await wrong.exchange({})
    redis_server.kill()
    right = RedisCounters.open(redis_server.url(), "two")
    with pytest.raises(Fault) as gone:
        await right.exchange({})
    told = [
        text
        for fault in (refused.value, gone.value)
        for text in (fault.message, fault.detail, repr(fault), str(fault.__cause__))
    ] + [repr(wrong), repr(right)]
    assert any("127.0.0.1" in text for text in told)
    assert not any(password in text or "wrong-secret" in text for text in told)
    for counters in (wrong, right):
        with pytest.raises(Fault):
            await counters.close()


@pytest.mark.parametrize("url", ["http://host", "redis://host:port/0", "nonsense"])
def test_a_url_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(Fault) as caught:
        RedisCounters.open(url, "one")
    assert url not in caught.value.message
    assert "redis://host:6379/0" in caught.value.message

import asyncio

from proxy.catalog.cupboard import Cupboard


async def test_what_was_put_is_found_under_its_key_only() -> None:
    cupboard = Cupboard[bytes](entries_max=4, ttl_s=60)
    await cupboard.put(("a", frozenset({"x"})), b"1")
    assert await cupboard.get(("a", frozenset({"x"}))) == b"1"
    assert await cupboard.get(("a", frozenset())) is None


async def test_the_oldest_leaves_when_it_is_full() -> None:
    cupboard = Cupboard[int](entries_max=3, ttl_s=60)
    for number in range(4):
        await cupboard.put(number, number)
    assert [await cupboard.get(number) for number in range(4)] == [None, 1, 2, 3]


async def test_what_is_put_again_is_young_again() -> None:
    cupboard = Cupboard[int](entries_max=2, ttl_s=60)
    for number in (1, 2, 1, 3):
        await cupboard.put(number, number * 10)
    assert [await cupboard.get(number) for number in (1, 2, 3)] == [10, None, 30]


async def test_neither_values_nor_timers_outgrow_the_bound() -> None:
    cupboard = Cupboard[int](entries_max=5, ttl_s=60)
    for number in range(100):
        await cupboard.put(number, number)
    assert len(cupboard._cache._cache) == len(cupboard._cache._handlers) == 5


async def test_time_ends_what_nobody_invalidated() -> None:
    cupboard = Cupboard[int](entries_max=5, ttl_s=0.01)
    await cupboard.put("old", 1)
    await asyncio.sleep(0.05)  # aiocache takes the loop's clock, which cannot be turned by hand
    assert await cupboard.get("old") is None
    await cupboard.put("old", 2)
    assert await cupboard.get("old") == 2

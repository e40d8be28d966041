"""Workers of several machines hear each other over a real Redis."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from redis.asyncio import Redis as Client

from proxy.observe.roll_call import Answer
from proxy.observe.roll_call_redis import CHANNEL, PREFIX, RedisRoad
from tests.kit.servers import Redis

Join = Callable[[str], RedisRoad]


@pytest.fixture
async def join(redis_url: str) -> AsyncIterator[Join]:
    """A worker that is there and answers."""
    joined: list[tuple[RedisRoad, asyncio.Task[None]]] = []

    def join_(worker: str) -> RedisRoad:
        road = RedisRoad.open(redis_url, worker, lambda question: worker.encode() + question)
        joined.append((road, asyncio.create_task(road.run())))
        return road

    yield join_
    for road, task in joined:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await road.close()


def names(answers: object) -> list[str]:
    return sorted([each.worker for each in answers])  # type: ignore[attr-defined]


async def until_heard(road: RedisRoad, *workers: str, within_s: float = 20.0) -> None:
    """Until it hears exactly these, and nobody is silent."""

    async def look() -> Awaitable[None] | None:
        while True:
            heard = await road.ask(b"?")
            if names(heard.answers) == sorted(workers) and not heard.silent:
                return None
            await asyncio.sleep(0.05)

    await asyncio.wait_for(look(), within_s)


async def test_each_hears_all_others_on_whatever_machine(join: Join) -> None:
    one, two, _ = join("a/w0"), join("a/w1"), join("b/w0")
    await until_heard(one, "a/w1", "b/w0")
    await until_heard(two, "a/w0", "b/w0")
    heard = await one.ask(b" heard")
    assert Answer("b/w0", b"b/w0 heard") in heard.answers


async def test_two_of_one_name_are_two(join: Join) -> None:
    one = join("host/w0")
    join("host/w0")
    await until_heard(one, "host/w0")


async def test_who_hears_and_does_not_answer_is_silent(join: Join, redis_url: str) -> None:
    one = join("a/w0")
    join("b/w0")
    await until_heard(one, "b/w0")
    async with Client.from_url(redis_url, protocol=2) as client, client.pubsub() as deaf:
        await deaf.subscribe(CHANNEL)
        await deaf.get_message(timeout=5)
        heard = await one.ask(b"?")
    assert (names(heard.answers), heard.silent) == (["b/w0"], 1)


async def test_while_redis_is_away_nobody_is_heard_and_afterwards_all_are(
    join: Join, redis_server: Redis
) -> None:
    one = join("a/w0")
    join("b/w0")
    await until_heard(one, "b/w0")
    redis_server.kill()
    heard = await asyncio.wait_for(one.ask(b"?"), 10)
    assert (list(heard.answers), heard.silent) == ([], 1)
    redis_server.start()
    await until_heard(one, "b/w0")


async def test_a_redis_that_does_not_answer_is_not_waited_for(
    join: Join, redis_server: Redis
) -> None:
    one = join("a/w0")
    join("b/w0")
    await until_heard(one, "b/w0")
    redis_server.pause()
    try:
        heard = await asyncio.wait_for(one.ask(b"?"), 10)
        assert list(heard.answers) == [] and heard.silent >= 1
    finally:
        redis_server.resume()
    await until_heard(one, "b/w0")


async def test_rubbish_on_the_channel_is_nobodys_question(join: Join, redis_url: str) -> None:
    one = join("a/w0")
    join("b/w0")
    await until_heard(one, "b/w0")
    async with Client.from_url(redis_url, protocol=2) as client:
        for rubbish in (b"rubbish", b"\x93\xa1x\xa9elsewhere\xc4\x01?"):
            await client.publish(CHANNEL, rubbish)
        await until_heard(one, "b/w0")
        assert not await client.exists("elsewhere")


async def test_nothing_is_kept(join: Join, redis_url: str) -> None:
    one = join("a/w0")
    join("b/w0")
    await until_heard(one, "b/w0")
    async with Client.from_url(redis_url, protocol=2) as client:
        for key in await client.keys(f"{PREFIX}*"):
            assert 0 <= await client.ttl(key) <= 5

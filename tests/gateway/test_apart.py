"""Large bodies are read by another process, whatever happens to it."""

import asyncio
import logging
import time

import msgspec
import pytest

from proxy.domain.fault import Fault, Kind
from proxy.gateway.apart import Apart
from proxy.wire.body import read_body

BODY = b'{"model":"m","max_tokens":5,"messages":["%b"]}' % (b"x" * 3_000_000)


@pytest.fixture
async def apart():
    one = Apart()
    yield one
    await one.close()


async def test_a_body_comes_back_as_it_was(apart: Apart) -> None:
    for _ in range(3):
        body = await apart.read(BODY, needs_max_tokens=True)
        assert body.model == "m" and body.max_tokens == 5
        assert len(body.fields["messages"]) == 3_000_004
        assert b"".join(body.with_model(b'"n"')) == BODY.replace(b'"m"', b'"n"')


async def test_what_is_wrong_with_it_is_told(apart: Apart) -> None:
    with pytest.raises(Fault, match="not valid JSON"):
        await apart.read(BODY[:-1], needs_max_tokens=True)
    with pytest.raises(Fault, match="max_tokens: Field required"):
        await apart.read(BODY.replace(b"max_tokens", b"other"), needs_max_tokens=True)
    assert (await apart.read(BODY, needs_max_tokens=True)).model == "m", "and it goes on"


async def test_a_reader_that_died_is_started_again(
    apart: Apart, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    await apart.read(BODY, needs_max_tokens=True)
    reader = apart._reader
    reader.kill()
    await reader.wait()
    assert (await apart.read(BODY, needs_max_tokens=True)).model == "m"
    second = apart._reader
    assert second.pid != reader.pid
    asyncio.get_running_loop().call_soon(second.kill)  # in the middle of it
    assert (await apart.read(BODY, needs_max_tokens=True)).model == "m"
    assert (await apart.read(BODY, needs_max_tokens=True)).model == "m"


async def test_a_caller_that_leaves_in_the_middle_leaves_nothing_in_the_pipe(apart: Apart) -> None:
    await apart.read(BODY, needs_max_tokens=True)
    reading = asyncio.create_task(apart.read(BODY * 1, needs_max_tokens=True))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading])
    assert reading.cancelled()
    assert (await apart.read(BODY, needs_max_tokens=True)).max_tokens == 5


async def test_bodies_at_a_time_take_turns(apart: Apart) -> None:
    bodies = [BODY.replace(b'"m"', b'"%d"' % number) for number in range(5)]
    read = await asyncio.gather(*[apart.read(each, needs_max_tokens=True) for each in bodies])
    assert [each.model for each in read] == ["0", "1", "2", "3", "4"]


async def test_the_reader_ends_with_the_gateway() -> None:
    apart = Apart()
    await apart.read(BODY, needs_max_tokens=True)
    reader = apart._reader
    await apart.close()
    assert reader.returncode is not None


async def test_the_loop_goes_on_meanwhile(apart: Apart) -> None:
    """Measured as the time the loop's own thread works between two turns, whoever else uses the
    machine."""
    turn = {"role": "user", "content": "How are you?"}
    raw = msgspec.json.encode({"model": "m", "messages": [turn] * 750_000, "max_tokens": 5})
    assert len(raw) > 28 << 20
    begun_s = time.thread_time()
    expected = read_body(raw, needs_max_tokens=True)
    alone_s = time.thread_time() - begun_s
    reading = asyncio.create_task(apart.read(raw, needs_max_tokens=True))
    worst_s, last_s = 0.0, time.thread_time()
    while not reading.done():
        await asyncio.sleep(0)
        now_s = time.thread_time()
        worst_s, last_s = max(worst_s, now_s - last_s), now_s
    body = reading.result()
    print("on_the_loop_ms", round(alone_s * 1000, 1))
    print("apart_worst_ms", round(worst_s * 1000, 1))
    assert worst_s < alone_s / 3
    assert {name: len(value) for name, value in body.fields.items()} == {
        name: len(value) for name, value in expected.fields.items()
    }


async def test_work_runs_beside_the_loop(apart: Apart) -> None:
    assert await apart.run(lambda: sum(range(10))) == 45

    def fails() -> None:
        raise Fault(Kind.BAD_REQUEST, "no")

    with pytest.raises(Fault, match="no"):
        await apart.run(fails)

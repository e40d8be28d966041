"""The load generator against real sockets: it counts what is right and reports what is not."""

import asyncio
import itertools
from collections.abc import Callable

import msgspec
import pytest

from bench import load
from bench import score as scores
from bench.load import Outcome, Plan
from bench.score import Score

KEY = "sk-bench-test"


def plan(port: int, score: Score, *, connections: int = 2, held: bool = False) -> Plan:
    return Plan(
        port=port,
        path="/v1/messages",
        model=score.name,
        score=score.name,
        body="1k",
        connections=connections,
        duration_s=0.2,
        warmup_s=0.05,
        held=held,
    )


async def against(reply: bytes, score: Score, *, close: bool = False) -> Outcome:
    """Load a server that answers everything with these bytes."""

    class Parrot(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(reply)
            if close:
                self.transport.close()

    server = await asyncio.get_running_loop().create_server(Parrot, "127.0.0.1", 0)
    async with server:
        return await load.run(plan(server.sockets[0].getsockname()[1], score), KEY)


@pytest.mark.parametrize(
    "score", [Score(), Score(20), Score(20, events_per_write=20)], ids=lambda score: score.name
)
async def test_right_replies_are_counted_and_timed(score: Score, upstream_port: int) -> None:
    outcome = await load.run(plan(upstream_port, score), KEY)
    assert outcome.wrong == {}
    assert outcome.requests > 0
    assert outcome.whole >= outcome.requests
    assert outcome.events == outcome.requests * score.events
    assert outcome.reply is not None
    assert 0 < outcome.reply.p50_us <= outcome.reply.p99_us <= outcome.reply.max_us
    assert (outcome.first_event is not None) is score.streamed


async def test_held_streams_are_all_followed_to_their_end(upstream_port: int) -> None:
    score = Score(100, period_ms=10)
    outcome = await load.run(plan(upstream_port, score, connections=5, held=True), KEY)
    assert outcome.wrong == {}
    assert outcome.whole == 5
    assert outcome.events > 0
    assert outcome.lag is not None
    assert outcome.lag.count == outcome.events


async def test_the_key_and_the_body_are_sent_as_an_sdk_sends_them() -> None:
    sent = load.request_bytes(plan(1, Score()), KEY)
    head, _, body = sent.partition(b"\r\n\r\n")
    assert b"\r\nAuthorization: Bearer sk-bench-test\r\n" in head
    assert b"\r\nContent-Length: %d" % len(body) in head
    assert len(body) == 1_000


MESSAGE = scores.message_reply(Score())
STREAM = b"".join(scores.burst_writes(Score(20)))


def delta(number: int) -> bytes:
    return scores.DELTA_CHUNK % (number, 0)


def swapped(stream: bytes) -> bytes:
    return stream.replace(delta(4) + delta(5), delta(5) + delta(4))


WRONG: list[tuple[str, Score, Callable[[bytes], bytes], bool, str]] = [
    ("another status", Score(), lambda b: b.replace(b"200 OK", b"529 OK"), False, "status 529"),
    ("a truncated body", Score(), lambda b: b[:-10], True, "connection lost"),
    ("no reply at all", Score(), lambda b: b"", True, "connection lost"),
    ("not HTTP", Score(), lambda b: b"hello\r\n\r\n", False, "framing"),
    (
        "another model",
        Score(),
        lambda b: b.replace(b"bench-message", b"bench-massage"),
        False,
        "model",
    ),
    ("events swapped", Score(20), swapped, False, "delta 5 where 4 was due"),
    ("an event lost", Score(20), lambda b: b.replace(delta(4), b""), False, "delta 5 where 4"),
    ("cut in mid-stream", Score(20), lambda b: b[: len(b) // 2], True, "connection lost"),
    (
        "a clean end too early",
        Score(20),
        lambda b: b.partition(delta(10))[0] + b"0\r\n\r\n",
        False,
        "ended before content_block_stop",
    ),
    (
        "a stream that says it is JSON",
        Score(20),
        lambda b: b.replace(b"text/event-stream", b"application/json "),
        False,
        "wrong content-type",
    ),
]


@pytest.mark.parametrize(
    ("score", "spoil", "close", "says"),
    [row[1:] for row in WRONG],
    ids=[row[0] for row in WRONG],
)
async def test_a_wrong_reply_is_found_and_never_counted(
    score: Score, spoil: Callable[[bytes], bytes], close: bool, says: str
) -> None:
    right = STREAM if score.streamed else MESSAGE
    spoilt = spoil(right)
    assert spoilt != right
    outcome = await against(spoilt, score, close=close)
    assert outcome.whole == 0
    assert any(says in reason for reason in outcome.wrong), outcome.wrong


async def anew(spoil: Callable[[int, bytes], bytes]) -> Outcome:
    """Load a server that gives each message an id of its own, as one that translates does."""

    class Translator(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            number = next(numbers)
            made = STREAM.replace(b"msg_01BenchBenchBenchBenchBe", b"msg_%024d" % number)
            self.transport.write(spoil(number, made))

    numbers = itertools.count()
    server = await asyncio.get_running_loop().create_server(Translator, "127.0.0.1", 0)
    async with server:
        return await load.run(plan(server.sockets[0].getsockname()[1], Score(20)), KEY)


async def test_streams_that_differ_in_their_id_alone_are_right() -> None:
    outcome = await anew(lambda number, made: made)
    assert outcome.wrong == {}
    assert outcome.requests > 0


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b'"model":"bench-burst-20by1"', b'"model":"bench-burst-20by2"', "model"),
        (b"event: message_start", b"event: message_stant", "says it is"),
        (delta(4) + delta(5), delta(5) + delta(4), "delta 5 where 4"),
    ],
)
async def test_a_later_stream_with_an_id_of_its_own_is_judged_too(
    old: bytes, new: bytes, says: str
) -> None:
    outcome = await anew(lambda number, made: made.replace(old, new) if number > 5 else made)
    assert outcome.whole > 0
    assert any(says in reason for reason in outcome.wrong), outcome.wrong


async def test_the_same_server_unspoilt_is_right() -> None:
    assert (await against(STREAM, Score(20))).wrong == {}
    assert (await against(MESSAGE, Score())).wrong == {}


async def test_a_port_where_nobody_listens_is_reported() -> None:
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    outcome = await load.run(plan(port, Score()), KEY)
    assert any("cannot connect" in reason for reason in outcome.wrong)


def test_a_distribution_of_nothing_is_none() -> None:
    assert load.spread([]) is None


def test_a_distribution_is_given_in_microseconds() -> None:
    seen = load.spread([n * 1_000 for n in range(1, 101)])
    assert seen is not None
    assert (seen.count, seen.p50_us, seen.p99_us, seen.max_us) == (100, 51.0, 100.0, 100.0)


# ---------------------------------------------------------------- for comparisons


async def test_right_replies_that_are_not_the_upstreams_bytes_are_counted_with_the_change() -> None:
    outcome = await anew(lambda number, made: made)
    assert outcome.wrong == {}
    assert set(outcome.changed) == {"other message.id"}
    assert sum(outcome.changed.values()) == outcome.whole


async def test_the_upstreams_own_bytes_are_no_change(upstream_port: int) -> None:
    for score in (Score(), Score(20)):
        assert (await load.run(plan(upstream_port, score), KEY)).changed == {}


async def refusing(status: bytes) -> tuple[Outcome, set[bytes]]:
    """Flood a server with bad keys that answers each with this status; the keys it saw."""
    keys: set[bytes] = set()

    class Doorkeeper(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            keys.add(data.partition(b"Bearer ")[2].partition(b"\r\n")[0])
            self.transport.write(b"HTTP/1.1 %s\r\ncontent-length: 2\r\n\r\nno" % status)

    server = await asyncio.get_running_loop().create_server(Doorkeeper, "127.0.0.1", 0)
    async with server:
        flood = msgspec.structs.replace(
            plan(server.sockets[0].getsockname()[1], Score()), foul_keys=True
        )
        return await load.run(flood, KEY), keys


async def test_a_flood_brings_another_key_each_time_and_counts_refusals() -> None:
    outcome, keys = await refusing(b"401 Unauthorized")
    assert outcome.wrong == {}
    assert 0 < outcome.requests <= outcome.whole
    assert len(keys) >= outcome.whole
    assert KEY.encode() not in keys
    assert {len(key) for key in keys} == {len("sk-bench-") + 48}


async def test_whoever_lets_a_bad_key_in_is_wrong() -> None:
    outcome, _ = await refusing(b"200 OK")
    assert outcome.whole == 0
    assert any("let in with a bad key" in reason for reason in outcome.wrong)


async def test_a_peers_headers_are_sent_and_the_name_it_answers_with_is_expected(
    upstream_port: int,
) -> None:
    asked = msgspec.structs.replace(
        plan(upstream_port, Score()),
        model="bench-message",
        reply_model="another",
        headers={"x-provider": "anthropic"},
    )
    assert b"\r\nx-provider: anthropic\r\n" in load.request_bytes(asked, KEY)
    outcome = await load.run(asked, KEY)
    assert outcome.whole == 0
    assert any("instead of 'another'" in reason for reason in outcome.wrong)

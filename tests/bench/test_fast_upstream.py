"""The fast upstream on a real socket: its streams are right, its framing too, its pace kept."""

import asyncio
import time

import orjson
import pytest

from bench import bodies, chat_score, check
from bench.score import MESSAGE_TEXT_BYTES, TEXT_BYTES, TEXT_TAIL, Score
from proxy.stream.bedrock_to_messages import BedrockMessages
from proxy.stream.pipe import At
from tests.bench.chat_chunks import said_in
from tests.kit.asked import make_asked
from tests.kit.grammar import events_of


async def ask(port: int, body: bytes, path: bytes = b"/v1/messages") -> tuple[bytes, bytes]:
    """One request on a connection of its own: head and decoded body of the reply."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (path, len(body)))
    for begin in range(0, len(body), 333):  # cut anywhere, also inside the score's name
        writer.write(body[begin : begin + 333])
        await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    if b"chunked" not in head:
        size = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        reply = await reader.readexactly(size)
    else:
        reply = b""
        while size := int(await reader.readline(), 16):
            reply += await reader.readexactly(size)
            assert await reader.readexactly(2) == b"\r\n"
        assert await reader.readexactly(2) == b"\r\n"
    writer.close()
    await writer.wait_closed()
    return head, reply


@pytest.fixture(scope="module")
def deadline_s() -> float:
    """No reply here takes longer, on any machine."""
    return 10.0


@pytest.mark.parametrize(
    "score",
    [Score(1), Score(200), Score(200, events_per_write=64), Score(10, period_ms=5)],
    ids=lambda score: score.name,
)
async def test_its_streams_are_right(score: Score, deadline_s: float, upstream_port: int) -> None:
    body = bodies.body("60k", model=score.name, streamed=True)
    head, stream = await asyncio.wait_for(ask(upstream_port, body), deadline_s)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"content-type: text/event-stream" in head
    judge = check.StreamCheck(score.name, score.events)
    judge.feed(stream)
    assert judge.finish() is None


async def test_its_message_is_right(deadline_s: float, upstream_port: int) -> None:
    body = bodies.body("1k", model="bench-message", streamed=False)
    head, message = await asyncio.wait_for(ask(upstream_port, body), deadline_s)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert check.wrong_message(message, "bench-message") is None
    assert 900 <= len(message) <= 1_200


async def test_a_paced_stream_takes_its_time_and_stamps_each_event(
    deadline_s: float, upstream_port: int
) -> None:
    score = Score(10, period_ms=10)
    body = bodies.body("1k", model=score.name, streamed=True)
    began_ns = time.monotonic_ns()
    _, stream = await asyncio.wait_for(ask(upstream_port, body), deadline_s)
    took_ns = time.monotonic_ns() - began_ns
    assert took_ns >= 85_000_000  # nine gaps, the first event at any moment of its period
    judge = check.StreamCheck(score.name, score.events)
    judge.feed(stream, now_ns=time.monotonic_ns())
    assert judge.finish() is None
    assert 0 < judge.late_ns_max <= took_ns


async def test_streams_of_one_period_share_the_wheel_and_all_end(
    deadline_s: float, upstream_port: int
) -> None:
    score = Score(5, period_ms=4)
    body = bodies.body("1k", model=score.name, streamed=True)
    replies = await asyncio.wait_for(
        asyncio.gather(*(ask(upstream_port, body) for _ in range(20))), deadline_s
    )
    for _, stream in replies:
        judge = check.StreamCheck(score.name, score.events)
        judge.feed(stream)
        assert judge.finish() is None


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (b"/v1/messages", b'{"model":"claude"}', b"400"),
        (b"/v1/messages", b'{"model":"bench-nonsense"}', b"400"),
        (b"/v1/elsewhere", b'{"model":"bench-message"}', b"404"),
    ],
)
async def test_what_it_cannot_play_it_refuses(
    path: bytes, body: bytes, status: bytes, deadline_s: float, upstream_port: int
) -> None:
    head, reply = await asyncio.wait_for(ask(upstream_port, body, path), deadline_s)
    assert head.startswith(b"HTTP/1.1 " + status)
    assert b'"type":"error"' in reply


@pytest.mark.parametrize(
    "score",
    [Score(1), Score(200), Score(200, events_per_write=64), Score(10, period_ms=5)],
    ids=lambda score: score.name,
)
async def test_its_chat_streams_say_the_same_text(
    score: Score, deadline_s: float, upstream_port: int
) -> None:
    body = bodies.body("1k", model=score.name, streamed=True)
    asked = ask(upstream_port, body, chat_score.PATH)
    head, stream = await asyncio.wait_for(asked, deadline_s)
    assert b"content-type: text/event-stream" in head
    said = said_in(stream)
    assert [text[:6] for text in said] == [f"{number:06}" for number in range(score.events)]
    assert all(text.endswith(TEXT_TAIL) and len(text) == TEXT_BYTES for text in said)
    if score.period_ms:
        assert all(int(text[7:26]) for text in said)


@pytest.mark.parametrize(
    "score",
    [Score(1), Score(200), Score(200, events_per_write=64), Score(10, period_ms=5)],
    ids=lambda score: score.name,
)
async def test_its_streams_as_bedrock_are_what_the_gateway_reads(
    score: Score, deadline_s: float, upstream_port: int
) -> None:
    body = bodies.body("1k", model="nobody", streamed=True)
    path = f"/model/{score.name}/invoke-with-response-stream".encode()
    head, stream = await asyncio.wait_for(ask(upstream_port, body, path), deadline_s)
    assert b"content-type: application/vnd.amazon.eventstream" in head
    pipe = BedrockMessages(make_asked("m"), 1 << 20)
    told = events_of(pipe.feed(stream) + pipe.finish())
    assert pipe.at is At.WHOLE
    said = [each["delta"]["text"] for each in told if each["type"] == "content_block_delta"]
    assert [text[:6] for text in said] == [f"{number:06}" for number in range(score.events)]
    assert all(text.endswith(TEXT_TAIL) and len(text) == TEXT_BYTES for text in said)
    assert told[-1] == {"type": "message_stop"}


async def test_a_score_that_is_none_is_not_there_as_bedrock(
    deadline_s: float, upstream_port: int
) -> None:
    body = bodies.body("1k", model="nobody", streamed=True)
    head, _ = await asyncio.wait_for(ask(upstream_port, body, b"/model/x/invoke"), deadline_s)
    assert head.startswith(b"HTTP/1.1 404")


async def test_its_chat_message_is_right(deadline_s: float, upstream_port: int) -> None:
    body = bodies.body("1k", model="bench-message", streamed=False)
    asked = ask(upstream_port, body, chat_score.PATH)
    _, reply = await asyncio.wait_for(asked, deadline_s)
    completion = orjson.loads(reply)
    assert len(completion["choices"][0]["message"]["content"]) == MESSAGE_TEXT_BYTES
    assert completion["usage"]["completion_tokens"] > 0

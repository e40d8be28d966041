"""The client leaves, or does not read: the provider is let go at once, or waits."""

import asyncio
import socket
import struct

import pytest

from tests.kit.journey import (
    BLOCK,
    ENDING,
    MESSAGES,
    START,
    Client,
    Line,
    ask,
    delta,
    gateway,
    plays_then_waits,
    provider,
    renamed,
    served,
    terminals,
    until,
)


def hangs_up(client: Client) -> None:
    client.writer.close()


def resets(client: Client) -> None:
    raw = client.writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.transport.abort()


@pytest.mark.parametrize("leaves", [hangs_up, resets])
async def test_a_client_that_leaves_mid_stream_stops_the_provider(tmp_path, leaves):
    said = START + BLOCK + delta("word " * 40)
    async with provider() as there, gateway(tmp_path, [there]) as here:
        there.usual = plays_then_waits(said)
        client = await here.client()
        client.send(ask(), x_request_id="left-1")
        await client.head()
        await client.until(said[-20:])
        leaves(client)
        await asyncio.wait_for(there.lines[0].gone.wait(), 1)
        row = await here.row("left-1")
        assert (row.outcome, row.status, row.error_type) == ("client_gone", 200, "")
        assert row.input_tokens == 12 and 0 < row.output_tokens < 1_000
        assert row.credits_in > 0 and row.credits_out > 0
        assert here.open_streams == 0


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_before_the_first_byte_stops_the_provider(tmp_path, stream):
    async def play(line: Line) -> None:
        await line.gone.wait()

    async with provider() as there, gateway(tmp_path, [there]) as here:
        there.usual = play
        client = await here.client()
        client.send(ask(stream=stream), x_request_id="left-2")
        await until(lambda: there.lines)
        client.close()
        await asyncio.wait_for(there.lines[0].gone.wait(), 1)
        row = await here.row("left-2")
        assert (row.outcome, row.status, row.output_tokens) == ("client_gone", 499, 0)
        assert row.first_byte_ms is None and row.credits_in == row.credits_out == 0


async def test_a_client_that_leaves_while_it_waits_for_a_connection_leaves_the_queue(tmp_path):
    async with (
        provider() as there,
        gateway(tmp_path, [there], upstream="connections_max = 1") as here,
    ):
        there.plays = [plays_then_waits(START)]
        first, second = await here.client(), await here.client()
        first.send(ask())
        await first.head()
        second.send(ask(), x_request_id="left-3")
        await until(lambda: here.open_streams == 2)
        second.close()
        assert (await here.row("left-3")).outcome == "client_gone"
        first.close()
        assert (await here.post(ask())).status == 200
        assert len(there.asked) == 2, "nobody asked for the one who left"


# ---------------------------------------------------------------- a client that does not read

STREAM_BYTES = 50_000_000
GROWTH_BYTES_MAX = 20_000_000
EVENT = delta("x" * 9_881)
HELD = "held_bytes_max = 65536"


async def test_a_client_that_does_not_read_costs_no_memory_and_loses_no_byte(tmp_path):
    """A process of its own, whose memory is measured; 50 MB from a provider in a hurry."""
    sent = 0

    async def play(line: Line) -> None:
        nonlocal sent
        line.head()
        line.chunk(START + BLOCK)
        while sent < STREAM_BYTES:
            line.chunk(EVENT)
            sent += len(EVENT)
            await line.drained()
            if line.gone.is_set():
                return
        line.chunk(ENDING)
        line.end()

    loop = asyncio.get_running_loop()
    async with provider() as there:
        there.usual = play
        with served(tmp_path, [there.port]) as here:
            raw = socket.socket()
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            raw.setblocking(False)
            await loop.sock_connect(raw, ("127.0.0.1", here.port))
            body = ask()
            head = (
                f"POST {MESSAGES} HTTP/1.1\r\nhost: g\r\nx-api-key: {here.key}\r\n"
                f"content-length: {len(body)}\r\n\r\n"
            )
            before = here.rss_bytes()
            await loop.sock_sendall(raw, head.encode() + body)
            await until(lambda: sent)
            stalled_at = -1
            while sent != stalled_at:
                stalled_at = sent
                await asyncio.sleep(0.3)
            assert sent < STREAM_BYTES // 2, "the provider was not made to wait"
            assert here.rss_bytes() - before < GROWTH_BYTES_MAX
            got = await _read_chunked(loop, raw)
            raw.close()
            assert here.rss_bytes() - before < GROWTH_BYTES_MAX
    assert got == len(renamed(START)) + len(BLOCK) + sent + len(ENDING)


async def _stalled(here, there, request_id: str) -> tuple[Client, Line]:
    """A client that has stopped reading, and the provider that waits for it."""

    async def play(line: Line) -> None:
        line.head()
        line.chunk(START + BLOCK)
        for _ in range(2_000):
            line.chunk(EVENT)
            await line.drained()

    there.usual = play
    client = await here.client()
    client.writer.transport.pause_reading()
    client.send(ask(), x_request_id=request_id)
    await until(lambda: there.lines)
    (line,) = there.lines
    written = -1
    while written != line.transport.get_write_buffer_size() or not written:
        written = line.transport.get_write_buffer_size()
        await asyncio.sleep(0.1)
    return client, line


@pytest.mark.parametrize("leaves", [hangs_up, resets])
async def test_a_client_that_leaves_while_it_does_not_read_stops_the_provider(tmp_path, leaves):
    async with provider() as there, gateway(tmp_path, [there], HELD) as here:
        client, line = await _stalled(here, there, "stalled-1")
        leaves(client)
        await asyncio.wait_for(line.gone.wait(), 1)
        assert (await here.row("stalled-1")).outcome == "client_gone"
        assert here.open_streams == 0


async def test_a_provider_that_dies_while_the_client_does_not_read_ends_in_one_error(tmp_path):
    async with provider() as there, gateway(tmp_path, [there], HELD) as here:
        client, line = await _stalled(here, there, "stalled-2")
        line.reset()
        await asyncio.sleep(0.05)
        client.writer.transport.resume_reading()
        await client.head()
        body, whole = await client.rest()
        assert whole and terminals(body) == ["error"]
        row = await here.row("stalled-2")
        assert (row.outcome, row.error_type) == ("partial", "api_error")
        client.close()


async def _read_chunked(loop: asyncio.AbstractEventLoop, raw: socket.socket) -> int:
    """Bytes of the body, each event checked to be the one that was sent."""
    held, bodies, got = b"", 0, 0
    while True:
        data = await asyncio.wait_for(loop.sock_recv(raw, 1 << 20), 10)
        assert data, "cut off"
        held += data
        if not bodies:
            head, mark, held = held.partition(b"\r\n\r\n")
            assert mark and head.startswith(b"HTTP/1.1 200 ")
            bodies = 1
        while (end := held.find(b"\r\n")) >= 0:
            size = int(held[:end], 16)
            if len(held) < end + 4 + size:
                break
            body, held = held[end + 2 : end + 2 + size], held[end + 4 + size :]
            if not size:
                return got
            assert body.endswith(b"\n\n")
            if got > len(START + BLOCK) and b"block_stop" not in body:
                assert body == EVENT * (len(body) // len(EVENT))
            got += size


async def test_an_answer_that_is_billed_anyway_is_read_on(tmp_path):
    said = START + BLOCK + delta("word " * 40)
    go_on = asyncio.Event()

    async def plays(line: Line) -> None:
        line.head()
        line.chunk(said)
        await go_on.wait()
        line.chunk(delta("more"))
        line.chunk(ENDING)
        line.end()

    async with provider() as there, gateway(tmp_path, [there], drain=True) as here:
        there.usual = plays
        client = await here.client()
        client.send(ask())
        reply = await client.head()
        await client.until(delta("word " * 40))
        client.close()
        await until(lambda: here.house._suppliers.drains.under_way == 1)
        assert not there.lines[0].gone.is_set()
        go_on.set()
        row = await here.row(reply.id)
        assert (row.outcome, row.output_tokens) == ("client_gone", 3)
        assert not row.usage_estimated
        assert (await here.post(ask())).status == 200
        assert len(there.lines) == 1, "and the connection is as good as any"


async def test_what_is_read_on_is_written_down_when_the_gateway_stops(tmp_path):
    async with provider() as there:
        async with gateway(tmp_path, [there], drain=True) as here:
            there.usual = plays_then_waits(START + BLOCK + delta("word " * 40))
            client = await here.client()
            client.send(ask())
            await client.head()
            await client.until(delta("word " * 40))
            client.close()
            await until(lambda: here.house._suppliers.drains.under_way == 1)
        async with gateway(tmp_path, [there]) as again:
            assert [outcome for _, outcome in await again.all_rows()] == ["client_gone"]

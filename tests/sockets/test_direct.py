"""Bytes past the transport's queue: never out of order, never lost, never to somebody else."""

import asyncio
import os
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from proxy.sockets.direct import JOINED_BYTES_MAX, PIECES_MAX, DirectWriter, Piece
from tests.kit.rude_upstream import make_certificate

LARGE = 8 << 20
"""More than the kernel's buffers hold for a reader who sleeps."""


class Holder(asyncio.Protocol):
    """One end of a connection, with a `DirectWriter` on it."""

    def __init__(self, made: "asyncio.Queue[Holder]") -> None:
        self.made = made
        self.gone = asyncio.get_running_loop().create_future()
        self.full = False
        self.open_at_end = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.writer = DirectWriter(self.transport)
        self.descriptor = self.transport.get_extra_info("socket").fileno()
        self.made.put_nowait(self)

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False

    def connection_lost(self, exc: Exception | None) -> None:
        try:
            os.fstat(self.descriptor)
            self.open_at_end = True
        except OSError:
            self.open_at_end = False
        self.writer.lost()
        self.gone.set_result(exc)


@asynccontextmanager
async def line(
    *, server_tls: ssl.SSLContext | None = None, client_tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[Holder, asyncio.StreamReader, asyncio.StreamWriter]]:
    loop = asyncio.get_running_loop()
    made: asyncio.Queue[Holder] = asyncio.Queue()
    server = await loop.create_server(lambda: Holder(made), "127.0.0.1", 0, ssl=server_tls)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=client_tls, server_hostname="localhost" if client_tls else None
    )
    holder = await made.get()
    try:
        yield holder, reader, writer
    finally:
        if not holder.gone.done():
            holder.transport.abort()
        writer.close()
        server.close()


async def test_what_is_written_leaves_at_once() -> None:
    async with line() as (holder, reader, _):
        holder.writer.write(b"one ")
        holder.writer.write_all([b"two", memoryview(b" three")])
        assert holder.transport.get_write_buffer_size() == 0
        assert await reader.readexactly(13) == b"one two three"


async def test_what_the_transport_has_queued_goes_first() -> None:
    async with line() as (holder, reader, _):
        holder.transport.write(b"first, ")
        holder.writer.write(b"second, ")
        holder.writer.write_all([b"thi", b"rd"])
        large = bytes(JOINED_BYTES_MAX)
        holder.writer.write_all([b", ", large])
        assert await reader.readexactly(22) == b"first, second, third, "
        assert await reader.readexactly(len(large)) == large


async def test_a_sleeping_reader_gets_every_byte_in_order_and_is_told_of() -> None:
    dice = random.Random(7)
    async with line() as (holder, reader, _):
        sent = b""
        while not holder.full:
            data = dice.randbytes(dice.randrange(1, 1 << 20))
            if dice.random() < 0.5:
                holder.writer.write(data)
            else:
                cut = dice.randrange(len(data))
                holder.writer.write_all([data[:cut], b"", memoryview(data)[cut:]])
            sent += data
            assert len(sent) < 4 * LARGE, "nobody said that the reader sleeps"
            await asyncio.sleep(0)
        assert await reader.readexactly(len(sent)) == sent
        assert not holder.full
        holder.writer.write(b"awake")
        assert await reader.readexactly(5) == b"awake"


@pytest.mark.parametrize("size", [1, JOINED_BYTES_MAX + 100, LARGE])
@pytest.mark.parametrize("count", [1, 3, PIECES_MAX, PIECES_MAX + 1])
async def test_any_number_of_pieces_arrives_as_if_joined(size: int, count: int) -> None:
    pieces: list[Piece] = [bytes([number % 256]) * (size // count + 1) for number in range(count)]
    async with line() as (holder, reader, _):
        holder.writer.write_all(pieces)
        whole = b"".join(pieces)
        assert await reader.readexactly(len(whole)) == whole


async def test_a_lost_connection_writes_to_nobody() -> None:
    """The next connection gets the descriptor; it must not get the bytes."""
    async with line() as (holder, _, _):
        holder.transport.abort()
        holder.writer.write(b"between abort and the end: the peer may or may not see it")
        await holder.gone
        assert holder.open_at_end, "the descriptor was free before we were told"
        while True:  # take the number that has just become free
            ours, theirs = os.pipe()
            if holder.descriptor in (ours, theirs):
                break
            assert ours < holder.descriptor + 64, "nobody got the old number"
        os.set_blocking(ours, False)
        holder.writer.write(b"to nobody")
        holder.writer.write_all([b"to ", b"nobody"])
        holder.writer.write_all([b"to ", bytes(JOINED_BYTES_MAX)])
        with pytest.raises(BlockingIOError):
            os.read(ours, 1)
        os.close(ours)
        os.close(theirs)


async def test_a_peer_that_resets_ends_the_connection_once() -> None:
    async with line() as (holder, _, writer):
        writer.transport.abort()
        for _ in range(1000):
            holder.writer.write(b"x" * 1000)
            if holder.gone.done():
                break
            await asyncio.sleep(0.001)
        await asyncio.wait_for(holder.gone, 5)


async def test_tls_is_never_passed_by(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    client_tls = ssl.create_default_context(cafile=str(certificate.path))
    server_tls = certificate.server_context()
    async with line(server_tls=server_tls, client_tls=client_tls) as (holder, reader, _):
        holder.writer.write(b"sealed ")
        holder.writer.write_all([b"all ", b"the way"])
        assert await reader.readexactly(18) == b"sealed all the way"

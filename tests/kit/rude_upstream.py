"""A server that does what it is told, however rude: stall, truncate, reset, mislabel, dribble.

    async with rude_upstream([answer(b"ok")], [chunked(b"a")[:-3], RESET]) as upstream:
        … upstream.base_url … upstream.requests[0].body …

Every request takes the next script, whatever connection it comes on; the last script serves all
that follow. A script is a list of steps: bytes are sent as they are, the others are below. The
connection stays open behind a script unless a step ends it. `on_connect` is a script of its own,
played on every connection before a request is read.
"""

import asyncio
import socket
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Pause:
    """Say nothing for a while."""

    seconds: float


@dataclass(frozen=True)
class Until:
    """Say nothing until the test says so."""

    signal: asyncio.Event


@dataclass(frozen=True)
class Dribble:
    """Send byte by byte, each on its way before the next."""

    data: bytes


@dataclass(frozen=True)
class Ending:
    """A step without parameters."""

    name: str


STALL = Ending("stall")
"""Say nothing until the other side hangs up."""
CLOSE = Ending("close")
"""Hang up in good order."""
HALF_CLOSE = Ending("half close")
"""Send no more but go on reading until the other side hangs up."""
RESET = Ending("reset")
"""Hang up in bad order: the other side sees a reset."""

Step = bytes | Pause | Until | Dribble | Ending
Script = Sequence[Step]


@dataclass
class Request:
    """A request as it came; names of headers are lower-case."""

    head: bytes
    body: bytes
    connection: int
    headers: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        parts = [line.partition(":") for line in lines]
        self.headers = {name.lower(): value.strip() for name, _, value in parts}

    @property
    def line(self) -> bytes:
        """`POST /path HTTP/1.1`."""
        return self.head.split(b"\r\n", 1)[0]


class RudeUpstream:
    """What the server has seen so far, and where it is."""

    def __init__(self, scripts: Sequence[Script], on_connect: Script) -> None:
        self.requests: list[Request] = []
        self.accepted = 0
        self.hung_up = 0
        """Connections that are over, whoever ended them."""
        self.host = "127.0.0.1"
        self.port = 0
        self.secure = False
        self._scripts = scripts
        self._on_connect = on_connect
        self._change = asyncio.Condition()

    @property
    def base_url(self) -> str:
        """For a configuration."""
        return f"{'https' if self.secure else 'http'}://{self.host}:{self.port}"

    async def until(self, holds: Callable[[], object], timeout_s: float = 5.0) -> None:
        """Wait until something is true of what was seen, e.g. `lambda: upstream.hung_up`."""
        async with asyncio.timeout(timeout_s), self._change:
            await self._change.wait_for(lambda: bool(holds()))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.accepted += 1
        number = self.accepted
        await self._tell()
        try:
            goes_on = await self._play(self._on_connect, reader, writer)
            while goes_on and (request := await _read_request(reader, number)) is not None:
                script = self._scripts[min(len(self.requests), len(self._scripts) - 1)]
                self.requests.append(request)
                await self._tell()
                goes_on = await self._play(script, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the other side may be rude too
        finally:
            writer.close()
            self.hung_up += 1
            await self._tell()

    async def _tell(self) -> None:
        async with self._change:
            self._change.notify_all()

    async def _play(
        self, script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """May the connection go on?"""
        for step in script:
            match step:
                case bytes():
                    writer.write(step)
                    await writer.drain()
                case Dribble(data):
                    for at in range(len(data)):
                        writer.write(data[at : at + 1])
                        await writer.drain()
                        await asyncio.sleep(0)
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                case Until(signal):
                    await signal.wait()
                case Ending():
                    await _end(step, reader, writer)
                    return False
        return True


async def _end(step: Ending, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if step is HALF_CLOSE:
        writer.write_eof()
    if step is RESET:
        connection: socket.socket = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    if step in (STALL, HALF_CLOSE):
        while await reader.read(65536):
            pass


async def _read_request(reader: asyncio.StreamReader, number: int) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as problem:
        if problem.partial:
            raise
        return None
    request = Request(head, b"", number)
    if "chunked" in request.headers.get("transfer-encoding", ""):
        request.body = await _read_chunks(reader)
    else:
        request.body = await reader.readexactly(int(request.headers.get("content-length", "0")))
    return request


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readuntil(b"\r\n")
    return body


@asynccontextmanager
async def rude_upstream(
    *scripts: Script, on_connect: Script = (), tls: ssl.SSLContext | None = None
) -> AsyncIterator[RudeUpstream]:
    """The server, listening on a free port of loopback while the block runs."""
    upstream = RudeUpstream(scripts or [[STALL]], on_connect)
    running: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(upstream.serve(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    server = await asyncio.start_server(accept, upstream.host, 0, ssl=tls, limit=1 << 22)
    upstream.port = server.sockets[0].getsockname()[1]
    upstream.secure = tls is not None
    try:
        yield upstream
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.sleep(0)


# ------------------------------------------------------------------ HTTP as bytes


def head(*headers: str, status: int = 200) -> bytes:
    """The head of an answer, with the blank line."""
    lines = [f"HTTP/1.1 {status} Said So", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def answer(body: bytes, *headers: str, status: int = 200) -> bytes:
    """A whole answer that states its length."""
    return head(*headers, f"Content-Length: {len(body)}", status=status) + body


def chunk(data: bytes) -> bytes:
    """One chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def chunked(*pieces: bytes, headers: Sequence[str] = (), status: int = 200) -> bytes:
    """A whole answer in chunks, one per piece."""
    lines = head(*headers, "Transfer-Encoding: chunked", status=status)
    return lines + b"".join(map(chunk, pieces)) + LAST_CHUNK


def until_eof(body: bytes, *headers: str, status: int = 200) -> bytes:
    """An answer whose end is the end of the connection; put `CLOSE` behind it."""
    return head(*headers, status=status) + body


def event_stream(*pieces: bytes) -> bytes:
    """A streamed reply, whole, as providers frame it."""
    return chunked(*pieces, headers=["Content-Type: text/event-stream; charset=utf-8"])


# ------------------------------------------------------------------ TLS


@dataclass(frozen=True)
class Certificate:
    """A certificate for `localhost` and 127.0.0.1 that signs itself; `path` is its own CA file."""

    path: Path
    key_path: Path

    def server_context(self) -> ssl.SSLContext:
        """For `rude_upstream(tls=…)`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path, self.key_path)
        return context


def make_certificate(folder: Path, name: str = "localhost") -> Certificate:
    """Made by the `openssl` command, valid for two days."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"),
            *("ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1"),
            *("-keyout", str(made.key_path), "-out", str(made.path)),
        ],
        check=True,
        capture_output=True,
    )
    return made

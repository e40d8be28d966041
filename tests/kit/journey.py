"""Equipment of the journeys: a provider that plays scripts, a whole gateway, a plain client.

The gateway is the real one, configured by a file like an operator's, with SQLite and its journal
in a folder of the test. It runs in this process (`gateway`), where clocks and timers are at hand,
or as a process of its own (`Served`), where the test is about processes. The provider is a server
on loopback of which every byte and every moment is the test's; the client is a socket, so that a
test can stop reading or hang up.
"""

import asyncio
import contextlib
import os
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bench.ports import free_port
from proxy.assembly.house import House
from proxy.auth.keys import NOISE_BYTES, digest, mint, shown_prefix
from proxy.config.load import load
from proxy.domain.entry import Entry
from proxy.domain.refusal import Refusal
from proxy.server.listener import bind
from proxy.storage.accounts import Accounts
from proxy.storage.entries import Entries
from proxy.storage.keys import Keys
from proxy.storage.models import ModelSwitches
from proxy.storage.opening import open_storage

ROOT = Path(__file__).parents[2]
MESSAGES = "/v1/anthropic/v1/messages"
COUNT = "/v1/anthropic/v1/messages/count_tokens"
PROVIDER_KEY = "sk-of-the-house-itself"
PATIENCE_S = 10.0
"""Nothing a test waits for takes longer."""

_START = (
    b'{"type":"message_start","message":{"id":"msg_01A","type":"message","role":"assistant",'
    b'"model":"claude-haiku-4-5","content":[],"stop_reason":null,"stop_sequence":null,'
    b'"stop_details":null,"container":null,"usage":{"input_tokens":12,'
    b'"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":'
    b'{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1,'
    b'"service_tier":"standard"}}}'
)


def event(name: str, data: bytes) -> bytes:
    """One event of a stream."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


def delta(text: str) -> bytes:
    """One piece of text."""
    quoted = msgspec.json.encode(text)
    return event(
        "content_block_delta",
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":%b}}'
        % quoted,
    )


START = event("message_start", _START)
BLOCK = event(
    "content_block_start",
    b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
)
PING = event("ping", b'{"type":"ping"}')
ENDING = (
    event("content_block_stop", b'{"type":"content_block_stop","index":0}')
    + event(
        "message_delta",
        b'{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
        b'"usage":{"input_tokens":12,"cache_creation_input_tokens":0,'
        b'"cache_read_input_tokens":0,"output_tokens":3}}',
    )
    + event("message_stop", b'{"type":"message_stop"}')
)
TEXT = START + BLOCK + PING + delta("Hel") + delta("lo.") + ENDING
"""The example `text` of client-contract.md 8.3, as the provider sends it: under its own name."""
WHOLE = (
    b'{"id":"msg_01A","type":"message","role":"assistant","model":"claude-haiku-4-5","content":'
    b'[{"type":"text","text":"Hello."}],"stop_reason":"end_turn","stop_sequence":null,"usage":'
    b'{"input_tokens":12,"cache_creation_input_tokens":5,"cache_read_input_tokens":7,'
    b'"output_tokens":3}}'
)


def renamed(data: bytes, name: str = "anthropic.claude-haiku-4-5") -> bytes:
    """What the client gets of `data`."""
    return data.replace(b'"model":"claude-haiku-4-5"', b'"model":"%b"' % name.encode())


def error_body(kind: str, message: str) -> bytes:
    """A provider's refusal."""
    return msgspec.json.encode(
        {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_theirs"}
    )


def ask(model: str = "haiku", *, stream: bool = True, **fields: object) -> bytes:
    """A body as clients send it."""
    return msgspec.json.encode(
        {
            "model": model,
            "max_tokens": 100,
            "messages": [{"role": "user", "content": "Say hello."}],
            "stream": stream,
            **fields,
        }
    )


# ---------------------------------------------------------------- the provider


@dataclass
class Asked:
    """A request as the provider received it."""

    target: bytes
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers[b"x-request-id"].decode()


Play = Callable[["Line"], Awaitable[None]]


class Line(asyncio.Protocol):
    """One connection of the gateway to the provider. A play writes on it what it likes."""

    def __init__(self, provider: "Provider") -> None:
        self._provider = provider
        self._held = b""
        self._parts: list[bytes] = []
        self._missing = 0
        self._writable = asyncio.Event()
        self._writable.set()
        self.gone = asyncio.Event()
        self.asked: Asked
        self.count = 0

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self._provider.lines.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        self._missing -= len(data)
        if self._missing > 0:
            return
        self._held, self._parts = b"".join(self._parts), []
        head, mark, rest = self._held.partition(b"\r\n\r\n")
        if not mark:
            self._parts = [self._held]
            return
        first, *lines = head.split(b"\r\n")
        named = (line.split(b": ", 1) for line in lines)
        headers = {name.lower(): value for name, value in named}
        size = int(headers[b"content-length"])
        if len(rest) < size:
            self._parts = [self._held]
            self._missing = size - len(rest)
            return
        self._parts = [rest[size:]] if len(rest) > size else []
        self.asked = Asked(first.split(b" ")[1], headers, rest[:size])
        self.count += 1
        self._provider.begin(self)

    # -- what a play does

    def send(self, data: bytes) -> None:
        """Raw bytes; into the void once the gateway has hung up."""
        if not self.gone.is_set():
            self.transport.write(data)

    def head(self, status: int = 200, kind: str = "text/event-stream", more: str = "") -> None:
        """A head, its body in chunks to follow."""
        self.send(
            f"HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\nrequest-id: req_theirs\r\n"
            f"transfer-encoding: chunked\r\n{more}\r\n".encode()
        )

    def chunk(self, data: bytes) -> None:
        """A piece of the body."""
        if data:
            self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        """The body is whole."""
        self.send(b"0\r\n\r\n")

    def whole(
        self, status: int, body: bytes, kind: str = "application/json", more: str = ""
    ) -> None:
        """A reply at one stroke."""
        self.send(
            f"HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\nrequest-id: req_theirs\r\n"
            f"content-length: {len(body)}\r\n{more}\r\n".encode()
            + body
        )

    async def drained(self) -> None:
        """The gateway has read enough to go on."""
        await self._writable.wait()

    def close(self) -> None:
        """Hang up behind what was sent."""
        self.transport.close()

    def reset(self) -> None:
        """Hang up with a reset."""
        raw = self.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class Provider:
    """A server whose replies are plays: the next of `plays`, else `usual`."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.lines: list[Line] = []
        self.plays: list[Play] = []
        self.usual: Play = plays_text
        self._running: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Line(self), "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]

    def begin(self, line: Line) -> None:
        self.asked.append(line.asked)
        play = self.plays.pop(0) if self.plays else self.usual
        task = asyncio.get_running_loop().create_task(self._played(play, line))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _played(self, play: Play, line: Line) -> None:
        await play(line)

    async def stop_listening(self) -> None:
        """From now on connections are refused; those that stand are closed."""
        self._server.close()
        for line in self.lines:
            line.transport.abort()
        await self._server.wait_closed()

    async def close(self) -> None:
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._server.close()
        for line in self.lines:
            line.transport.abort()


async def plays_text(line: Line) -> None:
    """What a good provider does: streams, answers, counts."""
    if line.asked.target.split(b"?")[0].endswith(b"/count_tokens"):
        line.whole(200, b'{"input_tokens":42}')
    elif b'"stream":true' in line.asked.body:
        line.head()
        line.chunk(TEXT)
        line.end()
    else:
        line.whole(200, WHOLE)


def plays_refusal(status: int, body: bytes, kind: str = "application/json", more: str = "") -> Play:
    """A refusal."""

    async def play(line: Line) -> None:
        line.whole(status, body, kind, more)

    return play


def plays_then_waits(*chunks: bytes) -> Play:
    """Streams so far, and says nothing more."""

    async def play(line: Line) -> None:
        line.head()
        for chunk in chunks:
            line.chunk(chunk)
        await line.gone.wait()

    return play


@contextlib.asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    """A provider on a free port."""
    one = Provider()
    await one.open()
    try:
        yield one
    finally:
        await one.close()


# ---------------------------------------------------------------- the gateway

_MODELS = [
    ("anthropic.claude-opus-4-7", "opus", "2026-02-01", "claude-opus-4-7"),
    ("anthropic.claude-haiku-4-5", "haiku", "2025-10-15", "claude-haiku-4-5"),
    ("moonshot.kimi-k2-thinking", "", "2025-11-06", "kimi-k2-thinking"),
]


def config_text(
    ports: list[int],
    folder: Path,
    upstream: str = "",
    ledger: str = "",
    dialect: str | None = None,
    wire: str = "",
    search: str = "",
    server: str = "",
    *,
    drain: bool = False,
) -> str:
    """An operator's file: each model deployed at every provider, in their order. `wire` is theirs,
    if it is neither Anthropic's nor, given a dialect, chat completions; `search` and `server` what
    stands under [web_search] and, further, under [server]."""
    lines = [
        f'[server]\nhost = "127.0.0.1"\nport = 0\ndrain_timeout_s = 0.5\n{server}\n'
        f'[storage]\nurl = "sqlite:///{folder / "gateway.db"}"\n'
        f"[observability]\naccess_log = false\n"
        f"[catalog]\nrefresh_s = 0.1\n"
        f'[ledger]\nfolder = "{folder / "journal"}"\n{ledger}\n'
        f"[upstream]\n{upstream}\n"
        f"[web_search]\n{search}\n"
    ]
    lines += [
        f'[[providers]]\nname = "p{number}"\napi_key = "env:PROVIDER_KEY"\n'
        + (
            f'wire = "openai_chat"\ndialect = "{dialect}"\nbase_url = "http://127.0.0.1:{port}/v1"\n'
            if dialect is not None
            else f'wire = "{wire or "anthropic"}"\nbase_url = "http://127.0.0.1:{port}"\n'
        )
        + ('on_disconnect = "drain"\n' if drain else "")
        for number, port in enumerate(ports)
    ]
    for id, family, released, native in _MODELS:
        places = ", ".join(
            f'{{ provider = "p{number}", model = "{native}" }}' for number in range(len(ports))
        )
        lines.append(
            f'[[models]]\nid = "{id}"\ndisplay_name = "{id}"\ndeveloper = "Somebody"\n'
            + (f'family = "{family}"\n' if family else "")
            + f"released = {released}\ncontext_window = 200000\nmax_output_tokens = 64000\n"
            "rates = { input = 1000, output = 5000, cache_write_5m = 1250, cache_read = 100 }\n"
            f"deployments = [ {places} ]\n"
        )
    return "\n".join(lines)


class Gateway:
    """A gateway in this process. `key` is its first user's, an administrator of the workspace."""

    def __init__(self, folder: Path, config: Path) -> None:
        self.folder = folder
        self.config = config
        self.environ = {"PROVIDER_KEY": PROVIDER_KEY}
        self.settings = load(config, self.environ)
        self.key = ""
        self.port = 0

    async def open(self) -> None:
        self.key = await self.new_key("first@example.com")
        listening = bind("127.0.0.1", 0, shared=False)
        self.port = listening.getsockname()[1]
        self.house = House(self.settings, self.environ, "w0")
        await self.house.open(listening)
        # Whatever else is written here, the tests look at the books through their own eyes.
        self._books = await open_storage(self.settings, self.environ)

    async def close(self) -> None:
        await self._books.database.close()
        await self.house.close()

    async def new_key(self, email: str, role: str | None = None) -> str:
        """A key of a user of the first tenant, who is added."""
        key, _, _ = await self.enrol(email, "Default", role)
        return key

    async def enrol(self, email: str, tenant: str, role: str | None) -> tuple[str, str, str]:
        """Add a user; a key of theirs, their id and their tenant's."""
        storage = await open_storage(self.settings, self.environ)
        try:
            accounts = Accounts(storage.database)
            tenant_id = await accounts.ensure_tenant(tenant)
            user = await accounts.ensure_user(email, tenant_id, role)
            key = mint(os.urandom(NOISE_BYTES))
            key_digest = digest(key.encode(), storage.hash_secret)
            await Keys(storage.database).insert(user.id, "", key_digest, shown_prefix(key))
        finally:
            await storage.database.close()
        return key, user.id, tenant_id

    async def rows(self, request_id: str, count: int = 1) -> list[Entry]:
        """The rows of a request, which must be there within 2 s (domain.md 10)."""
        entries = Entries(self._books.database)
        end_s = time.monotonic() + 2
        while len(rows := await entries.by_request_id(request_id)) < count:
            assert time.monotonic() < end_s, f"{len(rows)} rows of {request_id} after 2 s"
            await asyncio.sleep(0.02)
        return rows

    async def row(self, request_id: str) -> Entry:
        """Its one row."""
        (row,) = await self.rows(request_id)
        return row

    async def all_rows(self) -> list[tuple[str, str]]:
        """Request id and outcome of every row, once everything recorded so far is in storage."""
        await self.house._journal.drain()
        return [
            (str(row[0]), str(row[1]))
            for row in await self._books.database.fetch("SELECT request_id, outcome FROM entries")
        ]

    async def refusals(self, request_id: str) -> list[Refusal]:
        """The support records of a request, once everything recorded so far is in storage."""
        await self.house._journal.drain()
        return await Entries(self._books.database).refusals_by_request_id(request_id)

    async def switch_model(self, model_id: str, *, on: bool) -> None:
        """As an administrator does beside the running gateway; must count within 2 s."""
        await ModelSwitches(self._books.database).set(model_id, enabled=on)
        client = await self.client()
        end_s = time.monotonic() + 2
        while (model_id.encode() in (await client.get("/v1/chat/models")).body) != on:
            assert time.monotonic() < end_s, "a switched model did not change within 2 s"
            await asyncio.sleep(0.02)
        client.close()

    @property
    def open_streams(self) -> int:
        """Calls that have not ended."""
        return self.house._metrics.open_streams

    async def client(self) -> "Client":
        """A new connection of a client."""
        return await Client.connect(self.port, self.key)

    async def post(self, body: bytes, path: str = MESSAGES, **more: str) -> "Reply":
        """One request on a connection of its own, read to its end."""
        client = await self.client()
        try:
            return await client.post(body, path, **more)
        finally:
            client.close()


@contextlib.asynccontextmanager
async def gateway(
    folder: Path,
    providers: list[Provider],
    upstream: str = "",
    ledger: str = "flush_ms = 20",
    dialect: str | None = None,
    wire: str = "",
    search: str = "",
    server: str = "",
    *,
    drain: bool = False,
) -> AsyncIterator[Gateway]:
    """A gateway in front of `providers`, which speak chat completions where a dialect is given."""
    config = folder / "gateway.toml"
    ports = [each.port for each in providers]
    config.write_text(
        config_text(ports, folder, upstream, ledger, dialect, wire, search, server, drain=drain)
    )
    one = Gateway(folder, config)
    await one.open()
    try:
        yield one
    finally:
        await one.close()


class Served:
    """`hatz-gateway serve` as a process, on the storage of `folder`. Stopped or killed by id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environ = {
            **os.environ,
            "PROVIDER_KEY": PROVIDER_KEY,
            "CLIENT_KEY": "hzat-key-of-the-process-journeys",
            "PYTHONPATH": str(ROOT),
        }
        self.key = self._environ["CLIENT_KEY"]
        self.port = 0

    def command(self, *words: str) -> str:
        """Run another command of the program on the same configuration; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "proxy", *words, "--config", "gateway.toml"],
            cwd=self._folder,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def make_key(self) -> None:
        self.command("key", "create", "--user", "first@example.com", "--secret", "env:CLIENT_KEY")

    def start(self) -> None:
        """Return when it answers."""
        self.port = free_port()
        with (self._folder / "gateway.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "proxy", "serve", "--config", "gateway.toml"),
                    *("--port", str(self.port)),
                ],
                cwd=self._folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end_s = time.monotonic() + 30
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    return
            except OSError:
                assert self._process.poll() is None and time.monotonic() < end_s, self.log()
                time.sleep(0.05)

    def log(self) -> str:
        return (self._folder / "gateway.log").read_text()[-4000:]

    def rss_bytes(self) -> int:
        """Memory of the process that is in use."""
        with open(f"/proc/{self._process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def kill(self) -> None:
        """As by `kill -9`."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.kill()


@contextlib.contextmanager
def served(
    folder: Path, ports: list[int], upstream: str = "", server: str = ""
) -> Iterator[Served]:
    """A gateway process that answers."""
    (folder / "gateway.toml").write_text(config_text(ports, folder, upstream, server=server))
    one = Served(folder)
    one.make_key()
    one.start()
    try:
        yield one
    finally:
        one.stop()


# ---------------------------------------------------------------- the client


@dataclass
class Reply:
    """A reply read to its end. `whole` is false when it was cut off inside its framing."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool = True

    @property
    def id(self) -> str:
        return self.headers["request-id"]

    @property
    def events(self) -> list[tuple[str, dict]]:
        """Name and data of each event of a stream."""
        return events(self.body)

    @property
    def error(self) -> dict:
        """The `error` object of a refusal, whose envelope must be Anthropic's."""
        envelope = msgspec.json.decode(self.body)
        assert envelope["type"] == "error"
        assert envelope["request_id"] == self.id
        return envelope["error"]


def events(body: bytes) -> list[tuple[str, dict]]:
    """The events of a stream, which must be whole ones and nothing else."""
    assert body.endswith(b"\n\n") or not body
    found = []
    for each in body.split(b"\n\n")[:-1]:
        name, data = each.split(b"\n")
        assert name.startswith(b"event: ") and data.startswith(b"data: "), each
        found.append((name[7:].decode(), msgspec.json.decode(data[6:])))
        assert found[-1][1]["type"] == found[-1][0]
    return found


def terminals(body: bytes) -> list[str]:
    """The events of a stream that end it."""
    return [name for name, _ in events(body) if name in ("message_stop", "error")]


@dataclass
class Client:
    """One connection to the gateway, read by hand."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    key: str
    _chunked: bool = field(default=False)
    _left: int = field(default=0)

    @classmethod
    async def connect(cls, port: int, key: str, *, limit_bytes: int = 2**16) -> "Client":
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=limit_bytes)
        return cls(reader, writer, key)

    def send(self, body: bytes, path: str = MESSAGES, method: str = "POST", **more: str) -> None:
        """A request; keywords are headers, `_` for `-`."""
        headers = {
            "host": "gateway",
            "x-api-key": self.key,
            "content-type": "application/json",
            "content-length": str(len(body)),
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.writer.write(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)

    async def head(self) -> Reply:
        """The head of the reply; its body is still to come."""
        async with asyncio.timeout(PATIENCE_S):
            raw = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = raw.decode().strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        self._chunked = headers.get("transfer-encoding") == "chunked"
        self._left = int(headers.get("content-length", "0"))
        return Reply(int(first.split(" ")[1]), headers, b"")

    async def piece(self) -> bytes:
        """The next bytes of the body; none at its end. IncompleteReadError when it is cut off."""
        async with asyncio.timeout(PATIENCE_S):
            if not self._chunked:
                data = await self.reader.readexactly(self._left)
                self._left = 0
                return data
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            return (await self.reader.readexactly(size + 2))[:-2]

    async def until(self, mark: bytes) -> bytes:
        """The body up to a piece that ends with `mark`."""
        body = b""
        while not body.endswith(mark):
            piece = await self.piece()
            assert piece, f"the body ended before {mark!r}: {body!r}"
            body += piece
        return body

    async def rest(self) -> tuple[bytes, bool]:
        """All that is to come, and whether it was whole."""
        body = b""
        try:
            while piece := await self.piece():
                body += piece
        except (asyncio.IncompleteReadError, ConnectionError):
            return body, False
        return body, True

    async def reply(self) -> Reply:
        """The whole reply."""
        reply = await self.head()
        reply.body, reply.whole = await self.rest()
        return reply

    async def post(self, body: bytes, path: str = MESSAGES, **more: str) -> Reply:
        """A request and its whole reply."""
        self.send(body, path, **more)
        return await self.reply()

    async def get(self, path: str) -> Reply:
        self.send(b"", path, "GET")
        return await self.reply()

    async def put(self, path: str, document: object) -> Reply:
        self.send(msgspec.json.encode(document), path, "PUT")
        return await self.reply()

    def close(self) -> None:
        self.writer.transport.abort()


async def until(true: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Return once `true()`."""
    end_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end_s, f"not within {within_s:g} s"
        await asyncio.sleep(0.005)


def seed_of(text: str) -> int:
    """A number that is the same in every run."""
    return zlib.crc32(text.encode())

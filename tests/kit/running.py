"""A running gateway for tests, in two forms.

`house` runs one worker in a thread of the test process: quick to start, any settings, and the
test can ask its event loop. `gateway_process` runs `python -m proxy serve` as an operator does:
signals, several workers. Both answer on a free loopback port, keep their files in one folder
and know one key.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop

from proxy.assembly.house import House
from proxy.cli.key import run as key_command
from proxy.config.load import load
from proxy.gateway import wheel
from proxy.server.listener import bind
from tests.kit.raw_client import RawClient, Reply

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 15.0
TICK_S = 0.02
"""A house in a thread looks at its deadlines this often, so that tests of them need not wait."""
KEY = "a-key-for-tests-0123456789abcdefghijklmn"
OTHER_KEY = "another-key-for-tests-0123456789abcdefgh"
MODEL = "anthropic.claude-haiku-4-5"

_HAND_OVER = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&%d'
"""sd_listen_fds(3): the socket is file 3 of the process that `LISTEN_PID` names."""

_FILE = """
[server]
host = "127.0.0.1"
port = 0

[storage]
url = "sqlite:///{place}/gateway.db"

[ledger]
folder = "{place}/journal"
flush_ms = 20

[catalog]
refresh_s = 0.2

[[providers]]
name = "kit"
wire = "anthropic"
base_url = "{provider}"

[[models]]
id = "anthropic.claude-haiku-4-5"
display_name = "Claude Haiku 4.5"
developer = "Anthropic"
family = "haiku"
released = 2025-10-15
context_window = 200000
max_output_tokens = 64000
vision = true
rates = {{ input = 1000, output = 5000 }}
deployments = [ {{ provider = "kit", model = "claude-haiku-4-5" }} ]
"""
SECOND_MODEL = """
[[models]]
id = "anthropic.claude-opus-5-5"
display_name = "Claude Opus 5.5"
developer = "Anthropic"
family = "opus"
released = 2026-10-01
context_window = 200000
max_output_tokens = 64000
rates = { input = 5000, output = 25000 }
deployments = [ { provider = "kit", model = "claude-opus-5-5" } ]
"""


def write_config(place: Path, provider_url: str, more: str = "") -> Path:
    """The configuration file; `more` is TOML behind it."""
    file = place / "gateway.toml"
    file.write_text(_FILE.format(place=place, provider=provider_url) + more)
    return file


def overrides(**settings: object) -> dict[str, str]:
    """`server__port=1` as the environment variables that set it."""
    return {f"HATZ_GATEWAY__{name.upper()}": str(value) for name, value in settings.items()}


def make_key(config: Path, value: str, email: str = "tester@example.com") -> None:
    """Let `value` be a key of this user."""
    file = config.parent / f"{value[:8]}.key"
    file.write_text(value)
    arguments = ["create", "--config", str(config), "--user", email, "--secret", f"file:{file}"]
    assert key_command(arguments) == 0


def message(
    *, stream: bool = True, text: str = "Hello", model: str = MODEL, **more: object
) -> bytes:
    """The body of a messages request."""
    body = {
        "model": model,
        "max_tokens": 64,
        "stream": stream,
        "messages": [{"role": "user", "content": text}],
        **more,
    }
    return msgspec.json.encode(body)


@dataclass
class Gateway:
    """Where it is and what it wrote."""

    address: tuple[str, int]
    place: Path

    def connect(self, timeout_s: float = WAIT_S, receive_bytes: int = 0) -> RawClient:
        """A connection to it."""
        return RawClient(self.address, timeout_s, receive_bytes)

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        """One request on a connection of its own, with the key."""
        with self.connect() as client:
            return client.ask(method, path, {"X-Api-Key": KEY, **(headers or {})}, body or None)

    def rows(self, request_id: str) -> list[dict[str, Any]]:
        """The ledger's rows of one request, as they are now."""
        uri = f"file:{self.place / 'gateway.db'}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
            database.row_factory = sqlite3.Row
            found = database.execute("SELECT * FROM entries WHERE request_id = ?", (request_id,))
            return [dict(row) for row in found]

    def row(self, request_id: str) -> dict[str, Any]:
        """The one row of a generation, once it is in storage."""
        rows = until(lambda: self.rows(request_id), f"a row of {request_id}")
        assert len(rows) == 1
        row: dict[str, Any] = rows[0]
        return row


@dataclass
class RunningHouse(Gateway):
    """One worker in a thread. `failures` is what its event loop complained of."""

    house: House
    loop: asyncio.AbstractEventLoop
    failures: list[dict[str, Any]]

    def doors(self) -> list[Any]:
        """The open client connections, as the gateway sees them."""
        return list(self.house._front.doors)


@contextlib.contextmanager
def house(
    place: Path, provider_url: str, more: str = "", **settings: object
) -> Iterator[RunningHouse]:
    """`settings` are overrides such as `server__header_timeout_s=1`; `{port}` in one is the port it
    is going to have. Requests are not logged unless `observability__access_log` says so: the lines
    would stand among those of the tests."""
    config = write_config(place, provider_url, more)
    make_key(config, KEY)
    listening = bind("127.0.0.1", 0, shared=False)
    chosen = load(
        config,
        {
            name: value.replace("{port}", str(listening.getsockname()[1]))
            for name, value in overrides(
                **{"observability__access_log": "false", **settings}
            ).items()
        },
    )
    loop = uvloop.new_event_loop()
    failures: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: failures.append(context))
    thread = threading.Thread(target=loop.run_forever, name="gateway", daemon=True)
    thread.start()
    built = House(chosen, {}, "w0")
    quick = pytest.MonkeyPatch()
    quick.setattr(wheel, "TICK_S", TICK_S)

    def call(work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(WAIT_S)

    collecting = gc.get_threshold()
    call(built.open(listening))
    try:
        yield RunningHouse(listening.getsockname()[:2], place, built, loop, failures)
        assert not failures, failures
    finally:
        gc.unfreeze()
        gc.set_threshold(*collecting)
        call(built.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(WAIT_S)
        loop.close()
        quick.undo()
    assert not failures, failures


@dataclass
class GatewayProcess(Gateway):
    """A process, or several under one parent."""

    running: subprocess.Popen[bytes]
    log: Path

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the parent."""
        self.running.send_signal(number)

    def said(self, text: str, times: int = 1) -> None:
        """Wait until the log holds this so many times."""
        until(lambda: self.log.read_text("utf-8").count(text) >= times, f"{text!r} in the log")

    def command(self, *arguments: str) -> str:
        """Another of our commands beside the running gateway; its standard output."""
        name, *rest = arguments
        done = subprocess.run(
            [sys.executable, "-m", "proxy", name, *rest, "--config", self.place / "gateway.toml"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def exit_status(self) -> int:
        """Wait for its end."""
        return self.running.wait(WAIT_S)


@contextlib.contextmanager
def gateway_process(
    place: Path,
    provider_url: str,
    more: str = "",
    *,
    workers: int = 1,
    held: socket.socket | None = None,
    **settings: object,
) -> Iterator[GatewayProcess]:
    """Serving when the block begins; terminated, if need be killed, at its end.

    `held` is a listening socket that is handed over the way systemd does it.
    """
    config = write_config(place, provider_url, more)
    make_key(config, KEY)
    log = place / "gateway.log"
    command = ["serve", "--config", str(config), "--workers", str(workers)]
    handed = [] if held is None else ["bash", "-c", _HAND_OVER % held.fileno(), "bash"]
    with log.open("wb") as out:
        running = subprocess.Popen(
            [*handed, sys.executable, "-m", "proxy", *command],
            cwd=ROOT,
            env={**os.environ, **overrides(**settings)},
            pass_fds=() if held is None else (held.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    gateway = GatewayProcess(("127.0.0.1", 0), place, running, log)
    try:
        gateway.said(" serves http://", workers)
        said = log.read_text("utf-8").partition(" serves http://127.0.0.1:")[2]
        gateway.address = ("127.0.0.1", int(said.partition("/")[0]))
        yield gateway
    finally:
        running.terminate()
        try:
            running.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def until(look: Callable[[], Any], what: str, within_s: float = WAIT_S) -> Any:
    """Look again and again until there is something to see; that is returned."""
    end_s = time.monotonic() + within_s
    while not (seen := look()):
        if time.monotonic() > end_s:
            pytest.fail(f"not within {within_s:g} s: {what}")
        time.sleep(0.01)
    return seen

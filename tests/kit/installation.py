"""Two gateways with two workers each, on one PostgreSQL and one Redis, in front of two providers
that speak both wires. Everything is a process of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.ports import free_port
from proxy.cli import migrate
from proxy.cli.key import run as key_command
from tests.kit.running import KEY, ROOT, until
from tests.kit.servers import Postgres, Redis

GATEWAYS = 2
WORKERS = 2
PROVIDERS = 2
CLAUDE = "anthropic.claude-haiku-4-5"
KIMI = "moonshot.kimi-k2-thinking"
START_S = 30.0
STOP_S = 20.0
LOG_END_MAX = 4_000

_HEAD = """
[server]
host = "127.0.0.1"
workers = {workers}
drain_timeout_s = 5

[storage]
url = "{database}"

[counters]
url = "{counters}"

[ledger]
folder = "{place}/journal"

[observability]
access_log = false
"""
_PROVIDER = """
[[providers]]
name = "{wire}-{number}"
wire = "{wire}"
base_url = "http://127.0.0.1:{port}{path}"
"""
_MODEL = """
[[models]]
id = "{id}"
display_name = "{id}"
developer = "Somebody"
released = 2025-10-15
context_window = 200000
max_output_tokens = 64000
rates = {{ input = 1000, output = 5000 }}
deployments = [ {deployments} ]
"""


@dataclass
class Process:
    """One command that is started again after it was killed."""

    command: list[str]
    log: Path
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as out:
            self.running = subprocess.Popen(
                [sys.executable, "-m", *self.command],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_bytes()[-LOG_END_MAX:].decode("utf-8", "replace")

    def end(self, how: signal.Signals) -> None:
        """Send the signal and wait for the end."""
        if self.running is None:
            return
        self.running.send_signal(how)
        try:
            self.running.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.running.kill()
            self.running.wait()
        self.running = None


@dataclass
class GatewayParent:
    """One `serve` with its workers."""

    port: int
    process: Process
    config: Path

    def command(self, *words: str) -> str:
        """Another of our commands, as its operator runs it; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "proxy", *words, "--config", str(self.config)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=START_S,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def workers(self) -> list[int]:
        """Their process ids, those just now alive."""
        running = self.process.running
        assert running is not None
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text()
        return [int(word) for word in children.split()]

    def resident_bytes(self) -> int:
        """The memory of its largest worker."""
        sizes = [0]
        for pid in self.workers():
            with contextlib.suppress(OSError, IndexError):  # it may just have been killed
                pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
                sizes.append(int(pages) * os.sysconf("SC_PAGE_SIZE"))
        return max(sizes)


@dataclass
class Installation:
    """All of it, running."""

    postgres: Postgres
    redis: Redis
    database: str
    gateways: list[GatewayParent]
    providers: list[Process]

    def is_calm(self) -> bool:
        """Does every worker serve? So many in a row meet all of them."""
        return all(
            _is_ready(each.port) for each in self.gateways for _ in range(4 * WORKERS)
        ) and all(len(each.workers()) == WORKERS for each in self.gateways)


def _is_ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as asking:
            asking.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return asking.recv(100).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


@contextlib.contextmanager
def installation(
    place: Path, postgres: Postgres, redis: Redis, more: str = ""
) -> Iterator[Installation]:
    """Calm when the block begins; ended in an orderly way. `more` is TOML of both gateways."""
    database = postgres.new_database()
    providers = {free_port(): place / f"provider-{number}.log" for number in range(PROVIDERS)}
    demos = [
        Process(["proxy.demo.upstream", "--port", str(port), "--pace-ms", "5"], log)
        for port, log in providers.items()
    ]
    gateways = []
    for number in range(GATEWAYS):
        own = place / f"gateway-{number}"
        own.mkdir()
        file = own / "gateway.toml"
        file.write_text(_config(own, database, redis.url(), list(providers)) + more)
        if not number:
            assert migrate.run(["--config", str(file)]) == 0
            (own / "key").write_text(KEY)
            made = ["create", "--config", str(file), "--user", "storm@example.com"]
            assert key_command([*made, "--secret", f"file:{own / 'key'}"]) == 0
        port = free_port()
        command = ["proxy", "serve", "--config", str(file), "--port", str(port)]
        gateways.append(GatewayParent(port, Process(command, own / "log"), file))
    processes = [*demos, *[each.process for each in gateways]]
    try:
        for process in processes:
            process.start()
        here = Installation(postgres, redis, database, gateways, demos)
        until(here.is_calm, "all workers ready", START_S)
        yield here
    finally:
        for process in reversed(processes):
            process.end(signal.SIGTERM)
            print(process.log, process.said(), sep="\n")  # pytest shows it with a failure only


def _config(place: Path, database: str, counters: str, ports: list[int]) -> str:
    text = _HEAD.format(workers=WORKERS, database=database, counters=counters, place=place)
    for number, port in enumerate(ports):
        for wire, path in (("anthropic", ""), ("openai_chat", "/v1")):
            text += _PROVIDER.format(wire=wire, number=number, port=port, path=path)
    for id, wire, native in (
        (CLAUDE, "anthropic", "claude-haiku-4-5"),
        (KIMI, "openai_chat", "kimi-k2-thinking"),
    ):
        places = [
            f'{{ provider = "{wire}-{number}", model = "{native}" }}' for number in range(PROVIDERS)
        ]
        text += _MODEL.format(id=id, deployments=", ".join(places))
    return text


def now_s() -> float:
    """The clock blows and requests are told by."""
    return time.monotonic()

"""The gateway and its demo upstream as an operator starts them: two processes, one TOML file."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
START_TIME_MAX_S = 30

KEY = "hz_clients_0123456789abcdefghijklmnopqrstuv"
KEY_WRONG = "hz_clients_this_key_was_never_given_to_anybody"
UPSTREAM_KEY = "upstream-key-only-the-gateway-knows"

CONFIG = """
[server]
host = "127.0.0.1"

[storage]
url = "sqlite:///gateway.db"

[upstream]                             # less patient than usual: clients shall see pings
ping_after_s = 1.0
commit_after_s = 2.5

[[providers]]
name = "demo"
wire = "anthropic"
base_url = "{upstream}"
api_key = "env:DEMO_UPSTREAM_KEY"
"""
MODEL = """
[[models]]
id = "{id}"
display_name = "{name}"
developer = "{developer}"
{family}
released = {released}
context_window = 200000
max_output_tokens = 64000
vision = true
rates = {{ input = 1000, output = 5000, cache_write_5m = 1250, cache_write_1h = 2000, cache_read = 100 }}
deployments = [ {{ provider = "demo", model = "{native}" }} ]
"""  # noqa: E501  one table, one line
MODELS = [
    ("anthropic.claude-opus-5-5", "Claude Opus 5.5", "opus", "2026-10-01"),
    ("anthropic.claude-sonnet-5-5", "Claude Sonnet 5.5", "sonnet", "2026-09-15"),
    ("anthropic.claude-haiku-5-5", "Claude Haiku 5.5", "haiku", "2026-10-10"),
    ("anthropic.claude-haiku-4-5", "Claude Haiku 4.5", "haiku", "2025-10-15"),
    ("moonshot.kimi-k2-thinking", "Kimi K2 Thinking", "", "2025-11-06"),
]


@dataclass(frozen=True)
class Gateway:
    """Where the clients are sent, and with what."""

    url: str
    key: str
    key_wrong: str
    log: Path


@contextmanager
def serving(place: Path) -> Iterator[Gateway]:
    """A gateway in front of a demo upstream, both on free ports, their files in `place`."""
    environment = {
        **os.environ,
        "DEMO_UPSTREAM_KEY": UPSTREAM_KEY,
        "CLIENTS_KEY": KEY,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
    demo = ["proxy.demo.upstream", "--port", "0", "--pace-ms", "0", "--die-with-parent"]
    with process(demo, place / "upstream.log", environment) as upstream:
        (place / "gateway.toml").write_text(config(upstream.said("listening ")))
        config_file = ["--config", str(place / "gateway.toml")]
        create = ["key", "create", *config_file, "--user", "driver@example.com"]
        create += ["--secret", "env:CLIENTS_KEY"]
        made = subprocess.run(
            [sys.executable, "-m", "proxy", *create],
            cwd=place,
            env=environment,
            capture_output=True,
            text=True,
            timeout=START_TIME_MAX_S,
        )
        assert made.returncode == 0, made.stderr
        port = free_port()
        serve = ["proxy", "serve", *config_file, "--port", str(port)]
        with process(serve, place / "gateway.log", environment) as gateway:
            gateway.answers(f"http://127.0.0.1:{port}/readyz")
            yield Gateway(
                f"http://127.0.0.1:{port}/v1/anthropic", KEY, KEY_WRONG, place / "gateway.log"
            )


def config(upstream: str) -> str:
    """The gateway's configuration file."""
    models = [
        MODEL.format(
            id=id,
            name=name,
            developer="Anthropic" if id.startswith("anthropic.") else "Moonshot AI",
            family=f'family = "{family}"' if family else "",
            released=released,
            native=id.partition(".")[2],
        )
        for id, name, family, released in MODELS
    ]
    return CONFIG.format(upstream=upstream) + "".join(models)


class Process:
    """One of our own programs, running; what it prints goes into a file."""

    def __init__(self, running: subprocess.Popen[bytes], log: Path) -> None:
        self._running = running
        self._log = log
        self._deadline = time.monotonic() + START_TIME_MAX_S

    def said(self, beginning: str) -> str:
        """The rest of the first line that begins so."""
        while True:
            for line in self._log.read_text(errors="replace").splitlines():
                if line.startswith(beginning):
                    return line.removeprefix(beginning).strip()
            self._wait_a_little(f"did not say {beginning!r}")

    def answers(self, url: str) -> None:
        """Return when this address answers 200."""
        while True:
            try:
                with urllib.request.urlopen(url, timeout=5) as reply:
                    if reply.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass  # not listening yet, or not ready: the deadline decides
            self._wait_a_little(f"does not answer at {url}")

    def _wait_a_little(self, complaint: str) -> None:
        if self._running.poll() is not None or time.monotonic() > self._deadline:
            log = self._log.read_text(errors="replace")[-4000:]
            pytest.fail(f"{self._log.stem} {complaint}; it printed:\n{log}")
        time.sleep(0.05)


@contextmanager
def process(module: Sequence[str], log: Path, environment: Mapping[str, str]) -> Iterator[Process]:
    """Run `python -m module` for as long as it is needed."""
    with log.open("wb") as out:
        running = subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=log.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Process(running, log)
    finally:
        running.terminate()
        try:
            running.wait(timeout=10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

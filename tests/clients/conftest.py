"""Real clients against a real gateway in front of the demo upstream.

One demo upstream and one gateway serve the whole run, as processes, the way an operator starts
them. Every client is driven by a script in `drivers/` that prints one JSON document with what it
saw; it runs once, side by side with the others, and only if a selected test asks for it. The tests
then judge the documents: `seen["scene"]`.
"""

import json
import os
import platform
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
CLIENTS = HERE.parents[1] / ".clients"
NODE_ARCH = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "")
START_TIME_MAX_S = 30
DRIVE_TIME_MAX_S = 180
DRIVES_AT_ONCE = 2

KEY = "hz_clients_0123456789abcdefghijklmnopqrstuv"
KEY_WRONG = "hz_clients_this_key_was_never_given_to_anybody"
UPSTREAM_KEY = "upstream-key-only-the-gateway-knows"

CONFIG = """
[server]
host = "127.0.0.1"

[storage]
url = "sqlite:///gateway.db"

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


class Seen:
    """What one client saw, scene by scene. A scene that fell over fails whoever asks for it."""

    def __init__(self, client: str, document: Mapping[str, Any]) -> None:
        self.client = client
        self.is_new = client.endswith("-new")
        self.is_python = client.startswith("python")
        self._document = document

    def __getitem__(self, scene: str) -> Any:
        told = self._document[scene]
        if isinstance(told, dict) and "failed" in told:
            pytest.fail(f"{self.client}, scene {scene}: {told['failed']}\n{told['trace']}")
        return told


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here are marked, and one worker runs them: they share one gateway."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.clients)
            item.add_marker(pytest.mark.xdist_group("clients"))


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway in front of a demo upstream, both on free ports."""
    place = tmp_path_factory.mktemp("clients")
    environment = {
        **os.environ,
        "DEMO_UPSTREAM_KEY": UPSTREAM_KEY,
        "CLIENTS_KEY": KEY,
        "PYTHONPATH": str(HERE.parents[1]),
        "PYTHONUNBUFFERED": "1",
    }
    demo = ["proxy.demo.upstream", "--port", "0", "--pace-ms", "0", "--die-with-parent"]
    with process(demo, place / "upstream.log", environment) as upstream:
        address = upstream.said("listening ")
        (place / "gateway.toml").write_text(config(address))
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
        with process(serve, place / "gateway.log", environment) as serving:
            serving.answers(f"http://127.0.0.1:{port}/readyz")
            yield Gateway(f"http://127.0.0.1:{port}/v1/anthropic", KEY, KEY_WRONG)


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


def command_of(client: str) -> list[str]:
    """The command that drives this client."""
    kind, _, age = client.rpartition("-")
    drivers = HERE / "drivers"
    node_modules = CLIENTS / "node" / "node_modules"
    python = [sys.executable, "-S"]  # the standard library and the SDK's folder, nothing of ours
    node = [str(node_modules / f"node-linux-{NODE_ARCH}" / "bin" / "node")]
    node += ["--experimental-import-meta-resolve", "--no-warnings"]
    match kind:
        case "python":
            return [*python, str(drivers / "python_sdk.py")]
        case "typescript":
            return [*node, str(drivers / "typescript_sdk.mjs"), age]
        case "ai-sdk":
            return [*node, str(drivers / "ai_sdk.mjs"), age]
        case "claude":
            program = node_modules / f"@anthropic-ai/claude-code-linux-{NODE_ARCH}" / "claude"
            return [*python, str(drivers / "claude_code.py"), str(program)]
        case _:
            raise AssertionError(f"no such client: {client}")


def folder_of(client: str) -> Path:
    """Where `install.py` has put this client."""
    return CLIENTS / (client if client.startswith("python-") else "node")


def drive(client: str, gateway: Gateway, home: Path) -> Seen:
    """Run one client's driver to its end."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(folder_of(client)),
        "CLIENTS_NODE": str(CLIENTS / "node"),
        "GATEWAY_URL": gateway.url,
        "GATEWAY_KEY": gateway.key,
        "GATEWAY_KEY_WRONG": gateway.key_wrong,
    }
    driving = subprocess.Popen(
        command_of(client),
        cwd=home,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = driving.communicate(timeout=DRIVE_TIME_MAX_S)
    except subprocess.TimeoutExpired:
        os.killpg(driving.pid, signal.SIGKILL)
        out, err = driving.communicate()
    if driving.returncode:
        raise AssertionError(f"the driver of {client} failed:\n{err.decode(errors='replace')}")
    return Seen(client, json.loads(out))


@pytest.fixture(scope="session")
def drives(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Seen]]]:
    """Every client some selected test asks for, already on its way."""
    params = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    asked = sorted({p["seen"] for p in params if "seen" in p})
    missing = {folder_of(c) for c in asked if not (folder_of(c) / ".stamp").exists()}
    if missing:
        pytest.fail(f"{missing} not installed: run `python tests/clients/install.py` once")
    gateway: Gateway = request.getfixturevalue("gateway")
    with ThreadPoolExecutor(DRIVES_AT_ONCE) as pool:
        yield {c: pool.submit(drive, c, gateway, tmp_path_factory.mktemp(c)) for c in asked}


@pytest.fixture(scope="session")
def seen(request: pytest.FixtureRequest, drives: dict[str, Future[Seen]]) -> Seen:
    """What the client named by the parameter saw."""
    return drives[request.param].result()

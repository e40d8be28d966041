"""Our commands as an operator starts them: processes of their own, in a folder of their own."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 30.0

CONFIG = """
[server]
drain_timeout_s = 1

[storage]
url = "sqlite:///gateway.db"

[ledger]
folder = "journal"

[[providers]]
name = "main"
wire = "anthropic"
base_url = "http://127.0.0.1:9"
"""
MODEL = """
[[models]]
id = "{id}"
display_name = "A model"
developer = "Anthropic"
released = 2026-10-07
context_window = 1000
max_output_tokens = 100
rates = {{ input = 100, output = 500 }}
deployments = [ {{ provider = "main", model = "native" }} ]
"""


def environment(**more: str) -> dict[str, str]:
    """Ours, without what would send a demo to real providers."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **more}


def finished(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python -m …` to its end."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=cwd,
        env=env or environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


class Started:
    """A running command; what it prints to either side goes into one file."""

    def __init__(self, running: subprocess.Popen[bytes], log: Path) -> None:
        self.running = running
        self._log = log

    def cpu_s(self) -> float:
        """The CPU time it has taken so far."""
        fields = Path(f"/proc/{self.running.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def printed(self) -> str:
        """What it has said so far."""
        return self._log.read_text(errors="replace")

    def says(self, words: str) -> str:
        """Wait until it has printed these words."""
        self.wait(lambda: words in self.printed, f"say {words!r}")
        return self.printed

    def answers(self, url: str) -> bytes:
        """Wait until this address answers 200; the body."""
        body: list[bytes] = []

        def asked() -> bool:
            try:
                with urllib.request.urlopen(url, timeout=5) as reply:
                    body.append(reply.read())
                    return True
            except (urllib.error.URLError, OSError):
                return False  # not listening yet, or not ready

        self.wait(asked, f"answer at {url}")
        return body[0]

    def told(self, number: int) -> int:
        """Send a signal and wait for the end; the exit status."""
        self.running.send_signal(number)
        return self.running.wait(PATIENCE_S)

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Look again and again until it is so; fail when the process ends first."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not condition():
            ended = self.running.poll()
            if ended is not None or time.monotonic() > deadline_s:
                raise AssertionError(f"it did not {what} (exit {ended}); it said:\n{self.printed}")
            time.sleep(0.01)


@contextmanager
def started(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> Iterator[Started]:
    """Run `python -m …` for as long as the test needs it."""
    log = cwd / "printed.log"
    with log.open("wb") as out:
        running = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=cwd,
            env=env or environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Started(running, log)
    finally:
        if running.poll() is None:
            running.terminate()
            try:
                running.wait(10)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()

"""What requests pay while people look on: W1 with and without consoles open, in turns.

    python -m bench.console_open [--consoles N] [--rounds N] [--duration SECONDS]

A console is one administrator with three pages in front, which ask as often as the pages do: Live,
Providers, and Usage, loaded anew all the time. CPU time is that of the gateway's whole process:
what it spends on the pages is in it.
"""

import argparse
import contextlib
import http.client
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import orjson

from bench import load, scenarios
from bench.scenarios import GATEWAY
from bench.stage import ROOT, CannotStart, Part, Stage, Target

ADMIN = "root@bench.example"
PASSWORD = "looking on costs nothing at all"
CONSOLES, ROUNDS, DURATION_S = 3, 5, 3.0
_USAGE = ("summary", "trend", "heatmap", "models", "sources", "users")
PAGES = (
    (2.0, ("/v1/admin/in-flight",)),
    (5.0, ("/v1/admin/providers/health", "/readyz")),
    (5.0, tuple([f"/v1/usage/{each}?timezone=Europe/Berlin" for each in _USAGE])),
)
"""After how many seconds a page asks again, and for what; all pages begin at once."""


class Cost(NamedTuple):
    """One window: CPU time of a request in microseconds, and how long replies took."""

    cpu_us: float
    p50_us: float
    p99_us: float


class Result(NamedTuple):
    """Windows in pairs, and how often the pages asked for what; refusals by their status."""

    closed: list[Cost]
    opened: list[Cost]
    asked: Counter[str]
    refused: Counter[int]

    def ratio(self, figure: str) -> float:
        """What it is with consoles open to what it is without, in the middle of all rounds."""
        pairs = zip(self.opened, self.closed, strict=True)
        return statistics.median([getattr(a, figure) / getattr(b, figure) for a, b in pairs])


class Console:
    """One administrator who is signed in."""

    def __init__(self, port: int, cpu: int, asked: Counter[str], refused: Counter[int]) -> None:
        self._port = port
        self._cpu = cpu
        self._asked = asked
        self._refused = refused
        self._closed = threading.Event()
        self._cookie = self._signed_in()
        self._pages = [threading.Thread(target=self._look, args=page) for page in PAGES]
        for page in self._pages:
            page.start()

    def close(self) -> None:
        """All its pages."""
        self._closed.set()
        for page in self._pages:
            page.join()

    def _signed_in(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        with contextlib.closing(connection):
            said = orjson.dumps({"email": ADMIN, "password": PASSWORD})
            home = {"Content-Type": "application/json"}  # else it might be a form of another site
            connection.request("POST", "/console/session", said, home)
            reply = connection.getresponse()
            reply.read()
            if reply.status != 200:
                raise CannotStart(f"the console does not let us in: {reply.status}")
            return (reply.getheader("set-cookie") or "").partition(";")[0]

    def _look(self, every_s: float, paths: tuple[str, ...]) -> None:
        os.sched_setaffinity(0, {self._cpu})  # of this thread alone
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        with contextlib.closing(connection):
            while True:
                for path in paths:
                    connection.request("GET", path, headers={"Cookie": self._cookie})
                    reply = connection.getresponse()
                    reply.read()
                    self._asked[path.partition("?")[0]] += 1
                    if reply.status != 200:
                        self._refused[reply.status] += 1
                if self._closed.wait(every_s):
                    return


@contextlib.contextmanager
def open_consoles(stage: Stage, target: Target, number: int, result: Result) -> Iterator[None]:
    """So many of them, each with its pages, until the end of the block."""
    consoles: list[Console] = []
    try:
        consoles.extend(
            Console(target.port, stage.load_cpu, result.asked, result.refused)
            for _ in range(number)
        )
        yield
    finally:
        for console in consoles:
            console.close()


def measured(consoles: int, rounds: int, duration_s: float) -> Result:
    """All rounds; raises CannotStart. Each begins with the other kind of window."""
    scenario = scenarios.chosen(["W1"])[0].lasting(duration_s)
    result = Result([], [], Counter(), Counter())
    with Stage(gateway=[sys.executable, "-m", "proxy"]) as stage:
        target = stage.start(GATEWAY, [Part(scenario.score(load.SETTLE_S))])
        _make_administrator(stage, target)

        def window() -> Cost:
            outcome = stage.load(scenario, target)
            if outcome.wrong or not outcome.requests:
                raise CannotStart(f"wrong replies: {outcome.wrong}")
            assert outcome.cpu_s is not None and outcome.reply is not None
            cpu_us = outcome.cpu_s * 1e6 / outcome.requests
            return Cost(cpu_us, outcome.reply.p50_us, outcome.reply.p99_us)

        for number in range(rounds):
            for is_open in (number % 2 == 0, number % 2 == 1):
                if is_open:
                    with open_consoles(stage, target, consoles, result):
                        result.opened.append(window())
                else:
                    result.closed.append(window())
        stage.stop(target)
    return result


def _make_administrator(stage: Stage, target: Target) -> None:
    home = stage.folder / f"gateway-{target.port}"
    password = home / "password"
    password.write_text(PASSWORD)
    words = ["user", "create", ADMIN, "--admin", "--password", f"file:{password}"]
    done = subprocess.run(
        [*stage.gateway_command, *words, "--config", str(home / "gateway.toml")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise CannotStart(done.stderr)


def report(result: Result) -> str:
    """As it is printed."""
    lines = ["W1             closed    open   ratio"]
    for figure, words in (
        ("cpu_us", "CPU µs/request"),
        ("p50_us", "reply p50 µs"),
        ("p99_us", "reply p99 µs"),
    ):
        closed, opened = [
            statistics.median([getattr(cost, figure) for cost in costs])
            for costs in (result.closed, result.opened)
        ]
        lines.append(f"{words:14} {closed:7.1f} {opened:7.1f}  {result.ratio(figure):6.3f}")
    lines.append(
        f"{sum(result.asked.values())} answers to pages, {sum(result.refused.values())} refused"
    )
    return "\n".join(lines)


def main() -> int:
    """Measure and print; 1 when something was refused or wrong."""
    options = argparse.ArgumentParser(prog="python -m bench.console_open", description=__doc__)
    options.add_argument("--consoles", type=int, default=CONSOLES)
    options.add_argument("--rounds", type=int, default=ROUNDS)
    options.add_argument("--duration", type=float, default=DURATION_S)
    given = options.parse_args()
    began_s = time.monotonic()
    try:
        result = measured(given.consoles, given.rounds, given.duration)
    except CannotStart as problem:
        print(problem, file=sys.stderr)
        return 1
    print(report(result))
    print(f"{given.consoles} consoles, {given.rounds} rounds, {time.monotonic() - began_s:.0f} s")
    return 1 if result.refused else 0


if __name__ == "__main__":
    sys.exit(main())

"""Several workers: each started again when it dies, all stopped together."""

import itertools
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.ports import free_port
from tests.cli.starting import CONFIG, MODEL, Started, finished, started

# The parent forks, so it runs in a process of its own and not in the one that tests.
PROGRAM = """
import logging, os, signal, sys, time
from proxy.cli.workers import Workers

logging.basicConfig(stream=sys.stdout, format="%(message)s")

def say(text):
    os.write(1, text.encode() + b"\\n")

{work}

print("ended with", Workers(2, work).run())
"""
STEADY = """
def work(name):
    # Before it is said to run: a test may stop it the moment it reads that.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
    say(f"{name} runs as {os.getpid()}")
    while True:
        number = signal.sigwait({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
        say(f"{name} got {number}")
        if number != signal.SIGHUP:
            return 0
"""
CLUMSY = (
    STEADY
    + """
steady = work
def work(name):
    steady(name)
    if name == "w1":
        raise RuntimeError("clumsy")
    return 0
"""
)
DEAF = """
def work(name):
    say(f"{name} runs as {os.getpid()}")
    time.sleep(60)
"""
DYING = """
def work(name):
    say(f"{name} starts at {time.monotonic()}")
    os._exit(3)
"""


@contextmanager
def workers(work: str, place: Path) -> Iterator[Started]:
    (place / "program.py").write_text(PROGRAM.replace("{work}", work))
    with started("program", cwd=place) as parent:
        yield parent


def pid_of(name: str, parent: Started, *, other_than: int = 0) -> int:
    """The process of a worker, once it runs."""
    found: list[int] = []

    def runs() -> bool:
        pids = map(int, re.findall(rf"^{name} runs as (\d+)$", parent.printed, re.MULTILINE))
        found.extend(pid for pid in pids if pid != other_than)
        return bool(found)

    parent.wait(runs, f"start {name}")
    return found[0]


def test_all_workers_stop_with_the_parent_and_it_ends_with_0(tmp_path: Path) -> None:
    with workers(STEADY, tmp_path) as parent:
        pid_of("w0", parent)
        pid_of("w1", parent)
        assert parent.told(signal.SIGTERM) == 0
        assert {"w0 got 15", "w1 got 15", "ended with 0"} <= set(parent.printed.splitlines())


def test_a_reload_reaches_every_worker_and_stops_none(tmp_path: Path) -> None:
    with workers(STEADY, tmp_path) as parent:
        pids = [pid_of("w0", parent), pid_of("w1", parent)]
        parent.running.send_signal(signal.SIGHUP)
        parent.says("w0 got 1\n")
        parent.says("w1 got 1\n")
        for pid in pids:
            os.kill(pid, 0)  # raises if it is gone
        assert parent.told(signal.SIGINT) == 0


def test_a_worker_that_dies_is_started_again_under_its_name(tmp_path: Path) -> None:
    with workers(STEADY, tmp_path) as parent:
        first = pid_of("w0", parent)
        pid_of("w1", parent)
        os.kill(first, signal.SIGKILL)
        parent.says("worker w0 ended with -9; starting it again")
        second = pid_of("w0", parent, other_than=first)
        assert second != first
        assert parent.told(signal.SIGTERM) == 0
        assert parent.printed.count("w1 runs as") == 1


def test_workers_whose_parent_is_killed_stop_as_if_told(tmp_path: Path) -> None:
    with workers(STEADY, tmp_path) as parent:
        pid_of("w0", parent)
        pid_of("w1", parent)
        parent.running.kill()
        parent.says("w0 got 15")
        parent.says("w1 got 15")


def test_a_worker_that_ends_badly_on_stop_makes_the_whole_end_badly(tmp_path: Path) -> None:
    with workers(CLUMSY, tmp_path) as parent:
        pid_of("w0", parent)
        pid_of("w1", parent)
        parent.told(signal.SIGTERM)
        assert "ended with 1" in parent.printed
        assert "RuntimeError: clumsy" in parent.printed


def test_a_worker_told_to_stop_before_it_listens_has_ended_well(tmp_path: Path) -> None:
    with workers(DEAF, tmp_path) as parent:
        pid_of("w0", parent)
        pid_of("w1", parent)
        assert parent.told(signal.SIGTERM) == 0
        assert "ended with 0" in parent.printed


def test_workers_that_die_at_once_are_not_started_in_a_storm(tmp_path: Path) -> None:
    with workers(DYING, tmp_path) as parent:
        parent.wait(lambda: parent.printed.count("w0 starts at") >= 3, "start again")
        begun_s = sorted(
            map(float, re.findall(r" starts at ([\d.]+)$", parent.printed, re.MULTILINE))
        )
        # Two begin together; from then on each new beginning waits longer than the one before.
        pauses_s = [later - earlier for earlier, later in itertools.pairwise(begun_s[1:])]
        assert pauses_s[0] > 0.4
        assert pauses_s[1] > pauses_s[0]
        # The next beginning is seconds away; a stop does not wait for it.
        told_s = time.monotonic()
        assert parent.told(signal.SIGTERM) == 0
        assert time.monotonic() - told_s < 1
        assert "ended with " in parent.printed


def test_two_gateways_share_a_port_and_the_counts(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "gateway.toml").write_text(CONFIG + MODEL.format(id="anthropic.claude-haiku-5-5"))
    with started(
        *("proxy", "serve", "--config", "gateway.toml"),
        *("--port", str(port), "--workers", "2"),
        cwd=tmp_path,
    ) as gateway:
        gateway.says(f"worker w0 serves http://127.0.0.1:{port}/")
        gateway.says(f"worker w1 serves http://127.0.0.1:{port}/")
        gateway.answers(f"http://127.0.0.1:{port}/readyz")
        wanted = 20
        for _ in range(wanted):
            gateway.answers(f"http://127.0.0.1:{port}/v1/anthropic")
        # Whoever is asked answers for both.
        gateway.wait(lambda: replies(gateway, port) >= wanted, "count what both answered")
        assert gateway.told(signal.SIGTERM) == 0
        messages = [msgspec.json.decode(line) for line in gateway.printed.splitlines()]
        stopped = sorted(each["message"] for each in messages if "stops" in each.get("message", ""))
        assert stopped == ["worker w0 stops", "worker w1 stops"]


def replies(gateway: Started, port: int) -> float:
    text = gateway.answers(f"http://127.0.0.1:{port}/metrics").decode()
    lines = [line for line in text.splitlines() if line.startswith("hatz_replies_total")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def test_storage_that_cannot_be_opened_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(CONFIG)
    (tmp_path / "gateway.db").mkdir()
    arguments = ["proxy", "serve", "--config", "gateway.toml", "--port", "0", "--workers", "2"]
    ended = finished(*arguments, cwd=tmp_path)
    assert ended.returncode == 1
    assert "gateway.db: Is a directory" in ended.stderr
    assert "Traceback" not in ended.stderr and "worker" not in ended.stderr

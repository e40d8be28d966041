"""The load test: locust's SDK-like users on a gateway of its own, for a bounded time, headless.

    python -m bench.loadtest [--seconds 20] [--users 20] [--target gateway]
                             [--shape ramp|spike|soak] [--workers N] [--html FILE]

With workers, locust runs distributed: a master and so many processes that make the load. Prints a
table; exit 1 when a single request or stream failed, or none was made.
"""

import argparse
import pathlib
import sys
import time
from collections.abc import Callable, Sequence

import msgspec

from bench import nginx, report, shapes
from bench.ports import free_port
from bench.scenarios import GATEWAY, LOADTEST_SCORES, NGINX, TARGETS
from bench.score import KEY_VARIABLE, PATH_VARIABLE, PREFIX_VARIABLE
from bench.stage import CannotStart, Part, Stage, Target

SECONDS = 20
USERS = 20
STOP_LIMIT_S = 20
GRACE_S = 60
"""Locust's own start and end beside the time it runs."""
LOOK_S = 0.2


class Line(msgspec.Struct):
    """One line of locust's statistics; `response_times` counts requests by rounded milliseconds."""

    name: str
    method: str
    num_requests: int
    num_failures: int
    response_times: dict[float, int]
    max_response_time: float | None = None

    def percentile(self, share: float) -> float:
        """Response time in ms that this share of requests did not exceed."""
        left = share * sum(self.response_times.values())
        for time_ms in sorted(self.response_times):
            left -= self.response_times[time_ms]
            if left <= 0:
                return time_ms
        return max(self.response_times, default=0.0)


def table(lines: Sequence[Line], seconds: float) -> str:
    """What was asked, how often it failed, how long it took."""
    rows = [["", "", "requests", "per s", "failed", "p50 ms", "p95 ms", "p99 ms", "max ms"]]
    rows.extend(
        [
            line.name,
            line.method,
            str(line.num_requests),
            f"{line.num_requests / seconds:.1f}",
            str(line.num_failures),
            *(f"{line.percentile(share):.0f}" for share in (0.5, 0.95, 0.99)),
            f"{line.max_response_time or 0:.0f}",
        ]
        for line in sorted(lines, key=lambda line: (line.method, line.name))
    )
    return report.table(rows)


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """Who comes and for how long; `workers` is 0 for one process that does it all."""

    seconds: int = SECONDS
    users: int = USERS
    shape: str = shapes.STEADY
    workers: int = 0
    html: pathlib.Path | None = None

    @property
    def words(self) -> str:
        """For the report's head."""
        where = f", {self.workers} workers" if self.workers else ""
        return f"{self.users} users, {self.shape}, {self.seconds} s{where}"


def _nothing() -> None:
    return None


def run_locust(
    stage: Stage, target: Target, crowd: Crowd, meanwhile: Callable[[], None] = _nothing
) -> tuple[list[Line], str]:
    """Locust in processes of its own; its statistics and what it said about failures.

    `meanwhile` is called several times a second while it runs.
    """
    kept = stage.folder / "locust.json"
    sample = LOADTEST_SCORES[0]
    env = {
        KEY_VARIABLE: stage.key,
        PATH_VARIABLE: target.path,
        PREFIX_VARIABLE: target.asked(sample, tls=False).removesuffix(sample.name),
        shapes.SHAPE_VARIABLE: crowd.shape,
        shapes.USERS_VARIABLE: str(crowd.users),
        shapes.SECONDS_VARIABLE: str(crowd.seconds),
    }
    files = str(pathlib.Path("bench") / "locustfile.py")
    master = ["--headless", "--only-summary", "--stop-timeout", str(STOP_LIMIT_S)]
    if crowd.shape == shapes.STEADY:
        master += ["--users", str(crowd.users), "--spawn-rate", str(crowd.users)]
        master += ["--run-time", f"{crowd.seconds}s"]
    else:
        files += f",{pathlib.Path('bench') / 'locustshape.py'}"
    if crowd.html is not None:
        master += ["--html", str(crowd.html.resolve())]
    locust = [sys.executable, "-m", "locust", "-f", files]
    locust += ["--host", f"http://127.0.0.1:{target.port}"]
    if crowd.workers:
        port = str(free_port())
        master += ["--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port]
        master += ["--expect-workers", str(crowd.workers)]
        master += ["--expect-workers-max-wait", str(GRACE_S // 2)]
        for _ in range(crowd.workers):
            words = [*locust, "--worker", "--master-host", "127.0.0.1", "--master-port", port]
            stage.spawn("worker", words, cpu=stage.load_cpu, env=env)
    log = stage.folder / "locust.txt"
    with log.open("wb") as said:
        process = stage.spawn(
            "locust",
            [*locust, *master, "--json-file", str(kept.with_suffix(""))],
            cpu=stage.load_cpu,
            env=env,
            stdout=said.fileno(),
            stderr=said.fileno(),
        )
    over_at = time.monotonic() + crowd.seconds + STOP_LIMIT_S + GRACE_S
    while process.poll() is None and time.monotonic() < over_at:
        meanwhile()
        time.sleep(LOOK_S)
    text = log.read_text(errors="replace")
    if not kept.exists():
        raise CannotStart(f"locust left no result:\n{text[-2000:]}")
    return msgspec.json.decode(kept.read_bytes(), type=list[Line], strict=False), text


def crowd_options(options: argparse.ArgumentParser, crowd: Crowd) -> None:
    """The options that describe a crowd."""
    options.add_argument("--seconds", type=int, default=crowd.seconds)
    options.add_argument("--users", type=int, default=crowd.users)
    options.add_argument("--shape", default=crowd.shape, choices=shapes.SHAPES)
    options.add_argument("--workers", type=int, default=crowd.workers)
    options.add_argument("--html", type=pathlib.Path, help="write locust's report there")


def crowd_of(asked: argparse.Namespace) -> Crowd:
    """The crowd that was asked for."""
    return Crowd(
        seconds=asked.seconds,
        users=asked.users,
        shape=asked.shape,
        workers=asked.workers,
        html=asked.html,
    )


def main(given: Sequence[str] | None = None) -> int:
    """Run and judge."""
    options = argparse.ArgumentParser(prog="python -m bench.loadtest", description=__doc__)
    crowd_options(options, Crowd())
    options.add_argument("--target", default=GATEWAY, choices=TARGETS)
    asked = options.parse_args(given)
    crowd = crowd_of(asked)
    if asked.target == NGINX and (reason := nginx.install()):
        print(reason, file=sys.stderr)
        return 1
    try:
        with Stage() as stage:
            target = stage.start(asked.target, [Part(score) for score in LOADTEST_SCORES])
            lines, said = run_locust(stage, target, crowd)
    except CannotStart as problem:
        print(problem, file=sys.stderr)
        return 1
    print(f"{crowd.words}, {asked.target}; times of whole replies\n")
    print(table(lines, crowd.seconds))
    failures = sum(line.num_failures for line in lines)
    if failures:
        print(f"\n{failures} FAILED\n{said[-3000:]}")
    return 1 if failures or not sum(line.num_requests for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())

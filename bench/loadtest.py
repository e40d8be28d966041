"""The load test: locust's SDK-like users on a gateway of its own, for a bounded time, headless.

    python -m bench.loadtest [--seconds 20] [--users 20] [--target gateway]

Prints a table; exit 1 when a single request or stream failed, or none was made.
"""

import argparse
import os
import pathlib
import subprocess
import sys
from collections.abc import Sequence

import msgspec

from bench import nginx, report
from bench.scenarios import GATEWAY, LOADTEST_SCORES, NGINX, TARGETS
from bench.score import KEY_VARIABLE, PATH_VARIABLE, PREFIX_VARIABLE
from bench.stage import ROOT, CannotStart, Part, Stage, Target

SECONDS = 20
USERS = 20
STOP_LIMIT_S = 20
GRACE_S = 60
"""Locust's own start and end beside the time it runs."""


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


def run_locust(stage: Stage, target: Target, seconds: int, users: int) -> tuple[list[Line], str]:
    """Locust in a process of its own; its statistics and what it said about failures."""
    kept = stage.folder / "locust.json"
    sample = LOADTEST_SCORES[0]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "locust", "-f", str(pathlib.Path("bench") / "locustfile.py")),
            *("--headless", "--only-summary", "--users", str(users), "--spawn-rate", str(users)),
            *("--run-time", f"{seconds}s", "--stop-timeout", str(STOP_LIMIT_S)),
            *("--host", f"http://127.0.0.1:{target.port}"),
            *("--json-file", str(kept.with_suffix(""))),
        ],
        cwd=ROOT,
        env=os.environ
        | {
            KEY_VARIABLE: stage.key,
            PATH_VARIABLE: target.path,
            PREFIX_VARIABLE: target.asked(sample, tls=False).removesuffix(sample.name),
        },
        capture_output=True,
        text=True,
        timeout=seconds + STOP_LIMIT_S + GRACE_S,
    )
    if not kept.exists():
        raise CannotStart(f"locust left no result:\n{done.stderr[-2000:]}")
    return msgspec.json.decode(kept.read_bytes(), type=list[Line], strict=False), done.stderr


def main(given: Sequence[str] | None = None) -> int:
    """Run and judge."""
    options = argparse.ArgumentParser(prog="python -m bench.loadtest", description=__doc__)
    options.add_argument("--seconds", type=int, default=SECONDS)
    options.add_argument("--users", type=int, default=USERS)
    options.add_argument("--target", default=GATEWAY, choices=TARGETS)
    asked = options.parse_args(given)
    if asked.target == NGINX and (reason := nginx.install()):
        print(reason, file=sys.stderr)
        return 1
    try:
        with Stage() as stage:
            target = stage.start(asked.target, [Part(score) for score in LOADTEST_SCORES])
            lines, said = run_locust(stage, target, asked.seconds, asked.users)
    except CannotStart as problem:
        print(problem, file=sys.stderr)
        return 1
    print(f"{asked.users} users, {asked.seconds} s, {asked.target}; times of whole replies\n")
    print(table(lines, asked.seconds))
    failures = sum(line.num_failures for line in lines)
    if failures:
        print(f"\n{failures} FAILED\n{said[-3000:]}")
    return 1 if failures or not sum(line.num_requests for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())

"""What coalescing brings a gateway that has more to do than its CPU can: with `[relay]
coalesce_lag_ms` off and as it comes, in turns.

    python -m bench.coalescing [--streams N] [--beside N,…] [--rounds N] [--duration SECONDS]

Every stream has an event each 20 ms. Load and upstream would be at their end before the gateway is,
so processes that do nothing but compute take its CPU away beside it: beside 3 it has a quarter.
Lag is how long an event took from the upstream to the client.
"""

import argparse
import contextlib
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bench import load, report
from bench.scenarios import GATEWAY, Scenario
from bench.stage import CannotStart, Part, Stage, Target
from proxy.config.overrides import variable_of

OFF, AUTOMATIC = "off", "automatic"
BESIDE = (0, 2, 3)
STREAMS, ROUNDS, DURATION_S, PERIOD_MS = 1000, 3, 8.0, 20
_COMPUTE = "while True: pass"
_SWITCH = variable_of("relay", "coalesce_lag_ms")


class Seen(NamedTuple):
    """One window. `cpu_us` is that of an event."""

    cpu_us: float
    events_per_s: float
    lag_p50_ms: float
    lag_p99_ms: float
    stalled: int


def scenario(streams: int, duration_s: float) -> Scenario:
    """So many streams, one event each 20 ms."""
    return Scenario(
        name=f"{streams} streams",
        words=f"{streams} streams, one event each {PERIOD_MS} ms",
        unit="event",
        body="1k",
        connections=streams,
        duration_s=duration_s,
        period_ms=PERIOD_MS,
        ramp_s=max(1.0, streams / 500),
    )


@contextlib.contextmanager
def switched_off() -> Iterator[None]:
    """Gateways started in here never coalesce."""
    os.environ[_SWITCH] = "0"
    try:
        yield
    finally:
        del os.environ[_SWITCH]


def measured(
    streams: int, besides: Sequence[int], rounds: int, duration_s: float
) -> dict[tuple[int, str], list[Seen]]:
    """Windows by number of processes beside and kind of gateway. Raises CannotStart, also for wrong
    replies."""
    held = scenario(streams, duration_s)
    parts = [Part(held.score(load.SETTLE_S))]
    seen: dict[tuple[int, str], list[Seen]] = {}
    with Stage() as stage:
        with switched_off():
            targets = [(OFF, stage.start(GATEWAY, parts))]
        targets.append((AUTOMATIC, stage.start(GATEWAY, parts)))
        for number in range(rounds):
            turn = number % len(targets)
            for beside in besides:
                with computing(stage, beside):
                    for name, target in targets[turn:] + targets[:turn]:
                        seen.setdefault((beside, name), []).append(_window(stage, held, target))
    return seen


@contextlib.contextmanager
def computing(stage: Stage, number: int) -> Iterator[None]:
    """So many processes take the targets' CPU away, until the end of the block."""
    command = [sys.executable, "-c", _COMPUTE]
    running = [stage.spawn("beside", command, cpu=stage.target_cpu) for _ in range(number)]
    try:
        yield
    finally:
        for each in running:
            stage.end(each)


def _window(stage: Stage, each: Scenario, target: Target) -> Seen:
    outcome = stage.load(each, target)
    if outcome.wrong or outcome.lag is None:
        raise CannotStart(f"{each.name}, wrong replies: {outcome.wrong}")
    return Seen(
        (outcome.cpu_s or 0.0) * 1e6 / outcome.events,
        outcome.events / outcome.seconds,
        outcome.lag.p50_us / 1000,
        outcome.lag.p99_us / 1000,
        outcome.stalled,
    )


def written(seen: dict[tuple[int, str], list[Seen]]) -> str:
    """As it is printed: medians of the rounds."""
    rows = [["beside", "coalescing", "CPU µs/event", "events/s", "lag p50 ms", "p99 ms", "stalled"]]
    for (beside, name), windows in seen.items():
        middle = Seen(*[statistics.median(column) for column in zip(*windows, strict=True)])
        rows.append(
            [
                str(beside),
                name,
                f"{middle.cpu_us:.1f}",
                f"{middle.events_per_s:,.0f}",
                f"{middle.lag_p50_ms:.1f}",
                f"{middle.lag_p99_ms:.1f}",
                f"{middle.stalled:.0f}",
            ]
        )
    return report.table(rows)


def main() -> int:
    """Measure and print."""
    options = argparse.ArgumentParser(prog="python -m bench.coalescing", description=__doc__)
    options.add_argument("--streams", type=int, default=STREAMS)
    options.add_argument("--beside", default=",".join(map(str, BESIDE)))
    options.add_argument("--rounds", type=int, default=ROUNDS)
    options.add_argument("--duration", type=float, default=DURATION_S)
    given = options.parse_args()
    try:
        besides = [int(each) for each in given.beside.split(",")]
        print(written(measured(given.streams, besides, given.rounds, given.duration)))
    except CannotStart as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The bench: all workloads on all targets, interleaved, in rounds; a table and a result file.

    python -m bench.run [--quick] [--only W1,W3] [--targets nginx,gateway] [--rounds N]
                        [--duration SECONDS] [--save NAME] [--check]

In each round every target starts afresh (which gives the time to ready and the memory of an idle
process), then each workload visits the targets one after the other, so that what the machine does
in between hits all of them alike.
"""

import argparse
import datetime as dt
import importlib.metadata
import os
import pathlib
import platform
import subprocess
import sys
from collections.abc import Sequence

from bench import budgets, load, nginx, report, results_file, scenarios
from bench.results_file import Machine, Measurement, Results, Start
from bench.scenarios import DIRECT, GATEWAY, NAIVE, NGINX, TARGETS, Scenario
from bench.stage import ROOT, CannotStart, Part, Stage, Target
from proxy import compiled

ROUNDS = 5
ROUNDS_QUICK = 1
_PACKAGES = ("aiohttp", "uvloop", "httptools", "msgspec", "orjson")


def machine() -> Machine:
    """What this run was measured on."""
    info = pathlib.Path("/proc/cpuinfo").read_text()
    models = [line.partition(":")[2].strip() for line in info.splitlines() if "model name" in line]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        cpu_model=models[0] if models else platform.machine(),
        kernel=platform.release(),
        python=platform.python_version(),
        packages={name: importlib.metadata.version(name) for name in _PACKAGES},
        commit=commit or "unknown",
        program=compiled.IN_USE,
    )


def one_round(
    stage: Stage, number: int, table: Sequence[Scenario], names: Sequence[str], results: Results
) -> None:
    """All targets started afresh, all workloads, all targets ended."""
    targets: list[Target] = []
    try:
        for name in names:
            target = stage.start(name, parts_of(table))
            targets.append(target)
            if target.idle is not None:
                results.starts.append(
                    Start(
                        target=name,
                        round=number,
                        ready_s=target.ready_s,
                        idle_rss_kb=target.idle.rss_kb,
                        idle_pss_kb=target.idle.pss_kb,
                    )
                )
        for place, scenario in enumerate(table):
            turn = (number + place) % len(targets)  # nobody is always first
            for target in targets[turn:] + targets[:turn]:
                if target.name in scenario.without:
                    continue
                say(f"round {number + 1}/{results.rounds}  {scenario.name:4} {target.name:8}")
                results.measurements.append(
                    Measurement(
                        scenario=scenario.name,
                        target=target.name,
                        round=number,
                        unit=scenario.unit,
                        streams=scenario.connections if scenario.held else 0,
                        outcome=stage.load(scenario, target),
                    )
                )
    finally:
        for target in targets:
            stage.stop(target)


def parts_of(table: Sequence[Scenario]) -> list[Part]:
    """What the upstream will be asked to play, on which wire."""
    return [Part(scenario.score(load.SETTLE_S), scenario.wire) for scenario in table]


def say(words: str) -> None:
    """Progress, only where somebody watches."""
    if sys.stderr.isatty():
        print(f"\r{words}\033[K", end="", file=sys.stderr, flush=True)


def session(
    table: Sequence[Scenario], names: Sequence[str], rounds: int, *, quick: bool
) -> Results:
    """Measure everything."""
    results = Results(
        taken_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        machine=machine(),
        rounds=rounds,
        quick=quick,
        measurements=[],
        starts=[],
    )
    with Stage(tls=any(scenario.tls for scenario in table)) as stage:
        for number in range(rounds):
            one_round(stage, number, table, names, results)
    say("")
    results.verdicts = budgets.judge(results)
    return results


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    options = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    options.add_argument("--quick", action="store_true", help="one round, short windows")
    options.add_argument("--only", help="workloads, comma-separated")
    options.add_argument("--targets", default=",".join(TARGETS), help="comma-separated")
    options.add_argument("--rounds", type=int)
    options.add_argument("--duration", type=float, help="seconds of every window")
    options.add_argument("--save", metavar="NAME", help="keep the result as results/NAME.json")
    options.add_argument("--check", action="store_true", help="exit 1 when a budget is not kept")
    return options.parse_args(given)


def main() -> int:
    """Run, print, write; 1 when a reply was wrong or, with --check, a budget was not kept."""
    given = arguments()
    names = given.targets.split(",")
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        raise SystemExit(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    if NGINX in names and (reason := nginx.install()):
        print(f"{reason}; going on without it, budgets against it stay open", file=sys.stderr)
        names.remove(NGINX)
    table = scenarios.chosen(given.only.split(",") if given.only else None)
    if NGINX in names or NAIVE in names or any(scenario.tls for scenario in table):
        table = scenarios.with_yardsticks(table)
    if given.quick:
        table = [scenario.quick() for scenario in table]
    if given.duration:
        table = [scenario.lasting(given.duration) for scenario in table]
    rounds = given.rounds or (ROUNDS_QUICK if given.quick else ROUNDS)
    try:
        results = session(table, names, rounds, quick=given.quick)
    except CannotStart as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    print(report.whole(results))
    results_file.write(results, results_file.LATEST)
    if given.save:
        results_file.write(results, results_file.FOLDER / f"{given.save}.json")
    if results.wrong():
        return 1
    return 1 if given.check and not kept(results, names) else 0


def kept(results: Results, names: Sequence[str]) -> bool:
    """Whether no budget failed. One that was not measured is no failure, but is said aloud."""
    missing = [f"{v.workload} {v.words}" for v in results.verdicts if v.passed is None]
    if missing and GATEWAY in names and DIRECT in names:
        print(f"\nnot measured: {'; '.join(missing)}", file=sys.stderr)
    return all(verdict.passed is not False for verdict in results.verdicts)


if __name__ == "__main__":
    sys.exit(main())

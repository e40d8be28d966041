"""All micro-benchmarks, or those named: nanoseconds of each step, instructions when asked for.

    python -m bench.micro [QUESTION ...] [--instructions]

Each step's result is checked before it is timed. The least of several batches is given: what was
above it was the machine. Instructions are counted by `perf` where the processor lets it, else by
valgrind's callgrind (slow); they do not depend on what else the machine does.
"""

import argparse
import importlib
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence

from bench import micro, report
from bench.micro.step import Step

BATCH_S = 0.02
BATCHES = 7
COUNTED_LOOPS = (200, 1_200)
COUNT_LIMIT_S = 300
_NOT_QUESTIONS = ("__main__", "step")


def questions() -> list[str]:
    """The names of all files that measure something."""
    found = [module.name for module in pkgutil.iter_modules(micro.__path__)]
    return sorted(name for name in found if name not in _NOT_QUESTIONS)


def steps_of(question: str) -> list[Step]:
    """What a file measures, checked: a step that does the wrong thing is not timed."""
    steps: list[Step] = importlib.import_module(f"bench.micro.{question}").steps()
    for step in steps:
        step.check(step.run())
    return steps


def nanoseconds(step: Step, *, batches: int = BATCHES, batch_s: float = BATCH_S) -> float:
    """Time of one operation."""
    loops, spent_s = 1, 0.0
    while True:
        spent_s = _run(step, loops)
        if spent_s >= batch_s:
            break
        loops *= 2 if spent_s * 10 > batch_s else 10
    best_s = min(spent_s, *(_run(step, loops) for _ in range(batches)))
    return best_s / loops / step.operations * 1e9


def _run(step: Step, loops: int) -> float:
    run = step.run
    began = time.perf_counter()
    for _ in range(loops):
        run()
    return time.perf_counter() - began


# ---------------------------------------------------------------- instructions


def counting_command() -> list[str] | None:
    """What counts a process's instructions here: a command to put before another."""
    if perf := shutil.which("perf"):
        words = [perf, "stat", "-x,", "-e", "instructions:u"]
        tried = subprocess.run([*words, "true"], capture_output=True, text=True)
        if tried.returncode == 0 and counted(tried.stderr) is not None:
            return words
    if valgrind := shutil.which("valgrind"):
        return [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    return None


def counted(said: str) -> int | None:
    """The number of instructions in what perf or callgrind said."""
    found = re.search(r"^(\d+),.*instructions:u|Collected : (\d+)", said, re.MULTILINE)
    return int(found[1] or found[2]) if found else None


def instructions(command: Sequence[str], question: str, place: int) -> float | None:
    """Instructions of one run: two runs' difference, so that the start does not count."""
    seen = []
    for loops in COUNTED_LOOPS:
        done = subprocess.run(
            [
                *(*command, sys.executable, "-m", "bench.micro", question),
                *("--only-run", str(place), "--loops", str(loops)),
            ],
            capture_output=True,
            text=True,
            timeout=COUNT_LIMIT_S,
            env=os.environ | {"PYTHONHASHSEED": "0"},  # else dicts of names probe differently
        )
        total = counted(done.stderr) if done.returncode == 0 else None
        if total is None:
            return None
        seen.append(total)
    return (seen[1] - seen[0]) / (COUNTED_LOOPS[1] - COUNTED_LOOPS[0])


# ---------------------------------------------------------------- the command


def main(given: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = argparse.ArgumentParser(prog="python -m bench.micro", description=__doc__)
    options.add_argument("questions", nargs="*", metavar="QUESTION")
    options.add_argument("--instructions", action="store_true")
    options.add_argument("--only-run", type=int, help=argparse.SUPPRESS)
    options.add_argument("--loops", type=int, default=1, help=argparse.SUPPRESS)
    asked = options.parse_args(given)
    if unknown := sorted(set(asked.questions) - set(questions())):
        print(f"no {', '.join(unknown)}; there are {', '.join(questions())}", file=sys.stderr)
        return 2
    if asked.only_run is not None:
        steps = steps_of(asked.questions[0])
        _run(steps[asked.only_run], asked.loops)
        steps[asked.only_run].close()
        return 0
    command = counting_command() if asked.instructions else None
    if asked.instructions and command is None:
        print("neither perf nor valgrind can count instructions here", file=sys.stderr)
    rows = [["question", "step", "ns", *(["instructions"] if command else [])]]
    for question in asked.questions or questions():
        steps = steps_of(question)
        for place, step in enumerate(steps):
            row = [question if not place else "", step.words, f"{nanoseconds(step):,.0f}"]
            if command:
                number = instructions(command, question, place)
                row.append("-" if number is None else f"{number / step.operations:,.0f}")
            rows.append(row)
        for step in steps:
            step.close()
    print(report.table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())

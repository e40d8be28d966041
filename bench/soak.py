"""The soak: locust's users for an hour on a gateway of its own. Its memory must be flat at the end,
and no request or stream may be lost.

    python -m bench.soak [--seconds 3600] [--users 20] [--workers 1] [--html FILE]

Memory is that of the gateway's process tree. Pools and caches fill in the first part, which is left
out; the last part is held against the one before it. Exit 1 when it grew or anything was lost.
"""

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence

from bench import loadtest, proctree, report, shapes
from bench.loadtest import Crowd
from bench.results_file import middle
from bench.scenarios import GATEWAY, LOADTEST_SCORES
from bench.stage import CannotStart, Part, Stage

SECONDS = 3600
SAMPLES = 720
"""How often memory is looked at; not more often than ten times a second."""
WARM_SHARE = 0.5
GROWTH_SHARE_MAX = 0.05
GROWTH_KB_MIN = 3 * 1024
"""What an allocator may keep back without anything being wrong."""
_LINES = 10


@dataclasses.dataclass(frozen=True)
class Memory:
    """Samples of the RSS in kB, evenly over the time, and what they say."""

    samples_kb: Sequence[int]

    def _middle_of(self, begin: float, end: float) -> float:
        count = len(self.samples_kb)
        part = self.samples_kb[int(count * begin) : max(int(count * begin) + 1, int(count * end))]
        return middle([float(kb) for kb in part]) or 0.0

    @property
    def before_kb(self) -> float:
        """The middle of the first half of what is judged."""
        return self._middle_of(WARM_SHARE, (1 + WARM_SHARE) / 2)

    @property
    def after_kb(self) -> float:
        """The middle of the second half."""
        return self._middle_of((1 + WARM_SHARE) / 2, 1.0)

    @property
    def flat(self) -> bool:
        """Whether it did not grow by more than an allocator's mood."""
        allowed = max(GROWTH_KB_MIN, self.before_kb * GROWTH_SHARE_MAX)
        return bool(self.samples_kb) and self.after_kb - self.before_kb <= allowed

    def table(self, every_s: float) -> str:
        """How it went, in a few lines."""
        rows = [["", "after", "RSS MB"]]
        last = len(self.samples_kb) - 1
        rows.extend(
            ["", f"{at * every_s:,.0f} s", f"{self.samples_kb[at] / 1024:.1f}"]
            for at in sorted({last * line // _LINES for line in range(_LINES + 1)})
        )
        return report.table(rows)


def main(given: Sequence[str] | None = None) -> int:
    """Run and judge."""
    options = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    loadtest.crowd_options(options, Crowd(seconds=SECONDS, shape=shapes.SOAK, workers=1))
    crowd = loadtest.crowd_of(options.parse_args(given))
    samples: list[int] = []
    every_s = max(0.1, crowd.seconds / SAMPLES)
    due = 0.0

    def look(pid: int) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + every_s
            samples.append(proctree.memory(pid).rss_kb)

    try:
        with Stage() as stage:
            target = stage.start(GATEWAY, [Part(score) for score in LOADTEST_SCORES])
            pid = target.pid
            assert pid is not None
            began = time.monotonic()
            lines, said = loadtest.run_locust(stage, target, crowd, lambda: look(pid))
            spent_s = time.monotonic() - began
            died = target.process is not None and target.process.poll() is not None
    except CannotStart as problem:
        print(problem, file=sys.stderr)
        return 1
    memory = Memory(samples)
    lost = sum(line.num_failures for line in lines)
    made = sum(line.num_requests for line in lines)
    print(f"{crowd.words}\n")
    print(loadtest.table(lines, crowd.seconds))
    print(f"\n{memory.table(spent_s / len(samples))}\n")
    print(
        f"memory {'flat' if memory.flat else 'GREW'}: {memory.before_kb / 1024:.1f} MB, then "
        f"{memory.after_kb / 1024:.1f} MB; {lost} of {made:,} lost"
    )
    if lost:
        print(said[-3000:])
    if died:
        print("the gateway ended before its load did", file=sys.stderr)
    return 0 if made and not lost and not died and memory.flat else 1


if __name__ == "__main__":
    sys.exit(main())

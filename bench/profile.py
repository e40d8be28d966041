"""One workload with the gateway under cProfile: where its time goes, function by function.

    python -m bench.profile [W1] [--duration SECONDS] [--lines N] [--sort tottime|cumulative]

The profiler itself makes Python calls dearer than they are: read shares and counts, not sums.
"""

import argparse
import pstats
import sys

from bench import load, scenarios
from bench.scenarios import GATEWAY
from bench.stage import CannotStart, Part, Stage

DURATION_S = 3.0


def main() -> int:
    """Run one workload, end the gateway in order (it writes its profile then), print the top."""
    options = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    options.add_argument("scenario", nargs="?", default="W1")
    options.add_argument("--duration", type=float, default=DURATION_S)
    options.add_argument("--lines", type=int, default=40)
    options.add_argument("--sort", default="tottime", choices=["tottime", "cumulative", "ncalls"])
    given = options.parse_args()
    scenario = scenarios.chosen([given.scenario])[0].lasting(given.duration)
    with Stage(tls=scenario.tls) as stage:
        kept = stage.folder / "gateway.profile"
        stage.gateway_command = [
            *(sys.executable, "-m", "cProfile", "-o", str(kept)),
            *("-m", "proxy"),
        ]
        try:
            target = stage.start(GATEWAY, [Part(scenario.score(load.SETTLE_S), scenario.wire)])
            outcome = stage.load(scenario, target)
        except CannotStart as problem:
            print(problem, file=sys.stderr)
            return 1
        stage.stop(target)
        if not kept.exists():
            print("the gateway left no profile: it did not end in order", file=sys.stderr)
            return 1
        done = outcome.requests if scenario.unit == "request" else outcome.events
        print(f"{scenario.name}: {done} {scenario.unit}s in {outcome.seconds:.1f} s, profiled")
        pstats.Stats(str(kept)).strip_dirs().sort_stats(given.sort).print_stats(given.lines)
        return 1 if outcome.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

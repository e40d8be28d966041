"""Two result files in, one table out: what became faster, what slower, what is only noise.

    python -m bench.baseline [OLD [NEW]]     NEW: the latest run; OLD: the newest that was saved

Costs are compared as multiples of nginx's in the same run, so that two moods of one machine do not
pass for a change. A change counts only beyond its noise band: the wider spread of both runs, and
never less than a floor. Exit 1 when something is worse beyond the band.
"""

import argparse
import dataclasses
import pathlib
import sys
from collections.abc import Sequence

from bench import budgets, report, results_file
from bench.results_file import Results, middle, ratio
from bench.scenarios import GATEWAY, NGINX, SCENARIOS

BAND_MIN = 0.05
BAND_OF_ONE_ROUND = 0.25
"""One round shows no spread; so much is the machine's mood."""


@dataclasses.dataclass(frozen=True)
class Quantity:
    """One figure, less is better, and what each round of both runs says of it.

    `least` is the smallest difference worth a word, in the figure's own unit.
    """

    name: str
    old: list[float]
    new: list[float]
    least: float = 0.0

    @property
    def band(self) -> float:
        """How much of the old value is noise."""
        return max(BAND_MIN, _half_spread(self.old), _half_spread(self.new))

    @property
    def change(self) -> float:
        """New against old, 0.1 for a tenth more."""
        old, new = middle(self.old), middle(self.new)
        assert old is not None and new is not None
        return (new - old) / old if old else (1.0 if new > 0 else 0.0)

    @property
    def verdict(self) -> str:
        """Better, worse, or the same as far as anybody can tell."""
        old, new = middle(self.old), middle(self.new)
        assert old is not None and new is not None
        if abs(new - old) <= max(self.band * abs(old), self.least):
            return "same"
        return "worse" if new > old else "better"


def _half_spread(values: Sequence[float]) -> float:
    if len(values) < 2:
        return BAND_OF_ONE_ROUND
    median = middle(list(values))
    return (max(values) - min(values)) / 2 / abs(median) if median else 0.0


def quantities(old: Results, new: Results) -> list[Quantity]:
    """Every figure that both runs have."""
    found = []
    for scenario in sorted(SCENARIOS, key=lambda s: s.name):
        costs = [run.cost_us(scenario.name, GATEWAY) for run in (old, new)]
        nginx = [run.cost_us(scenario.measured_by, NGINX) for run in (old, new)]
        if all(nginx):
            pair = [ratio(cost, beside) for cost, beside in zip(costs, nginx, strict=True)]
            whose = f"nginx's {scenario.yardstick}" if scenario.yardstick else "nginx"
            words = f"{scenario.name} CPU per {scenario.unit}, x {whose}"
        else:
            pair = [list(cost.values()) for cost in costs]
            words = f"{scenario.name} CPU per {scenario.unit}, µs"
        found.append(Quantity(words, pair[0], pair[1]))
    for budget in budgets.BUDGETS:
        if "CPU" not in budget.words:  # those are above
            name = f"{budget.workload} {budget.words}"
            least = budget.limit * 0.05
            found.append(Quantity(name, budget.measure(old), budget.measure(new), least))
    return [quantity for quantity in found if quantity.old and quantity.new]


def table(found: Sequence[Quantity]) -> str:
    """The comparison, line by line."""
    rows = [["figure (less is better)", "", "old", "new", "change", "noise band"]]
    rows.extend(
        [
            quantity.name,
            quantity.verdict,
            report.spread_of(quantity.old, 2),
            report.spread_of(quantity.new, 2),
            f"{quantity.change:+.1%}",
            f"{quantity.band:.1%}",
        ]
        for quantity in found
    )
    return report.table(rows)


def newest_saved(folder: pathlib.Path) -> pathlib.Path | None:
    """The saved result that was taken last, by its own word: a clone has no file times."""
    saved = [path for path in folder.glob("*.json") if not path.name.startswith("latest")]
    return max(saved, key=lambda path: results_file.read(path).taken_at, default=None)


def main(given: Sequence[str] | None = None) -> int:
    """Compare and say so; 2 when there is nothing to compare."""
    options = argparse.ArgumentParser(prog="python -m bench.baseline", description=__doc__)
    options.add_argument("old", nargs="?", type=pathlib.Path)
    options.add_argument("new", nargs="?", type=pathlib.Path, default=results_file.LATEST)
    asked = options.parse_args(given)
    old_path = asked.old or newest_saved(results_file.FOLDER)
    if old_path is None or not old_path.exists():
        print("no saved result to compare with: run the bench with --save NAME", file=sys.stderr)
        return 2
    if not asked.new.exists():
        print(f"{asked.new} does not exist: run the bench first", file=sys.stderr)
        return 2
    old, new = results_file.read(old_path), results_file.read(asked.new)
    found = quantities(old, new)
    if not found:
        print("the two runs have no figure in common", file=sys.stderr)
        return 2
    print(f"old: {old_path} ({old.taken_at}, commit {old.machine.commit})")
    print(f"new: {asked.new} ({new.taken_at}, commit {new.machine.commit})\n")
    print(table(found))
    return 1 if any(quantity.verdict == "worse" for quantity in found) else 0


if __name__ == "__main__":
    sys.exit(main())

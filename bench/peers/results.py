"""What a comparison found, as data: measurements as in `results_file.py`, and who was absent.

Medians, tables and plots are made of it later, by `figures.py`, `tables.py` and `plots.py`.
"""

import pathlib
from collections.abc import Callable, Iterable

import msgspec

from bench import results_file
from bench.load import Outcome
from bench.results_file import Machine, Measurement, Start, middle

FOLDER = results_file.FOLDER / "peers"
LATEST = "latest"


class About(msgspec.Struct, kw_only=True):
    """A target, in words: which version, on which of its roads; a limit only passes bytes on."""

    name: str
    version: str
    route: str
    limit: bool = False


class Absent(msgspec.Struct, kw_only=True):
    """A target that is not in the table, and why."""

    name: str
    reason: str


class Held(msgspec.Struct, kw_only=True):
    """The most paced streams at which none stalled; `capped`: the bench asked for no more."""

    target: str
    streams: int
    capped: bool
    stopped_by: str = ""


class Comparison(msgspec.Struct, kw_only=True):
    """One session. `others_share` is how much of the CPUs' time other processes of this machine
    had meanwhile."""

    taken_at: str
    machine: Machine
    rounds: int
    quick: bool
    seconds: float = 0.0
    others_share: float = 0.0
    about: list[About] = []
    absent: list[Absent] = []
    measurements: list[Measurement] = []
    starts: list[Start] = []
    held: list[Held] = []

    def outcomes(self, case: str, target: str) -> list[Outcome]:
        """What each round saw there."""
        return [m.outcome for m in self.measurements if m.scenario == case and m.target == target]

    def median(
        self, case: str, target: str, reading: Callable[[Outcome], float | None]
    ) -> float | None:
        """The middle of the rounds' readings, None when there is none."""
        values = [reading(outcome) for outcome in self.outcomes(case, target)]
        return middle([value for value in values if value is not None])

    def cost_us(self, case: str, target: str) -> float | None:
        """CPU time per completed unit."""
        units = {m.scenario: m.unit for m in self.measurements}

        def reading(outcome: Outcome) -> float | None:
            done = outcome.requests if units[case] == "request" else outcome.events
            return outcome.cpu_s / done * 1e6 if outcome.cpu_s is not None and done else None

        return self.median(case, target, reading)

    def wrong(self, target: str) -> dict[str, int]:
        """Wrong replies of a target by what was wrong, over everything but the search for the most
        streams (where it stops for what goes wrong)."""
        return _sums(m.outcome.wrong for m in self.measurements if m.target == target)

    def changed(self, target: str) -> dict[str, int]:
        """Right replies that were not the upstream's bytes, by what differed."""
        return _sums(m.outcome.changed for m in self.measurements if m.target == target)


def _sums(many: Iterable[dict[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in many:
        for words, count in one.items():
            found[words] = found.get(words, 0) + count
    return found


def read(path: pathlib.Path) -> Comparison:
    """One result file."""
    return msgspec.json.decode(path.read_bytes(), type=Comparison)


def write(results: Comparison, path: pathlib.Path) -> None:
    """One result file, readable in a diff."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")

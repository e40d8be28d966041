"""The result of a bench as data: every single measurement, medians and spread come later.

Read and written here, and asked here: values of one workload on one target, and ratios taken within
one round, where both sides had the machine in the same mood.
"""

import pathlib
import statistics
from collections.abc import Callable

import msgspec

from bench.load import Outcome

FOLDER = pathlib.Path(__file__).resolve().parent / "results"
LATEST = FOLDER / "latest.json"

Reading = Callable[[Outcome], float | None]


class Measurement(msgspec.Struct, kw_only=True):
    """One workload on one target in one round."""

    scenario: str
    target: str
    round: int
    unit: str
    streams: int
    outcome: Outcome
    version: int = 1


class Start(msgspec.Struct, kw_only=True):
    """One start of one target."""

    target: str
    round: int
    ready_s: float
    idle_rss_kb: int
    idle_pss_kb: int


class Machine(msgspec.Struct, kw_only=True):
    """Where it was measured; absolute figures mean something only together with this."""

    cpus: int
    cpu_model: str
    kernel: str
    python: str
    packages: dict[str, str]
    commit: str
    program: str = ""
    """Was the gateway compiled, or plain Python?"""


class Verdict(msgspec.Struct, kw_only=True):
    """One budget, judged. `value` is None when what it needs was not measured."""

    workload: str
    words: str
    limit: float
    value: float | None
    low: float | None
    high: float | None
    passed: bool | None


class Results(msgspec.Struct, kw_only=True):
    """One session."""

    taken_at: str
    machine: Machine
    rounds: int
    quick: bool
    measurements: list[Measurement]
    starts: list[Start]
    verdicts: list[Verdict] = []

    def by_round(self, scenario: str, target: str, reading: Reading) -> dict[int, float]:
        """What each round read there, rounds without a reading left out."""
        found = {}
        for measured in self.measurements:
            if measured.scenario == scenario and measured.target == target:
                value = reading(measured.outcome)
                if value is not None:
                    found[measured.round] = value
        return found

    def cost_us(self, scenario: str, target: str) -> dict[int, float]:
        """CPU time of the target for each completed unit, in microseconds."""
        units = {m.scenario: m.unit for m in self.measurements}

        def reading(outcome: Outcome) -> float | None:
            done = outcome.requests if units[scenario] == "request" else outcome.events
            return outcome.cpu_s / done * 1e6 if outcome.cpu_s is not None and done else None

        return self.by_round(scenario, target, reading)

    def wrong(self) -> list[str]:
        """Every kind of wrong reply that was seen, with where and how often."""
        return [
            f"{m.scenario} {m.target} round {m.round}: {count} x {reason}"
            for m in self.measurements
            for reason, count in m.outcome.wrong.items()
        ]


def within_rounds(
    upper: dict[int, float], lower: dict[int, float], join: Callable[[float, float], float]
) -> list[float]:
    """Two readings joined round by round."""
    return [join(upper[number], lower[number]) for number in sorted(upper.keys() & lower.keys())]


def ratio(upper: dict[int, float], lower: dict[int, float]) -> list[float]:
    """How many times as much, round by round."""
    return within_rounds(
        upper, {n: value for n, value in lower.items() if value}, lambda up, low: up / low
    )


def difference(upper: dict[int, float], lower: dict[int, float]) -> list[float]:
    """How much more, round by round."""
    return within_rounds(upper, lower, lambda up, low: up - low)


def middle(values: list[float]) -> float | None:
    """The median, None of nothing."""
    return statistics.median(values) if values else None


def read(path: pathlib.Path) -> Results:
    """One result file."""
    return msgspec.json.decode(path.read_bytes(), type=Results)


def write(results: Results, path: pathlib.Path) -> None:
    """One result file, readable in a diff."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")

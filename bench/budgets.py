"""The budgets as a table, and their judgement. What a row demands is the *must* of its workload.

A ratio is judged by the median of the rounds' own ratios. A budget is never loosened here to make a
run pass: when one cannot be met, the profile says why.
"""

import dataclasses
from collections.abc import Callable

from bench.load import Outcome
from bench.results_file import Results, Verdict, difference, middle, ratio
from bench.scenarios import DIRECT, GATEWAY, NAIVE, NGINX, SCENARIOS

Measure = Callable[[Results], list[float]]


@dataclasses.dataclass(frozen=True)
class Budget:
    """At most `limit` of what `measure` finds; `stretch` is the next aim, shown and not judged."""

    workload: str
    words: str
    limit: float
    stretch: float | None
    measure: Measure


def _cost(scenario: str, reference: str, yardstick: str = "") -> Measure:
    """The gateway's cost as a multiple of the reference's, which may have done another workload."""
    return lambda results: ratio(
        results.cost_us(scenario, GATEWAY), results.cost_us(yardstick or scenario, reference)
    )


def _lag_p99(outcome: Outcome) -> float | None:
    return outcome.lag.p99_us if outcome.lag else None


def _lag(results: Results) -> list[float]:
    return ratio(results.by_round("W5", GATEWAY, _lag_p99), results.by_round("W5", NGINX, _lag_p99))


def _streams_not_whole(results: Results) -> list[float]:
    return [
        float(m.streams - m.outcome.whole)
        for m in results.measurements
        if m.scenario == "W5" and m.target == GATEWAY
    ]


def _added_ms(share: str) -> Measure:
    def reading(outcome: Outcome) -> float | None:
        return getattr(outcome.first_event, share) / 1000 if outcome.first_event else None

    return lambda results: difference(
        results.by_round("W6", GATEWAY, reading), results.by_round("W6", DIRECT, reading)
    )


def _idle_mb(results: Results) -> list[float]:
    return [s.idle_rss_kb / 1024 for s in results.starts if s.target == GATEWAY]


def kb_per_stream(results: Results, target: str) -> list[float]:
    """Memory a held stream adds, from the fresh process to the end of W5's window."""
    idle = {s.round: s.idle_rss_kb for s in results.starts if s.target == target}
    return [
        (m.outcome.rss_kb - idle[m.round]) / m.streams
        for m in results.measurements
        if m.scenario == "W5" and m.target == target and m.outcome.rss_kb and m.round in idle
    ]


def _ready_s(results: Results) -> list[float]:
    return [s.ready_s for s in results.starts if s.target == GATEWAY]


BUDGETS = (
    Budget("W1", "CPU per request, x nginx", 3.0, 2.0, _cost("W1", NGINX)),
    Budget("W1", "CPU per request, x naive", 0.30, None, _cost("W1", NAIVE)),
    Budget("W2", "CPU per request, x nginx", 2.5, 1.8, _cost("W2", NGINX)),
    Budget("W3", "CPU per event, x nginx", 1.2, 1.0, _cost("W3", NGINX)),
    Budget("W4", "CPU per event, x nginx's W3", 1.8, 1.4, _cost("W4", NGINX, "W3")),
    Budget("W5s", "CPU per event, x nginx", 1.2, 0.9, _cost("W5s", NGINX)),
    Budget("W5s", "CPU per event, x naive", 0.5, None, _cost("W5s", NAIVE)),
    Budget("W5t", "CPU per event, x nginx's W5s", 1.5, 1.2, _cost("W5t", NGINX, "W5s")),
    Budget("W5", "streams not whole", 0, 0, _streams_not_whole),
    Budget("W5", "event lag p99, x nginx", 3.0, 1.5, _lag),
    Budget("W6", "added to the first event, p50 ms", 0.5, 0.3, _added_ms("p50_us")),
    Budget("W6", "added to the first event, p99 ms", 1.5, 0.8, _added_ms("p99_us")),
    Budget("W8", "CPU per event, x our own W3", 1.5, 1.2, _cost("W8", GATEWAY, "W3")),
    Budget("W8s", "CPU per event, x our own W5s", 1.5, 1.2, _cost("W8s", GATEWAY, "W5s")),
    Budget("memory", "idle, MB", 60, 45, _idle_mb),
    Budget("memory", "per open stream, kB", 30, 20, lambda r: kb_per_stream(r, GATEWAY)),
    Budget("start", "to ready, s", 1.0, 0.6, _ready_s),
)


def judge(results: Results) -> list[Verdict]:
    """Every budget against what was measured."""
    known = {scenario.name for scenario in SCENARIOS} | {"memory", "start"}
    verdicts = []
    for budget in BUDGETS:
        assert budget.workload in known
        values = budget.measure(results)
        value = middle(values)
        verdicts.append(
            Verdict(
                workload=budget.workload,
                words=budget.words,
                limit=budget.limit,
                value=value,
                low=min(values) if values else None,
                high=max(values) if values else None,
                passed=None if value is None else value <= budget.limit,
            )
        )
    return verdicts

"""Which figures a comparison is about, and who is best at each: rows for tables and plots.

Every row names the best and says by how much we miss it; none is left out for being a loss.
"""

import dataclasses
from collections.abc import Callable

from bench.load import Outcome
from bench.peers import cases
from bench.peers.results import Comparison
from bench.results_file import middle
from bench.scenarios import DIRECT, GATEWAY

LEVEL_WITHIN = 1.05
"""Nearer than this, two figures are level: one run of a shared machine tells no more."""

Reading = Callable[[Comparison, str], float | None]


@dataclasses.dataclass(frozen=True)
class Figure:
    """One row: in words, its unit, how it is read; `more` is better or (as mostly) less is.

    `key` is the case's name where the row tells of a single one.
    """

    key: str
    words: str
    read: Reading
    digits: int = 0
    more: bool = False
    noise: float = 0.0
    """What is too small to be a difference, in the row's own unit."""
    judged: bool = True
    """A small difference of two large figures is shown, but nobody wins by it."""


@dataclasses.dataclass(frozen=True)
class Row:
    """A figure with what was found for each target, and the contest's end."""

    figure: Figure
    values: dict[str, float | None]

    def contest(self) -> dict[str, float]:
        """Who takes part: everybody but the direct road, which is no proxy."""
        return {n: v for n, v in self.values.items() if v is not None and n != DIRECT}

    def best(self, limits: frozenset[str] = frozenset()) -> str | None:
        """The best of those that are not mere limits (all, when none are named)."""
        field = {name: value for name, value in self.contest().items() if name not in limits}
        if not field:
            return None
        return (max if self.figure.more else min)(field, key=lambda name: field[name])

    def verdict(self, limits: frozenset[str]) -> str:
        """Where we stand: the best of all, behind a mere proxy, or a loss to another gateway."""
        ours, field = self.values.get(GATEWAY), self.contest()
        if ours is None or len(field) < 2 or not self.figure.judged:
            return ""
        rival, anyone = self.best(limits), self.best()
        assert rival is not None and anyone is not None
        if not self._level(ours, field[rival]):
            return f"LOSS to {rival}, {self._times(ours, field[rival])}"
        if not self._level(ours, field[anyone]):
            return f"best gateway; {anyone} {self._times(ours, field[anyone])}"
        return "best"

    def _level(self, ours: float, other: float) -> bool:
        if abs(ours - other) <= self.figure.noise:
            return True
        return ours * LEVEL_WITHIN >= other if self.figure.more else ours <= other * LEVEL_WITHIN

    def _times(self, ours: float, other: float) -> str:
        low, high = sorted((ours, other))
        return f"{high / low:.1f}x" if low > 0 else f"by {high - low:.3g}"


def _cost(case: str) -> Reading:
    return lambda results, target: results.cost_us(case, target)


def _per_core(case: str) -> Reading:
    def read(results: Comparison, target: str) -> float | None:
        cost_us = results.cost_us(case, target)
        return 1e6 / cost_us if cost_us else None

    return read


def _outcome(case: str, reading: Callable[[Outcome], float | None]) -> Reading:
    return lambda results, target: results.median(case, target, reading)


def _ms(distribution: str, share: str) -> Callable[[Outcome], float | None]:
    def read(outcome: Outcome) -> float | None:
        spread = getattr(outcome, distribution)
        return getattr(spread, share) / 1000 if spread else None

    return read


def _added(share: str) -> Reading:
    """Over no proxy at all."""
    read = _outcome("first", _ms("first_event", share))

    def added(results: Comparison, target: str) -> float | None:
        ours, bare = read(results, target), read(results, DIRECT)
        return ours - bare if ours is not None and bare is not None and target != DIRECT else None

    return added


def _tls_adds(case: str, plain: str) -> Reading:
    def read(results: Comparison, target: str) -> float | None:
        with_tls, without = results.cost_us(case, target), results.cost_us(plain, target)
        return with_tls - without if with_tls is not None and without is not None else None

    return read


def _held(results: Comparison, target: str) -> float | None:
    found = [held.streams for held in results.held if held.target == target]
    return float(found[-1]) if found else None


def _starts(field: str, factor: float) -> Reading:
    def read(results: Comparison, target: str) -> float | None:
        values = [getattr(s, field) * factor for s in results.starts if s.target == target]
        return middle(values)

    return read


def _kb_per_stream(results: Comparison, target: str) -> float | None:
    idle = _starts("idle_rss_kb", 1.0)(results, target)
    used = results.median(cases.PACED.name, target, lambda outcome: outcome.rss_kb)
    if idle is None or used is None:
        return None
    return max(0.0, used - idle) / cases.PACED.connections


def _highest_mb(results: Comparison, target: str) -> float | None:
    used = [m.outcome.rss_kb for m in results.measurements if m.target == target]
    return max((kb / 1024 for kb in used if kb), default=None)


_WORDS = {"1k": "1 kB", "60k": "60 kB", "200k": "200 kB", "1m": "1 MB"}

FIGURES = (
    *(
        Figure(
            f"{'streamed' if streamed else 'whole'}-{size}",
            f"CPU per request, {_WORDS[size]} prompt, "
            + (f"streamed ({cases.REPLY_EVENTS} events), µs" if streamed else "not streamed, µs"),
            _cost(cases.request(size, streamed=streamed).name),
        )
        for streamed in (False, True)
        for size in cases.SIZES
    ),
    Figure("burst", "CPU per event, as fast as possible, µs", _cost("burst"), 1),
    Figure("paced", "CPU per event, 100 streams, one each 20 ms, µs", _cost("paced"), 1),
    *(
        Figure(
            f"rate-{size}",
            f"requests/s per core, {_WORDS[size]}, not streamed",
            _per_core(f"whole-{size}"),
            more=True,
        )
        for size in cases.SIZES
    ),
    Figure("rate-burst", "events/s per core, as fast as possible", _per_core("burst"), more=True),
    Figure("rate-paced", "events/s per core, one each 20 ms", _per_core("paced"), more=True),
    Figure("first-p50", "added to the first event, p50, ms", _added("p50_us"), 2, noise=0.02),
    Figure("first-p99", "added to the first event, p99, ms", _added("p99_us"), 2, noise=0.1),
    Figure(
        "lag-p99",
        "event lag, 100 streams, p99, ms",
        _outcome("paced", _ms("lag", "p99_us")),
        1,
        noise=0.2,
    ),
    Figure("held", "streams held at 20 ms a piece, none stalled", _held, more=True),
    Figure("idle", "memory idle, MB", _starts("idle_rss_kb", 1 / 1024)),
    Figure("kb-per-stream", "memory per open stream, kB", _kb_per_stream, noise=1.0),
    Figure("highest", "memory, highest seen (1 MB prompts), MB", _highest_mb),
    Figure("ready", "start to ready, s", _starts("ready_s", 1.0), 2, noise=0.05),
    Figure(
        "small",
        "small request alone, p99, ms",
        _outcome("small", _ms("reply", "p99_us")),
        1,
        noise=0.2,
    ),
    Figure(
        "small-beside-big",
        "small request beside 1 MB ones, p99, ms",
        _outcome(cases.BESIDE_BIG, _ms("reply", "p99_us")),
        1,
        noise=0.5,
    ),
    Figure(
        "small-beside-flood",
        "small request beside a flood of bad keys, p99, ms",
        _outcome(cases.BESIDE_FLOOD, _ms("reply", "p99_us")),
        1,
        noise=0.5,
    ),
    Figure(
        "flood",
        "bad keys refused per second in that flood",
        _outcome("flood", lambda outcome: outcome.requests / outcome.seconds),
        more=True,
    ),
    Figure("tls-whole", "CPU per request, 1 kB, HTTPS upstream, µs", _cost("tls-whole")),
    Figure("tls-paced", "CPU per event, one each 20 ms, HTTPS upstream, µs", _cost("tls-paced"), 1),
    Figure(
        "tls-whole-adds",
        "… HTTPS adds to a request, µs",
        _tls_adds("tls-whole", "whole-1k"),
        judged=False,
    ),
    Figure(
        "tls-paced-adds",
        "… HTTPS adds to an event, µs",
        _tls_adds("tls-paced", "paced"),
        1,
        judged=False,
    ),
)


def rows(results: Comparison) -> list[Row]:
    """Every figure that anybody has a value for."""
    names = [about.name for about in results.about]
    made = [Row(figure, {name: figure.read(results, name) for name in names}) for figure in FIGURES]
    return [row for row in made if any(value is not None for value in row.values.values())]


def limits(results: Comparison) -> frozenset[str]:
    """Targets that only pass bytes on."""
    return frozenset(about.name for about in results.about if about.limit)

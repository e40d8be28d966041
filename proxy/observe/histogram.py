"""Measurements sorted into buckets, at the price of one `append` each.

What is measured waits in `fresh` until `fold` sorts all of it at once, in C: a quarter of a second
at most (see `assembly/gauges.py`), and before every scrape. One class for each row of bounds, so
that counts of other bounds, written by another release, are not taken for ours.
"""

from bisect import bisect_right
from typing import ClassVar, Self

import msgspec


class Histogram(msgspec.Struct, omit_defaults=True):
    """`counts` has one entry for each of `bounds` and a last one for everything above. A bound
    belongs to its bucket."""

    bounds: ClassVar[tuple[float, ...]] = ()
    counts: list[int] = []
    total: float = 0.0
    fresh: list[float] = []
    """Measured and not yet counted."""

    def __post_init__(self) -> None:
        if not self.counts:
            self.counts = [0] * (len(self.bounds) + 1)
        elif len(self.counts) != len(self.bounds) + 1:
            raise ValueError("a histogram of other buckets")

    def observe(self, value: float) -> None:
        """One more; the hot path appends to `fresh` itself."""
        self.fresh.append(value)

    def fold(self) -> None:
        """Count what is fresh."""
        fresh = self.fresh
        if not fresh:
            return
        self.fresh = []
        fresh.sort()
        self.total += sum(fresh)
        counts = self.counts
        below = 0
        for index, bound in enumerate(self.bounds):
            upto = bisect_right(fresh, bound, below)
            counts[index] += upto - below
            if upto == len(fresh):
                return
            below = upto
        counts[-1] += len(fresh) - below

    def add(self, other: Self) -> None:
        """All measurements of another with the same bounds."""
        other.fold()
        self.fold()
        self.counts = [
            mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)
        ]
        self.total += other.total

    @property
    def count(self) -> int:
        """How many measurements there were."""
        return sum(self.counts) + len(self.fresh)

    def buckets(self) -> list[tuple[str, float]]:
        """Bounds as text and the measurements up to each, as Prometheus wants them."""
        self.fold()
        running = 0
        found: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            running += count
            found.append((bound, running))
        return found


class ReplySeconds(Histogram):
    """OpenTelemetry's bounds for the duration of an operation, and three more: agents are slow."""

    bounds = (
        0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
        163.84, 327.68, 655.36,
    )  # fmt: skip


class FirstTokenSeconds(Histogram):
    """OpenTelemetry's bounds for the time to the first token, and three more."""

    bounds = (
        0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
        30.0, 60.0, 300.0,
    )  # fmt: skip


class TokenSeconds(Histogram):
    """OpenTelemetry's bounds for the time per output token."""

    bounds = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)


class TokenCounts(Histogram):
    """OpenTelemetry's bounds for the tokens of a request."""

    bounds = tuple(4**power for power in range(14))


class StageSeconds(Histogram):
    """From what our own code takes to what a provider may take."""

    bounds = (
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
        5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
    )  # fmt: skip


class GapSeconds(Histogram):
    """Between two events of a stream, on average."""

    bounds = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class SilenceSeconds(Histogram):
    """The longest silence of a stream. It is seen by a clock that ticks once a second."""

    bounds = (1.5, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class LagSeconds(Histogram):
    """How late the event loop comes to what it was asked to do at a certain time."""

    bounds = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

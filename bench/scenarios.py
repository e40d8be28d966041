"""The workloads, as a table, named as in the budgets."""

import dataclasses
import math

from bench.score import Score

DIRECT, NGINX, NAIVE, GATEWAY = "direct", "nginx", "naive", "gateway"
TARGETS = (DIRECT, NGINX, NAIVE, GATEWAY)
NO_TRANSLATORS = (DIRECT, NGINX, NAIVE)

ANTHROPIC, CHAT, BEDROCK = "anthropic", "chat", "bedrock"
"""What the upstream speaks; clients always speak Anthropic's wire."""

QUICK_SHARE = 0.2
QUICK_MIN_S = 1.0
STREAM_MARGIN_S = 1.0
"""Held streams live so much longer than the window, lest the first ends inside it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scenario:
    """One workload. With a period its streams are held open, else the loop is closed.

    `ramp_s` is the time in which held streams are opened; `unit` is what CPU time is divided by.
    A workload that the references cannot carry has a yardstick: the workload whose references its
    own cost is held against, in the same round.
    """

    name: str
    words: str
    unit: str
    body: str
    connections: int
    duration_s: float
    events: int = 0
    events_per_write: int = 1
    period_ms: int = 0
    ramp_s: float = 0.0
    tls: bool = False
    wire: str = ANTHROPIC
    without: tuple[str, ...] = ()
    yardstick: str = ""
    plain: str = ""
    """Of a workload over HTTPS: the same one without."""

    @property
    def measured_by(self) -> str:
        """The workload whose references are the measure of this one."""
        return self.yardstick or self.name

    @property
    def held(self) -> bool:
        """Whether all connections are held open as streams."""
        return self.period_ms > 0

    def score(self, settle_s: float) -> Score:
        """What the upstream plays; held streams last from their opening past the window's end."""
        if not self.held:
            return Score(self.events, events_per_write=self.events_per_write)
        lasts_s = self.ramp_s + settle_s + self.duration_s + STREAM_MARGIN_S
        return Score(math.ceil(lasts_s * 1000 / self.period_ms), period_ms=self.period_ms)

    def lasting(self, duration_s: float) -> "Scenario":
        """The same workload over another window."""
        return dataclasses.replace(self, duration_s=duration_s)

    def quick(self) -> "Scenario":
        """The same workload over a short window: a look, not a measurement."""
        return self.lasting(max(QUICK_MIN_S, self.duration_s * QUICK_SHARE))


# W5 stands first: it runs first in each round, in processes that have served nothing yet, so that
# the memory it adds is its own. The naive proxy cannot hold it on one core and would only queue.
SCENARIOS = (
    Scenario(
        name="W5",
        words="1,000 streams, one event each 50 ms",
        unit="event",
        body="1k",
        connections=1000,
        duration_s=20,
        period_ms=50,
        ramp_s=4,
        without=(NAIVE,),
    ),
    Scenario(
        name="W1",
        words="not streamed, 1 kB in, 1 kB out, 32 connections",
        unit="request",
        body="1k",
        connections=32,
        duration_s=3,
    ),
    Scenario(
        name="W2",
        words="not streamed, 200 kB agent conversation, 16 connections",
        unit="request",
        body="200k",
        connections=16,
        duration_s=3,
    ),
    Scenario(
        name="W3",
        words="streamed, 200 events as fast as possible, 32 connections",
        unit="event",
        body="1k",
        connections=32,
        duration_s=3,
        events=200,
    ),
    Scenario(
        name="W3f",
        words="as W3, upstream writes all events at once (no budget)",
        unit="event",
        body="1k",
        connections=32,
        duration_s=3,
        events=200,
        events_per_write=200,
    ),
    Scenario(
        name="W4",
        words="W3 translated: the upstream speaks chat completions",
        unit="event",
        body="1k",
        connections=32,
        duration_s=3,
        events=200,
        wire=CHAT,
        without=NO_TRANSLATORS,
        yardstick="W3",
    ),
    Scenario(
        name="W5s",
        words="100 streams, one event each 20 ms",
        unit="event",
        body="1k",
        connections=100,
        duration_s=10,
        period_ms=20,
        ramp_s=1,
    ),
    Scenario(
        name="W5t",
        words="W5s translated: the upstream speaks chat completions",
        unit="event",
        body="1k",
        connections=100,
        duration_s=10,
        period_ms=20,
        ramp_s=1,
        wire=CHAT,
        without=NO_TRANSLATORS,
        yardstick="W5s",
    ),
    Scenario(
        name="W6",
        words="one connection, streamed: time to the first event",
        unit="request",
        body="1k",
        connections=1,
        duration_s=3,
        events=5,
    ),
    Scenario(
        name="W7a",
        words="W1 with an HTTPS upstream",
        plain="W1",
        unit="request",
        body="1k",
        connections=32,
        duration_s=3,
        tls=True,
    ),
    Scenario(
        name="W7b",
        words="W5s with an HTTPS upstream",
        plain="W5s",
        unit="event",
        body="1k",
        connections=100,
        duration_s=10,
        period_ms=20,
        ramp_s=1,
        tls=True,
    ),
    Scenario(
        name="W8",
        words="W3 from Bedrock: the upstream speaks InvokeModel's event stream",
        unit="event",
        body="1k",
        connections=32,
        duration_s=3,
        events=200,
        wire=BEDROCK,
        without=NO_TRANSLATORS,
        yardstick="W3",
    ),
    Scenario(
        name="W8s",
        words="W5s from Bedrock: the upstream speaks InvokeModel's event stream",
        unit="event",
        body="1k",
        connections=100,
        duration_s=10,
        period_ms=20,
        ramp_s=1,
        wire=BEDROCK,
        without=NO_TRANSLATORS,
        yardstick="W5s",
    ),
)


def chosen(names: list[str] | None) -> list[Scenario]:
    """The scenarios of these names, in the table's order; `W7` names both its halves."""
    if not names:
        return list(SCENARIOS)
    known = {scenario.name for scenario in SCENARIOS} | {"W7"}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"no workload {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return [s for s in SCENARIOS if s.name in names or (s.tls and "W7" in names)]


def with_yardsticks(table: list[Scenario]) -> list[Scenario]:
    """The same and what it is measured by or held against, in the table's order."""
    names = {s.name for s in table} | {s.measured_by for s in table} | {s.plain for s in table}
    return [s for s in SCENARIOS if s.name in names]


# ---------------------------------------------------------------- the load test's mix

LOADTEST_PLAIN = Score()
LOADTEST_BURST = Score(200)
LOADTEST_PACED = Score(50, period_ms=20)
LOADTEST_SCORES = (LOADTEST_PLAIN, LOADTEST_BURST, LOADTEST_PACED)

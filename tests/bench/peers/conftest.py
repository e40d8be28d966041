"""A comparison made by hand: its numbers are known."""

from collections.abc import Callable

import pytest

from bench.load import Outcome, Spread
from bench.peers import cases
from bench.peers.results import About, Absent, Comparison, Held
from bench.results_file import Machine, Measurement, Start

MakeComparison = Callable[..., Comparison]


@pytest.fixture
def make_comparison() -> MakeComparison:
    """Everything we do costs `ours`, everything Portkey does 4, everything nginx does 1."""

    def make(ours: float = 2.0, **fields: object) -> Comparison:
        cpu_s = {"direct": None, "nginx": 1.0, "portkey": 4.0, "gateway": ours}
        measurements = []
        for scenario in (*cases.EVERY, cases.SMALL):
            for target, used in cpu_s.items():
                late = 100.0 * (used or 0.5)
                spread = Spread(100, late, 2 * late, 3 * late)
                outcome = Outcome(
                    seconds=1.0,
                    requests=10_000,
                    events=100_000,
                    cpu_s=used,
                    waited_s=0.0,
                    reply=spread,
                    first_event=spread,
                    lag=spread,
                    whole=10_000,
                    stalled=0,
                    wrong={},
                    rss_kb=int((used or 1) * 50_000),
                    changed={"other message.id": 7} if target == "portkey" else {},
                )
                measurements.append(
                    Measurement(
                        scenario=scenario.name,
                        target=target,
                        round=0,
                        unit=scenario.unit,
                        streams=0,
                        outcome=outcome,
                    )
                )
        made = Comparison(
            taken_at="2026-11-23T00:00:00+00:00",
            machine=Machine(
                cpus=2, cpu_model="x", kernel="6", python="3.11", packages={}, commit="abc"
            ),
            rounds=1,
            quick=False,
            about=[
                About(name="direct", version="", route="no proxy"),
                About(name="nginx", version="1", route="plain", limit=True),
                About(name="portkey", version="2", route="its road"),
                About(name="gateway", version="3", route="ours"),
            ],
            absent=[Absent(name="litellm", reason="not installed: no network")],
            measurements=measurements,
            starts=[
                Start(target=target, round=0, ready_s=1.0, idle_rss_kb=30_000, idle_pss_kb=1)
                for target in ("nginx", "portkey", "gateway")
            ],
            held=[
                Held(target="direct", streams=1600, capped=True),
                Held(target="nginx", streams=1000, capped=False, stopped_by="3 of 1250 stalled"),
                Held(target="portkey", streams=90, capped=False, stopped_by="late"),
                Held(target="gateway", streams=900, capped=False, stopped_by="late"),
            ],
        )
        for name, value in fields.items():
            setattr(made, name, value)
        return made

    return make

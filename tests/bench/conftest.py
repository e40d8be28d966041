"""What several tests of the bench start from: a session's result, made by hand."""

from collections.abc import AsyncIterator, Callable

import pytest

from bench import fast_upstream
from bench.load import Outcome, Spread
from bench.results_file import Machine, Measurement, Results, Start

MakeResults = Callable[..., Results]


def _spread(us: float) -> Spread:
    return Spread(100, us, 2 * us, 3 * us)


@pytest.fixture
async def upstream_port() -> AsyncIterator[int]:
    """A fast upstream in this test's own loop."""
    async with fast_upstream.listening() as ports:
        yield ports["http"]


@pytest.fixture
def make_results() -> MakeResults:
    """Valid by default and within every budget; vary the gateway's CPU time or idle RSS."""

    def make(
        *,
        gateway_cost: float = 1.0,
        idle_mb: float = 40.0,
        machine_speed: float = 1.0,
        rounds: int = 3,
        wrong: dict[str, int] | None = None,
        jitter: float = 0.01,
        waited_s: float = 0.0,
    ) -> Results:
        cpu_s = {"nginx": 1.0, "naive": 8.0, "gateway": gateway_cost}
        measurements, starts = [], []
        for number in range(rounds):
            mood = machine_speed * (1 + jitter * (number - 1))
            for scenario, unit, streams in [
                ("W1", "request", 0),
                ("W2", "request", 0),
                ("W3", "event", 0),
                ("W4", "event", 0),
                ("W5", "event", 1000),
                ("W5s", "event", 100),
                ("W5t", "event", 100),
                ("W6", "request", 0),
                ("W8", "event", 0),
                ("W8s", "event", 100),
            ]:
                # Which the references cannot carry.
                translated = scenario in ("W4", "W5t", "W8", "W8s")
                for target in (
                    ("gateway",) if translated else ("direct", "nginx", "naive", "gateway")
                ):
                    outcome = Outcome(
                        seconds=3.0,
                        requests=30_000,
                        events=30_000,
                        cpu_s=cpu_s[target] * mood if target in cpu_s else None,
                        waited_s=waited_s if target in cpu_s else None,
                        reply=_spread(100),
                        first_event=_spread(100),
                        lag=_spread(500),
                        whole=streams,
                        stalled=0,
                        wrong=wrong or {},
                        rss_kb=int(idle_mb * 1024) + 15_000,
                        pss_kb=1,
                    )
                    measurements.append(
                        Measurement(
                            scenario=scenario,
                            target=target,
                            round=number,
                            unit=unit,
                            streams=streams,
                            outcome=outcome,
                        )
                    )
            starts.append(
                Start(
                    target="gateway",
                    round=number,
                    ready_s=0.5,
                    idle_rss_kb=int(idle_mb * 1024),
                    idle_pss_kb=1,
                )
            )
        return Results(
            taken_at=f"2026-11-0{rounds}T00:00:00+00:00",
            machine=Machine(
                cpus=2, cpu_model="x", kernel="x", python="3.11", packages={}, commit="abc"
            ),
            rounds=rounds,
            quick=False,
            measurements=measurements,
            starts=starts,
        )

    return make

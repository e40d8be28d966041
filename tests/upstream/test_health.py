"""How a deployment did lately is what it counted since some minutes ago, no more."""

from proxy.domain.deployment import Trouble
from proxy.domain.fault import Fault, Kind, Source
from proxy.upstream.choice import Ejection, Standing
from proxy.upstream.health import RECENT_S, STEP_S, Health

BROKEN = Fault(Kind.UPSTREAM_BROKEN, "no", source=Source.UPSTREAM, reason="upstream_unavailable")
BUSY = Fault(Kind.RATE_LIMITED, "slowly", source=Source.UPSTREAM)
WRONG = Fault(Kind.BAD_REQUEST, "what?", source=Source.UPSTREAM)
OURS = Fault(Kind.HOUSE, "oh", source=Source.HOUSE)


def calls(standing: Standing, number: int, at_s: float, fault: Fault | None = None) -> None:
    for _ in range(number):
        standing.begun(at_s)
        if fault is not None:
            standing.failed(fault, at_s)
        standing.ended()


def test_what_is_under_way_has_not_ended() -> None:
    standing = Standing()
    health = Health(standing, 0.0)
    calls(standing, 3, 1.0)
    standing.begun(1.0)
    seen = health.seen("kit", "m", 2.0)
    assert (seen.provider, seen.model) == ("kit", "m")
    assert (seen.in_flight, seen.ended, seen.failed, seen.recent_s) == (1, 3, 0, 2.0)
    assert (seen.state, seen.back_in_s, seen.last_trouble) == ("well", 0.0, None)


def test_only_what_is_the_providers_trouble_is_counted_as_failed() -> None:
    standing = Standing()
    health = Health(standing, 0.0)
    for fault in (BROKEN, BUSY, BUSY, WRONG, OURS):
        calls(standing, 1, 1.0, fault)
    seen = health.seen("kit", "m", 1.0)
    assert (seen.ended, seen.failed, seen.rate_limited) == (5, 1, 2)


def test_the_last_trouble_is_told_with_its_age() -> None:
    standing = Standing()
    health = Health(standing, 0.0)
    calls(standing, 1, 1.0, BUSY)
    calls(standing, 1, 2.0, BROKEN)
    calls(standing, 1, 3.0)
    seen = health.seen("kit", "m", 10.0)
    assert seen.last_trouble == Trouble(502, "api_error", "upstream_unavailable", 8.0)


def test_a_deployment_is_out_until_its_time_is_over_and_then_on_trial() -> None:
    standing = Standing(Ejection(failures_max=2, first_s=4.0, most_s=10.0))
    health = Health(standing, 0.0)
    calls(standing, 3, 1.0, BROKEN)  # the third is old news, but a failure
    seen = health.seen("kit", "m", 2.0)
    assert (seen.state, seen.back_in_s) == ("out", 3.0)
    assert (seen.failures_in_a_row, seen.ejections, seen.failed) == (2, 1, 3)
    assert health.seen("kit", "m", 5.5).state == "well"
    standing.begun(5.5)
    assert health.seen("kit", "m", 5.5).state == "on_trial"
    standing.answered()
    assert health.seen("kit", "m", 5.5).state == "well"


def test_one_that_refused_for_its_rate_rests() -> None:
    standing = Standing()
    calls(standing, 1, 1.0, BUSY)
    assert Health(standing, 0.0).seen("kit", "m", 1.5).state == "resting"


def test_what_was_minutes_ago_is_forgotten_and_little_is_remembered() -> None:
    standing = Standing()
    health = Health(standing, 0.0)
    calls(standing, 7, 1.0, BROKEN)
    now_s = 0.0
    while now_s < 3 * RECENT_S:
        now_s += 0.25
        health.note(now_s)
        seen = health.seen("kit", "m", now_s)
        assert seen.recent_s <= RECENT_S + STEP_S
        if now_s <= RECENT_S:
            assert seen.failed == 7
        assert len(health._noted) <= RECENT_S / STEP_S + 2
    assert health.seen("kit", "m", now_s).failed == 0
    assert health.seen("kit", "m", now_s).recent_s >= RECENT_S

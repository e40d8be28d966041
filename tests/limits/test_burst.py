"""How fast: sliding minutes, tokens corrected afterwards, calls at a time, several workers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.terms import NO_BURST_LIMIT, Burst
from proxy.limits.burst import MINUTE_MS, Excess, Meter, Meters
from tests.kit.patience import examples

START_MS = 29_920_000 * MINUTE_MS


def meter(**limits: int) -> Meter:
    return Meter("k:key", "key", Burst(**limits))


def passes(meter: Meter, now_ms: int, tokens: int = 0) -> bool:
    """Does the call begin? `excess` must say the same beforehand."""
    would_break = meter.excess(tokens, now_ms)
    before = dict(meter.amounts())
    excess = meter.take(tokens, now_ms)
    assert excess == would_break
    assert excess is None or dict(meter.amounts()) == before
    return excess is None


def test_as_many_requests_pass_in_a_minute_as_are_allowed() -> None:
    calls = meter(requests_per_minute=3)
    assert [passes(calls, START_MS + second * 1000) for second in range(5)] == [True] * 3 + [
        False
    ] * 2
    assert calls.excess(0, START_MS + 5_000) == Excess("requests", 3, 0, 75_000)


def test_the_minute_slides_over_the_boundary() -> None:
    calls = meter(requests_per_minute=60)
    for _ in range(60):
        assert passes(calls, START_MS + 59_999)
    assert not passes(calls, START_MS + MINUTE_MS)
    # After a second a sixtieth of the minute before is over.
    assert passes(calls, START_MS + MINUTE_MS + 1_000)
    assert not passes(calls, START_MS + MINUTE_MS + 1_000)


@examples(200)
@given(
    st.integers(1, 20),
    st.integers(0, 500),
    st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 300)), min_size=1, max_size=60),
)
def test_who_waits_as_told_gets_in_and_who_does_not_is_refused(
    requests: int, tokens: int, calls: list[tuple[int, int]]
) -> None:
    gauge = meter(requests_per_minute=requests, tokens_per_minute=tokens)
    now_ms = START_MS
    for pause_ms, need in calls:
        now_ms += pause_ms
        excess = gauge.take(need, now_ms)
        if excess is not None and excess.limit > 0:
            assert 0 < excess.wait_ms <= 2 * MINUTE_MS
            assert 0 <= excess.remaining <= excess.limit
            now_ms += excess.wait_ms
            assert gauge.excess(need, now_ms - 1) is not None
            # The other limit may still hold it up, but this one no longer does.
            after = gauge.excess(need, now_ms)
            assert after is None or after.what != excess.what


def test_a_limit_of_zero_lets_nothing_through() -> None:
    assert not passes(meter(requests_per_minute=0), START_MS)
    assert not passes(meter(tokens_per_minute=0), START_MS)
    assert not passes(meter(streams=0), START_MS)


def test_a_call_larger_than_the_whole_limit_comes_when_nothing_else_did() -> None:
    tokens = meter(tokens_per_minute=100)
    assert passes(tokens, START_MS, 5_000)
    assert not passes(tokens, START_MS + 1, 1)
    excess = tokens.excess(5_000, START_MS + 1)
    assert excess is not None
    assert passes(tokens, START_MS + 1 + excess.wait_ms, 5_000)


def test_real_usage_takes_the_place_of_the_estimate() -> None:
    tokens = meter(tokens_per_minute=100)
    assert passes(tokens, START_MS, 100)
    assert not passes(tokens, START_MS, 1)
    tokens.correct(-60, START_MS // MINUTE_MS, START_MS + 1)
    assert passes(tokens, START_MS + 2, 60)
    tokens.correct(40, START_MS // MINUTE_MS, START_MS + MINUTE_MS)
    # A hundred of the minute before, and forty of this one.
    excess = tokens.excess(0, START_MS + MINUTE_MS)
    assert excess is not None
    assert excess.wait_ms == 24_000


def test_a_correction_never_makes_room_that_was_not_used() -> None:
    tokens = meter(tokens_per_minute=100)
    assert passes(tokens, START_MS, 50)
    tokens.correct(-50, START_MS // MINUTE_MS, START_MS + 5 * MINUTE_MS)
    assert tokens.tokens == tokens.tokens_before == 0
    tokens.correct(-50, START_MS // MINUTE_MS + 5, START_MS + 5 * MINUTE_MS)
    assert tokens.tokens == 0


def test_calls_at_a_time_are_given_back() -> None:
    streams = meter(streams=2)
    assert passes(streams, START_MS)
    assert passes(streams, START_MS)
    excess = streams.excess(0, START_MS)
    assert excess is not None
    assert (excess.what, excess.limit) == ("streams", 2)
    streams.give_back(0, START_MS // MINUTE_MS, START_MS)
    assert passes(streams, START_MS)


def test_a_call_that_another_meter_refused_was_never_there() -> None:
    tokens = meter(tokens_per_minute=100, streams=9, requests_per_minute=9)
    assert passes(tokens, START_MS, 10)
    before = dict(tokens.amounts())
    assert tokens.take(50, START_MS) is None
    tokens.untake(50)
    assert dict(tokens.amounts()) == before


@pytest.mark.parametrize("jump_ms", [-3_600_000, 3_600_000, -90_000_000])
def test_a_clock_that_jumps_begins_anew(jump_ms: int) -> None:
    calls = meter(requests_per_minute=1)
    assert passes(calls, START_MS)
    assert passes(calls, START_MS + jump_ms)
    assert not passes(calls, START_MS + jump_ms)


def test_a_clock_that_steps_back_a_little_gives_nothing_away() -> None:
    calls = meter(requests_per_minute=2)
    assert passes(calls, START_MS)
    assert passes(calls, START_MS - 5_000)
    assert not passes(calls, START_MS - 5_000)
    assert not passes(calls, START_MS + 5_000)


def test_what_other_workers_had_counts() -> None:
    ours, theirs = Meters(), Meters()
    limits = Burst(requests_per_minute=4, tokens_per_minute=100, streams=10)
    mine, other = (side.get("user", "user_1", limits) for side in (ours, theirs))
    for _ in range(3):
        assert passes(other, START_MS, 20)
    ours.heard(theirs.told())
    assert passes(mine, START_MS, 20)
    excess = mine.excess(1, START_MS)
    assert excess is not None
    assert excess.what == "requests"
    # In the next minute what they had then is the minute before.
    excess = mine.excess(1, START_MS + MINUTE_MS)
    assert excess is not None
    ours.heard({})
    assert passes(mine, START_MS, 20)


def test_calls_at_a_time_are_added_up_over_workers() -> None:
    ours, theirs = Meters(), Meters()
    limits = Burst(streams=2)
    mine, other = (side.get("tenant", "tenant_1", limits) for side in (ours, theirs))
    assert passes(other, START_MS)
    assert theirs.told() == {"s|t:tenant_1": 1}
    ours.heard(theirs.told())
    assert passes(mine, START_MS)
    assert not passes(mine, START_MS)
    other.give_back(0, START_MS // MINUTE_MS, START_MS)
    assert theirs.told() == {}
    ours.heard(theirs.told())
    assert passes(mine, START_MS)


def test_only_what_is_limited_is_told() -> None:
    meters = Meters()
    assert passes(meters.get("key", "key_1", Burst(requests_per_minute=9)), START_MS, 7)
    assert meters.told() == {f"r{START_MS // MINUTE_MS}|k:key_1": 1}


def test_memory_is_given_back_when_a_meter_is_idle() -> None:
    meters = Meters()
    limits = Burst(streams=2)
    busy, idle = meters.get("key", "busy", limits), meters.get("key", "idle", limits)
    assert passes(busy, START_MS)
    assert passes(idle, START_MS)
    idle.give_back(0, START_MS // MINUTE_MS, START_MS)
    meters.sweep(set(), START_MS + MINUTE_MS)
    assert len(meters) == 2
    meters.sweep({idle}, START_MS + 3 * MINUTE_MS)
    assert len(meters) == 2
    meters.sweep(set(), START_MS + 3 * MINUTE_MS)
    assert len(meters) == 1
    assert meters.get("key", "busy", limits) is busy


def test_new_limits_take_effect_on_the_next_call() -> None:
    meters = Meters()
    calls = meters.get("key", "key_1", Burst(requests_per_minute=1))
    assert passes(calls, START_MS)
    assert not passes(calls, START_MS)
    assert passes(meters.get("key", "key_1", Burst(requests_per_minute=2)), START_MS)
    assert passes(meters.get("key", "key_1", NO_BURST_LIMIT), START_MS)

"""The shapes of a load test are what they are called."""

import pytest

from bench import shapes
from bench.shapes import RAMP, SOAK, SPIKE, STEADY


def course(shape: str, users: int = 100, seconds: float = 1_000) -> list[int]:
    found = [shapes.users_at(shape, now, users=users, seconds=seconds) for now in range(1_000)]
    assert shapes.users_at(shape, seconds, users=users, seconds=seconds) is None
    assert None not in found
    return [users for users in found if users is not None]


@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_there_is_always_somebody_and_never_more_than_asked_for(shape: str) -> None:
    for users in (1, 3, 100):
        seen = course(shape, users)
        assert min(seen) >= 1
        assert max(seen) == users


def test_a_ramp_climbs_in_equal_steps_and_stays_on_top() -> None:
    seen = course(RAMP)
    assert seen == sorted(seen)
    assert sorted(set(seen)) == [20, 40, 60, 80, 100]
    assert seen.count(100) == 1_000 - 640


def test_a_spike_comes_and_goes_at_once() -> None:
    seen = course(SPIKE)
    assert (seen[399], seen[400], seen[599], seen[600]) == (20, 100, 100, 20)


def test_a_soak_is_level_after_its_entry() -> None:
    seen = course(SOAK)
    assert seen[0] == 1
    assert set(seen[50:]) == {100}
    assert set(course(STEADY)) == {100}

"""What waits is counted as if each had been counted at once."""

from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.observe import histogram as all_of_them
from proxy.observe.histogram import GapSeconds, Histogram, StageSeconds
from tests.kit.patience import examples

KINDS = [
    each
    for each in vars(all_of_them).values()
    if isinstance(each, type) and issubclass(each, Histogram) and each is not Histogram
]
ANY = st.one_of(st.floats(0, 1_000), st.sampled_from(StageSeconds.bounds))


@given(st.lists(st.lists(ANY, max_size=8), max_size=4))
@examples(200)
def test_what_is_folded_stands_where_it_would_have_been_put(rounds: list[list[float]]) -> None:
    histogram = StageSeconds()
    wanted = [0] * (len(StageSeconds.bounds) + 1)
    for measured in rounds:
        for each in measured:
            histogram.fresh.append(each)
            wanted[bisect_left(StageSeconds.bounds, each)] += 1
        assert histogram.count == sum(wanted)
        histogram.fold()
        assert (histogram.counts, histogram.fresh) == (wanted, [])
    assert histogram.total == pytest.approx(sum(sum(measured) for measured in rounds))


def test_two_are_added_with_what_waits_in_either() -> None:
    one, other = GapSeconds(), GapSeconds()
    one.fresh.append(0.02)
    other.fresh.append(0.02)
    other.fold()
    other.fresh.append(99.0)
    one.add(other)
    assert (one.count, one.counts[-1]) == (3, 1)
    assert one.total == pytest.approx(99.04)


def test_counts_of_other_bounds_are_refused() -> None:
    with pytest.raises(ValueError, match="other buckets"):
        GapSeconds(counts=[1, 2, 3])


@pytest.mark.parametrize("kind", KINDS)
def test_bounds_rise(kind: type[Histogram]) -> None:
    assert len(kind.bounds) > 5
    assert list(kind.bounds) == sorted(set(kind.bounds))

"""What is tried after a failed attempt."""

import pytest

from proxy.domain.fault import Fault, Kind, Source
from proxy.upstream.connection import Broken
from proxy.upstream.retry import (
    RETRIES_SAVED_MAX,
    Next,
    RetryBudget,
    after_break,
    after_fault,
)


@pytest.mark.parametrize(
    ("why", "already_repeated", "then"),
    [
        (Broken.STALE, False, Next.SAME),
        (Broken.STALE, True, Next.OTHER),
        (Broken.CLOSED, False, Next.OTHER),
        (Broken.CLOSED, True, Next.OTHER),
        (Broken.GARBLED, False, Next.OTHER),
    ],
)
def test_only_a_stale_connection_is_repeated_and_only_once(
    why: Broken, already_repeated: bool, then: Next
) -> None:
    assert after_break(why, already_repeated=already_repeated) is then


@pytest.mark.parametrize(
    "kind",
    [
        Kind.RATE_LIMITED,
        Kind.HOUSE,
        Kind.UPSTREAM_BROKEN,
        Kind.UNAVAILABLE,
        Kind.UPSTREAM_TIMEOUT,
        Kind.OVERLOADED,
    ],
)
def test_the_providers_own_trouble_moves_on(kind: Kind) -> None:
    assert after_fault(Fault(kind, "no", source=Source.UPSTREAM)) is Next.OTHER


@pytest.mark.parametrize("kind", [Kind.BAD_REQUEST, Kind.NOT_FOUND, Kind.TOO_LARGE, Kind.CONFLICT])
def test_what_every_deployment_would_refuse_does_not(kind: Kind) -> None:
    assert after_fault(Fault(kind, "no", source=Source.UPSTREAM)) is Next.GIVE_UP


def test_the_status_counts_where_it_is_kept() -> None:
    kept = Fault(Kind.UPSTREAM_BROKEN, "no", status=418, source=Source.UPSTREAM)
    assert after_fault(kept) is Next.GIVE_UP


def test_a_model_its_provider_does_not_have_is_asked_for_elsewhere() -> None:
    fault = Fault(Kind.NOT_FOUND, "no", source=Source.UPSTREAM, reason="upstream_unavailable")
    assert after_fault(fault) is Next.OTHER
    assert after_fault(Fault(Kind.NOT_FOUND, "no", source=Source.UPSTREAM)) is Next.GIVE_UP


def test_a_few_retries_are_always_there() -> None:
    budget = RetryBudget(share=0.0, floor_per_s=4.0)
    assert [budget.spend(0.0) for _ in range(5)] == [True] * 4 + [False]
    assert [budget.spend(0.5) for _ in range(3)] == [True, True, False]
    assert budget.withheld == 2


def test_retries_are_a_share_of_the_calls() -> None:
    budget = RetryBudget(share=0.2, floor_per_s=0.0)
    gone_on = 0
    for _ in range(100):
        budget.asked()
        gone_on += budget.spend(1.0)
    assert gone_on == 19 or gone_on == 20
    assert budget.withheld == 100 - gone_on


def test_what_is_saved_up_has_a_bound() -> None:
    budget = RetryBudget()
    for _ in range(10_000):
        budget.asked()
    assert sum([budget.spend(0.0) for _ in range(1000)]) == RETRIES_SAVED_MAX

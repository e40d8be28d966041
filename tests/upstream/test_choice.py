"""Which deployment of a model is asked: the least busy of those that are well."""

import pytest

from proxy.domain.fault import Fault, Kind, Source
from proxy.upstream.choice import REST_S, Ejection, Standing, in_order

BROKEN = Fault(Kind.UPSTREAM_BROKEN, "no", source=Source.UPSTREAM)
EJECTION = Ejection(failures_max=3, first_s=4.0, most_s=10.0)


class Place:
    def __init__(self, name: str) -> None:
        self.name = name
        self.standing = Standing(EJECTION)

    def fails(self, times: int = 3, *, at_s: float = 0.0, fault: Fault = BROKEN) -> None:
        for _ in range(times):
            self.standing.begun(at_s)
            self.standing.failed(fault, at_s)
            self.standing.ended()


def names(places: list[Place], now_s: float = 0.0) -> str:
    return "".join([each.name for each in in_order(places, now_s)])


def places(count: int = 3) -> list[Place]:
    return [Place(name) for name in "abc"[:count]]


def test_idle_deployments_are_asked_as_the_configuration_lists_them() -> None:
    assert names(places()) == "abc"


def test_the_least_busy_is_asked_first() -> None:
    a, b, c = three = places()
    for place, calls in ((a, 2), (b, 3), (c, 1)):
        for _ in range(calls):
            place.standing.begun(0.0)
    assert names(three) == "cab"
    b.standing.ended()
    b.standing.ended()
    b.standing.ended()
    assert names(three) == "bca"


def test_calls_spread_evenly() -> None:
    three = places()
    for _ in range(300):
        in_order(three, 0.0)[0].standing.begun(0.0)
    assert [each.standing.outstanding for each in three] == [100, 100, 100]


def test_failures_in_a_row_put_a_deployment_last_until_its_time_is_over() -> None:
    a, b = two = places(2)
    a.fails(2)
    assert names(two) == "ab"
    a.fails(1)
    assert names(two) == "ba" and a.standing.ejections == 1
    assert names(two, 3.9) == "ba"
    assert names(two, 4.0) == "ab"
    assert b.standing.ejections == 0


def test_an_answer_between_failures_counts_from_the_start_again() -> None:
    a, _ = two = places(2)
    a.fails(2)
    a.standing.answered()
    a.fails(2)
    assert names(two) == "ab"


def test_only_one_call_tries_a_deployment_that_was_out() -> None:
    a, _ = two = places(2)
    a.fails()
    assert names(two, 5.0) == "ab"
    a.standing.begun(5.0)
    assert names(two, 5.0) == "ba", "while the trial is under way"
    a.standing.answered()
    a.standing.ended()
    assert names(two, 5.0) == "ab"


def test_a_trial_nobody_answers_is_followed_by_the_next() -> None:
    a, _ = two = places(2)
    a.fails()
    a.standing.begun(5.0)
    a.standing.ended()  # the client left
    assert names(two, 8.9) == "ba"
    assert names(two, 9.0) == "ab"


def test_each_failed_trial_doubles_the_time_up_to_the_most() -> None:
    a, _ = two = places(2)
    a.fails()
    now_s, lasted = 0.0, []
    for _ in range(4):
        out_s = next(s for s in range(1, 100) if names(two, now_s + s) == "ab")
        lasted.append(out_s)
        now_s += out_s
        a.fails(1, at_s=now_s)
    assert lasted == [4, 8, 10, 10]
    a.standing.answered()
    a.fails(at_s=now_s)
    assert names(two, now_s + 4.0) == "ab", "an answer brings the first time back"


def test_calls_that_fail_late_do_not_prolong_the_time() -> None:
    a, _ = two = places(2)
    a.fails()
    a.fails(30, at_s=1.0)
    assert names(two, 4.0) == "ab" and a.standing.ejections == 1


@pytest.mark.parametrize(("retry_after_s", "rests_s"), [(None, REST_S), (7, 7.0), (3600, 10.0)])
def test_one_that_refuses_for_its_rate_rests_as_long_as_it_says(
    retry_after_s: int | None, rests_s: float
) -> None:
    a, _ = two = places(2)
    a.fails(
        1,
        fault=Fault(Kind.RATE_LIMITED, "slow", source=Source.UPSTREAM, retry_after_s=retry_after_s),
    )
    assert names(two, rests_s - 0.01) == "ba"
    assert names(two, rests_s) == "ab"
    assert a.standing.ejections == 0


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Kind.BAD_REQUEST, "your mistake", source=Source.UPSTREAM),
        Fault(Kind.UNAVAILABLE, "too many wait", source=Source.HOUSE),
    ],
    ids=["the caller's", "the house's"],
)
def test_what_is_not_the_providers_trouble_is_not_held_against_it(fault: Fault) -> None:
    a, _ = two = places(2)
    a.fails(20, fault=fault)
    assert names(two) == "ab"


def test_a_refusal_of_the_request_itself_shows_that_somebody_is_there() -> None:
    a, _ = two = places(2)
    a.fails(2)
    a.fails(1, fault=Fault(Kind.BAD_REQUEST, "your mistake", source=Source.UPSTREAM))
    a.fails(2)
    assert names(two) == "ab"


def test_when_all_are_out_the_next_to_be_back_is_asked() -> None:
    a, b = two = places(2)
    b.fails(at_s=0.0)
    a.fails(at_s=1.0)
    assert names(two, 2.0) == "ba"


def test_the_only_deployment_is_always_there() -> None:
    (a,) = one = places(1)
    a.fails(50)
    assert names(one) == "a"


def test_what_has_the_prompt_cached_is_asked_first_however_busy() -> None:
    a, b = two = places(2)
    for _ in range(9):
        b.standing.begun(0.0)
    assert "".join([each.name for each in in_order(two, 0.0, prefer=b)]) == "ba"
    b.fails(1, fault=Fault(Kind.RATE_LIMITED, "slow", source=Source.UPSTREAM))
    assert "".join([each.name for each in in_order(two, 0.0, prefer=b)]) == "ba", "once is no rule"
    b.fails(1, fault=Fault(Kind.RATE_LIMITED, "slow", source=Source.UPSTREAM, retry_after_s=5))
    assert "".join([each.name for each in in_order(two, 4.9, prefer=b)]) == "ab"
    assert "".join([each.name for each in in_order(two, 5.0, prefer=b)]) == "ba"
    b.fails(at_s=5.0)
    assert in_order(two, 5.0, prefer=b) == [a, b]

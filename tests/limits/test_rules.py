"""What binds, as tables: allowances, states of the ladder, which models each state restricts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.terms import DEFAULT_LADDER, Ladder, Pack, Step, TenantTerms
from proxy.limits import rules
from proxy.limits.window import Period
from tests.kit.patience import examples

MONTH = Period("2026-11", 1_000, 2_000)


@pytest.mark.parametrize(
    ("credits", "packs", "allowed"),
    [
        (None, (), None),
        (None, (Pack(5, 0),), None),
        (0, (), 0),
        (0, (Pack(5, 0),), 5),
        (100, (Pack(5, 0), Pack(7, 1_500, 1_600)), 112),
        (100, (Pack(5, 0, 1_000),), 100),
        (100, (Pack(5, 0, 1_001),), 105),
        (100, (Pack(5, 1_999),), 105),
        (100, (Pack(5, 2_000),), 100),
    ],
)
def test_an_allowance_is_the_package_and_the_packs_valid_in_the_month(
    credits: int | None, packs: tuple[Pack, ...], allowed: int | None
) -> None:
    assert rules.allowance(TenantTerms(credits, packs), MONTH) == allowed


TWO_STEPS = (Step(0.5, 2.0), Step(2.0, None))


@pytest.mark.parametrize(
    ("ladder", "used", "limit", "hard_stop", "state"),
    [
        (DEFAULT_LADDER, 799, 1000, False, "normal"),
        (DEFAULT_LADDER, 800, 1000, False, "approaching"),
        (DEFAULT_LADDER, 999, 1000, False, "approaching"),
        (DEFAULT_LADDER, 1000, 1000, False, "limited-1"),
        (DEFAULT_LADDER, 1099, 1000, False, "limited-1"),
        (DEFAULT_LADDER, 1100, 1000, False, "limited-2"),
        (DEFAULT_LADDER, 1250, 1000, False, "limited-3"),
        (DEFAULT_LADDER, 1499, 1000, False, "limited-3"),
        (DEFAULT_LADDER, 1500, 1000, False, "base-only"),
        (DEFAULT_LADDER, 999, 1000, True, "approaching"),
        (DEFAULT_LADDER, 1000, 1000, True, "hard-stop"),
        (DEFAULT_LADDER, 0, 0, False, "hard-stop"),
        (DEFAULT_LADDER, 10**9, None, True, "normal"),
        (TWO_STEPS, 499, 1000, False, "normal"),
        (TWO_STEPS, 500, 1000, False, "limited-1"),
        (TWO_STEPS, 2000, 1000, False, "base-only"),
        ((), 5000, 1000, False, "approaching"),
    ],
)
def test_a_tenant_is_in_the_state_of_the_last_step_it_reached(
    ladder: Ladder, used: int, limit: int | None, hard_stop: bool, state: str
) -> None:
    assert rules.tenant_state(ladder, used, limit, hard_stop) == state


@pytest.mark.parametrize(
    ("used", "limit", "state"),
    [
        (79, 100, "normal"),
        (80, 100, "approaching"),
        (99, 100, "approaching"),
        (100, 100, "hard-stop"),
        (0, 0, "hard-stop"),
        (10**9, None, "normal"),
    ],
)
def test_a_role_warns_at_four_fifths_and_blocks_at_its_cap(
    used: int, limit: int | None, state: str
) -> None:
    assert rules.role_state(used, limit) == state


@pytest.mark.parametrize(
    ("ratio", "multiplier", "base_level", "hard_stop", "restricted"),
    [
        (0.999, 5.0, False, False, False),
        (1.0, 1.0, False, False, True),
        (1.0, 0.99, False, False, False),
        (1.0, 0.3, False, False, False),
        (1.1, 0.5, False, False, True),
        (1.249, 0.3, False, False, False),
        (1.25, 0.2, False, False, True),
        (1.499, 0.1, False, False, False),
        (1.5, 0.0, False, False, True),
        (99.0, 5.0, True, False, False),
        (0.999, 0.1, True, True, False),
        (1.0, 0.1, True, True, True),
    ],
)
def test_the_ladder_restricts_dear_models_first_and_the_base_level_never(
    ratio: float, multiplier: float, base_level: bool, hard_stop: bool, restricted: bool
) -> None:
    assert rules.restricts(DEFAULT_LADDER, ratio, multiplier, base_level, hard_stop) is restricted


LADDERS = st.lists(
    st.builds(
        Step,
        st.integers(1, 300).map(lambda hundredths: hundredths / 100),
        st.none() | st.integers(0, 500).map(lambda hundredths: hundredths / 100),
    ),
    max_size=5,
).map(tuple)


@examples(300)
@given(LADDERS, st.integers(1, 10**6), st.integers(0, 500), st.booleans(), st.booleans(), st.data())
def test_thresholds_in_credits_and_ratios_say_the_same(
    ladder: Ladder,
    cents: int,
    hundredths: int,
    base_level: bool,
    hard_stop: bool,
    data: st.DataObject,
) -> None:
    limit = cents * 100  # every threshold is a whole number then
    multiplier = hundredths / 100
    threshold = rules.restricting_credits(
        ladder, limit, multiplier, base_level=base_level, hard_stop=hard_stop
    )
    first = rules.first_restriction(ladder, limit, hard_stop)
    used = data.draw(st.integers(0, 4 * limit))
    ratio = rules.restricting_ratio(ladder, multiplier, base_level, hard_stop)
    if threshold is None:
        assert ratio is None
        assert not rules.restricts(ladder, used / limit, multiplier, base_level, hard_stop)
        return
    assert ratio is not None
    assert threshold == round(ratio * 100) * cents
    assert first is not None
    assert first <= threshold
    if used != threshold:  # a quotient of floats may lie a hair beside the ratio itself
        restricted = rules.restricts(ladder, used / limit, multiplier, base_level, hard_stop)
        assert restricted is (used > threshold)


def test_a_limit_of_nothing_allows_nothing_not_even_the_base_level() -> None:
    assert rules.restricting_credits(DEFAULT_LADDER, 0, 0.0, base_level=True, hard_stop=False) == 0
    assert rules.first_restriction(DEFAULT_LADDER, 0, False) == 0
    assert rules.what_still_works(DEFAULT_LADDER, 0, 0, False) == ""


def test_shares_are_exact_where_floats_are_not() -> None:
    assert rules.share(1.1, 1_000_000_000) == 1_100_000_000
    assert rules.share(0.02, 10**15 + 1) == 2 * 10**13 + 1


@pytest.mark.parametrize(
    ("used", "hard_stop", "works"),
    [
        (900, False, "all models"),
        (1000, False, "models with a multiplier below 1, and those of the base level"),
        (1100, False, "models with a multiplier below 0.5, and those of the base level"),
        (1500, False, "models of the base level"),
        (1000, True, ""),
    ],
)
def test_what_still_works_is_said_in_words(used: int, hard_stop: bool, works: str) -> None:
    assert rules.what_still_works(DEFAULT_LADDER, used, 1000, hard_stop) == works

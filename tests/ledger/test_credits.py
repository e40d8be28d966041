"""Usage times rates, and who pays."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from proxy.domain.entry import Outcome
from proxy.domain.model import Model, Rates
from proxy.domain.usage import Usage
from proxy.ledger.credits import (
    MICRO_PER_CREDIT,
    OUTPUT_TOKENS_ASSUMED,
    Charge,
    Forecast,
    forecast,
    is_charged,
    price,
)

MODEL = Model(
    id="a.model",
    display_name="A model",
    developer="A",
    released=dt.date(2025, 1, 1),
    context_window=200_000,
    max_output_tokens=64_000,
    rates=Rates(input=3_000, output=15_000),
)

COUNTS = st.integers(0, 2**40)
USAGES = st.builds(
    Usage,
    input_tokens=COUNTS,
    output_tokens=COUNTS,
    cache_write_5m_tokens=COUNTS,
    cache_write_1h_tokens=COUNTS,
    cache_read_tokens=COUNTS,
    thinking_tokens=COUNTS,
    web_searches=st.integers(0, 1000),
)
RATES = st.builds(
    Rates,
    input=st.integers(0, 10**6),
    output=st.integers(0, 10**6),
    cache_write_5m=st.integers(0, 10**6),
    cache_write_1h=st.integers(0, 10**6),
    cache_read=st.integers(0, 10**6),
)


@pytest.mark.parametrize(
    ("tokens_in", "tokens_out", "rate_in", "rate_out", "credits"),
    [
        (700, 135, 1_000, 5_000, 1.375),
        (700, 135, 3_000, 15_000, 4.125),
        (700, 135, 5_000, 25_000, 6.875),
        (3_000, 700, 1_000, 5_000, 6.5),
        (3_000, 700, 3_000, 15_000, 19.5),
        (3_000, 700, 5_000, 25_000, 32.5),
    ],
)
def test_the_calibration_of_the_documents_is_met(
    tokens_in: int, tokens_out: int, rate_in: int, rate_out: int, credits: float
) -> None:
    charge = price(
        Usage(input_tokens=tokens_in, output_tokens=tokens_out),
        Rates(input=rate_in, output=rate_out),
    )
    assert charge.total == credits * MICRO_PER_CREDIT


def test_each_class_of_tokens_has_its_own_rate() -> None:
    rates = Rates(input=2, output=3, cache_write_5m=5, cache_write_1h=7, cache_read=11)
    usage = Usage(
        input_tokens=10**2,
        output_tokens=10**3,
        cache_write_5m_tokens=10**4,
        cache_write_1h_tokens=10**6,
        cache_read_tokens=10**8,
    )
    assert price(usage, rates) == Charge(1_107_050_200, 3_000, 0)


def test_one_token_at_one_credit_per_million_is_one_micro_credit() -> None:
    assert price(Usage(input_tokens=1), Rates(input=1)).total == 1


def test_thinking_is_not_counted_beside_the_output_it_is_part_of() -> None:
    rates = Rates(output=15_000)
    plain = price(Usage(output_tokens=500), rates)
    assert price(Usage(output_tokens=500, thinking_tokens=400), rates) == plain


@pytest.mark.parametrize(("fee", "micro"), [(10, 30_000_000), (0, 0), (3, 9_000_000)])
def test_searches_cost_their_fee_each(fee: int, micro: int) -> None:
    assert price(Usage(web_searches=3), Rates(), fee) == Charge(0, 0, micro)


def test_without_rates_only_searches_cost() -> None:
    usage = Usage(input_tokens=5, output_tokens=6, web_searches=1)
    assert price(usage, None) == Charge(0, 0, 10_000_000)


@given(USAGES, USAGES, RATES)
def test_the_price_of_two_usages_is_the_sum_of_their_prices(
    one: Usage, other: Usage, rates: Rates
) -> None:
    both = Usage(
        one.input_tokens + other.input_tokens,
        one.output_tokens + other.output_tokens,
        one.cache_write_5m_tokens + other.cache_write_5m_tokens,
        one.cache_write_1h_tokens + other.cache_write_1h_tokens,
        one.cache_read_tokens + other.cache_read_tokens,
        one.thinking_tokens + other.thinking_tokens,
        one.web_searches + other.web_searches,
    )
    together, first, second = price(both, rates), price(one, rates), price(other, rates)
    assert together.credits_in == first.credits_in + second.credits_in
    assert together.credits_out == first.credits_out + second.credits_out
    assert together.credits_actions == first.credits_actions + second.credits_actions
    parts = (together.credits_in, together.credits_out, together.credits_actions)
    assert all(type(part) is int and part >= 0 for part in parts)


@pytest.mark.parametrize(
    ("outcome", "began", "charged"),
    [
        (Outcome.COMPLETED, True, True),
        (Outcome.COMPLETED, False, True),
        (Outcome.PARTIAL, True, True),
        (Outcome.CLIENT_GONE, True, True),
        (Outcome.CLIENT_GONE, False, False),
        (Outcome.UPSTREAM_ERROR, False, False),
        (Outcome.UPSTREAM_ERROR, True, False),
        (Outcome.HOUSE_ERROR, False, False),
        (Outcome.HOUSE_ERROR, True, False),
    ],
)
def test_who_pays_depends_on_how_it_ended(outcome: Outcome, began: bool, charged: bool) -> None:
    assert is_charged(outcome, began) is charged


@pytest.mark.parametrize(
    ("body_bytes", "max_tokens", "credits", "input_tokens"),
    [
        (0, 0, 0, 0),
        (4_000, 0, 1_000 * 3_000, 1_000),
        (4_000, 10, 1_000 * 3_000 + 10 * 15_000, 1_000),
        (4_000, 64_000, 1_000 * 3_000 + OUTPUT_TOKENS_ASSUMED * 15_000, 1_000),
        (32_000_000, 1, 200_000 * 3_000 + 15_000, 200_000),
    ],
    ids=["nothing", "a count", "a short reply", "a long reply", "more than the context holds"],
)
def test_a_forecast_is_modest_and_bounded(
    body_bytes: int, max_tokens: int, credits: int, input_tokens: int
) -> None:
    assert forecast(body_bytes, max_tokens, MODEL) == Forecast(credits, input_tokens)


def test_a_forecast_without_rates_holds_no_credits() -> None:
    free = replace(MODEL, rates=None)
    assert forecast(400, 10, free) == Forecast(0, 100)

"""The open tab of one request closes once and says what happened."""

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.call import Arrival, Call, Errand
from proxy.domain.caller import Caller
from proxy.domain.entry import Entry, Outcome
from proxy.domain.headers import Headers
from proxy.domain.model import Model, Rates
from proxy.domain.usage import Usage
from proxy.ledger.tab import TOKENS_MAX, Tab

CALLER = Caller("key_1", "user_1", "ann@example.com", "tenant_1", "Acme", "general_user")
MODEL = Model(
    "anthropic.claude-sonnet-5",
    "Claude Sonnet 5",
    "Anthropic",
    dt.date(2026, 1, 2),
    200_000,
    64_000,
    rates=Rates(3_000, 15_000, 3_750, 6_000, 300),
)
USAGE = Usage(100, 20, 3, 4, 5, 6, 7)


def call(**headers: bytes) -> Call:
    names = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    arrival = Arrival(
        Errand.MESSAGE,
        "req_1",
        b"/v1/anthropic/v1/messages",
        b"beta=true",
        Headers(names),
        b'{"messages":"secret words"}',
        1_790_000_000_000,
        50.0,
    )
    return Call(arrival, CALLER, MODEL, "sonnet", "alias", True)


def test_a_closed_tab_is_a_row_with_every_field_in_its_place() -> None:
    tab = Tab(
        "evt_1", call(user_agent=b"Anthropic/JS 1.12.0", x_claude_code_session_id=b"session 1")
    )
    tab.provider = "main"
    tab.provider_request_id = "req_upstream"
    tab.attempts = 2
    tab.first_byte(50.25)
    tab.first_byte(51.0)
    entry = tab.close(
        Outcome.PARTIAL,
        USAGE,
        52.5,
        status=200,
        error_type="overloaded_error",
        stop_reason="end_turn",
        usage_estimated=True,
    )
    assert entry == Entry(
        event_id="evt_1",
        request_id="req_1",
        started_at=1_790_000_000_000,
        ended_at=1_790_000_002_500,
        tenant_id="tenant_1",
        user_id="user_1",
        role="general_user",
        key_id="key_1",
        requested_model="sonnet",
        model="anthropic.claude-sonnet-5",
        resolved_via="alias",
        outcome=Outcome.PARTIAL,
        status=200,
        surface="anthropic_gateway",
        streamed=True,
        user_agent="Anthropic/JS 1.12.0",
        client="Anthropic TypeScript SDK",
        session_id="session 1",
        input_tokens=100,
        output_tokens=20,
        cache_write_5m_tokens=3,
        cache_write_1h_tokens=4,
        cache_read_tokens=5,
        thinking_tokens=6,
        web_searches=7,
        credits_in=100 * 3_000 + 3 * 3_750 + 4 * 6_000 + 5 * 300,
        credits_out=20 * 15_000,
        credits_actions=70_000_000,
        error_type="overloaded_error",
        stop_reason="end_turn",
        provider="main",
        provider_request_id="req_upstream",
        first_byte_ms=250,
        total_ms=2_500,
        attempts=2,
        usage_estimated=True,
    )


def test_nothing_of_the_body_is_in_the_row() -> None:
    tab = Tab("evt_1", call())
    entry = tab.close(Outcome.COMPLETED, USAGE, 51.0, status=200)
    assert not entry.usage_estimated
    assert b"secret words" not in msgspec.json.encode(entry)


@given(st.permutations(list(Outcome)))
def test_the_first_close_wins_in_any_order(order: list[Outcome]) -> None:
    tab = Tab("evt_1", call())
    first, *later = order
    assert not tab.closed
    assert tab.close(first, USAGE, 51.0, status=200).outcome is first
    assert tab.closed
    for outcome in later:
        with pytest.raises(AssertionError, match="closes once"):
            tab.close(outcome, USAGE, 52.0, status=200)


@pytest.mark.parametrize(
    ("outcome", "began", "charged"),
    [
        (Outcome.COMPLETED, True, True),
        (Outcome.CLIENT_GONE, True, True),
        (Outcome.CLIENT_GONE, False, False),
        (Outcome.UPSTREAM_ERROR, False, False),
        (Outcome.HOUSE_ERROR, True, False),
    ],
)
def test_tokens_are_recorded_even_where_nobody_pays(
    outcome: Outcome, began: bool, charged: bool
) -> None:
    tab = Tab("evt_1", call())
    if began:
        tab.first_byte(50.5)
    entry = tab.close(outcome, USAGE, 51.0, status=200)
    assert entry.input_tokens == 100
    assert (entry.credits_in + entry.credits_out + entry.credits_actions > 0) is charged
    assert (entry.first_byte_ms == 500) is began


def test_the_search_fee_is_the_operators() -> None:
    entry = Tab("evt_1", call()).close(
        Outcome.COMPLETED, USAGE, 51.0, status=200, search_fee_credits=1
    )
    assert entry.credits_actions == 7_000_000


def test_absurd_figures_of_a_provider_are_forced_into_what_can_be_summed() -> None:
    entry = Tab("evt_1", call()).close(
        Outcome.COMPLETED, Usage(10**30, -5, web_searches=1), 51.0, status=200
    )
    assert (entry.input_tokens, entry.output_tokens) == (TOKENS_MAX, 0)
    assert entry.credits_in == TOKENS_MAX * 3_000 < 2**63


def test_what_a_client_says_about_itself_is_cut_to_size() -> None:
    made = call(user_agent=b"a" * 9_000, x_claude_code_session_id=b"s" * 9_000)
    made.asked = "m" * 9_000
    tab = Tab("evt_1", made)
    tab.provider_request_id = "p" * 9_000
    entry = tab.close(Outcome.COMPLETED, USAGE, 51.0, status=200)
    assert len(msgspec.json.encode(entry)) < 1_500

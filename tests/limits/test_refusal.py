"""What a limit says to people, to SDKs and to machines."""

import pytest

from proxy.limits.burst import Excess
from proxy.limits.refusal import (
    Reached,
    blind_refusal,
    burst_refusal,
    moment,
    role_refusal,
    shown,
    tenant_refusal,
)
from proxy.limits.window import Months

CREDIT = 1_000_000
NOW_MS = 1_795_420_800_000  # 2026-11-23T08:00:00Z
MONTH = Months("Europe/Berlin").of(NOW_MS)


def reached(used: int, running: int = 0, limit: int = 1500 * CREDIT) -> Reached:
    return Reached(used, running, limit, MONTH)


def test_a_tenants_limit_says_figures_reset_and_what_works() -> None:
    fault = tenant_refusal(
        reached(1500 * CREDIT + 4_999),
        1500 * CREDIT,
        NOW_MS,
        model_id="anthropic.claude-opus-4-7",
        asked="opus",
        working=("a", "b", "c", "d"),
    )
    assert fault.status == 429
    assert fault.error_type == "rate_limit_error"
    assert fault.message == (
        "Your workspace's monthly allowance for anthropic.claude-opus-4-7 (asked for as opus) is"
        " reached: 1,500.00 of 1,500.00 credits used; it resets on 2026-12-01."
        " Still available: a, b, c."
    )
    assert fault.reason == "tenant_limit"
    assert fault.retry is False
    assert fault.retry_after_s == (MONTH.end_ms - NOW_MS) // 1000
    assert dict(fault.headers) == {
        "x-hatz-limit-scope": "tenant",
        "x-hatz-limit-resets-at": "2026-11-30T23:00:00Z",
    }


@pytest.mark.parametrize(
    ("otherwise", "said"),
    [
        ("models of the base level", "Still available: models of the base level."),
        ("", "No model is available until then."),
    ],
)
def test_without_ids_it_is_said_in_words_what_works(otherwise: str, said: str) -> None:
    fault = tenant_refusal(
        reached(1600 * CREDIT), 1500 * CREDIT, NOW_MS, model_id="m", asked="m", otherwise=otherwise
    )
    assert fault.message.endswith(said)
    assert "asked for" not in fault.message


def test_what_only_runs_may_be_over_soon_and_is_worth_another_try() -> None:
    fault = tenant_refusal(
        reached(1499 * CREDIT, running=2 * CREDIT), 1500 * CREDIT, NOW_MS, model_id="m"
    )
    assert fault.retry is None
    assert fault.retry_after_s == 5
    assert "1,499.00 of 1,500.00 credits used" in fault.message
    assert "2.00 more" in fault.message


def test_a_roles_limit_names_the_role_and_the_administrator() -> None:
    fault = role_refusal(
        reached(10 * CREDIT, limit=10 * CREDIT),
        NOW_MS,
        role="general_user",
        model_id="m",
        asked="x",
    )
    assert fault.message == (
        "The monthly limit of your role general_user (m (asked for as x) was asked for) is reached:"
        " 10.00 of 10.00 credits used; it resets on 2026-12-01. Ask your administrator for a higher"
        " limit."
    )
    assert fault.reason == "role_limit"
    assert fault.retry is False
    assert ("x-hatz-limit-scope", "role") in fault.headers


@pytest.mark.parametrize(
    ("scope", "excess", "message", "headers"),
    [
        (
            "key",
            Excess("requests", 60, 0, 2_400),
            "This API key may make 60 requests per minute and has reached that;"
            " try again in 3 seconds.",
            {
                "x-hatz-limit-resets-at": "2026-11-23T08:00:03Z",
                "anthropic-ratelimit-requests-limit": "60",
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-23T08:00:03Z",
            },
        ),
        (
            "tenant",
            Excess("tokens", 100_000, 17, 1_000),
            "Your workspace may use 100,000 tokens per minute and has reached that;"
            " try again in 1 second.",
            {
                "x-hatz-limit-resets-at": "2026-11-23T08:00:01Z",
                "anthropic-ratelimit-tokens-limit": "100000",
                "anthropic-ratelimit-tokens-remaining": "17",
                "anthropic-ratelimit-tokens-reset": "2026-11-23T08:00:01Z",
            },
        ),
        (
            "user",
            Excess("streams", 5, 0, 1_000),
            "Your account may make 5 calls at a time and has reached that; try again in 1 second.",
            {},
        ),
    ],
)
def test_a_burst_limit_says_how_long_to_wait(
    scope: str, excess: Excess, message: str, headers: dict[str, str]
) -> None:
    fault = burst_refusal(scope, excess, NOW_MS)
    assert fault.message == message
    assert fault.status == 429
    assert fault.reason == "burst_limit"
    assert fault.retry is None
    assert fault.retry_after_s == -(-excess.wait_ms // 1000)
    assert dict(fault.headers) == {"x-hatz-limit-scope": scope, **headers}


def test_not_knowing_is_the_houses_fault_and_soon_over() -> None:
    fault = blind_refusal()
    assert (fault.status, fault.retry, fault.reason) == (503, True, "limits_unavailable")


@pytest.mark.parametrize(
    ("credits", "text"),
    [(0, "0.00"), (4_999, "0.00"), (5_000, "0.01"), (1_234_567_890_000, "1,234,567.89")],
)
def test_credits_have_two_decimals(credits: int, text: str) -> None:
    assert shown(credits) == text


def test_a_moment_is_never_told_too_early() -> None:
    assert moment(NOW_MS) == "2026-11-23T08:00:00Z"
    assert moment(NOW_MS + 1) == "2026-11-23T08:00:01Z"

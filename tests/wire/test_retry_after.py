"""How long to wait, in every spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.retry_after import read_retry_after, read_wait, wait_of
from tests.kit.patience import examples

NOW_S = 1_795_000_000.0  # 2026-11-18 11:06:40 UTC


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("1h2m3s", 3723),
        ("1d", 86_400),
        ("7.66s", 8),
        ("2m59.56s", 180),
        ("20ms", 1),
        ("1m30.5s", 91),
        ("0s", 0),
        ("12", 12),
        ("0.2", 1),
        ("1795000025", 25),
        ("1795000025500", 26),
        ("1794999999", 0),
        ("2026-11-18T11:07:40Z", 60),
        ("2026-11-18T12:07:40+01:00", 60),
        ("soon", None),
        ("", None),
        ("s", None),
        ("nan", None),
        ("inf", None),
    ],
)
def test_a_wait_is_read(text: str, seconds: int | None) -> None:
    assert read_wait(text, NOW_S) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"7", 7),
        (b"0.2", 1),
        (b"-3", 0),
        (b"Wed, 18 Nov 2026 11:07:40 GMT", 60),
        (b"Wed, 18 Nov 2026 11:07:40 -0000", 60),
        (b"whenever", None),
        (None, None),
    ],
)
def test_retry_after_is_a_number_or_a_date(value: bytes | None, seconds: int | None) -> None:
    assert read_retry_after(value, NOW_S) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({b"retry-after": b"5", b"x-ratelimit-reset-tokens": b"1s"}, 5),
        ({b"retry-after-ms": b"2500", b"retry-after": b"9"}, 3),
        ({b"retry-after": b"?", b"x-ratelimit-reset-tokens": b"4s"}, 4),
        # The limit that is used up counts, not the one that is nearly full.
        (
            {
                b"x-ratelimit-remaining-requests": b"499",
                b"x-ratelimit-reset-requests": b"120ms",
                b"x-ratelimit-remaining-tokens": b"0",
                b"x-ratelimit-reset-tokens": b"11s",
            },
            11,
        ),
        ({b"x-ratelimit-reset-requests": b"3s", b"x-ratelimit-reset-tokens": b"1m"}, 3),
        (
            {
                b"anthropic-ratelimit-tokens-remaining": b"0",
                b"anthropic-ratelimit-tokens-reset": b"2026-11-18T11:07:00Z",
                b"anthropic-ratelimit-requests-reset": b"2026-11-18T11:06:41Z",
            },
            20,
        ),
        ({b"x-ratelimit-limit-tokens": b"30000"}, None),
    ],
)
def test_the_wait_of_a_refusal(headers: dict[bytes, bytes], seconds: int | None) -> None:
    assert wait_of(headers, NOW_S) == seconds


@examples()
@given(st.text(max_size=40), st.binary(max_size=40))
def test_nothing_breaks_the_reading(text: str, value: bytes) -> None:
    told = (read_wait(text, NOW_S), read_retry_after(value, NOW_S))
    assert all(wait is None or wait >= 0 for wait in told)

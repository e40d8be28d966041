"""A prompt that is too long, recognised in any words; what else sounds like it is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.overflow import Overflow, overflow_message, read_overflow
from tests.kit.patience import examples

ROWS = [
    ("context_length_exceeded", Overflow()),
    ("maximum context length is 8192 tokens", Overflow(limit=8192)),
    ("exceeds the model's maximum context limit (8,192)", Overflow(limit=8192)),
    ("It is longer than the model's context length.", Overflow()),
    ("request (9 tokens) exceeds the available context size (8 tokens)", Overflow(9, 0, 8)),
    ("input length and `max_tokens` exceed context limit: 7 + 3 > 9", Overflow(7, 3, 9)),
    ("prompt is too long: 215000 tokens > 200000 maximum", Overflow(215_000, 0, 200_000)),
    ("Input is too long for requested model.", Overflow()),
    ("prompt tokens (10) exceed model maximum (9)", Overflow(10, 0, 9)),
    ("Input token length too long", Overflow()),
    ("exceeded model token limit: 9 (requested: 12)", Overflow(12, 0, 9)),
    (
        "The input token count (12) exceeds the maximum number of tokens allowed (9).",
        Overflow(12, 0, 9),
    ),
    ("maximum input length is 9 tokens", Overflow(limit=9)),
    ("Current length is 12 while limit is 9", Overflow(12, 0, 9)),
    ("Input tokens exceed the configured limit of 9 tokens.", Overflow(limit=9)),
    ("Number of tokens in request more than max tokens allowed", Overflow()),
    ("Expected: String too long. Expected a string with maximum length 1048576", Overflow()),
    ("capability_rejected: prompt_too_long", Overflow()),
    ("longer than the maximum model length of 4096", Overflow(limit=4096)),
]


@pytest.mark.parametrize(("text", "overflow"), ROWS, ids=[text[:40] for text, _ in ROWS])
@pytest.mark.parametrize("status", [400, 413, 422, 500, None])
def test_every_wording_is_recognised(text: str, overflow: Overflow, status: int | None) -> None:
    assert read_overflow(text, status=status) == overflow
    assert read_overflow(text.upper(), status=status) == overflow


@pytest.mark.parametrize(("text", "overflow"), ROWS[:3])
def test_a_limit_of_rate_is_no_overflow(text: str, overflow: Overflow) -> None:
    assert read_overflow(text, status=429) is None
    assert read_overflow(text, status=503) is None


def test_too_many_tokens_means_it_only_with_400() -> None:
    assert read_overflow("Too many tokens", status=400) == Overflow()
    assert read_overflow("Too many tokens", status=None) is None
    assert read_overflow("Too many tokens per day", status=500) is None


@pytest.mark.parametrize("length", [40, 64, 1024])
def test_a_long_name_is_no_overflow(length: int) -> None:
    text = f"string too long. Expected a string with maximum length {length}"
    assert read_overflow(text, status=400) is None


def test_a_code_is_enough() -> None:
    assert read_overflow("?", status=400, codes=("context_length_exceeded",)) == Overflow()
    assert read_overflow("?", status=400, codes=("invalid_request_error",)) is None


@pytest.mark.parametrize(
    ("overflow", "message"),
    [
        (Overflow(12, 0, 9), "prompt is too long: 12 tokens > 9 maximum"),
        (Overflow(), "prompt is too long: 210 tokens > 200 maximum"),
        (Overflow(limit=300), "prompt is too long: 301 tokens > 300 maximum"),
        (Overflow(prompt=500), "prompt is too long: 500 tokens > 200 maximum"),
        (Overflow(350, 20, 300), "prompt is too long: 350 tokens > 300 maximum"),
        (
            Overflow(290, 20, 300),
            "input length and `max_tokens` exceed context limit: 290 + 20 > 300, "
            "decrease input length or `max_tokens` and try again",
        ),
        (Overflow(5, 250, 206, at_least=True), "prompt is too long: 210 tokens > 206 maximum"),
    ],
)
def test_the_client_is_told_in_claude_codes_words(overflow: Overflow, message: str) -> None:
    assert overflow_message(overflow, prompt_tokens=210, context_window=200) == message


@examples()
@given(st.text(max_size=80), st.sampled_from(ROWS))
def test_the_sentence_is_always_true(noise: str, row: tuple[str, Overflow]) -> None:
    overflow = read_overflow(f"{noise} {row[0]} {noise}", status=400)
    assert overflow is not None
    said = overflow_message(overflow, prompt_tokens=1, context_window=100)
    numbers = [int(word) for word in said.replace(",", "").split() if word.isdigit()]
    *parts, limit = numbers
    assert sum(parts) > limit >= 0

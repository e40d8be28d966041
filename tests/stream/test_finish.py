"""Reasons to finish."""

import pytest

from proxy.stream.finish import Finish, read_finish, stop_reason

ROWS = [
    ("stop", False, "end_turn"),
    ("stop", True, "tool_use"),
    ("tool_calls", True, "tool_use"),
    ("function_call", True, "tool_use"),
    ("tool_use", True, "tool_use"),
    ("tool_calls", False, "end_turn"),
    ("length", False, "max_tokens"),
    ("length", True, "max_tokens"),
    ("max_tokens", False, "max_tokens"),
    ("model_length", False, "max_tokens"),
    ("MAX_TOKENS", False, "max_tokens"),
    ("max_output_tokens", False, "max_tokens"),
    ("content_filter", True, "refusal"),
    ("safety", False, "refusal"),
    ("refusal", False, "refusal"),
    ("sensitive", False, "refusal"),
    ("repetition", False, "end_turn"),
    ("eos", True, "tool_use"),
]


@pytest.mark.parametrize(("said", "has_calls", "expected"), ROWS)
def test_every_reason_has_its_name(said: str, has_calls: bool, expected: str) -> None:
    finish = read_finish(said)
    assert finish is not None
    assert stop_reason(finish, has_calls=has_calls) == expected


@pytest.mark.parametrize(
    "said", ["error", "network_error", "abort", "insufficient_system_resource"]
)
def test_some_reasons_are_errors(said: str) -> None:
    assert read_finish(said) is Finish.FAILED


@pytest.mark.parametrize("said", [None, "", 0, False, {}])
def test_some_are_none(said: object) -> None:
    assert read_finish(said) is None

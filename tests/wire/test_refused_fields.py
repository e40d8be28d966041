"""Which fields a refusal names; real wordings stand in the tests of the lessons."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.chat_error import Said, read_said
from proxy.wire.refused_fields import (
    IN_MESSAGES,
    IN_TOOLS,
    MESSAGE_CHARS_MAX,
    SOMEWHERE,
    TOP,
    refused_fields,
)
from tests.kit.patience import examples


def named(message: str) -> set[tuple[str, str]]:
    return set(refused_fields(Said(message)))


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("stop: Extra inputs are not permitted", (SOMEWHERE, "stop")),
        ("body.stream_options: extra fields not permitted", (SOMEWHERE, "stream_options")),
        ("stream_options.include_usage: Extra inputs are not permitted", (TOP, "stream_options")),
        ("messages.2.assistant.partial: Extra inputs are not permitted", (IN_MESSAGES, "partial")),
        ("Unknown parameter: 'messages[1].reasoning'.", (IN_MESSAGES, "reasoning")),
        ("tools.0.function.strict: Extra inputs are not permitted", (IN_TOOLS, "strict")),
        ('json: unknown field "service_tier"', (SOMEWHERE, "service_tier")),
        ("got an unexpected keyword argument 'top_k'", (SOMEWHERE, "top_k")),
        ("parallel_tool_calls is not supported for this model", (SOMEWHERE, "parallel_tool_calls")),
        ("This model does not support `stop`", (SOMEWHERE, "stop")),
    ],
)
def test_a_refused_field_is_named_with_its_place(message: str, field: tuple[str, str]) -> None:
    assert field in named(message)


def test_several_fields_are_all_named() -> None:
    assert named("Unrecognized request arguments supplied: a_b, c_d and 'e_f'. Use g_h.") == {
        (SOMEWHERE, "a_b"),
        (SOMEWHERE, "c_d"),
        (SOMEWHERE, "e_f"),
    }


@pytest.mark.parametrize(
    "message",
    [
        "tools.0.function.parameters.properties.user: Extra inputs are not permitted",
        "response_format.json_schema.schema.user: Extra inputs are not permitted",
        "This model does not support user messages with images",
        "max_tokens must be at most 100",
        "messages: Field required",
    ],
)
def test_what_is_not_a_field_of_ours_is_not_named(message: str) -> None:
    assert not {name for _, name in named(message)} & {"user", "strict", "messages", "max_tokens"}


def test_a_param_counts_only_with_a_code_that_says_so() -> None:
    error = b'{"error":{"message":"m","param":"stop","code":"%b"}}'
    assert list(refused_fields(read_said(error % b"unsupported_parameter"))) == [
        (SOMEWHERE, "stop")
    ]
    assert not list(refused_fields(read_said(error % b"invalid_value")))


def test_an_error_that_quotes_at_length_teaches_nothing() -> None:
    message = "stop: Extra inputs are not permitted"
    assert not named(message.ljust(MESSAGE_CHARS_MAX + 1))


@examples()
@given(st.text(alphabet="aA_.'`\", :[]is not supported", max_size=300))
def test_nothing_breaks_the_reading(message: str) -> None:
    assert all(place and name for place, name in named(message))


def test_a_hostile_message_is_read_in_no_time() -> None:
    for piece in ("a", "a.", "unknown field a, ", "'a' ", "content "):
        named((piece * MESSAGE_CHARS_MAX)[:MESSAGE_CHARS_MAX])

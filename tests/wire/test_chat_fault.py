"""What an error means; row by row in `tests/cases/faults`, here what holds for all of them."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.fault import Kind, Source
from proxy.wire.chat_fault import read_chat_error
from tests.kit.asked import make_asked
from tests.kit.patience import examples

PROMPT_TOO_LONG = b'{"error":{"message":"Input is too long for requested model."}}'


def test_the_calls_numbers_stand_in_for_missing_ones() -> None:
    call = make_asked(input_tokens=300_123, context_window=262_144)
    fault = read_chat_error(PROMPT_TOO_LONG, status=400, call=call)
    assert fault.message == "prompt is too long: 300123 tokens > 262144 maximum"
    assert (fault.kind, fault.source) == (Kind.BAD_REQUEST, Source.CALLER)


def test_without_a_call_an_overflow_is_one_still() -> None:
    fault = read_chat_error(PROMPT_TOO_LONG, status=None, call=None)
    assert fault.message.startswith("prompt is too long: ")


@pytest.mark.parametrize("status", [400, 422, 404, 413])
@pytest.mark.parametrize("text", ["429", "status 429 Too Many Requests", "rate limit, overloaded"])
def test_a_rate_is_never_inferred_from_the_text_of_a_refusal(status: int, text: str) -> None:
    body = msgspec.json.encode({"error": {"message": f"cannot parse: {text}"}})
    assert read_chat_error(body, status=status, call=None).status == (
        400 if status == 422 else status
    )


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"code": 429, "message": "x"}, 429),
        ({"code": "503", "message": "x"}, 529),
        ({"type": "rate_limit_error", "message": "x"}, 429),
        ({"type": "timeout", "message": "x"}, 504),
        ({"type": "server_error", "message": "x"}, 500),
        ({"message": "Rate limit reached"}, 429),
        ({"message": "The operation timed out"}, 504),
        ({"message": "something"}, 502),
        ("something", 502),
        ({}, 502),
    ],
)
def test_in_a_stream_code_type_and_words_decide(error: object, status: int) -> None:
    assert read_chat_error(msgspec.json.encode(error), status=None, call=None).status == status


def test_a_number_inside_an_error_does_not_outdo_the_status() -> None:
    body = b'{"error":{"message":"x","code":429}}'
    assert read_chat_error(body, status=500, call=None).status == 500
    assert read_chat_error(body, status=200, call=None).status == 429


def test_what_is_about_our_account_is_for_the_operator() -> None:
    body = b'{"error":{"message":"Your account acme\\nis blocked","type":"permission_error"}}'
    fault = read_chat_error(body, status=403, call=None)
    assert "acme" not in fault.message
    assert fault.detail == "answered 403 permission_error: Your account acme is blocked"
    assert fault.source is Source.UPSTREAM
    assert fault.retry is False


def test_what_the_caller_wrote_is_not_for_the_log() -> None:
    body = b'{"error":{"message":"cannot parse: my secret diary","type":"invalid_request_error"}}'
    fault = read_chat_error(body, status=400, call=None)
    assert "diary" in fault.message
    assert "diary" not in fault.detail


@examples(200)
@given(st.one_of(st.none(), st.integers(200, 999)), st.binary(max_size=80))
def test_nothing_breaks_the_reading(status: int | None, error: bytes) -> None:
    fault = read_chat_error(error, status=status, call=None)
    assert fault.status in {400, 404, 409, 413, 429, 500, 502, 504, 529}
    assert fault.error_type not in {"authentication_error", "permission_error"}
    assert fault.message

"""Errors in every shape they come in."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.chat_error import MESSAGE_CHARS_MAX, is_markup, read_said, without_accounts
from tests.kit.patience import examples

INNER = {"message": "why", "type": "invalid_request_error", "code": "some_code", "param": "stop"}


@pytest.mark.parametrize(
    "body",
    [
        INNER,
        {"error": INNER},
        [{"error": INNER}],
        {"error": {"error": INNER}},
        {"message": msgspec.json.encode({"error": INNER}).decode()},
        {"error": {"message": "Provider returned error", "metadata": {"raw": {"error": INNER}}}},
        {"error": INNER, "user_id": "user_1", "object": "error"},
    ],
)
def test_an_error_is_found_wherever_it_lies(body: object) -> None:
    for error in (msgspec.json.encode(body), msgspec.json.encode(body).decode()):
        said = read_said(error)
        assert said.message == "why"
        assert {"invalid_request_error", "some_code"} <= set(said.names)
        assert said.param == "stop"


@pytest.mark.parametrize(
    ("body", "number"),
    [
        (b'{"code":429}', 429),
        (b'{"code":"429"}', 429),
        (b'{"code":429.0}', 429),
        (b'{"status":503}', 503),
        (b'{"statusCode":404}', 404),
        (b'{"code":1301}', 0),
        (b'{"code":200}', 0),
        (b'{"code":true}', 0),
        (b'{"code":"\xc2\xb2\xc2\xb2\xc2\xb2"}', 0),
        (b'{"code":null}', 0),
        (b'{"error":{"code":400,"metadata":{"raw":"{\\"code\\":500}"}}}', 400),
    ],
)
def test_a_status_is_read_whatever_its_type(body: bytes, number: int) -> None:
    assert read_said(body).number == number


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"out of memory", "out of memory"),
        (b'\xef\xbb\xbf{"detail":"Not Found"}', "Not Found"),
        (b'{"error":"Not Found","message":"No such path"}', "No such path"),
        (b'{"error":"Not Found"}', "Not Found"),
        (b'"gone"', "gone"),
        (b"", ""),
        (b"null", "null"),
        (b"{}", ""),
        (b'{"error":null}', ""),
        (b"<html>Oops</html>", ""),
        (b'{"message":"<!DOCTYPE html><p>Oops"}', ""),
        (b'{"error":{"message":"Oops","metadata":{"raw":"<html>"}}}', "Oops"),
        (b'{"message":"half \\ud83d"}', "half ?"),
        (b"{broken", "{broken"),
    ],
)
def test_the_message_is_text_for_people(body: bytes, message: str) -> None:
    assert read_said(body).message == message


def test_what_fastapi_lists_says_where() -> None:
    body = (
        b'{"detail":[{"loc":["body","messages",0,"role"],"msg":"Field required","type":"missing"}]}'
    )
    said = read_said(body)
    assert said.message == "messages.0.role: Field required"
    assert said.names == ("missing",)


def test_a_long_message_is_cut() -> None:
    assert len(read_said(b"x" * 100_000).message) == MESSAGE_CHARS_MAX


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("key sk-12345678abcdef.", "key ***."),
        ("key sk-proj-Ab3************xyz9 is wrong", "key *** is wrong"),
        ("in org-79a7ceaf5a80", "in ***"),
        ("account <ak-00112233>", "account <***>"),
        ("org-chart-tool and key_value_store and sk-learn", None),
    ],
)
def test_keys_and_accounts_are_not_passed_on(text: str, without: str | None) -> None:
    assert without_accounts(text) == (text if without is None else without)


def test_a_comparison_is_no_markup() -> None:
    assert not is_markup("expected a < b and c > d, got List<String>")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "message", "code", "detail", "metadata", "raw", "loc", "msg", "details"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@examples(200)
@given(st.one_of(JSON.map(msgspec.json.encode), st.binary(max_size=60)))
def test_nothing_breaks_the_reading(body: bytes) -> None:
    said = read_said(body)
    msgspec.json.encode(said)  # what is said can be written


def test_a_thousand_brackets_are_no_error_of_ours() -> None:
    assert read_said(b"[" * 100_000).message.startswith("[")
    assert read_said(b'{"error":' * 50_000).names == ()


def test_half_a_character_is_nowhere_in_what_was_said() -> None:
    said = read_said(rb'{"error":{"message":"\ud83da","param":"\ud83db","code":"\ud83dc"}}')
    assert (said.message, said.param, said.names) == ("?a", "?b", ("?c",))

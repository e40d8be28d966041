"""Faults as bytes, and a provider's error bodies read back."""

import json

import pytest

from proxy.domain.fault import Fault, Kind
from proxy.wire.fault_body import error_body, error_event, read_error_body
from tests.kit.grammar import check_stream


def test_a_fault_is_an_anthropic_error() -> None:
    body = error_body(Fault(Kind.NOT_FOUND, 'model: "x"\n', hint="Ask /v1/models."), "req_1")
    assert json.loads(body) == {
        "type": "error",
        "error": {"type": "not_found_error", "message": 'model: "x"\n Ask /v1/models.'},
        "request_id": "req_1",
    }


def test_a_code_becomes_the_details_sdks_choose_exceptions_by() -> None:
    body = error_body(Fault(Kind.BAD_REQUEST, "no", error_code="thread_unsupported"), "r")
    assert json.loads(body)["error"]["details"] == {
        "error_code": "thread_unsupported",
        "unsupported": [],
    }


def test_a_providers_error_is_kept_word_for_word_but_for_the_request_id() -> None:
    kept = b'{ "type":"x_error","message":"m","extra":1.10 }'
    body = error_body(Fault(Kind.OVERLOADED, "other", error_body=kept), 'q"')
    assert body == b'{"type":"error","error":' + kept + rb',"request_id":"q\""}'


def test_the_detail_of_a_fault_is_not_told() -> None:
    assert b"secret" not in error_body(Fault(Kind.HOUSE, "no", detail="secret"), "r")


def test_an_error_event_is_one_whole_event() -> None:
    event = error_event(Fault(Kind.UPSTREAM_TIMEOUT, "line\nbreak \u2028"), "req_1")
    assert check_stream(event) == "error"
    assert event.count(b"\n") == 3
    assert json.loads(event.split(b"data: ")[1])["error"]["type"] == "timeout_error"


def test_a_providers_error_is_read() -> None:
    read = read_error_body(
        b'{"type":"error","error":{"type":"overloaded_error","message":"Busy","n":1},"request_id":"u"}'
    )
    assert read is not None
    said, raw = read
    assert (said.type, said.message) == ("overloaded_error", "Busy")
    assert raw == b'{"type":"overloaded_error","message":"Busy","n":1}'


def test_an_error_over_several_lines_becomes_one_line() -> None:
    read = read_error_body(b'{\r\n "error": {\r\n  "type": "a",\n  "message": "b\\nc"\n }\n}')
    assert read is not None
    assert b"\n" not in read[1] and b"\r" not in read[1]
    assert json.loads(read[1]) == {"type": "a", "message": "b\nc"}
    event = error_event(Fault(Kind.HOUSE, "", error_body=read[1]), "r")
    assert check_stream(event) == "error"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>502</html>",
        b"[]",
        b"{}",
        b'{"error":"busy"}',
        b'{"error":{}}',
        b'{"error":null}',
        b'{"error":{"message":"no type"}}',
        b'{"error":{"type":5}}',
        b'{"error":{"type":"\xff"}}',
        b'{"error":{"type":"a","message":null}}',
        b'{"error":{"type":"a","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    ],
    ids=lambda body: body[:30],
)
def test_what_is_no_anthropic_error_is_not_taken_for_one(body: bytes) -> None:
    assert read_error_body(body) is None

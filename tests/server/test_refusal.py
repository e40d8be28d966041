"""A Fault as a reply: the same words for both roads, in two shapes."""

import json
import logging

import pytest

from proxy.domain.fault import Fault, Kind, Source
from proxy.server.refusal import log_refusal, refusal_headers, rest_body, whole_refusal


def test_headers_tell_what_the_fault_knows_and_nothing_else() -> None:
    assert refusal_headers(Fault(Kind.BAD_REQUEST, "No.")) == []
    told = Fault(Kind.RATE_LIMITED, "No.", retry=True, retry_after_s=3, reason="burst_limit")
    assert refusal_headers(told) == [
        ("x-should-retry", "true"),
        ("retry-after", "3"),
        ("x-hatz-reason", "burst_limit"),
    ]
    assert refusal_headers(Fault(Kind.UNAUTHENTICATED, "No.", retry=False)) == [
        ("x-should-retry", "false")
    ]
    assert refusal_headers(Fault(Kind.UNAVAILABLE, "No.", retry_after_s=0)) == [
        ("retry-after", "0")
    ]


def test_the_rest_shape_prefers_the_reason_as_its_code() -> None:
    bare = json.loads(rest_body(Fault(Kind.NOT_FOUND, "Gone.", hint="Look elsewhere."), "req_1"))
    assert bare == {
        "error": {
            "type": "not_found_error",
            "message": "Gone. Look elsewhere.",
            "code": "not_found_error",
        },
        "request_id": "req_1",
    }
    told = json.loads(rest_body(Fault(Kind.NOT_FOUND, "Gone.", reason="why"), "req_1"))
    assert told["error"]["code"] == "why"


@pytest.mark.parametrize("anthropic", (True, False))
@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.name)
def test_a_whole_refusal_is_one_closed_reply(kind: Kind, anthropic: bool) -> None:
    sent = whole_refusal(Fault(kind, 'Say "no" \u2028.'), "req_1", anthropic=anthropic)
    head, _, body = sent.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0].startswith(b"HTTP/1.1 %d " % kind.status)
    assert b"connection: close" in lines
    assert b"content-length: %d" % len(body) in lines
    assert lines.count(b"request-id: req_1") == lines.count(b"x-request-id: req_1") == 1
    document = json.loads(body)
    assert document["request_id"] == "req_1"
    assert document["error"]["message"] == 'Say "no" \u2028.'
    assert ("type" in document) is anthropic


@pytest.mark.parametrize(
    ("source", "level"),
    [(Source.CALLER, None), (Source.UPSTREAM, "WARNING"), (Source.HOUSE, "ERROR")],
)
def test_the_operator_hears_of_what_is_not_the_callers_mistake(
    caplog: pytest.LogCaptureFixture, source: Source, level: str | None
) -> None:
    with caplog.at_level(logging.DEBUG):
        log_refusal(Fault(Kind.UNAVAILABLE, "Told.", detail="inner", source=source), "req_1")
    assert [record.levelname for record in caplog.records] == ([level] if level else [])
    if level:
        assert "req_1" in caplog.text and "inner" in caplog.text

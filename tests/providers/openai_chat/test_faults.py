"""What headers add to a refusal; the refusals themselves stand in `tests/cases/faults`."""

import pytest

from proxy.domain.fault import Fault, Kind
from proxy.providers.openai_chat.faults import chat_fault
from tests.kit.asked import make_asked

NOW_S = 1_795_000_000.0


def refused(status: int, body: bytes = b'{"error":{"message":"why"}}', **headers: str) -> Fault:
    told = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return chat_fault("kimi", status, told, body, call=make_asked(), now_s=NOW_S)


def test_the_log_says_which_provider() -> None:
    assert refused(500).detail == "provider kimi answered 500"


def test_a_wait_of_a_minute_is_told_and_a_longer_one_ends_the_trying() -> None:
    short, long = refused(429, retry_after="60"), refused(429, retry_after="61")
    assert (short.retry_after_s, short.retry) == (60, None)
    assert (long.retry_after_s, long.retry) == (61, False)
    assert "61 seconds" in long.message


def test_an_overload_is_waited_for_however_long() -> None:
    fault = refused(503, retry_after="120")
    assert (fault.kind, fault.retry_after_s, fault.retry) == (Kind.OVERLOADED, 120, None)


@pytest.mark.parametrize(("value", "retry"), [("true", True), ("false", False), ("maybe", None)])
def test_what_the_provider_says_of_retrying_is_passed_on(value: str, retry: bool | None) -> None:
    assert refused(500, x_should_retry=value).retry is retry


def test_an_empty_account_is_not_tried_again_whatever_the_headers_say() -> None:
    body = b'{"error":{"message":"x","type":"insufficient_quota"}}'
    fault = refused(429, body, x_should_retry="true", retry_after="1")
    assert fault.retry is False
    assert fault.retry_after_s is None


def test_a_refusal_of_the_request_has_no_wait() -> None:
    assert refused(400, retry_after="5").retry_after_s is None

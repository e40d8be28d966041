"""Faults: the statuses clients and SDKs know, and no more said than the caller may read."""

import pytest

from proxy.domain.fault import Fault, Kind, Source

# SDKs raise an exception type of their own for each of these (client-contract.md 9).
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


@pytest.mark.parametrize(("status", "error_type"), ERROR_TYPES.items())
def test_every_status_of_the_contract_has_one_kind(status: int, error_type: str) -> None:
    [kind] = [kind for kind in Kind if kind.status == status]
    assert kind.error_type == error_type


def test_no_two_kinds_are_the_same() -> None:
    # Members of equal value would silently be aliases of each other.
    assert len(Kind.__members__) == len(list(Kind))


def test_a_fault_takes_status_and_type_from_its_kind() -> None:
    fault = Fault(Kind.NOT_FOUND, "model: x")
    assert (fault.status, fault.error_type) == (404, "not_found_error")
    assert fault.source is Source.CALLER
    assert (fault.retry, fault.retry_after_s, fault.reason, fault.error_code) == (
        None,
        None,
        "",
        "",
    )
    assert fault.error_body == b""


def test_a_providers_own_status_and_type_are_kept() -> None:
    fault = Fault(
        Kind.UPSTREAM_BROKEN, "said", status=418, error_type="teapot_error", error_body=b"{}"
    )
    assert (fault.kind, fault.status, fault.error_type) == (
        Kind.UPSTREAM_BROKEN,
        418,
        "teapot_error",
    )
    assert fault.error_body == b"{}"


def test_the_hint_follows_the_message() -> None:
    assert Fault(Kind.FORBIDDEN, "Not you.", hint="Ask Ann.").message == "Not you. Ask Ann."
    assert Fault(Kind.FORBIDDEN, "Not you.").message == "Not you."


def test_the_detail_is_for_the_log_only() -> None:
    fault = Fault(Kind.HOUSE, "It failed.", hint="Try again.", detail="table keys is locked")
    assert fault.detail == "table keys is locked"
    for text in (str(fault), repr(fault), fault.message, *map(str, fault.args)):
        assert "locked" not in text


def test_it_is_an_exception_that_names_itself() -> None:
    with pytest.raises(Fault, match="slow down") as caught:
        raise Fault(Kind.RATE_LIMITED, "slow down", retry_after_s=3)
    assert repr(caught.value) == "Fault(RATE_LIMITED, 429, 'slow down')"

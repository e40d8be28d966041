"""Answers that cannot be used."""

from proxy.domain.fault import Source
from proxy.stream.broken import broken, cut_off, unreadable


def test_all_of_them_are_the_providers_fault_and_may_be_tried_again() -> None:
    for fault in (broken("slept"), unreadable("it was Greek"), cut_off()):
        assert (fault.status, fault.error_type, fault.source) == (502, "api_error", Source.UPSTREAM)
        assert fault.message.startswith("The model provider ")
        assert fault.message.endswith(" Try again.")
        assert fault.repeat is False


def test_why_it_cannot_be_read_is_for_the_log_only() -> None:
    fault = unreadable("it was Greek")
    assert "Greek" in fault.detail
    assert "Greek" not in fault.message

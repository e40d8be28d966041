"""Every refusal of the shelf: what a provider says, and what the client is told instead.

The first half is a status (or `stream`, for an error inside one), header lines, a blank line and
the body; the second the same for the client.
"""

from pathlib import Path

import msgspec
import pytest

from proxy.domain.call import Call
from proxy.domain.fault import Fault
from proxy.providers.openai_chat.faults import chat_fault
from proxy.server.refusal import refusal_headers
from proxy.wire.chat_fault import read_chat_error
from proxy.wire.fault_body import error_body
from tests.kit.asked import make_asked
from tests.kit.case_file import Case, read_cases

CASES = read_cases(Path(__file__).parent / "faults")
NOW_S = 1_795_000_000.0  # 2026-11-18 11:06:40 UTC
PROVIDER = "kimi"


def test_the_shelf_is_not_empty() -> None:
    assert len(CASES) >= 50


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_refusal_is_told_as_the_case_expects(case: Case) -> None:
    fault = fault_of(case.given, make_asked(input_tokens=150_000))
    assert told(fault) == case.expected, case.why


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_refusal_shows_a_page_a_key_or_an_account(case: Case) -> None:
    fault = fault_of(case.given, make_asked())
    for secret in ("<html", "<!DOCTYPE", "sk-12345678", "org-12345678", "ak-1234"):
        assert secret not in fault.message + fault.detail


def fault_of(given: bytes, call: Call) -> Fault:
    head, _, body = given.partition(b"\n\n")
    status, *lines = head.split(b"\n")
    body = body.removesuffix(b"\n")
    if status == b"stream":
        return read_chat_error(body, status=None, call=call)
    headers = dict(line.split(b": ", 1) for line in lines)
    return chat_fault(PROVIDER, int(status), headers, body, call=call, now_s=NOW_S)


def told(fault: Fault) -> bytes:
    lines = [str(fault.status), *[f"{name}: {value}" for name, value in refusal_headers(fault)]]
    body = msgspec.json.format(error_body(fault, "req_case"), indent=-1)
    return "\n".join(lines).encode() + b"\n\n" + body + b"\n"

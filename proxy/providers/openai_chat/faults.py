"""A refusal of a server that speaks chat completions: status, headers and body in, a Fault out.

Owns what headers add to `wire/chat_fault`: when to come again, and whether at all.
"""

from collections.abc import Mapping

from proxy.domain.call import Call
from proxy.domain.fault import Fault, Kind
from proxy.wire.aws_fault import exception_name, read_aws_fault
from proxy.wire.chat_fault import read_chat_error
from proxy.wire.retry_after import wait_of

PATIENCE_S = 60
"""Clients obey a longer `retry-after` by sleeping for all of it, or give up at once
(client-contract.md 9.3): from here on they are told not to try."""
_RETRIABLE = {b"true": True, b"false": False}
_AWS_NAME = b"x-amzn-errortype"
_WAITING = (Kind.RATE_LIMITED, Kind.OVERLOADED)


def chat_fault(
    provider: str,
    status: int,
    headers: Mapping[bytes, bytes],
    body: bytes,
    *,
    call: Call,
    now_s: float,
) -> Fault:
    """The Fault of a reply with a status other than 2xx. Header names are lower-case; `now_s` is
    Unix seconds."""
    named = headers.get(_AWS_NAME)
    if named is not None:
        # Mantle speaks this wire, but what stands around it is AWS's.
        fault = read_aws_fault(exception_name(named), body, status=status, call=call)
    else:
        fault = read_chat_error(body, status=status, call=call)
    fault.detail = f"provider {provider} {fault.detail}"
    if fault.retry is None:
        fault.retry = _RETRIABLE.get(headers.get(b"x-should-retry", b"").lower())
    if fault.kind not in _WAITING or fault.retry is False:
        return fault
    wait = wait_of(headers, now_s)
    if wait is None:
        wait = fault.retry_after_s
    fault.retry_after_s = wait
    if wait is not None and wait > PATIENCE_S and fault.kind is Kind.RATE_LIMITED:
        fault.retry = False
        fault.message = f"{fault.message} The limit is lifted in {wait} seconds."
    return fault

"""A Fault becomes a reply: status, headers, body. The one place for the lane and for aiohttp.

Under `/v1/anthropic` the body is Anthropic's envelope; elsewhere the REST shape of domain.md 12.
"""

import logging

import msgspec

from proxy.domain.fault import OVERLOADED, Fault, Source
from proxy.wire.fault_body import error_body
from proxy.wire.http import status_line

_LOG = logging.getLogger("proxy.refusal")


def refusal_headers(fault: Fault) -> list[tuple[str, str]]:
    """What clients' retry logic and support read off a refusal (domain.md 7, contract 4)."""
    headers: list[tuple[str, str]] = []
    if fault.retry is not None:
        headers.append(("x-should-retry", "true" if fault.retry else "false"))
    if fault.retry_after_s is not None:
        headers.append(("retry-after", str(fault.retry_after_s)))
    if fault.reason:
        headers.append(("x-hatz-reason", fault.reason))
    headers.extend(fault.headers)
    return headers


def refusal_reason(fault: Fault) -> str:
    """What a refusal is counted as; of a bounded number of words."""
    return fault.reason or fault.kind.name.lower()


def anthropic_body(fault: Fault, request_id: str) -> bytes:
    """The body for paths under `/v1/anthropic`."""
    return error_body(fault, request_id)


def rest_body(fault: Fault, request_id: str) -> bytes:
    """The body for all other paths."""
    return msgspec.json.encode(
        {
            "error": {
                "type": fault.error_type,
                "message": fault.message,
                "code": fault.reason or fault.error_type,
            },
            "request_id": request_id,
        }
    )


def whole_refusal(fault: Fault, request_id: str, *, anthropic: bool) -> bytes:
    """A whole HTTP/1.1 reply, after which the connection is closed."""
    body = (anthropic_body if anthropic else rest_body)(fault, request_id)
    lines = [
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        ("request-id", request_id),
        ("x-request-id", request_id),
        ("connection", "close"),
        *refusal_headers(fault),
    ]
    head = "".join([f"{name}: {value}\r\n" for name, value in lines]).encode()
    return status_line(fault.status) + head + b"\r\n" + body


def log_refusal(fault: Fault, request_id: str) -> None:
    """The operator hears of what is not the caller's own mistake."""
    if fault.source is Source.CALLER or fault.reason == OVERLOADED:
        return  # an overload is logged once, and counted; a line for each would add to it
    level = logging.WARNING if fault.source is Source.UPSTREAM else logging.ERROR
    _LOG.log(level, "[%s] %d %s", request_id, fault.status, fault.detail or fault.message)

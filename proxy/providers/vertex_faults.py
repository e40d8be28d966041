"""What a refusal of Google Cloud's own means to the client (translation.md 6, 7.2).

Errors of the model itself come in Anthropic's envelope and are told as Anthropic's. What Google
says of the operator's account goes to the log, in the client's words it is our trouble.
"""

import re
from collections.abc import Mapping

from proxy.domain.call import Call
from proxy.domain.fault import Fault, Kind, Source
from proxy.wire.google_error import GoogleError, without_project
from proxy.wire.overflow import overflow_message, read_overflow
from proxy.wire.retry_after import read_wait, wait_of

_DETAIL_CHARS_MAX = 300
_MESSAGE_CHARS_MAX = 1000

_RATE = (Kind.RATE_LIMITED, "The model provider limits the rate of requests. Try again later.")
_OVERLOADED = (Kind.OVERLOADED, "The model provider is overloaded. Try again later.")
_SLOW = (Kind.UPSTREAM_TIMEOUT, "The model provider took too long to answer. Try again.")
_BY_STATUS = {
    "RESOURCE_EXHAUSTED": _RATE,
    "UNAVAILABLE": _OVERLOADED,
    "DEADLINE_EXCEEDED": _SLOW,
}
_BY_CODE = {429: _RATE, 503: _OVERLOADED, 529: _OVERLOADED, 408: _SLOW, 504: _SLOW}
_CREDENTIAL = ("UNAUTHENTICATED", "PERMISSION_DENIED")
_NO_MODEL = ("NOT_FOUND", "UNIMPLEMENTED")
_BAD = ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE")


def google_fault(
    provider: str,
    error: GoogleError,
    *,
    status: int,
    headers: Mapping[bytes, bytes],
    call: Call,
    now_s: float,
) -> Fault:
    """The Fault of an error in Google's envelope. `now_s` is Unix seconds."""
    told = " ".join(error.message.split())[:_DETAIL_CHARS_MAX]
    detail = f"provider {provider} answered {status} {error.status} {error.reason}".rstrip()
    detail = f"{detail}: {told}"
    name = error.status
    if name in _CREDENTIAL or (status in (401, 403) and name not in _NO_MODEL):
        return Fault(
            Kind.UPSTREAM_BROKEN,
            "The model provider refused the gateway's own credential.",
            hint="Please tell the gateway's operator.",
            detail=f"{detail}; {remedy_of(error)}",
            source=Source.UPSTREAM,
            retry=False,
        )
    if name in _NO_MODEL or status == 404 or lacks_model(error) is not None:
        return _no_model(call, detail)
    known = _BY_STATUS.get(name) or (None if name in _BAD else _BY_CODE.get(status))
    if known is not None:
        kind, words = known
        return Fault(
            kind,
            words,
            detail=detail,
            source=Source.UPSTREAM,
            retry_after_s=_wait_s(error, headers, now_s),
        )
    if name in _BAD or 400 <= status < 500:
        return _bad_request(error, status, call, detail)
    return Fault(
        Kind.UPSTREAM_BROKEN,
        "The model provider failed. Try again.",
        detail=detail,
        source=Source.UPSTREAM,
        status=500 if status == 500 else 0,
    )


_LACKS = (
    (
        re.compile(r"is not servable in region|not available in (?:this |the )?region", re.I),
        "it is not served in this region: write another one, or global",
    ),
    (
        re.compile(r"is not allowed to use publisher model", re.I),
        "enable it for the project in Model Garden",
    ),
    (
        re.compile(r"vertexai\.allowedModels", re.I),
        "an organization policy (vertexai.allowedModels) forbids it; ask who administers those",
    ),
)
"""Words of a 400 that is about the deployment and not about the request, and what to do."""


def lacks_model(error: GoogleError) -> str | None:
    """What the operator can do, where Google says with a 400 that the project or the region does
    not have the model."""
    return next((remedy for words, remedy in _LACKS if words.search(error.message)), None)


_REMEDY = "give the account the role Vertex AI User (roles/aiplatform.user) in the project"
_REMEDIES = {
    "SERVICE_DISABLED": "enable the Vertex AI API (aiplatform.googleapis.com) in the project",
    "BILLING_DISABLED": "enable billing for the project",
    "CONSUMER_INVALID": "is `project` right?",
    "USER_PROJECT_DENIED": "may the account charge its quota project?",
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": "the machine's account needs the scope cloud-platform",
    "ACCESS_TOKEN_EXPIRED": "is this machine's clock right? Set it by NTP",
}


def remedy_of(error: GoogleError | None = None) -> str:
    """What the operator can do about a 401 or 403."""
    return _REMEDIES.get(error.reason, _REMEDY) if error is not None else _REMEDY


def _no_model(call: Call, detail: str) -> Fault:
    return Fault(
        Kind.NOT_FOUND,
        f"model: {call.model.id}: its provider does not have it for this gateway.",
        hint="Choose another model or tell the gateway's operator.",
        detail=f"{detail}; enable the model for the project in Vertex AI's Model Garden, and look "
        "whether it is offered in this region",
        source=Source.UPSTREAM,
        retry=False,
        reason="upstream_unavailable",
    )


def _bad_request(error: GoogleError, status: int, call: Call, detail: str) -> Fault:
    overflow = read_overflow(error.message, status=status)
    if overflow is not None:
        words = overflow_message(
            overflow, prompt_tokens=call.input_tokens, context_window=call.model.context_window
        )
    else:
        words = without_project(error.message)[:_MESSAGE_CHARS_MAX]
    kind = Kind.TOO_LARGE if status == 413 else Kind.BAD_REQUEST
    return Fault(
        kind,
        words or "The model provider refused the request without saying why.",
        detail=detail,
        source=Source.UPSTREAM,
    )


def _wait_s(error: GoogleError, headers: Mapping[bytes, bytes], now_s: float) -> int | None:
    wait = wait_of(headers, now_s)
    if wait is None and error.retry_delay:
        wait = read_wait(error.retry_delay, 0.0)
    return wait

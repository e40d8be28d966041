"""An error of a server that speaks chat completions as a Fault (translation.md 7.2, 7.3, 3.11).

One reader for refusals with a status and for errors inside a stream, which have none: there the
code, the type and at last the words decide. A status is never made up from the words of a refusal
that has one: an error may quote the prompt.
"""

import re
from enum import Enum

from proxy.domain.call import Call
from proxy.domain.fault import Fault, Kind, Source
from proxy.wire.chat_error import Said, read_said
from proxy.wire.overflow import Overflow, overflow_message, read_overflow
from proxy.wire.retry_after import read_wait


class _Means(Enum):
    """What an error comes to: kind, status, and our words where the provider has none."""

    BAD_REQUEST = (
        Kind.BAD_REQUEST,
        400,
        "The model provider refused the request without saying why.",
    )
    BLOCKED = (
        Kind.BAD_REQUEST,
        400,
        "The request was blocked by the provider's content filter.",
    )
    NO_FUNDS = (
        Kind.RATE_LIMITED,
        429,
        "The gateway's account with the model provider is exhausted.",
    )
    CREDENTIAL = (
        Kind.UPSTREAM_BROKEN,
        502,
        "The model provider refused the gateway's own credential.",
    )
    NOT_FOUND = (Kind.NOT_FOUND, 404, "The model provider does not know this model or path.")
    CONFLICT = (Kind.CONFLICT, 409, "The model provider reports a conflict. Try again.")
    TOO_LARGE = (Kind.TOO_LARGE, 413, "The request is too large for the model provider.")
    RATE = (
        Kind.RATE_LIMITED,
        429,
        "The model provider limits the rate of requests. Try again later.",
    )
    FAILED = (Kind.UPSTREAM_BROKEN, 500, "The model provider failed. Try again.")
    BROKEN = (
        Kind.UPSTREAM_BROKEN,
        502,
        "The model provider answered with an error that cannot be read. Try again.",
    )
    TIMEOUT = (
        Kind.UPSTREAM_TIMEOUT,
        504,
        "The model provider took too long to answer. Try again.",
    )
    OVERLOADED = (Kind.OVERLOADED, 529, "The model provider is overloaded. Try again later.")

    def __init__(self, kind: Kind, status: int, words: str) -> None:
        self.kind = kind
        self.status = status
        self.words = words


def read_chat_error(error: bytes | str, *, status: int | None, call: Call | None) -> Fault:
    """The Fault that `error` is: an error value, a body that holds one, or whatever came instead.

    `status` is the reply's HTTP status, None inside a stream. Where a prompt is too long and the
    provider gives no numbers, those of `call` stand in.
    """
    said = read_said(error)
    where = f"answered {status}" if status else "said in its stream"
    detail = f"{where} {' '.join(said.names)}".rstrip()
    overflow = _overflow(said, status)
    if overflow is not None:
        return Fault(
            Kind.BAD_REQUEST,
            overflow_message(
                overflow,
                prompt_tokens=call.input_tokens if call else 0,
                context_window=call.model.context_window if call else 0,
            ),
            detail=f"{detail}: the prompt is too long",
        )
    means = _meaning(said, status)
    is_ours = means in _OURS
    if is_ours and said.message:
        # What it says of our account is for the operator's eyes only.
        detail = f"{detail}: {' '.join(said.message[:300].split())}"
    return Fault(
        means.kind,
        _words(means, said),
        hint="Please tell the gateway's operator." if means in _OPERATORS else "",
        detail=detail,
        source=Source.CALLER if means is _Means.BLOCKED else Source.UPSTREAM,
        retry=False if means in _OPERATORS or _is_for_today(means, said) else None,
        retry_after_s=_wait_s(means, said),
        status=means.status,
    )


_OURS = frozenset((_Means.CREDENTIAL, _Means.NO_FUNDS, _Means.RATE))
"""About our account with the provider, which is not the client's to see (translation.md 7.1)."""
_OPERATORS = frozenset((_Means.CREDENTIAL, _Means.NO_FUNDS))
"""Only the operator can cure these."""
_FIXED = frozenset((*_OURS, _Means.BLOCKED))
"""Where our words stand whatever the provider says."""

_BY_NAME = {
    _Means.BLOCKED: """content_filter content_policy_violation responsibleaipolicyviolation
        data_inspection_failed moderation_blocked content_moderation""",
    _Means.NO_FUNDS: """insufficient_quota billing_hard_limit_reached billing_not_active
        exceeded_current_quota_error insufficient_balance insufficient_credits billing_error
        insufficient_funds payment_required""",
    _Means.OVERLOADED: """engine_overloaded_error overloaded_error overloaded engine_overloaded
        server_overloaded slow_down unavailable modelnotreadyexception service_unavailable
        serviceunavailableexception service_unavailable_error""",
    _Means.RATE: """rate_limit_exceeded rate_limit_error rate_limit_reached_error
        too_many_requests resource_exhausted throttlingexception servicequotaexceededexception
        rate_limited""",
    _Means.NOT_FOUND: """model_not_found model_not_exist deploymentnotfound not_found_error
        not_found notfounderror resource_not_found_error resourcenotfoundexception
        unsupported_country_region_territory""",
    _Means.CREDENTIAL: """authentication_error invalid_api_key invalid_authentication_error
        incorrect_api_key_error unauthenticated permission_denied permission_denied_error
        permission_error access_terminated_error accessdeniedexception account_deactivated
        unrecognizedclientexception invalidsignatureexception expiredtokenexception""",
}
_NAMES = {name: means for means, names in _BY_NAME.items() for name in names.split()}
"""Codes and types that say more than the status they come with."""

_BY_WEAK_NAME = {
    _Means.TIMEOUT: """timeout timeout_error request_timeout gateway_timeout deadline_exceeded
        modeltimeoutexception""",
    _Means.TOO_LARGE: "request_too_large request_entity_too_large",
    _Means.FAILED: """server_error internal_server_error internal_error internal api_error
        internalserverexception internalservererror modelerrorexception
        modelstreamerrorexception""",
    _Means.BAD_REQUEST: """invalid_request_error bad_request badrequesterror invalid_argument
        failed_precondition validationexception validation_error""",
}
_WEAK_NAMES = {name: means for means, names in _BY_WEAK_NAME.items() for name in names.split()}
"""Names that say something only where there is no status: they stand beside any."""

_STATUSES = {
    401: _Means.CREDENTIAL,
    402: _Means.NO_FUNDS,
    403: _Means.CREDENTIAL,
    404: _Means.NOT_FOUND,
    405: _Means.BROKEN,
    407: _Means.CREDENTIAL,
    408: _Means.TIMEOUT,
    409: _Means.CONFLICT,
    413: _Means.TOO_LARGE,
    424: _Means.FAILED,
    429: _Means.RATE,
    499: _Means.BROKEN,
    500: _Means.FAILED,
    503: _Means.OVERLOADED,
    504: _Means.TIMEOUT,
    529: _Means.OVERLOADED,
}
_TELLING = frozenset((408, 413, 429, 503, 504, 529))
"""Statuses that are believed without an error that can be read; else it was some proxy's page."""
_UNREADABLE = _Means.BROKEN

_BLOCKED = re.compile(
    r"content exists risk|considered high risk|flagged (?:by|for) moderation", re.I
)
_NO_FUNDS = re.compile(r"insufficient (?:account )?(?:balance|credits?|funds)", re.I)
_OVERLOADED = re.compile(r"overloaded|over capacity|no (?:available )?capacity", re.I)
_NO_MODEL = re.compile(r"model not exist|model .{1,200} (?:does not exist|not found)", re.I)
_REGION = re.compile(r"\b(?:region|country)\b", re.I)
_RATE = re.compile(r"rate limit|too many requests", re.I)
_DAILY = re.compile(r"too many (?:tokens|requests) per day", re.I)
_AGAIN_IN = re.compile(r"try again (?:in|after) ((?:\d+(?:\.\d+)? ?(?:ms|[dhms]))+)", re.I)
_TIMEOUT = re.compile(r"timed? ?out|deadline exceeded", re.I)


def _overflow(said: Said, status: int | None) -> Overflow | None:
    overflow = read_overflow(
        said.message, status=status if status is None or status >= 400 else None, codes=said.names
    )
    if overflow is None or not said.limit_tokens:
        return overflow
    return Overflow(said.prompt_tokens or overflow.prompt, overflow.output, said.limit_tokens)


def _meaning(said: Said, status: int | None) -> _Means:
    number = status if status is not None and status >= 400 else said.number
    for name in said.names:
        if (means := _NAMES.get(name)) is not None:
            return _Means.BLOCKED if said.flagged and means is _Means.CREDENTIAL else means
    if said.is_empty and number not in _TELLING:
        return _UNREADABLE
    if not number:
        return _meaning_in_stream(said)
    return _meaning_of_status(said, number)


def _meaning_of_status(said: Said, status: int) -> _Means:
    message = said.message
    if status in (400, 403, 422) and (said.flagged or _BLOCKED.search(message)):
        return _Means.BLOCKED
    if status in (402, 403, 429) and _NO_FUNDS.search(message):
        return _Means.NO_FUNDS
    if status == 429 and _OVERLOADED.search(message):
        return _Means.OVERLOADED
    if status == 403 and (_REGION.search(message) or _NO_MODEL.search(message)):
        return _Means.NOT_FOUND
    if status == 400 and _NO_MODEL.fullmatch(message.rstrip(".")):
        return _Means.NOT_FOUND
    if (means := _STATUSES.get(status)) is not None:
        return means
    return _Means.BAD_REQUEST if 400 <= status < 500 else _Means.BROKEN


def _meaning_in_stream(said: Said) -> _Means:
    for name in said.names:
        if (means := _WEAK_NAMES.get(name)) is not None:
            return means
    for pattern, means in (
        (_BLOCKED, _Means.BLOCKED),
        (_NO_FUNDS, _Means.NO_FUNDS),
        (_OVERLOADED, _Means.OVERLOADED),
        (_RATE, _Means.RATE),
        (_TIMEOUT, _Means.TIMEOUT),
    ):
        if pattern.search(said.message):
            return means
    return _Means.BROKEN


def _is_for_today(means: _Means, said: Said) -> bool:
    return means is _Means.RATE and _DAILY.search(said.message) is not None


def _wait_s(means: _Means, said: Said) -> int | None:
    """Where no header says when to come again, the error may."""
    if means not in (_Means.RATE, _Means.OVERLOADED):
        return None
    if said.retry_after:
        return read_wait(said.retry_after, 0.0)
    told = _AGAIN_IN.search(said.message)
    return read_wait(told[1].replace(" ", ""), 0.0) if told is not None else None


def _words(means: _Means, said: Said) -> str:
    if means in _FIXED or not said.message:
        return means.words
    if said.param and not said.message.startswith(said.param):
        return f"{said.param}: {said.message}"
    return said.message

"""An error of a Google API: `{"error": {"code", "message", "status", "details"}}`, bare or as the
one element of a list (translation.md 6).

Bytes in, what it says out. Refuses to know what any of it means.
"""

import re

import msgspec

BODY_BYTES_MAX = 1 << 16
"""A longer one is no error of an API."""
_PROJECT = re.compile(r"\b(projects?[/ :=]+)[`'\"]?[a-z0-9][a-z0-9.:-]{2,60}", re.IGNORECASE)
_ACCOUNT = re.compile(r"[\w.+-]+@[\w.-]+\.\w+")


class GoogleError(msgspec.Struct, gc=False):
    """What it says. `status` is a name of google.rpc.Code, `retry_delay` such as `34s`."""

    status: str = ""
    message: str = ""
    code: int = 0
    reason: str = ""
    """Of its ErrorInfo: `SERVICE_DISABLED`, `IAM_PERMISSION_DENIED`, `RATE_LIMIT_EXCEEDED`."""
    retry_delay: str = ""


class _Detail(msgspec.Struct):
    reason: msgspec.Raw = msgspec.Raw()
    retry_delay: msgspec.Raw = msgspec.field(name="retryDelay", default=msgspec.Raw())


class _Error(msgspec.Struct):
    status: str
    message: str = ""
    code: int = 0
    details: msgspec.Raw = msgspec.Raw()


class _Envelope(msgspec.Struct):
    error: _Error


_BARE = msgspec.json.Decoder(_Envelope)
_LISTED = msgspec.json.Decoder(list[_Envelope])
_DETAILS = msgspec.json.Decoder(list[_Detail])
_QUOTE = ord('"')
_TEXT = msgspec.json.Decoder(str)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_google_error(body: bytes) -> GoogleError | None:
    """None when the body is something else (HTML, Anthropic's own error, nothing)."""
    if len(body) > BODY_BYTES_MAX:
        return None
    try:
        if body.lstrip()[:1] == b"[":
            listed = _LISTED.decode(body)
            if not listed:
                return None
            error = listed[0].error
        else:
            error = _BARE.decode(body).error
    except _UNREADABLE:
        return None
    read = GoogleError(error.status, error.message, error.code)
    if error.details:
        _take_details(read, error.details)
    return read


def without_project(text: str) -> str:
    """Text without the project and the accounts it names: they are the operator's."""
    return _ACCOUNT.sub("***", _PROJECT.sub(r"\1***", text))


def _take_details(read: GoogleError, details: msgspec.Raw) -> None:
    try:
        for detail in _DETAILS.decode(details):
            read.reason = read.reason or _text(detail.reason)
            read.retry_delay = read.retry_delay or _text(detail.retry_delay)
    except _UNREADABLE:
        pass  # details of another shape add nothing


def _text(raw: msgspec.Raw) -> str:
    return _TEXT.decode(raw) if raw and memoryview(raw)[0] == _QUOTE else ""

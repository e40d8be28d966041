"""A Fault as bytes and back: the Anthropic error envelope, as JSON body and as `event: error`.

The envelope is client-contract.md 9.1. A provider's own `error` object is kept word for word,
because clients match on its wording (9.4); only `request_id` becomes ours.
"""

import msgspec

from proxy.domain.fault import Fault


class ProviderError(msgspec.Struct):
    """The `error` object of an Anthropic error body, as far as we read it."""

    type: str = ""
    message: str = ""


class _Envelope(msgspec.Struct):
    error: msgspec.Raw = msgspec.Raw()


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_ERROR = msgspec.json.Decoder(ProviderError)


def error_body(fault: Fault, request_id: str) -> bytes:
    """`{"type":"error","error":{…},"request_id":"…"}`."""
    if fault.error_body:
        error = fault.error_body
    else:
        parts: dict[str, object] = {"type": fault.error_type, "message": fault.message}
        if fault.error_code:
            parts["details"] = {"error_code": fault.error_code, "unsupported": []}
        error = msgspec.json.encode(parts)
    return b'{"type":"error","error":%b,"request_id":%b}' % (
        error,
        msgspec.json.encode(request_id),
    )


def error_event(fault: Fault, request_id: str) -> bytes:
    """The same as the event that ends a stream; nothing may follow it."""
    return b"event: error\ndata: %b\n\n" % error_body(fault, request_id)


def read_error_body(body: bytes) -> tuple[ProviderError, bytes] | None:
    """A provider's error body: what it says, and the bytes of its `error` object.

    None when the body is not an Anthropic-shaped error (HTML, empty, another JSON).
    """
    try:
        raw = bytes(_ENVELOPE.decode(body).error)
        said = _ERROR.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not said.type:
        return None
    return said, _one_line(raw)


def _one_line(raw: bytes) -> bytes:
    """JSON without raw line ends: they would break the framing of an event."""
    if b"\n" in raw or b"\r" in raw:
        return msgspec.json.format(raw, indent=-1)
    return raw

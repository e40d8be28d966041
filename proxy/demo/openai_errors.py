"""How vendors on the chat wire word and dress an error. Pure: a refusal in, bytes out.

A marker may ask for an error by its vendor's name for it (`ERROR 429:insufficient_quota`); the
words then are the vendor's own.
"""

from dataclasses import dataclass, field

import msgspec

from proxy.demo.refusal import Refusal
from proxy.demo.script import Overflow
from proxy.demo.vendor import Vendor
from proxy.demo.vendors import GENERIC

_FROM_500 = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One vendor's error objects."""

    kinds: dict[int, str]
    """`type` by status."""
    otherwise: str
    """`type` of every other status from 500 on; below it is always `bad`."""
    bad: str = "invalid_request_error"
    codes: dict[int, object] = field(default_factory=dict)
    """`code` by status, where it is not null."""
    fields: tuple[str, ...] = ("message", "type", "param", "code")
    code_is: str = "named"
    """What `code` holds: the error's `named` code, the `status`, or always its `kind`."""
    kind_is_code: bool = False
    """A named error is told by `type`."""


_PLAIN = Shape(
    kinds={429: "rate_limit_exceeded", 404: "not_found_error"},
    otherwise="server_error",
    codes={401: "invalid_api_key"},
)
_SHAPES: dict[str, Shape] = {
    "plain": _PLAIN,
    "openai": Shape(
        kinds={429: "requests"},
        otherwise="server_error",
        codes={401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"},
    ),
    "moonshot": Shape(
        kinds={
            401: "invalid_authentication_error",
            403: "permission_denied_error",
            404: "resource_not_found_error",
            429: "rate_limit_reached_error",
        },
        otherwise="server_error",
        fields=("message", "type"),
        kind_is_code=True,
    ),
    "deepseek": Shape(
        kinds={401: "authentication_error", 402: "unknown_error"},
        otherwise="service_unavailable_error",
        code_is="invalid",
    ),
    "openrouter": Shape(kinds={}, otherwise="", fields=("message", "code"), code_is="status"),
    "vllm": Shape(
        kinds={401: "AuthenticationError", 404: "NotFoundError"},
        otherwise="InternalServerError",
        bad="BadRequestError",
        code_is="status",
    ),
    "ollama": Shape(kinds={404: "not_found_error"}, otherwise="api_error"),
}
_NAMED_WORDS = {
    "insufficient_quota": (
        "You exceeded your current quota, please check your plan and billing details."
    ),
    "engine_overloaded_error": "The engine is currently overloaded, please try again later",
    "exceeded_current_quota_error": (
        "Your account is suspended, please check your plan and billing details"
    ),
    "rate_limit_reached_error": (
        "Your account reached max RPM: 3, Current: 4, please try again after 1 seconds"
    ),
    "content_filter": "The request was rejected because it was considered high risk",
    "slow_down": "Slow down: we are experiencing high load, please try again later.",
    "context_length_exceeded": (
        "This model's maximum context length is 8192 tokens. However, your messages resulted in "
        "9000 tokens. Please reduce the length of the messages."
    ),
}
_TYPED_BY_CODE = frozenset({"insufficient_quota"})


def error_body(refusal: Refusal, vendor: Vendor = GENERIC) -> bytes:
    """The error envelope."""
    return msgspec.json.encode({"error": error_object(refusal, vendor)})


def error_object(refusal: Refusal, vendor: Vendor) -> dict[str, object]:
    """What stands behind `error`, in a body and in a stream."""
    shape = _SHAPES[vendor.errors]
    kind = shape.otherwise if refusal.status >= _FROM_500 else shape.bad
    kind = shape.kinds.get(refusal.status, kind)
    if refusal.code and (shape.kind_is_code or refusal.code in _TYPED_BY_CODE):
        kind = refusal.code
    code: object = refusal.code or shape.codes.get(refusal.status)
    if shape.code_is == "status":
        code = refusal.status
    elif shape.code_is == "invalid":
        code = "invalid_request_error"
    said = {
        "message": refusal.message or _NAMED_WORDS.get(refusal.code, refusal.words),
        "type": kind,
        "param": refusal.param or None,
        "code": code,
    }
    return {name: said[name] for name in shape.fields}


def overloaded(vendor: Vendor) -> Refusal:
    """How this vendor says that it has too much to do."""
    named = "engine_overloaded_error" if vendor.errors == "moonshot" else ""
    return Refusal(vendor.overloaded_status, code=named)


def overflow(too_much: Overflow, vendor: Vendor) -> Refusal | None:
    """The refusal of a prompt that does not fit; None where the vendor only answers shorter."""
    template = vendor.overflow_total if too_much.prompt_fits else vendor.overflow
    if not template:
        return None
    words = template.format(
        prompt=too_much.prompt,
        wanted=too_much.wanted,
        total=too_much.prompt + too_much.wanted,
        window=too_much.window,
    )
    code = "context_length_exceeded" if vendor.errors in ("openai", "plain") else ""
    return Refusal(400, words, code=code, param="messages")

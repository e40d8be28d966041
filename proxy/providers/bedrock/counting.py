"""CountTokens: what it is asked with and what it answers.

Most models are not counted (trap 46), a role may not be allowed to count, a region may not have it:
an estimate stands in, and such a deployment is not asked again.
"""

from collections.abc import Mapping

import msgspec

from proxy.domain.usage import Usage
from proxy.stream.broken import broken
from proxy.stream.chat_usage import COUNT_MAX
from proxy.stream.whole_reply import WholeReply
from proxy.wire.aws_fault import exception_name
from proxy.wire.chat_error import read_said
from proxy.wire.messages import count_body

_NEVER = (
    "support counting tokens",
    "model identifier is invalid",
    "operation not allowed",
)
_NOT_ALLOWED = "accessdeniedexception"
_NOT_THERE = "unknownoperationexception"


class _Counted(msgspec.Struct, rename="camel"):
    input_tokens: int


def counting(kind: str, given: object) -> bytes:
    """The body of CountTokens: `given` as it would be sent to InvokeModel (`invokeModel`, bytes
    under `body`) or to Converse (`converse`)."""
    # bytes are base64 in msgspec's JSON as in Amazon's.
    return msgspec.json.encode({"input": {kind: given}})


def count_of(body: bytes) -> WholeReply:
    """Its answer as Anthropic gives it. Raises Fault for what is none."""
    try:
        tokens = msgspec.json.decode(body, type=_Counted).input_tokens
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        tokens = -1
    if not 0 <= tokens <= COUNT_MAX:
        raise broken("sent a count that cannot be read")
    return WholeReply(count_body(tokens), Usage(), "")


def counts_never(status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
    """Is it no use to ask again?"""
    if status not in (400, 403, 404):
        return False
    name = exception_name(headers.get(b"x-amzn-errortype", b"")).lower()
    if name == _NOT_THERE or (status == 403 and name == _NOT_ALLOWED):
        return True
    said = read_said(body).message.lower()
    return status == 400 and any(words in said for words in _NEVER)

"""What a service of AWS says went wrong, as a Fault (translation.md 7.2).

AWS names an error beside its body: in the header `x-amzn-errortype` of a refusal, in a header of
the frame inside a stream, where botocore takes every one of them for a 400 (trap 43). The names are
the same but for their case, and mean the same.
"""

import msgspec

from proxy.domain.call import Call
from proxy.domain.fault import Fault
from proxy.wire.chat_error import MESSAGE_CHARS_MAX, read_said
from proxy.wire.chat_fault import read_chat_error

_OF_THE_MODEL = ("modelerrorexception", "modelstreamerrorexception")
"""The model's own failure: what status it had is said in the body."""


def exception_name(header: bytes | str) -> str:
    """`ValidationException` out of `ValidationException:http://…` or `com.amazon…#Validation…`."""
    text = header.decode("ascii", "replace") if isinstance(header, bytes) else header
    return text.partition(":")[0].rpartition("#")[2].strip()


def read_aws_fault(name: str, body: bytes, *, status: int | None, call: Call | None) -> Fault:
    """The Fault of an error called `name`, empty where nobody named it. `status` is the reply's,
    None inside a stream."""
    said = read_said(body)
    names = [each for each in (name.lower(), *said.names) if each]
    if said.number and (not names or names[0] in _OF_THE_MODEL):
        status, names = said.number, names[1:]
    told: dict[str, str] = {"message": said.message[:MESSAGE_CHARS_MAX]}
    if names:
        told["type"] = names[0]
    if not said.message and not names:
        return read_chat_error(body, status=status, call=call)
    return read_chat_error(msgspec.json.encode(told), status=status, call=call)

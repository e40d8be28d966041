"""A chunk of InvokeModelWithResponseStream: an event of Claude's in base64, and the measures that
Amazon adds to the last one (translation.md 5, traps 42 to 44).
"""

from binascii import Error as NoBase64
from binascii import a2b_base64
from typing import Final

import msgspec

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What the readers of this file raise for what is no JSON, or not of their shape."""


class _Packed(msgspec.Struct, gc=False):
    bytes: str = ""


class Event(msgspec.Struct, gc=False):
    """What an event says it is."""

    type: str = ""


class Measures(msgspec.Struct, rename="camel"):
    """What Amazon counted."""

    input_token_count: int | None = None
    output_token_count: int | None = None
    cache_read_input_token_count: int | None = None
    cache_write_input_token_count: int | None = None


class Stop(msgspec.Struct):
    """A `message_stop`, measures and all."""

    measures: Measures | None = msgspec.field(name="amazon-bedrock-invocationMetrics", default=None)


_read_packed = msgspec.json.Decoder(_Packed).decode
read_type = msgspec.json.Decoder(Event).decode
read_stop = msgspec.json.Decoder(Stop).decode
read_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def event_any_way(payload: bytes) -> bytes | None:
    """Whatever JSON it is written as."""
    try:
        return a2b_base64(_read_packed(payload).bytes, strict_mode=True) or None
    except (NoBase64, ValueError, *UNREADABLE):
        return None

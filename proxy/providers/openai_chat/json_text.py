"""Text as it stands between the quotes of a JSON string: copied and joined without being decoded.

What the client escaped stays escaped the same way, so that equal conversations give equal bytes.
"""

import re

import msgspec

NEWLINE = rb"\n"
BLANK_LINE = rb"\n\n"

_BLANK = re.compile(rb"(?:[ ]|\\[nrtf]|\\u00(?:20|0[9A-Da-d]|[aA]0))*")


def escaped(text: str) -> bytes:
    """Text as it stands between quotes."""
    return msgspec.json.encode(text)[1:-1]


def quoted(text: str) -> bytes:
    """Text as a JSON string."""
    return msgspec.json.encode(text)


def plain(inside: bytes) -> str:
    """The text that stands between quotes."""
    text: str = msgspec.json.decode(b'"%b"' % inside, type=str)
    return text


def is_blank(inside: bytes) -> bool:
    """Is there nothing but white space?"""
    return _BLANK.fullmatch(inside) is not None


def as_string(value: bytes | memoryview) -> bytes:
    """Bytes of JSON as a JSON string that holds them (`arguments`): byte for byte once decoded."""
    return msgspec.json.encode(str(value, "utf-8"))

"""One chunk of a body whose length is not known before (RFC 9112 section 7.1), as it is written."""

from typing import Final

_LINES: Final = [b"%x\r\n" % size for size in range(4096)]
"""The line before a chunk, by its size: made once, because nearly every event is so small."""
_END: Final = b"\r\n"


def chunk(data: bytes) -> bytes:
    """`data`, which is not empty (that would end the body), as a chunk."""
    size = len(data)
    if size < len(_LINES):
        return _LINES[size] + data + _END
    return b"%x\r\n%b\r\n" % (size, data)

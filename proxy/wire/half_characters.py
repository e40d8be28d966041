"""Characters that a provider cut in two: the halves of a surrogate pair in two JSON strings.

Both parts of such a stream are refused by every strict decoder (translation.md 0.2). Here the first
half waits for its other one, in the bytes, before anything is decoded; half a character that stays
alone becomes U+FFFD, or is lost where it was the last of its string.
"""

import re

_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_HIGH, _LOW, _END = 0xD800, 0xDC00, 0xE000
_UNKNOWN = rb"\ufffd"
_QUOTE = b'"'


class HalfCharacters:
    """Of one stream. `mended` is asked only about what could not be decoded."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting = b""

    def mended(self, json_text: bytes) -> bytes:
        """The JSON with whole characters only."""
        pieces: list[bytes] = []
        done = 0
        for begin, end, is_high in _lone(json_text):
            pieces.append(json_text[done:begin])
            done = end
            if is_high and json_text[end : end + 1] == _QUOTE:
                self._waiting = json_text[begin:end]
            elif not is_high and self._waiting and json_text[begin - 1 : begin] == _QUOTE:
                pieces.append(self._waiting + json_text[begin:end])
                self._waiting = b""
            else:
                pieces.append(_UNKNOWN)
        pieces.append(json_text[done:])
        return b"".join(pieces)


def _lone(json_text: bytes) -> list[tuple[int, int, bool]]:
    """Where halves without their other half stand, and whether each is a first one."""
    lone: list[tuple[int, int, bool]] = []
    for escape in _ESCAPE.finditer(json_text):
        code = int(escape[1], 16) if escape[1] else 0
        if not _HIGH <= code < _END:
            continue
        is_high = code < _LOW
        if not is_high and lone and lone[-1][2] and lone[-1][1] == escape.start():
            lone.pop()  # a whole character
        else:
            lone.append((escape.start(), escape.end(), is_high))
    return lone

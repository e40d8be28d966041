"""What images and PDFs in a request cost in tokens, told by their first bytes (translation.md 8).

They come as base64 inside a JSON string, megabytes of it: only the parts that tell the size are
decoded. Never raises: what cannot be read costs what is usual.
"""

import binascii
import re

import msgspec

UNKNOWN_IMAGE_TOKENS = 1_600
"""The most an image costs: larger ones are made smaller before a model sees them."""
PIXELS_PER_TOKEN = 750
PAGE_TOKENS = 2_300
"""Of a page of a PDF, text and picture: between 1,500 and 3,000."""
PAGES_MAX = 600
UNKNOWN_DOCUMENT_TOKENS = 5 * PAGE_TOKENS
PDF_WINDOW_BYTES = 384 * 1024
"""So much is read at either end of a PDF."""
PAGE_BYTES = 60_000
"""Of a PDF that keeps its pages where they cannot be counted: about a page."""

_HEAD_BYTES = 48
_MARKERS_MAX = 64
# Start of frame, baseline to arithmetic; C4, C8 and CC are other things (ITU T.81, B.1).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE = frozenset([0x01, *range(0xD0, 0xD8)])
"""Markers without a length."""

_PAGE = re.compile(rb"/Type\s{0,8}/Page(?![A-Za-z])")
_COUNT = re.compile(rb"/Count\s{1,8}(\d{1,6})")


class _Encoded:
    """Base64 inside a JSON string, of which single parts can be read."""

    __slots__ = ("_view", "size")

    def __init__(self, data: msgspec.Raw) -> None:
        view = memoryview(data)
        self._view = view[1:-1]
        self.size = len(self._view) * 3 // 4

    def read(self, start: int, number: int) -> bytes:
        """Some bytes from `start` on; fewer where they end or are no base64."""
        first = start // 3 * 4
        last = -(-(start + number) // 3) * 4
        part = bytes(self._view[first:last])
        try:
            decoded = binascii.a2b_base64(part)
        except binascii.Error:
            return b""
        skipped = start % 3
        return decoded[skipped : skipped + number]


def image_tokens(data: msgspec.Raw) -> int:
    """Tokens of an image: `data` is the JSON string that holds it. At most 1,600."""
    encoded = _Encoded(data)
    size = _size(encoded.read(0, _HEAD_BYTES), encoded)
    if size is None or 0 in size:
        return UNKNOWN_IMAGE_TOKENS
    return min(-(-size[0] * size[1] // PIXELS_PER_TOKEN), UNKNOWN_IMAGE_TOKENS)


def pdf_tokens(data: msgspec.Raw) -> int:
    """Tokens of a PDF: its pages are counted, or read off its page tree, or guessed by its size."""
    encoded = _Encoded(data)
    if encoded.size <= 2 * PDF_WINDOW_BYTES:
        parts = [encoded.read(0, encoded.size)]
    else:
        last = encoded.size - PDF_WINDOW_BYTES
        parts = [encoded.read(start, PDF_WINDOW_BYTES) for start in (0, last)]
    seen = sum([len(_PAGE.findall(part)) for part in parts])
    told = max([int(number) for part in parts for number in _COUNT.findall(part)] or [0])
    pages = max(seen, told) or encoded.size // PAGE_BYTES
    return PAGE_TOKENS * min(max(pages, 1), PAGES_MAX)


def _size(head: bytes, encoded: _Encoded) -> tuple[int, int] | None:
    """Width and height, where the format is known."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) >= 24:
        return _big(head, 16, 4), _big(head, 20, 4)
    if head.startswith((b"GIF87a", b"GIF89a")) and len(head) >= 10:
        return _little(head, 6, 2), _little(head, 8, 2)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP" and len(head) >= 30:
        return _webp_size(head)
    if head.startswith(b"\xff\xd8"):
        return _jpeg_size(encoded)
    return None


def _webp_size(head: bytes) -> tuple[int, int] | None:
    match head[12:16]:
        case b"VP8 ":
            return _little(head, 26, 2) & 0x3FFF, _little(head, 28, 2) & 0x3FFF
        case b"VP8L":
            bits = _little(head, 21, 4)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            return _little(head, 24, 3) + 1, _little(head, 27, 3) + 1
        case _:
            return None


def _jpeg_size(encoded: _Encoded) -> tuple[int, int] | None:
    """From marker to marker, over whatever cameras put before the frame."""
    at = 2
    for _ in range(_MARKERS_MAX):
        mark = encoded.read(at, 9)
        if len(mark) < 9 or mark[0] != 0xFF:
            return None
        if mark[1] in _FRAMES:
            return _big(mark, 7, 2), _big(mark, 5, 2)
        if mark[1] == 0xFF:  # filling
            at += 1
        elif mark[1] in _JPEG_BARE:
            at += 2
        else:
            at += 2 + _big(mark, 2, 2)
    return None


def _big(head: bytes, at: int, number: int) -> int:
    return int.from_bytes(head[at : at + number], "big")


def _little(head: bytes, at: int, number: int) -> int:
    return int.from_bytes(head[at : at + number], "little")

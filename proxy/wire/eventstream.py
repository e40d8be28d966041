"""AWS event streams (`application/vnd.amazon.eventstream`) out of bytes that are cut anywhere.

Owns: where a frame ends, its checksums, its headers, how much is held of one that is not whole.
Refuses to know: what a frame means.

    u32 total | u32 headers | u32 crc of those 8 bytes | headers | payload | u32 crc of all before
    header: u8 length, name, u8 type, value              (translation.md 5.5; all big-endian)

Lengths are believed only once the first checksum holds. Nothing is read behind a frame that is
broken: there is no way to find where the next one begins.
"""

from binascii import crc32
from struct import Struct
from typing import Final

HEADERS_BYTES_MAX: Final = 131_072
PAYLOAD_BYTES_MAX: Final = 25_165_824
"""Amazon's own bounds."""
FRAME_BYTES_MIN: Final = 16
_PRELUDE_BYTES: Final = 12
_HEADS_KEPT_MAX: Final = 32
"""A server writes the same few blocks of headers over and over: read once, then found."""
_HEAD_BYTES_KEPT_MAX: Final = 512

_prelude: Final = Struct(">III").unpack_from
_u32: Final = Struct(">I").unpack_from

HeaderValue = bool | int | bytes | str
Headers = dict[str, HeaderValue]
_WHOLE_NUMBERS: Final = {2: 1, 3: 2, 4: 4, 5: 8, 8: 8}
"""Types of whole numbers, and how many bytes they take; the last is a time in milliseconds."""
_BYTES: Final = 6
_TEXT: Final = 7
_UUID: Final = 9


class Frame:
    """One message of the stream. Headers are shared between frames that repeat them; `size_bytes`
    is that of the whole frame."""

    __slots__ = ("headers", "payload", "size_bytes")

    def __init__(self, headers: Headers, payload: bytes, size_bytes: int) -> None:
        self.headers = headers
        self.payload = payload
        self.size_bytes = size_bytes

    def text(self, name: str) -> str:
        """A header that is text; empty when there is none."""
        value = self.headers.get(name, "")
        return value if isinstance(value, str) else ""


class FrameReader:
    """Bytes in, whole frames out. Never raises: `trouble` says why nothing more is read."""

    __slots__ = ("_heads", "_held", "_is_seen", "_payload_bytes_max", "is_document", "trouble")

    def __init__(self, payload_bytes_max: int = PAYLOAD_BYTES_MAX) -> None:
        self.trouble = ""
        self.is_document = False
        """Is it no event stream at all but JSON? A refusal, as a rule (trap 42)."""
        self._held = bytearray()
        self._heads: dict[bytes, Headers] = {}
        self._is_seen = False
        self._payload_bytes_max = min(payload_bytes_max, PAYLOAD_BYTES_MAX)

    @property
    def held_bytes(self) -> int:
        """Of a frame that is not whole yet."""
        return len(self._held)

    def only(self, chunk: bytes) -> Frame | None:
        """The short way of `feed` for what most reads are, exactly one whole frame; None, and
        nothing has happened, for all else."""
        if self._held or self.trouble or not self._is_seen:
            return None
        frame = self._plain_at(chunk, 0)
        return frame if frame is not None and frame.size_bytes == len(chunk) else None

    def _plain_at(self, chunk: bytes, at: int) -> Frame | None:
        """The frame that begins there, if it is whole and sound and its headers are known; None,
        and nothing has happened, for all else."""
        rest = len(chunk) - at
        if rest < FRAME_BYTES_MIN:
            return None
        total: int
        headers_bytes: int
        total, headers_bytes, _ = _prelude(chunk, at)
        begin = at + _PRELUDE_BYTES + headers_bytes
        end = at + total - 4
        if total > rest or begin > end or end - begin > self._payload_bytes_max:
            return None
        # The last checksum covers the first one as well.
        if crc32(chunk[at:end]) != _u32(chunk, end)[0]:
            return None
        headers = self._heads.get(chunk[at + _PRELUDE_BYTES : begin])
        return None if headers is None else Frame(headers, chunk[begin:end], total)

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that are whole now; those before a broken one are given still."""
        frame = self.only(chunk)
        if frame is not None:
            return [frame]
        if self.trouble:
            return []
        if self.is_document:
            self._keep(chunk)
            return []
        if self._held:
            self._held += chunk
            if not self._whole(self._held, 0):
                return []  # a large frame that comes in pieces is not copied for each
            chunk = bytes(self._held)
            self._held.clear()
        frames: list[Frame] = []
        at = 0
        while True:
            frame = self._plain_at(chunk, at) if self._is_seen else None
            if frame is None:
                total = self._whole(chunk, at)
                if not total:
                    break
                frame = self._frame(chunk[at : at + total])
                if frame is None:
                    return frames
            frames.append(frame)
            at += frame.size_bytes
        if not self.trouble:
            self._keep(chunk[at:])
        return frames

    def take_document(self) -> bytes:
        """All that came, once `is_document`."""
        whole = bytes(self._held)
        self._held.clear()
        return whole

    def _keep(self, rest: bytes) -> None:
        self._held += rest
        if self.is_document and len(self._held) > self._payload_bytes_max:
            self._give_up("it is no event stream, and too large")

    def _whole(self, held: bytes | bytearray, at: int) -> int:
        """The size of the frame at `at` if it is whole; else 0."""
        rest = len(held) - at
        if not self._is_seen and rest and held[at] == ord("{"):
            # A length that begins so would be that of a frame of 2 GB.
            self.is_document = True
            return 0
        if rest < _PRELUDE_BYTES:
            return 0
        total: int
        total, headers_bytes, checksum = _prelude(held, at)
        if crc32(held[at : at + 8]) != checksum:
            self._give_up("the checksum of a frame's lengths is wrong")
        elif headers_bytes > HEADERS_BYTES_MAX or headers_bytes + FRAME_BYTES_MIN > total:
            self._give_up("the lengths of a frame cannot be")
        elif total - headers_bytes - FRAME_BYTES_MIN > self._payload_bytes_max:
            self._give_up(f"a frame holds more than {self._payload_bytes_max} bytes")
        elif rest >= total:
            return total
        return 0

    def _frame(self, whole: bytes) -> Frame | None:
        if crc32(whole[:-4]) != _u32(whole, len(whole) - 4)[0]:
            self._give_up("the checksum of a frame is wrong")
            return None
        end = _PRELUDE_BYTES + _u32(whole, 4)[0]
        headers = self._headers(whole[_PRELUDE_BYTES:end])
        if headers is None:
            self._give_up("the headers of a frame cannot be read")
            return None
        self._is_seen = True
        return Frame(headers, whole[end:-4], len(whole))

    def _headers(self, block: bytes) -> Headers | None:
        headers = self._heads.get(block)
        if headers is None:
            headers = _read_headers(block)
            is_kept = len(block) <= _HEAD_BYTES_KEPT_MAX and len(self._heads) < _HEADS_KEPT_MAX
            if headers is not None and is_kept:
                self._heads[block] = headers
        return headers

    def _give_up(self, trouble: str) -> None:
        self.trouble = trouble
        self._held = bytearray()


def _read_headers(block: bytes) -> Headers | None:
    """Names to values; None where the block does not come out even."""
    headers: Headers = {}
    at = 0
    try:
        while at < len(block):
            name_end = at + 1 + block[at]
            name = block[at + 1 : name_end].decode()
            value, at = _read_value(block, name_end)
            headers[name] = value
    except (IndexError, UnicodeDecodeError, ValueError):
        return None
    return headers if at == len(block) else None


def _read_value(block: bytes, at: int) -> tuple[HeaderValue, int]:
    kind = block[at]
    at += 1
    if kind <= 1:
        return kind == 0, at
    if (size := _WHOLE_NUMBERS.get(kind)) is not None:
        return int.from_bytes(_exactly(block, at, size), "big", signed=True), at + size
    if kind == _UUID:
        return _exactly(block, at, 16), at + 16
    if kind not in (_BYTES, _TEXT):
        raise ValueError("a type of header that does not exist")
    size = int.from_bytes(_exactly(block, at, 2), "big")
    value = _exactly(block, at + 2, size)
    return value.decode() if kind == _TEXT else value, at + 2 + size


def _exactly(block: bytes, at: int, size: int) -> bytes:
    if at + size > len(block):
        raise ValueError("a header ends behind its block")
    return block[at : at + size]

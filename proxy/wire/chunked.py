"""A chunked request body (RFC 9112 section 7.1), cut anywhere, put together under a cap."""

from enum import Enum

from proxy.domain.fault import Fault, Kind

SIZE_LINE_BYTES_MAX = 1024
TRAILER_BYTES_MAX = 8192


class _At(Enum):
    SIZE = "size"
    DATA = "data"
    DATA_END = "data end"
    TRAILER = "trailer"
    DONE = "done"


class ChunkedBody:
    """`feed` takes what came and says when the body is whole; `rest` is what follows it."""

    __slots__ = ("_at", "_body", "_body_bytes_max", "_held", "_missing", "_size", "_trailer_bytes")

    def __init__(self, body_bytes_max: int) -> None:
        self._body_bytes_max = body_bytes_max
        self._at = _At.SIZE
        self._held = b""
        self._missing = 0
        self._body = bytearray()
        self._size = 0
        self._trailer_bytes = 0

    @property
    def whole(self) -> bool:
        """Has the last chunk and its trailer been read?"""
        return self._at is _At.DONE

    @property
    def body(self) -> bytes:
        """The body so far."""
        return bytes(self._body)

    @property
    def held_bytes(self) -> int:
        """How long the body is so far."""
        return len(self._body)

    @property
    def rest(self) -> bytes:
        """Bytes behind the whole body: the next request on the connection."""
        return self._held

    def feed(self, data: bytes) -> None:
        """Raises Fault 400 for broken framing, 413 for a body over the cap."""
        held = self._held + data if self._held else data
        at = 0
        while self._at is not _At.DONE:
            if self._at is _At.DATA:
                piece = held[at : at + self._missing]
                if not piece:
                    break
                self._take(piece)
                at += len(piece)
                continue
            end = held.find(b"\r\n", at)
            if (end if end >= 0 else len(held) - 1) - at > SIZE_LINE_BYTES_MAX:
                raise _broken("a line of it is too long")
            if end < 0:
                break
            self._line(held[at:end])
            at = end + 2
        self._held = held[at:]

    def _take(self, piece: bytes) -> None:
        self._body += piece
        self._missing -= len(piece)
        if self._missing == 0:
            self._at = _At.DATA_END

    def _line(self, line: bytes) -> None:
        if self._at is _At.SIZE:
            self._begin_chunk(line)
        elif self._at is _At.DATA_END:
            if line:
                raise _broken("a chunk is longer than its size")
            self._at = _At.SIZE
        elif not line:
            self._at = _At.DONE
        else:
            _refuse_bare(line)
            self._trailer_bytes += len(line) + 2
            if self._trailer_bytes > TRAILER_BYTES_MAX:
                raise _broken("its trailer is too long")

    def _begin_chunk(self, line: bytes) -> None:
        digits = line.split(b";", 1)[0].rstrip(b" \t")
        if not digits or len(digits) > 12 or digits.strip(b"0123456789abcdefABCDEF"):
            raise _broken("a chunk's size is not a hexadecimal number")
        _refuse_bare(line)
        size = int(digits, 16)
        self._size += size
        if self._size > self._body_bytes_max:
            raise too_large(self._body_bytes_max)
        self._missing = size
        self._at = _At.DATA if size else _At.TRAILER


def too_large(body_bytes_max: int) -> Fault:
    """The body is over the cap (domain.md 7)."""
    return Fault(
        Kind.TOO_LARGE,
        f"Request exceeds the maximum size of {body_bytes_max} bytes.",
    )


def _refuse_bare(line: bytes) -> None:
    """Some servers end a line there, and what follows would be another request to them."""
    if b"\n" in line or b"\r" in line:
        raise _broken("a line of it holds a bare CR or LF")


def _broken(why: str) -> Fault:
    return Fault(Kind.BAD_REQUEST, f"The chunked request body is broken: {why}")

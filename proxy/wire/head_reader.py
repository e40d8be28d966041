"""The heads of one connection: read once, then recognised.

Apart from the parse itself, so that it can be compiled (`compiled/modules.txt`).
"""

from proxy.wire.request_head import LENGTH, LENGTH_DIGITS_MAX, RequestHead, read_head


class HeadReader:
    """Reads the heads of one connection.

    A client repeats its head request after request, all but the length of the body: what has been
    parsed once is not parsed again (5 µs against 0.6).
    """

    __slots__ = ("_after", "_before", "_known")

    def __init__(self) -> None:
        self._known: RequestHead | None = None
        self._before = b""
        self._after = b""

    def read(self, raw: bytes) -> RequestHead:
        """As `read_head`."""
        known = self._known
        if known is not None and raw.startswith(self._before) and raw.endswith(self._after):
            digits = raw[len(self._before) : len(raw) - len(self._after)]
            if digits.isdigit() and len(digits) <= LENGTH_DIGITS_MAX:
                return RequestHead(
                    known.method,
                    known.path,
                    known.query,
                    known.headers,
                    int(digits),
                    known.keep_alive,
                    known.version,
                )
        head = read_head(raw)
        self._known = None
        length = LENGTH.search(raw)
        if length is not None and head.body_bytes >= 0:
            self._known = head
            self._before = raw[: length.start(1)]
            self._after = raw[length.end(1) :]
        return head

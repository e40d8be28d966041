"""HTTP as data: where a provider is, and the heads of messages as bytes."""

from urllib.parse import urlsplit

import msgspec

Piece = bytes | memoryview
"""Bytes to be sent as they are; a view where copying a large body would cost."""

REASONS = {
    200: b"OK",
    400: b"Bad Request",
    401: b"Unauthorized",
    402: b"Payment Required",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    409: b"Conflict",
    413: b"Content Too Large",
    415: b"Unsupported Media Type",
    422: b"Unprocessable Content",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    529: b"Overloaded",
}


class Origin(msgspec.Struct, frozen=True):
    """One server: connections to it are interchangeable."""

    secure: bool
    host: str
    port: int

    @property
    def authority(self) -> str:
        """`host[:port]` as the Host header states it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def split_base_url(url: str) -> tuple[Origin, str]:
    """`https://host[:port]/prefix` as origin and path prefix (no slash at its end).

    Raises ValueError for what is not an HTTP URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is not an http:// or https:// address")
    secure = parts.scheme == "https"
    return Origin(secure, parts.hostname, parts.port or (443 if secure else 80)), parts.path.rstrip(
        "/"
    )


def status_line(status: int) -> bytes:
    """`HTTP/1.1 200 OK` and line end."""
    return b"HTTP/1.1 %d %b\r\n" % (status, REASONS.get(status, b"Status"))

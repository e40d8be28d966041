"""The head of an HTTP request as data, and how long its body is (RFC 9112).

llhttp (through httptools) does the parse and the refusals: bad characters, a length stated twice, a
length beside chunks. What is left here is what the front door decides on.
"""

import re
from typing import Final

import httptools

from proxy.domain.fault import Fault, Kind
from proxy.domain.headers import Headers

LENGTH_DIGITS_MAX: Final = 18
LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)(?=[ \t]*\r\n)", re.IGNORECASE)


class RequestHead:
    """`path` has no query and no slash at its end; `body_bytes` is -1 for a chunked body."""

    __slots__ = ("body_bytes", "headers", "keep_alive", "method", "path", "query", "version")

    def __init__(  # noqa: PLR0917 - by position: keywords are looked up one by one
        self,
        method: bytes,
        path: bytes,
        query: bytes,
        headers: Headers,
        body_bytes: int,
        keep_alive: bool,
        version: str,
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body_bytes = body_bytes
        self.keep_alive = keep_alive
        self.version = version

    @property
    def expects_continue(self) -> bool:
        """Does the client wait for `100 Continue` before it sends the body?"""
        return self.headers.get(b"expect", b"").lower() == b"100-continue"


class _Collector:
    __slots__ = ("headers", "target")

    def __init__(self) -> None:
        self.headers = Headers()
        self.target = b""

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        value = value.rstrip(b" \t")  # llhttp takes off the space before a value only
        headers = self.headers
        if name in headers:
            value = headers[name] + b"," + value
        headers[name] = value


def read_head(head: bytes) -> RequestHead:
    """`head` ends with its blank line. Raises Fault 400 for what is not a request."""
    collector = _Collector()
    parser = httptools.HttpRequestParser(collector)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # not ours to accept; the request is answered as if it had not asked
    except httptools.HttpParserError as problem:
        raise Fault(Kind.BAD_REQUEST, f"The request is not valid HTTP: {problem}") from None
    headers = collector.headers
    version = parser.get_http_version()
    path, _, query = collector.target.partition(b"?")
    return RequestHead(
        parser.get_method(),
        path.rstrip(b"/") if len(path) > 1 else path,
        query,
        headers,
        _body_bytes(headers),
        _keeps_alive(version, headers),
        version,
    )


def _keeps_alive(version: str, headers: Headers) -> bool:
    """llhttp knows it too, but forgets it at the end of a message, which a head alone may be."""
    connection = headers.get(b"connection")
    if connection is None:
        return version >= "1.1"
    wishes = [wish.strip() for wish in connection.lower().split(b",")]
    return b"close" not in wishes and (version >= "1.1" or b"keep-alive" in wishes)


def _body_bytes(headers: dict[bytes, bytes]) -> int:
    coding = headers.get(b"transfer-encoding")
    if coding is not None:
        if coding.strip().lower() != b"chunked":
            raise Fault(Kind.BAD_REQUEST, "The only transfer coding understood here is `chunked`")
        return -1
    length = headers.get(b"content-length")
    if length is None:
        return 0
    if not length.isdigit() or len(length) > LENGTH_DIGITS_MAX:
        raise Fault(Kind.BAD_REQUEST, "Content-Length is not a number of bytes")
    return int(length)

"""A compressed request body, opened under a cap: a small body may not grow without bound."""

import zlib

from proxy.domain.fault import Fault, Kind
from proxy.wire.chunked import too_large

GZIP_MEMBERS_MAX = 16
"""Each member costs a copy of what stands behind it."""


def decoded(body: bytes, coding: bytes, body_bytes_max: int) -> bytes:
    """`body` without its `Content-Encoding`. Raises Fault 415 for codings other than gzip and
    identity, 400 for a broken body, 413 when it grows over the cap."""
    name = coding.strip().lower()
    if name in (b"", b"identity"):
        return body
    if name not in (b"gzip", b"x-gzip"):
        raise Fault(
            Kind.UNSUPPORTED_MEDIA,
            "This Content-Encoding is not supported; send the body as gzip or uncompressed.",
        )
    opened: list[bytes] = []
    size = 0
    while body:
        if len(opened) == GZIP_MEMBERS_MAX:
            raise Fault(Kind.BAD_REQUEST, "The gzip request body has too many members.")
        inflate = zlib.decompressobj(wbits=31)
        try:
            opened.append(inflate.decompress(body, body_bytes_max + 1 - size))
        except zlib.error:
            raise Fault(Kind.BAD_REQUEST, "The request body is not valid gzip.") from None
        size += len(opened[-1])
        if size > body_bytes_max:
            raise too_large(body_bytes_max)
        if not inflate.eof:
            raise Fault(Kind.BAD_REQUEST, "The gzip request body is cut short.")
        body = inflate.unused_data  # gzip allows several members, one behind the other
    return opened[0] if len(opened) == 1 else b"".join(opened)

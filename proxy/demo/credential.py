"""The key a request carries, and whether it is the right one."""

import hmac

from aiohttp import web

_BEARER = "bearer "


def bearer(request: web.Request) -> str:
    """The credential in the Authorization header, if it is a bearer one."""
    header = request.headers.get("authorization", "")
    return header[len(_BEARER) :].strip() if header.lower().startswith(_BEARER) else ""


def same_key(given: str, expected: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())

"""Shapes of ids. Making one needs random bytes, which are passed in."""

import re

_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:\-]{1,128}")
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghijkmnopqrstvwxyz"


def is_request_id(text: str) -> bool:
    """May a client's `X-Request-ID` be adopted (domain.md 13)?"""
    return _REQUEST_ID.fullmatch(text) is not None


def make_id(prefix: str, noise: bytes) -> str:
    """`prefix_` and one character per byte of noise, e.g. 18 bytes: about 103 bits."""
    return prefix + "_" + "".join([_ALPHABET[byte % 56] for byte in noise])

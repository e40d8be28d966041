"""Shapes of ids. Making one needs random bytes, which are passed in."""

import re
from typing import Final

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.:\-]{1,128}")
_BEFORE_THE_FIRST: Final = 1 << 36
"""A count that starts here has ten digits for 69 billion ids, nine without the first."""
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghijkmnopqrstvwxyz"


def is_request_id(text: str) -> bool:
    """May a client's `X-Request-ID` be adopted (domain.md 13)?"""
    return _REQUEST_ID.fullmatch(text) is not None


def make_id(prefix: str, noise: bytes) -> str:
    """`prefix_` and one character per byte of noise, e.g. 18 bytes: about 103 bits."""
    return prefix + "_" + "".join([_ALPHABET[byte % 56] for byte in noise])


class CountedIds:
    """Ids of one process: noise of its own, then a count of even width. Cheaper than noise each,
    and each sorts behind the one before it: an index is appended to, not stirred."""

    __slots__ = ("_count", "_prefix")

    def __init__(self, prefix: str, noise: bytes) -> None:
        """`noise` must be new for every process ever started, e.g. 12 bytes of the system's."""
        assert len(noise) >= 12
        self._prefix = f"{prefix}_{noise.hex()}_"
        self._count = _BEFORE_THE_FIRST

    def next(self) -> str:
        """An id never given before."""
        self._count += 1
        # Cut off `0x1`: a third of what formatting to a width costs.
        return self._prefix + hex(self._count)[3:]

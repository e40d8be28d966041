"""Ids of searches: `srvtoolu_gw` and 24 characters, the same for the same search of a message.

Clients check them against `^srvtoolu_[a-zA-Z0-9_]+$`; chat servers take up to 40 characters.
"""

import hashlib

PREFIX = "srvtoolu_gw"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHARS = 24


def search_id(message_id: str, count: int) -> str:
    """The id of the search that is the `count`th of this message, from 0."""
    digest = hashlib.sha256(f"search {message_id} {count}".encode()).digest()
    number = int.from_bytes(digest, "big")
    written = ""
    for _ in range(_CHARS):
        number, digit = divmod(number, len(_DIGITS))
        written += _DIGITS[digit]
    return PREFIX + written


def is_ours(block_id: str) -> bool:
    """Was the search made by this gateway?"""
    return block_id.startswith(PREFIX)

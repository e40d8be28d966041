"""Ids of searches: `srvtoolu_gw` and 24 characters, the same for the same search of a message, and
behind them what the model itself called it.

    srvtoolu_gw<24 characters>_<the call's id, all but letters and digits as _xx>

Clients check them against `^srvtoolu_[a-zA-Z0-9_]+$` and send them back; a model is to see its own
id again, to the letter (translation.md D7), and nothing is remembered here.
"""

import hashlib
import re

PREFIX = "srvtoolu_gw"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHARS = 24
_FIT = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_OTHER = re.compile(r"[_-]")
_FORM = re.compile(r"(srvtoolu_gw[A-Za-z0-9]{24})_((?:[A-Za-z0-9]|_5f|_2d){1,384})", re.ASCII)


def search_id(message_id: str, count: int, call_id: str = "") -> str:
    """The id of the search that is the `count`th of this message, from 0. `call_id` is the model's
    as a client would see it; one that no provider would take from another is left out."""
    digest = hashlib.sha256(f"search {message_id} {count}".encode()).digest()
    number = int.from_bytes(digest, "big")
    written = ""
    for _ in range(_CHARS):
        number, digit = divmod(number, len(_DIGITS))
        written += _DIGITS[digit]
    if _FIT.fullmatch(call_id) is None:
        return PREFIX + written
    return f"{PREFIX}{written}_{_OTHER.sub(_coded, call_id)}"


def is_ours(block_id: str) -> bool:
    """Was the search made by this gateway?"""
    return block_id.startswith(PREFIX)


class CallIds:
    """What the model is told each search of a conversation was called. No two are called the same:
    servers that number their calls begin anew with every turn."""

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: dict[str, str] = {}

    def of(self, search: str) -> str:
        """The model's own id of it, or else one of ours (chat servers take up to 40 characters);
        the same whenever it is asked for, as long as searches are first asked for in order."""
        known = self._of.get(search)
        if known is not None:
            return known
        form = _FORM.fullmatch(search)
        told = search
        if form is not None:
            told = re.sub("_(..)", lambda found: chr(int(found[1], 16)), form[2])
            if told in self._of.values():
                told = form[1]
        self._of[search] = told
        return told


def _coded(found: re.Match[str]) -> str:
    return f"_{ord(found[0]):02x}"

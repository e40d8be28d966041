"""Ids of tool calls, to the client and back (translation.md 2.5, D7).

Anthropic's clients want ids of letters, digits, `_` and `-`, and no id twice in a conversation.
Kimi wants its own `functions.NAME:IDX` back, to the letter. So an id that will not do is wrapped,
and unwrapped when it returns; nothing is remembered.

    toolu_gwx_<base64url(id)>         an id with other characters
    toolu_gwx_<base64url(id)>_<n>     one that the conversation has already; n from 1

No base64 has a length of 1 modulo 4, so `n` is written with as many zeros in front as make it so:
that is how the second form is known, although `_` is a letter of base64url.
"""

import base64
import hashlib
import itertools
import re
from collections.abc import Container

WRAPPED = "toolu_gwx_"
MADE = "toolu_gw_"
_FIT = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_WRAPPING = re.compile(r"toolu_gwx_([A-Za-z0-9_-]+)", re.ASCII)
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_MADE_CHARS = 22


def client_id(upstream_id: str, taken: Container[str], first: int = 1) -> str:
    """The id the client sees; none of `taken`, which are ids as the client has them. Numbers below
    `first` are known to be taken."""
    if _FIT.fullmatch(upstream_id) and not upstream_id.startswith(WRAPPED):
        if upstream_id not in taken:
            return upstream_id
    elif (wrapped := WRAPPED + _coded(upstream_id)) not in taken:
        return wrapped
    stem = WRAPPED + _coded(upstream_id) + "_"
    size = len(stem) - len(WRAPPED)
    for count in itertools.count(first):
        number = str(count)
        number = "0" * ((1 - size - len(number)) % 4) + number
        if stem + number not in taken:
            return stem + number
    raise AssertionError("counting has no end")


def upstream_id(client_id: str) -> str:
    """The provider's own id of a call the client names; any id we did not wrap is itself."""
    form = _WRAPPING.fullmatch(client_id)
    if form is None:
        return client_id
    coded = form[1]
    if len(coded) % 4 == 1:
        coded, _, number = coded.rpartition("_")
        if not number.isdecimal():
            return client_id
    try:
        decoded = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4))
        found = decoded.decode("utf-8", "surrogatepass")
    except ValueError:
        return client_id
    return found if found and _coded(found) == coded else client_id


def made_id(message_id: str, count: int) -> str:
    """The id of a call that came without one: the same for the same call of the same message."""
    digest = hashlib.sha256(f"{message_id} {count}".encode()).digest()
    number = int.from_bytes(digest, "big")
    written = ""
    for _ in range(_MADE_CHARS):
        number, digit = divmod(number, 62)
        written += _DIGITS[digit]
    return MADE + written


def _coded(upstream_id: str) -> str:
    raw = upstream_id.encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

"""What is searched for: the query out of a call's arguments, or out of the user's words where a
search was demanded and the model asked for none (translation.md 9.3, 9.5).

Arguments go on, to the client and back to the model, in one canonical form. The client may write
them anew in its next request, and the model is still to see the bytes it saw before.
"""

import re

import msgspec

from proxy.web_search.hit import ErrorCode

QUERY_CHARS_MAX = 500
_ARGUMENTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_AHEAD = re.compile(r"\bquery\s*:\s*", re.IGNORECASE)


class Query(msgspec.Struct, frozen=True, gc=False):
    """`text` is trimmed; `arguments` are the JSON object everybody sees. With `error` no search is
    made."""

    text: str
    arguments: bytes
    error: ErrorCode | None = None


def read_query(arguments: bytes) -> Query:
    """The query of a call, whose arguments may be anything a model writes."""
    try:
        given = _ARGUMENTS.decode(arguments)
    except _UNREADABLE:
        return Query("", b"{}", "invalid_tool_input")
    try:
        text = _TEXT.decode(given.get("query", b"")).strip()
    except _UNREADABLE:
        return Query("", _compact(arguments), "invalid_tool_input")
    if not text:
        return Query("", _compact(arguments), "invalid_tool_input")
    error: ErrorCode | None = "query_too_long" if len(text) > QUERY_CHARS_MAX else None
    return Query(text, _written(text), error)


def query_of_words(words: str) -> Query | None:
    """What to search for, given the user's last text: what stands behind "query:" if it is there,
    else all of it, cut at 500 characters; None where that is nothing."""
    ahead = _AHEAD.search(words)
    text = words[ahead.end() :] if ahead is not None else words
    text = " ".join(text.split())[:QUERY_CHARS_MAX].strip()
    return Query(text, _written(text)) if text else None


def is_whole(arguments: bytes) -> bool:
    """Are these arguments an object, or were they cut off?"""
    try:
        _ARGUMENTS.decode(arguments)
    except _UNREADABLE:
        return False
    return True


def _written(text: str) -> bytes:
    return b'{"query":%b}' % msgspec.json.encode(text)


def _compact(arguments: bytes) -> bytes:
    """Without space between its parts; numbers and texts stay as they were written."""
    try:
        arguments.decode()  # what is not looked at may be no UTF-8
    except UnicodeDecodeError:
        return b"{}"
    return msgspec.json.format(arguments, indent=-1)

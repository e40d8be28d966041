"""Which session of a client a request belongs to: in a header, or inside the user's id.

Requests of one session share their beginning, so they should find the same prompt cache.
"""

import re

import msgspec

from proxy.domain.headers import Headers

SESSION_CHARS_MAX = 128
_OLDER = re.compile(r"_session_([A-Za-z0-9-]{1,128})$", re.ASCII)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _ClaudeCodeUser(msgspec.Struct):
    session_id: str = ""


class _Metadata(msgspec.Struct):
    user_id: str | None = None


_USER = msgspec.json.Decoder(_ClaudeCodeUser)
_METADATA = msgspec.json.Decoder(_Metadata)


def session_of(headers: Headers, user_id: str) -> str:
    """Claude Code writes it into the user's id, in two forms over the years, and a header; empty
    where there is none."""
    if user_id.startswith("{"):
        try:
            session = _USER.decode(user_id).session_id
        except _UNREADABLE:
            session = ""
    else:
        found = _OLDER.search(user_id)
        session = found[1] if found else ""
    return session or headers.text(b"x-claude-code-session-id")


def read_session(headers: Headers, metadata: msgspec.Raw | None) -> str:
    """The same of a body's `metadata` as it is, no longer than `SESSION_CHARS_MAX`."""
    session = headers.text(b"x-claude-code-session-id")
    if not session and metadata is not None:
        try:
            session = session_of(headers, _METADATA.decode(metadata).user_id or "")
        except _UNREADABLE:
            session = ""
    return session[:SESSION_CHARS_MAX]

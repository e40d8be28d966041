"""Which session a request belongs to, in every form Claude Code has written it."""

import msgspec
import pytest

from proxy.domain.headers import Headers
from proxy.wire.session_id import SESSION_CHARS_MAX, read_session, session_of

SESSION = "0e7a4c3e-1111-4222-8333-444455556666"


def metadata(user_id: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode({"user_id": user_id}))


@pytest.mark.parametrize(
    "user_id",
    [
        msgspec.json.encode({"device_id": "d", "session_id": SESSION}).decode(),
        f"user_abc_account__session_{SESSION}",
    ],
)
def test_the_users_id_holds_it(user_id: str) -> None:
    assert session_of(Headers(), user_id) == SESSION
    assert read_session(Headers(), metadata(user_id)) == SESSION


def test_a_header_holds_it() -> None:
    headers = Headers({b"x-claude-code-session-id": SESSION.encode()})
    assert read_session(headers, None) == SESSION
    assert session_of(headers, "someone") == SESSION


@pytest.mark.parametrize(
    "raw", [None, b"null", b"[]", b'"x"', b'{"user_id":5}', b'{"user_id":"{broken"}', b"{}"]
)
def test_without_one_there_is_none(raw: bytes | None) -> None:
    assert read_session(Headers(), None if raw is None else msgspec.Raw(raw)) == ""


def test_a_long_one_is_cut() -> None:
    headers = Headers({b"x-claude-code-session-id": b"x" * 5000})
    assert len(read_session(headers, None)) == SESSION_CHARS_MAX

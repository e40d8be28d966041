"""Where a provider is, and status lines."""

from http import HTTPStatus

import pytest

from proxy.wire.events import PING
from proxy.wire.http import REASONS, Origin, split_base_url, status_line
from tests.kit.grammar import events_of


@pytest.mark.parametrize(
    ("url", "origin", "prefix"),
    [
        ("https://api.anthropic.com", Origin(True, "api.anthropic.com", 443), ""),
        ("https://api.anthropic.com/", Origin(True, "api.anthropic.com", 443), ""),
        ("http://localhost:8081/v1/", Origin(False, "localhost", 8081), "/v1"),
        ("http://Example.COM/a/b//", Origin(False, "example.com", 80), "/a/b"),
        ("https://[::1]:9/x?y=1#z", Origin(True, "::1", 9), "/x"),
    ],
)
def test_an_address_is_split(url: str, origin: Origin, prefix: str) -> None:
    assert split_base_url(url) == (origin, prefix)


@pytest.mark.parametrize(
    "url", ["", "api.anthropic.com", "ftp://x", "https://", "http://h:port", "http://h:99999"]
)
def test_what_is_no_http_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        split_base_url(url)


@pytest.mark.parametrize(
    ("origin", "authority"),
    [
        (Origin(True, "a.b", 443), "a.b"),
        (Origin(True, "a.b", 80), "a.b:80"),
        (Origin(False, "a.b", 80), "a.b"),
        (Origin(False, "a.b", 443), "a.b:443"),
        (Origin(True, "::1", 443), "[::1]"),
        (Origin(False, "::1", 8), "[::1]:8"),
    ],
)
def test_the_authority_leaves_out_the_usual_port(origin: Origin, authority: str) -> None:
    assert origin.authority == authority


def test_status_lines_have_a_reason() -> None:
    assert status_line(200) == b"HTTP/1.1 200 OK\r\n"
    assert status_line(529) == b"HTTP/1.1 529 Overloaded\r\n"
    assert status_line(599) == b"HTTP/1.1 599 Status\r\n"


def test_every_reason_belongs_to_its_status() -> None:
    own = {529: b"Overloaded", 413: b"Content Too Large", 422: b"Unprocessable Content"}
    for status, reason in REASONS.items():
        assert reason == own.get(status) or reason == HTTPStatus(status).phrase.encode()


def test_a_ping_is_an_event() -> None:
    assert events_of(PING) == [{"type": "ping"}]

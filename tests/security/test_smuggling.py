"""A request inside a request: whatever a proxy before the gateway might take for one request must
not be two here. What is ambiguous is refused and the connection closed, so that nothing behind it
is ever read as a request.

Codings, lengths and chunks in all their forms: `tests/server/test_door.py`,
`tests/wire/test_request_head.py`, `tests/wire/test_chunked.py`.
"""

import pytest

from tests.kit.provider import Provider
from tests.kit.raw_client import RawClient
from tests.kit.running import KEY, RunningHouse, message

PATH = b"/v1/anthropic/v1/messages"
INNER_BODY = message(stream=False, text="smuggled")
INNER = b"POST %b HTTP/1.1\r\nHost: gateway\r\nX-Api-Key: %b\r\nContent-Length: %d\r\n\r\n%b" % (
    PATH,
    KEY.encode(),
    len(INNER_BODY),
    INNER_BODY,
)
OUTER_BODY = message(stream=False, text="outer")


def head(*lines: bytes, end: bytes = b"\r\n") -> bytes:
    first = (b"POST %b HTTP/1.1" % PATH, b"Host: gateway", b"X-Api-Key: %b" % KEY.encode())
    return end.join([*first, *lines, b"", b""])


LENGTH = b"Content-Length: %d" % len(OUTER_BODY)
CHUNKED = b"Transfer-Encoding: chunked"
AMBIGUOUS = {
    "two lengths": head(LENGTH, b"Content-Length: 0") + OUTER_BODY,
    "two lengths, the shorter first": head(b"Content-Length: 0", LENGTH) + OUTER_BODY,
    "two lengths in one line": head(b"Content-Length: %d, 0" % len(OUTER_BODY)) + OUTER_BODY,
    "a length with a sign": head(b"Content-Length: +%d" % len(OUTER_BODY)) + OUTER_BODY,
    "a length in hexadecimal": head(b"Content-Length: 0x10") + OUTER_BODY,
    "a length with a space inside": head(b"Content-Length: 1 0") + OUTER_BODY,
    "a negative length": head(b"Content-Length: -1") + OUTER_BODY,
    "a length and chunks": head(LENGTH, CHUNKED) + b"0\r\n\r\n",
    "chunks and a length": head(CHUNKED, LENGTH) + b"0\r\n\r\n",
    "a coding folded": head(b"Transfer-Encoding:\r\n chunked", LENGTH) + OUTER_BODY,
    "a coding after a tab": head(b"Transfer-Encoding:\x0bchunked", LENGTH) + OUTER_BODY,
    "a coding with a space before the colon": head(b"Transfer-Encoding : chunked", LENGTH)
    + OUTER_BODY,
    "a length with a space before the colon": head(b"Content-Length : 5") + OUTER_BODY,
    "a coding by a nearby name": head(b"Transfer-Encoding: chunked\x00", LENGTH) + OUTER_BODY,
    "a coding in quotes": head(b'Transfer-Encoding: "chunked"') + OUTER_BODY,
    "a header folded": head(b"X-Note: a\r\n b", LENGTH) + OUTER_BODY,
    "a header folded by a tab": head(b"X-Note: a\r\n\tb", LENGTH) + OUTER_BODY,
    "a first header that begins with a space": (
        b"POST %b HTTP/1.1\r\n Host: gateway\r\n%b\r\n\r\n" % (PATH, LENGTH) + OUTER_BODY
    ),
    "a bare LF between headers": head(b"X-Note: a\nTransfer-Encoding: chunked", LENGTH)
    + OUTER_BODY,
    "a bare CR between headers": head(b"X-Note: a\rTransfer-Encoding: chunked", LENGTH)
    + OUTER_BODY,
    "a NUL in a header": head(b"X-Note: a\x00b", LENGTH) + OUTER_BODY,
    "a chunk ended by a bare LF": head(CHUNKED) + b"1\n{\n0\n\n",
    "a chunk's size ended by a bare LF": head(CHUNKED) + b"1\n{\r\n0\r\n\r\n",
    "a chunk's size with a bare LF in its extension": head(CHUNKED) + b"1;a\nb\r\n{\r\n0\r\n\r\n",
    "a trailer with a bare LF": head(CHUNKED) + b"1\r\n{\r\n0\r\nX: a\nY: b\r\n\r\n",
    "a chunk longer than its size": head(CHUNKED) + b"1\r\n{}\r\n0\r\n\r\n",
    "a chunk's size with a sign": head(CHUNKED) + b"+1\r\n{\r\n0\r\n\r\n",
    "a chunk's size with an underscore": head(CHUNKED) + b"1_0\r\n{\r\n0\r\n\r\n",
    "a method nobody knows": b"SMUGGLE " + head(LENGTH)[5:] + OUTER_BODY,
    "a version nobody speaks": head(LENGTH).replace(b"HTTP/1.1", b"HTTP/1.9") + OUTER_BODY,
    "two hosts": head(b"Host: other", LENGTH) + OUTER_BODY,
    "two requests' first lines": head(b"GET / HTTP/1.1", LENGTH) + OUTER_BODY,
}


@pytest.mark.parametrize("sent", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_is_ambiguous_is_refused_and_nothing_behind_it_is_read(
    client: RawClient, provider: Provider, sent: bytes
) -> None:
    provider.asked.clear()
    client.send(sent + INNER)
    reply = client.reply()
    assert reply.status in (400, 405, 501), reply
    assert client.is_ended(), "and no second answer"
    assert not any(b"smuggled" in asked.body for asked in provider.asked)


def test_a_head_of_bare_line_feeds_is_no_head(gateway: RunningHouse, provider: Provider) -> None:
    provider.asked.clear()
    with gateway.connect() as client:
        client.send(head(LENGTH, end=b"\n") + OUTER_BODY + b"\r\n\r\n" + INNER)
        assert client.reply().status == 400
        assert client.is_ended()
    assert provider.asked == []


def test_two_whole_requests_are_two(client: RawClient, provider: Provider) -> None:
    """The battery above would also pass if nothing were ever read."""
    provider.asked.clear()
    client.send(head(LENGTH) + OUTER_BODY + INNER)
    assert client.reply().status == client.reply().status == 200
    assert b"smuggled" in provider.asked[-1].body


def test_what_the_provider_gets_has_one_framing_and_it_is_ours(
    client: RawClient, provider: Provider
) -> None:
    chunks = b"%x\r\n%b\r\n0\r\nContent-Length: 5\r\n\r\n" % (len(OUTER_BODY), OUTER_BODY)
    client.send(head(CHUNKED, b"Connection: keep-alive, x-api-key, content-length") + chunks)
    assert client.reply().status == 200
    asked = provider.asked[-1]
    assert "transfer-encoding" not in asked.headers
    assert int(asked.headers["content-length"]) == len(asked.body)

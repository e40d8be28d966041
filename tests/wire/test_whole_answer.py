"""What is read without the parser is what the parser says, and all else is left to it."""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.whole_answer import NAMES_MAX, learn, read_whole
from tests.kit.patience import examples

KNOWN = (b"content-type", b"Content-Length", b"Date", b"request-id", b"x-a", b"Connection")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n"


def names(*more: bytes) -> dict[bytes, bytes]:
    known: dict[bytes, bytes] = {}
    for name in (*KNOWN, b"Content-Type", b"content-length", *more):
        learn(known, name)
    return known


class Parsed:
    """What llhttp makes of the same bytes."""

    def __init__(self, data: bytes) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.ends = 0
        self.stays = False
        self.parser = httptools.HttpResponseParser(self)
        self.parser.feed_data(data)
        self.status = self.parser.get_status_code()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.ends += 1
        self.stays = self.parser.should_keep_alive()


def agrees(data: bytes, known: dict[bytes, bytes]) -> bool:
    """Was it read? If so, the parser must have said the same."""
    read = read_whole(data, known)
    if read is None:
        return False
    headers, body = read
    parsed = Parsed(data)
    assert parsed.status == 200
    assert parsed.headers == list(headers.items())
    assert parsed.body == body
    assert parsed.ends == 1
    assert parsed.stays
    return True


def test_a_plain_answer_is_read() -> None:
    assert agrees(HEAD + b"\r\nhello", names())
    assert read_whole(HEAD + b"\r\nhello", names()) == (
        {b"content-type": b"application/json", b"content-length": b"5"},
        b"hello",
    )


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"X-Strange: 1\r\n\r\nhello",
        HEAD + b"\r\nhell",
        HEAD + b"\r\nhello!",
        HEAD + b"\r\nhello" + HEAD,
        HEAD + b"content-length: 5\r\n\r\nhello",
        HEAD + b"x-a: 1\r\nx-a: 2\r\n\r\nhello",
        HEAD + b"x-a: 1\r\n 2\r\n\r\nhello",
        HEAD + b"x-a: 1\n\r\n\r\nhello",
        HEAD + b"x-a: 1\x002\r\n\r\nhello",
        HEAD + b"x-a:  1\r\n\r\nhello",
        HEAD + b"x-a: 1 \r\n\r\nhello",
        HEAD + b"x-a: \r\n\r\nhello",
        HEAD + b"x-a:1\r\n\r\nhello",
        HEAD + b"Connection: close\r\n\r\nhello",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nhello",
        HEAD.replace(b" 5", b" +5") + b"\r\nhello",
        HEAD.replace(b" 5", b" 5x") + b"\r\nhello",
        HEAD.replace(b"200", b"201") + b"\r\nhello",
        HEAD.replace(b"1.1", b"1.0") + b"\r\nhello",
        HEAD.replace(b"Content-Length: 5\r\n", b"") + b"\r\nhello",
        HEAD,
        b"",
    ],
)
def test_the_unusual_is_left_to_the_parser(data: bytes) -> None:
    assert read_whole(data, names(b"Transfer-Encoding")) is None


def test_a_head_that_says_more_than_a_length_is_never_read() -> None:
    known = names(b"Transfer-Encoding", b"UPGRADE", b"Proxy-Connection")
    assert not {b"Transfer-Encoding", b"UPGRADE", b"Proxy-Connection"} & set(known)


def test_names_are_kept_up_to_a_number_and_a_length() -> None:
    known: dict[bytes, bytes] = {}
    learn(known, b"x" * 1000)
    assert not known
    for number in range(2 * NAMES_MAX):
        learn(known, b"X-%d" % number)
    assert len(known) == NAMES_MAX


VALUES = st.one_of(
    st.sampled_from([b"5", b"0", b"05", b"keep-alive", b"close", b"", b" a", b"a\tb", b"a: b"]),
    st.binary(max_size=6),
)


@examples(1000)
@given(
    st.lists(st.tuples(st.sampled_from(KNOWN), VALUES), max_size=4),
    st.binary(max_size=8),
    st.sampled_from(
        [b"HTTP/1.1 200 OK", b"HTTP/1.1 200 ", b"HTTP/1.1 200 \x01", b"HTTP/1.1 204 No"]
    ),
    st.booleans(),
)
def test_what_is_read_is_what_the_parser_says(
    lines: list[tuple[bytes, bytes]], body: bytes, status: bytes, states_length: bool
) -> None:
    if states_length:
        lines = [*lines, (b"content-length", b"%d" % len(body))]
    told = b"".join(b"%b: %b\r\n" % line for line in lines)
    agrees(status + b"\r\n" + told + b"\r\n" + body, names())


@examples(500)
@given(st.integers(0, len(HEAD) + 6), st.binary(max_size=3), st.integers(0, 3))
def test_one_changed_place_is_read_alike_or_not_at_all(at: int, put: bytes, taken: int) -> None:
    whole = HEAD + b"x-a: b\r\n\r\nhello"
    agrees(whole[:at] + put + whole[at + taken :], names())

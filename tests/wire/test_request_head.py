"""The head of a request: what is read, what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.fault import Fault, Kind
from proxy.wire.head_reader import HeadReader
from proxy.wire.request_head import RequestHead, read_head
from tests.kit.patience import examples


def head_of(*lines: bytes, request: bytes = b"POST /v1/messages HTTP/1.1") -> RequestHead:
    return read_head(b"\r\n".join([request, b"Host: h", *lines, b"", b""]))


def fault_of(head: bytes) -> Fault:
    with pytest.raises(Fault) as caught:
        read_head(head)
    assert caught.value.kind is Kind.BAD_REQUEST
    return caught.value


def test_the_head_of_a_post_is_read() -> None:
    head = head_of(
        b"X-API-Key: sk-1",
        b"Content-Length: 12",
        request=b"POST /v1/messages/?beta=true&x=? HTTP/1.1",
    )
    assert head.method == b"POST"
    assert head.path == b"/v1/messages"
    assert head.query == b"beta=true&x=?"
    assert head.headers == {b"host": b"h", b"x-api-key": b"sk-1", b"content-length": b"12"}
    assert head.body_bytes == 12
    assert head.keep_alive
    assert head.version == "1.1"
    assert not head.expects_continue


def test_the_root_keeps_its_slash() -> None:
    assert head_of(request=b"GET / HTTP/1.1").path == b"/"


def test_a_header_that_comes_twice_is_joined_in_order() -> None:
    head = head_of(b"anthropic-beta: a", b"Accept: x", b"Anthropic-Beta: b,c")
    assert head.headers[b"anthropic-beta"] == b"a,b,c"


def test_space_around_a_value_does_not_belong_to_it() -> None:
    head = head_of(b"X-API-Key: \t sk-1 \t", b"Content-Length: 5 ")
    assert head.headers[b"x-api-key"] == b"sk-1"
    assert head.body_bytes == 5


def test_without_a_length_there_is_no_body() -> None:
    assert head_of().body_bytes == 0


@pytest.mark.parametrize("coding", [b"chunked", b" Chunked "])
def test_a_chunked_body_has_no_known_length(coding: bytes) -> None:
    assert head_of(b"Transfer-Encoding: " + coding).body_bytes == -1


def test_expect_is_read_whatever_its_case() -> None:
    assert head_of(b"Expect: 100-Continue").expects_continue
    assert not head_of(b"Expect: something").expects_continue


@pytest.mark.parametrize(
    ("version", "line", "keeps"),
    [
        (b"1.1", b"X: y", True),
        (b"1.1", b"Connection: close", False),
        (b"1.0", b"X: y", False),
        (b"1.0", b"Connection: Keep-Alive", True),
        (b"1.1", b"Connection: foo, Close", False),
        (b"1.0", b"Connection: keep-alive, close", False),
        (b"1.1", b"Connection: foo\r\nConnection: close", False),
    ],
)
def test_the_connection_stays_open_as_the_version_says(
    version: bytes, line: bytes, keeps: bool
) -> None:
    for request in (b"GET /healthz HTTP/", b"POST /v1/messages HTTP/"):
        for length in (b"X-A: b", b"Content-Length: 0", b"Content-Length: 9"):
            head = head_of(line, length, request=request + version)
            assert head.keep_alive is keeps
            assert head.version == version.decode()


def test_a_wish_to_upgrade_is_passed_over() -> None:
    head = head_of(b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: 3")
    assert head.path == b"/v1/messages"
    assert head.body_bytes == 3


@pytest.mark.parametrize(
    "head",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n",
        b"POST /\x00 HTTP/1.1\r\nHost: h\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(head: bytes) -> None:
    assert fault_of(head).message.startswith("The request is not valid HTTP: ")


@pytest.mark.parametrize("coding", [b"gzip", b"gzip, chunked", b"chunked, chunked", b"identity"])
def test_other_transfer_codings_are_refused(coding: bytes) -> None:
    head = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: " + coding + b"\r\n\r\n"
    assert "chunked" in fault_of(head).message or "valid HTTP" in fault_of(head).message


def test_a_length_beyond_all_bodies_is_refused() -> None:
    head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + b"1" * 19 + b"\r\n\r\n"
    assert "Content-Length" in fault_of(head).message


@examples()
@given(st.binary(max_size=60))
def test_noise_is_refused_in_an_orderly_way(noise: bytes) -> None:
    try:
        head = read_head(noise.replace(b"\r\n\r\n", b"") + b"\r\n\r\n")
    except Fault as fault:
        assert fault.kind is Kind.BAD_REQUEST
    else:
        assert head.body_bytes >= -1


# -------------------------------------------------------------- one connection's heads

REPEATED = (
    b"POST /v1/messages HTTP/1.1\r\nHost: h\r\nX-API-Key: k\r\ncontent-length: %b\r\nA: b\r\n\r\n"
)


def told(head: RequestHead) -> tuple[object, ...]:
    """What a head says; the length is `body_bytes`, a known head's header may be an older one."""
    headers = {name: value for name, value in head.headers.items() if name != b"content-length"}
    return (head.method, head.path, head.query, headers, head.body_bytes, head.keep_alive)


@pytest.mark.parametrize("length", [b"5", b"0", b"00", b"123456", b" 7", b"7 "])
def test_a_repeated_head_is_read_as_if_it_were_the_first(length: bytes) -> None:
    reader = HeadReader()
    reader.read(REPEATED % b"5")
    assert told(reader.read(REPEATED % length)) == told(read_head(REPEATED % length))


@pytest.mark.parametrize(
    "length", [b"", b"-1", b"5, 5", b"+5", b"5\r\nContent-Length: 6", b"1" * 19, b"5 5"]
)
def test_a_wrong_length_is_refused_on_a_known_head_too(length: bytes) -> None:
    reader = HeadReader()
    reader.read(REPEATED % b"5")
    with pytest.raises(Fault):
        reader.read(REPEATED % length)


OTHERS = [
    REPEATED % b"5",
    REPEATED % b"77",
    (REPEATED % b"5").replace(b"k\r", b"other\r"),
    (REPEATED % b"5").replace(b"A: b", b"A: c"),
    (REPEATED % b"5").replace(b"content-length: 5", b"transfer-encoding: chunked"),
    b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: h\r\nX: y\r\nContent-Length: 3\r\nConnection: close\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: h\r\nX: Content-Length: 9\r\nContent-Length: 3\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: h\r\nX: Content-Length: 9\r\n\r\n",
]


@examples()
@given(st.lists(st.sampled_from(OTHERS), max_size=8))
def test_any_row_of_heads_is_read_as_each_alone(heads: list[bytes]) -> None:
    reader = HeadReader()
    for raw in heads:
        assert told(reader.read(raw)) == told(read_head(raw))

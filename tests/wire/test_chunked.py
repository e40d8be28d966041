"""Chunked request bodies: cut anywhere, capped everywhere, refused when broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.fault import Fault, Kind
from proxy.wire.chunked import SIZE_LINE_BYTES_MAX, TRAILER_BYTES_MAX, ChunkedBody
from tests.kit.cuts import cuttings, obvious_cuttings
from tests.kit.patience import examples

CAP = 1000
NEXT = b"POST / HTTP/1.1\r\n"
WELL = b'5\r\nhello\r\n6;ext="1"\r\n, worl\r\n1\r\nd\r\n0\r\nx-sum: 1\r\nx-b: 2\r\n\r\n' + NEXT


def read(pieces: list[bytes], body_bytes_max: int = CAP) -> ChunkedBody:
    body = ChunkedBody(body_bytes_max)
    for piece in pieces:
        body.feed(piece)
    return body


def fault_of(pieces: list[bytes], body_bytes_max: int = CAP) -> Fault:
    with pytest.raises(Fault) as caught:
        read(pieces, body_bytes_max)
    return caught.value


@pytest.mark.parametrize("pieces", obvious_cuttings(WELL))
def test_chunks_are_put_together_however_they_come(pieces: list[bytes]) -> None:
    body = read(pieces)
    assert body.whole
    assert body.body == b"hello, world"


@examples(100)
@given(cuttings(WELL))
def test_any_cutting_gives_the_same_body_and_the_same_rest(pieces: list[bytes]) -> None:
    body = ChunkedBody(CAP)
    rest = b""
    for piece in pieces:
        if body.whole:
            rest += piece
            continue
        body.feed(piece)
    assert body.body == b"hello, world"
    assert body.rest + rest == NEXT


@examples(100)
@given(st.lists(st.binary(min_size=1, max_size=30), max_size=8), st.data())
def test_what_is_chunked_comes_back(chunks: list[bytes], data: st.DataObject) -> None:
    written = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    body = read(data.draw(cuttings(written)))
    assert body.whole
    assert body.body == b"".join(chunks)
    assert body.rest == b""


def test_a_body_is_not_whole_before_its_last_line_end() -> None:
    for end in range(len(WELL) - len(NEXT)):
        assert not read([WELL[:end]]).whole


def test_sizes_may_be_written_in_capitals_with_leading_zeros() -> None:
    assert read([b"000A\r\n0123456789\r\n0\r\n\r\n"]).body == b"0123456789"


def test_an_empty_body_is_whole() -> None:
    body = read([b"0\r\n\r\n"])
    assert body.whole
    assert body.body == b""


def test_a_body_of_exactly_the_cap_is_taken() -> None:
    assert read([b"5\r\nhello\r\n0\r\n\r\n"], body_bytes_max=5).body == b"hello"


def test_a_body_over_the_cap_is_refused_before_its_bytes_come() -> None:
    fault = fault_of([b"3\r\nabc\r\n", b"3\r\n"], body_bytes_max=5)
    assert fault.kind is Kind.TOO_LARGE
    assert fault.message == "Request exceeds the maximum size of 5 bytes."


def test_a_size_that_no_body_has_is_refused() -> None:
    assert fault_of([b"fffffffff\r\n"]).kind is Kind.TOO_LARGE
    assert fault_of([b"fffffffffffff\r\n"]).kind is Kind.BAD_REQUEST


@pytest.mark.parametrize(
    "broken",
    [
        b"\r\n",
        b"x\r\n",
        b"-5\r\n",
        b"+5\r\n",
        b"0x5\r\n",
        b"5 5\r\n",
        b" 5\r\nhello\r\n",
        b"5\n\r\nhello\r\n",
        b"5\nhello\n0\n\n\r\n",
        b"5_0\r\n",
        b";ext\r\n",
        b"\xd9\xa5\r\n",
    ],
)
def test_a_size_that_is_no_hexadecimal_number_is_refused(broken: bytes) -> None:
    fault = fault_of([broken])
    assert fault.kind is Kind.BAD_REQUEST
    assert "not a hexadecimal number" in fault.message


def test_a_chunk_longer_than_its_size_is_refused() -> None:
    fault = fault_of([b"3\r\nhello\r\n"])
    assert fault.kind is Kind.BAD_REQUEST
    assert "longer than its size" in fault.message


def test_space_before_an_extension_is_allowed() -> None:
    assert read([b"5 \t;a=b\r\nhello\r\n0\r\n\r\n"]).body == b"hello"


LONG_LINE = b"5;" + b"x" * SIZE_LINE_BYTES_MAX + b"\r\nhello\r\n0\r\n\r\n"


@pytest.mark.parametrize("pieces", obvious_cuttings(LONG_LINE))
def test_a_size_line_that_is_too_long_is_refused_however_it_comes(pieces: list[bytes]) -> None:
    fault = fault_of(pieces)
    assert fault.kind is Kind.BAD_REQUEST
    assert "too long" in fault.message


LONGEST_LINE = b"5;" + b"x" * (SIZE_LINE_BYTES_MAX - 2) + b"\r\nhello\r\n0\r\n\r\n"


@pytest.mark.parametrize("pieces", obvious_cuttings(LONGEST_LINE))
def test_a_size_line_of_exactly_the_cap_is_read_however_it_comes(pieces: list[bytes]) -> None:
    assert read(pieces).body == b"hello"


@pytest.mark.parametrize("pieces", obvious_cuttings(b"0\r\n" + b"a: b\r\n" * 2000 + b"\r\n"))
def test_a_trailer_that_is_too_long_is_refused_however_it_comes(pieces: list[bytes]) -> None:
    assert len(b"a: b\r\n" * 2000) > TRAILER_BYTES_MAX
    fault = fault_of(pieces)
    assert fault.kind is Kind.BAD_REQUEST
    assert "trailer is too long" in fault.message


@examples(200)
@given(st.binary(max_size=60), st.data())
def test_noise_is_read_or_refused_and_the_same_for_any_cutting(
    noise: bytes, data: st.DataObject
) -> None:
    def outcome(pieces: list[bytes]) -> object:
        body = ChunkedBody(CAP)
        try:
            for piece in pieces:
                if not body.whole:
                    body.feed(piece)
        except Fault as fault:
            return fault.kind
        return (body.whole, body.body)

    assert outcome(data.draw(cuttings(noise))) == outcome([noise])

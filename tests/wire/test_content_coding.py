"""Compressed request bodies, opened under a cap."""

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.fault import Fault, Kind
from proxy.wire.content_coding import GZIP_MEMBERS_MAX, decoded
from tests.kit.patience import examples

CAP = 1000
BODY = b'{"model":"opus"}' * 10


def fault_of(body: bytes, coding: bytes = b"gzip", body_bytes_max: int = CAP) -> Fault:
    with pytest.raises(Fault) as caught:
        decoded(body, coding, body_bytes_max)
    return caught.value


@pytest.mark.parametrize("coding", [b"", b"identity", b" Identity "])
def test_a_body_that_is_not_compressed_stays_the_same_object(coding: bytes) -> None:
    assert decoded(BODY, coding, CAP) is BODY


@pytest.mark.parametrize("coding", [b"gzip", b"x-gzip", b" GZIP\t"])
def test_gzip_is_opened(coding: bytes) -> None:
    assert decoded(gzip.compress(BODY), coding, CAP) == BODY


@examples()
@given(st.lists(st.binary(max_size=50), min_size=1, max_size=5))
def test_members_behind_one_another_are_one_body(parts: list[bytes]) -> None:
    assert decoded(b"".join(map(gzip.compress, parts)), b"gzip", CAP) == b"".join(parts)


def test_no_bytes_at_all_are_an_empty_body() -> None:
    assert decoded(b"", b"gzip", CAP) == b""


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"deflate", b"gzip, gzip", b"compress"])
def test_other_codings_are_refused(coding: bytes) -> None:
    fault = fault_of(BODY, coding)
    assert fault.kind is Kind.UNSUPPORTED_MEDIA
    assert fault.status == 415
    assert "gzip or uncompressed" in fault.message


def test_a_body_of_exactly_the_cap_is_opened() -> None:
    assert decoded(gzip.compress(bytes(CAP)), b"gzip", CAP) == bytes(CAP)


def test_one_byte_over_the_cap_is_refused() -> None:
    fault = fault_of(gzip.compress(bytes(CAP + 1)))
    assert fault.kind is Kind.TOO_LARGE
    assert fault.message == f"Request exceeds the maximum size of {CAP} bytes."


def test_the_cap_holds_for_all_members_together() -> None:
    half = gzip.compress(bytes(CAP // 2))
    assert decoded(half + half, b"gzip", CAP) == bytes(CAP)
    assert fault_of(half + half + gzip.compress(b"x")).kind is Kind.TOO_LARGE


def test_a_bomb_is_never_opened_beyond_the_cap() -> None:
    compressor = zlib.compressobj(9, wbits=31)
    block = bytes(1 << 20)
    bomb = b"".join(compressor.compress(block) for _ in range(64)) + compressor.flush()
    assert len(bomb) < 100_000
    tracemalloc.start()
    try:
        assert fault_of(bomb).kind is Kind.TOO_LARGE
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1 << 20


def test_a_crowd_of_empty_members_is_refused() -> None:
    empty = gzip.compress(b"")
    assert decoded(empty * GZIP_MEMBERS_MAX, b"gzip", CAP) == b""
    fault = fault_of(empty * (GZIP_MEMBERS_MAX + 1))
    assert fault.kind is Kind.BAD_REQUEST
    assert "members" in fault.message


@pytest.mark.parametrize(
    "broken",
    [
        BODY,
        zlib.compress(BODY),
        gzip.compress(BODY) + b"tail",
        gzip.compress(BODY)[:-8] + bytes(8),
    ],
    ids=["plain", "zlib", "tail", "checksum"],
)
def test_what_is_not_gzip_is_refused(broken: bytes) -> None:
    fault = fault_of(broken)
    assert fault.kind is Kind.BAD_REQUEST
    assert "not valid gzip" in fault.message


def test_a_body_cut_short_anywhere_is_refused() -> None:
    whole = gzip.compress(BODY)
    for end in range(1, len(whole)):
        fault = fault_of(whole[:end])
        assert fault.kind is Kind.BAD_REQUEST
        assert "cut short" in fault.message

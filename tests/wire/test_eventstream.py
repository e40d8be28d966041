"""AWS event streams: checked against botocore's own reader, cut anywhere, spoilt anywhere."""

import struct
import zlib

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.eventstream import HEADERS_BYTES_MAX, FrameReader
from tests.kit import event_stream
from tests.kit.cuts import cuttings, obvious_cuttings
from tests.kit.patience import examples

OF_THE_DOCUMENT = bytes.fromhex(
    "0000007b0000004b0a2e96af0b3a6576656e742d747970650700056368756e6b0d3a636f6e74656e742d7479706507"
    "00106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b226279746573"
    "223a2265794a306558426c496a6f6963476c755a794a39227da01f56c4"
)

NAMES = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=20)
VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.binary(max_size=40),
    st.text(max_size=40).filter(lambda text: "\ud800" not in text),
)
FRAMES = st.lists(
    st.builds(
        event_stream.frame,
        st.dictionaries(NAMES, VALUES, max_size=4),
        st.binary(max_size=300),
    ),
    min_size=1,
    max_size=6,
)


def read(pieces: list[bytes]) -> tuple[list[tuple[object, bytes]], FrameReader]:
    reader = FrameReader()
    frames = [frame for piece in pieces for frame in reader.feed(piece)]
    return [(frame.headers, frame.payload) for frame in frames], reader


def test_the_frame_of_the_document_is_read() -> None:
    ((headers, payload),), reader = read([OF_THE_DOCUMENT])
    assert headers == {
        ":event-type": "chunk",
        ":content-type": "application/json",
        ":message-type": "event",
    }
    assert payload == b'{"bytes":"eyJ0eXBlIjoicGluZyJ9"}'
    assert not reader.trouble
    assert reader.held_bytes == 0


@given(FRAMES, st.data())
@examples(200)
def test_every_cutting_gives_what_botocore_reads(frames: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(frames)
    theirs = EventStreamBuffer()
    theirs.add_data(whole)
    expected = [(each.headers, each.payload) for each in theirs]
    for pieces in (*obvious_cuttings(whole), data.draw(cuttings(whole)), frames):
        told, reader = read(pieces)
        assert told == expected
        assert not reader.trouble
        assert reader.held_bytes == 0


@given(FRAMES, st.data())
@examples(200)
def test_a_turned_bit_is_noticed_and_nothing_behind_it_is_read(
    frames: list[bytes], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(frames) - 1))
    bad = event_stream.spoilt(frames[place], data.draw(st.integers(0, len(frames[place]) - 1)))
    good, _ = read(frames[:place])
    for pieces in obvious_cuttings(b"".join((*frames[:place], bad, *frames[place + 1 :]))):
        told, reader = read(pieces)
        assert told == good
        assert reader.trouble
        assert reader.feed(frames[0]) == []


@given(FRAMES, st.data())
@examples(100)
def test_of_a_truncated_stream_the_whole_frames_are_read_and_the_rest_is_held(
    frames: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(frames)
    cut = data.draw(st.integers(0, len(whole) - 1))
    told, reader = read(obvious_cuttings(whole[:cut])[0])
    everything, _ = read([whole])
    assert told == everything[: len(told)]
    size = sum(map(len, frames[: len(told)]))
    assert reader.held_bytes == cut - size
    assert not reader.trouble


@given(st.binary(min_size=1, max_size=400), st.data())
@examples(100)
def test_any_bytes_end_in_frames_trouble_or_waiting(junk: bytes, data: st.DataObject) -> None:
    for pieces in (*obvious_cuttings(junk), data.draw(cuttings(junk))):
        _, reader = read(pieces)
        assert reader.trouble or reader.is_document or reader.held_bytes == len(junk)


def test_the_short_way_is_taken_for_a_frame_whose_headers_were_seen() -> None:
    reader = FrameReader()
    one, other = event_stream.chunk({"type": "ping"}), event_stream.chunk({"type": "pong"})
    assert reader.only(one) is None
    assert len(reader.feed(one)) == 1
    frame = reader.only(other)
    assert frame is not None
    assert frame.text(":event-type") == "chunk"
    assert frame.payload == FrameReader().feed(other)[0].payload
    assert reader.only(event_stream.spoilt(other, len(other) - 20)) is None
    assert reader.only(one + other) is None
    assert reader.only(other[:-1]) is None
    reader.feed(one[:5])
    assert reader.only(other) is None


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_json_instead_of_a_stream_is_a_document(size: int) -> None:
    body = b'{"message":"The security token included in the request is invalid."}'
    told, reader = read([body[at : at + size] for at in range(0, len(body), size)])
    assert told == []
    assert reader.is_document
    assert not reader.trouble
    assert reader.take_document() == body


def test_a_document_that_never_ends_is_given_up() -> None:
    reader = FrameReader(1000)
    reader.feed(b"{")
    reader.feed(b" " * 1000)
    assert reader.trouble
    assert reader.feed(b"more") == []


def lengths(total: int, headers: int) -> bytes:
    prelude = struct.pack(">II", total, headers)
    return prelude + struct.pack(">I", zlib.crc32(prelude))


@pytest.mark.parametrize(
    ("prelude", "said"),
    [
        (lengths(15, 0), "lengths"),
        (lengths(100, 90), "lengths"),
        (lengths(2**31, HEADERS_BYTES_MAX + 1), "lengths"),
        (lengths(16 + 1001, 0), "more than 1000 bytes"),
        (lengths(2**32 - 1, 0), "more than 1000 bytes"),
        (lengths(100, 20)[:-1] + b"!", "checksum"),
    ],
)
def test_lengths_that_cannot_be_are_refused_before_anything_is_held(
    prelude: bytes, said: str
) -> None:
    reader = FrameReader(1000)
    assert reader.feed(prelude) == []
    assert said in reader.trouble
    assert reader.held_bytes == 0


@pytest.mark.parametrize(
    "block",
    [b"\x05ab", b"\x01a\x07\x00\x09short", b"\x01a\x0a", b"\x01a", b"\x01\xff\x00", b"\x01a\x09\0"],
)
def test_headers_that_do_not_come_out_even_are_refused(block: bytes) -> None:
    prelude = lengths(16 + len(block), len(block))
    whole = prelude + block + struct.pack(">I", zlib.crc32(prelude + block))
    told, reader = read([whole])
    assert told == []
    assert "headers" in reader.trouble


def test_every_type_of_header_is_read() -> None:
    block = b"".join(
        (
            b"\x01a\x00\x01b\x01",
            b"\x01c\x02\xff\x01d\x03\x00\x02\x01e\x04\x00\x00\x00\x03",
            b"\x01f\x08" + struct.pack(">q", 1_700_000_000_000),
            b"\x01g\x09" + bytes(range(16)),
        )
    )
    prelude = lengths(16 + len(block), len(block))
    ((headers, _),), _ = read([prelude + block + struct.pack(">I", zlib.crc32(prelude + block))])
    assert headers == {
        "a": True,
        "b": False,
        "c": -1,
        "d": 2,
        "e": 3,
        "f": 1_700_000_000_000,
        "g": bytes(range(16)),
    }


def test_headers_that_differ_each_time_do_not_pile_up() -> None:
    reader = FrameReader()
    for number in range(1000):
        assert len(reader.feed(event_stream.frame({"n": number}, b""))) == 1
    assert len(reader._heads) <= 32

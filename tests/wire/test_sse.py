"""Events out of bytes, cut anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.sse import EventReader, Named
from tests.kit.cuts import cut_at, cuttings, obvious_cuttings
from tests.kit.patience import examples


def read(*pieces: bytes, cap: int = 1000) -> list[bytes | Named]:
    reader = EventReader(cap)
    said = [event for piece in pieces for event in reader.feed(piece)]
    return said + reader.finish()


TABLE = {
    "one": (b"data: a\n\n", [b"a"]),
    "two": (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
    "no space": (b"data:a\n\n", [b"a"]),
    "one space is dropped, no more": (b"data:  a\n\n", [b" a"]),
    "crlf": (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
    "cr": (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
    "mixed line ends": (b"data: a\r\n\ndata: b\n\r\n", [b"a", b"b"]),
    "several lines": (b"data: a\ndata: b\n\n", [b"a\nb"]),
    "lines that forgot data": (b'data: {"a":\n  1\n}\n\n', [b'{"a":\n  1\n}']),
    "unknown fields": (b"data: a\nfoo: bar\nretry: 5\nid: 7\n\n", [b"a"]),
    "comments": (b": hello\n\n:\n\ndata: a\n: inside\n\n", [b"a"]),
    "keep-alive lines": (b"\n\n\n\n\ndata: a\n\n\n\n\n", [b"a"]),
    "named message": (b"event: message\ndata: a\n\n", [b"a"]),
    "named otherwise": (b"event: error\ndata: a\n\n", [Named(b"error", b"a")]),
    "name behind the data": (b"data: a\nevent:error\n\n", [Named(b"error", b"a")]),
    "no data": (b"event: ping\n\n", []),
    "empty data": (b"data:\n\n", [b""]),
    "bom": (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
    "space first": (b" \n\t data: a\n\n", [b"a"]),
    "no end": (b"data: a\n\ndata: b", [b"a", b"b"]),
    "half an end": (b"data: a\n", [b"a"]),
    "other separators": ("data: a\u2028b\x85\x0bc\n\n".encode(), ["a\u2028b\x85\x0bc".encode()]),
    "nothing": (b"", []),
}


@pytest.mark.parametrize("name", TABLE)
def test_events_are_read_however_they_are_cut(name: str) -> None:
    stream, expected = TABLE[name]
    for pieces in obvious_cuttings(stream):
        assert read(*pieces) == expected
    for place in range(len(stream) + 1):
        assert read(*cut_at(stream, [place])) == expected


@examples(200)
@given(st.lists(st.sampled_from(sorted(TABLE))), st.binary(max_size=20), st.data())
def test_any_cut_of_anything_gives_the_same(
    names: list[str], noise: bytes, data: st.DataObject
) -> None:
    stream = b"".join(TABLE[name][0] for name in names) + noise
    assert read(*data.draw(cuttings(stream)), cap=40) == read(stream, cap=40)


@pytest.mark.parametrize("first", [b"{", b"\xef\xbb\xbf  {", b"\n\n[", b"<html>"])
def test_a_document_is_known_by_its_first_byte(first: bytes) -> None:
    for pieces in obvious_cuttings(first + b' "data: x\n\n'):
        reader = EventReader(1000)
        assert [event for piece in pieces for event in reader.feed(piece)] == []
        assert reader.is_document
        assert reader.finish() == []
        expected = (first + b' "data: x\n\n').removeprefix(b"\xef\xbb\xbf").lstrip()
        assert reader.take_document() == expected
        assert not reader.held


def test_an_event_of_the_cap_comes_through_and_a_larger_one_does_not() -> None:
    event = b"data: " + b"x" * 94
    for pieces in obvious_cuttings(event + b"\n\n"):
        assert read(*pieces, cap=100) == [b"x" * 94]
        reader = EventReader(99)
        for piece in pieces:
            assert reader.feed(piece) == []
        assert reader.is_too_large
        assert reader.finish() == []


def test_events_before_one_that_is_too_large_are_read() -> None:
    for pieces in obvious_cuttings(b"data: a\n\ndata: " + b"x" * 200 + b"\n\n"):
        reader = EventReader(100)
        said: list[bytes | Named] = []
        for piece in pieces:
            if not reader.is_too_large:
                said += reader.feed(piece)
        assert said == [b"a"]
        assert reader.is_too_large


def test_nothing_is_read_behind_what_was_too_large() -> None:
    reader = EventReader(10)
    reader.feed(b"data: a\n\n")
    assert reader.feed(b"data: too large\n\n") == []
    assert reader.is_too_large
    assert reader.feed(b"data: b\n\n") == []
    assert reader.feed(b": c\n\ndata: d\n\n") == []
    assert reader.finish() == []
    assert not reader.held

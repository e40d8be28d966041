"""Images and PDFs are measured by their first bytes, and cost what is usual where that fails."""

import base64
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.media_tokens import (
    PAGE_BYTES,
    PAGE_TOKENS,
    PAGES_MAX,
    PDF_WINDOW_BYTES,
    UNKNOWN_IMAGE_TOKENS,
    image_tokens,
    pdf_tokens,
)
from tests.kit.patience import examples


def told(data: bytes) -> msgspec.Raw:
    return msgspec.Raw(b'"' + base64.b64encode(data) + b'"')


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + b"\x08\x06" * 40


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + bytes(40)


def jpeg(width: int, height: int, *, before: bytes = b"", frame: int = 0xC0) -> bytes:
    size = struct.pack(">HBHHB", 17, 8, height, width, 3)
    return b"\xff\xd8" + before + b"\xff" + bytes([frame]) + size + bytes(60)


def exif(number: int) -> bytes:
    """A segment of so many bytes, full of what looks like a frame."""
    return b"\xff\xe1" + struct.pack(">H", number + 2) + (b"\xff\xc0" * number)[:number]


def webp(kind: bytes, width: int, height: int) -> bytes:
    match kind:
        case b"VP8 ":
            size = b"\x30\x01\x00\x9d\x01\x2a" + struct.pack("<HH", width, height)
        case b"VP8L":
            size = b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14)
        case _:
            low = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
            size = b"\x10\0\0\0" + low
    return b"RIFF\x99\0\0\0WEBP" + kind + struct.pack("<I", len(size)) + size + bytes(40)


TABLE = b"\xff\xc4" + struct.pack(">H", 21) + bytes(19)
IMAGES = {
    "png": png(300, 200),
    "gif": gif(300, 200),
    "jpeg": jpeg(300, 200),
    "progressive jpeg": jpeg(300, 200, frame=0xC2),
    "jpeg from a camera": jpeg(300, 200, before=exif(60_000) + exif(65_000)),
    "jpeg with a table first": jpeg(300, 200, before=TABLE),
    "jpeg with filling": jpeg(300, 200, before=b"\xff\x01\xff\xd0\xff\xff"),
    "webp": webp(b"VP8 ", 300, 200),
    "lossless webp": webp(b"VP8L", 300, 200),
    "extended webp": webp(b"VP8X", 300, 200),
}


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_costs_its_pixels(name: str) -> None:
    assert image_tokens(told(IMAGES[name])) == 80


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_cut_off_anywhere_costs_something(name: str) -> None:
    whole = IMAGES[name]
    for end in range(60):
        assert image_tokens(told(whole[:end])) in (80, UNKNOWN_IMAGE_TOKENS)


@pytest.mark.parametrize(
    "data",
    [
        png(4_000, 3_000),
        png(0, 100),
        b"BM" + bytes(60),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\xff\xd8" + b"\xff\xd0" * 500,
        b"",
    ],
    ids=["large", "without width", "another format", "svg", "only markers", "empty"],
)
def test_what_is_large_or_strange_costs_the_most(data: bytes) -> None:
    assert image_tokens(told(data)) == UNKNOWN_IMAGE_TOKENS


def test_small_images_cost_little() -> None:
    assert image_tokens(told(png(1, 1))) == 1
    assert image_tokens(told(png(751, 1))) == 2


@pytest.mark.parametrize("raw", [b"7", b"null", b'"', b'""', b"{}", b'"%%%%"', b'"\\n\\nAA"', b""])
def test_what_is_no_base64_costs_what_is_usual(raw: bytes) -> None:
    assert image_tokens(msgspec.Raw(raw)) == UNKNOWN_IMAGE_TOKENS
    assert pdf_tokens(msgspec.Raw(raw)) == PAGE_TOKENS


@examples(200)
@given(st.sampled_from(sorted(IMAGES)), st.binary(max_size=60), st.integers(0, 60))
def test_no_image_breaks_it(name: str, noise: bytes, at: int) -> None:
    whole = IMAGES[name]
    data = told(whole[:at] + noise + whole[at + len(noise) :])
    assert 1 <= image_tokens(data) <= UNKNOWN_IMAGE_TOKENS
    assert 1 <= pdf_tokens(data) // PAGE_TOKENS <= PAGES_MAX


PAGE = b"<< /Type /Page /Parent 2 0 R >>\n"


@pytest.mark.parametrize(
    ("pdf", "pages"),
    [
        (b"%PDF-1.4\n" + PAGE * 7, 7),
        (b"%PDF-1.4\n<</Type/Pages/Kids[]>>" + b"<</Type/Page>>" * 3, 3),
        (b"%PDF-1.7\n<< /Type /Pages /Count 12 >>" + bytes(100), 12),
        (b"%PDF-1.7\n" + bytes(5 * PAGE_BYTES), 5),
        (b"%PDF-1.7\n" + bytes(9 * PDF_WINDOW_BYTES) + b"/Type /Pages /Count 42 ", 42),
        (b"%PDF-1.4\n" + PAGE * 2 + bytes(9 * PDF_WINDOW_BYTES) + PAGE * 2 + b"/Count 90", 90),
        (b"%PDF-1.7\n/Count 999999 ", PAGES_MAX),
        (b"%PDF-1.7\n", 1),
    ],
    ids=[
        *("by its pages", "without spaces", "by its page tree", "by its size", "tree at its end"),
        *("seen in part", "too many", "nothing to see"),
    ],
)
def test_a_pdf_costs_its_pages(pdf: bytes, pages: int) -> None:
    assert pdf_tokens(told(pdf)) == pages * PAGE_TOKENS


@pytest.mark.parametrize("windows", [1, 2])
@pytest.mark.parametrize("beyond", range(-40, 41, 3))
def test_no_page_is_counted_twice_or_missed_where_the_windows_meet(
    windows: int, beyond: int
) -> None:
    """Up to two windows the whole file is seen; beyond them the gap is in the middle."""
    page = PAGE + bytes(1_500)
    size = windows * PDF_WINDOW_BYTES + beyond
    pdf = (page * (size // len(page) + 1))[: size - 30] + b" /Type /Page /Last true       "
    true = pdf.count(b"/Type /Page ")
    assert 200 < true < PAGES_MAX
    counted = pdf_tokens(told(pdf)) // PAGE_TOKENS
    assert true - 1 <= counted <= true if len(pdf) > 2 * PDF_WINDOW_BYTES else counted == true

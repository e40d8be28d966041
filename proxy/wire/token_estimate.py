"""How many tokens a request or a text probably has, without a tokenizer (translation.md 8).

Every byte has a weight, because what a byte costs depends on what it is: a letter is a fifth of a
token, a digit two thirds, a Chinese character, which is its first byte, four fifths. The weights
were fitted once, by least squares, to what OpenAI's o200k_base counts; `bench/estimator.py` says
what they are worth. Models that count otherwise are corrected by experience, elsewhere
(catalog/calibration.py). Nothing is decoded: a text is counted as it stands in JSON, escapes and
all. Never raises.
"""

import re
import zlib
from collections.abc import Callable

import msgspec

from proxy.wire.body import Body
from proxy.wire.media_tokens import (
    UNKNOWN_DOCUMENT_TOKENS,
    UNKNOWN_IMAGE_TOKENS,
    image_tokens,
    pdf_tokens,
)

MESSAGE_TOKENS = 4
"""What a template puts around a message."""
TOOL_TOKENS = 12
UNITS = 64
"""Weights are whole numbers of 1/64 token."""

_WEIGHTS: tuple[tuple[int, bytes], ...] = (
    (11, b"eationrshldcu"),
    (27, b"bfgjkmpqvwxyz"),
    (19, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    (42, b"0123456789"),
    (13, b" "),
    (29, b"\r\n"),
    (38, b"\t"),
    (18, b'"'),
    (15, b"\\"),
    (35, b"_"),
    (27, b".,"),
    (63, b"/"),
    (31, b"-=#*"),
    (37, b"()[]{}:;<>"),
    (50, b"!$%&'+?@^`|~"),
    # First bytes of characters in UTF-8; the bytes that follow cost nothing.
    (42, b"\xc2"),
    (72, b"\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xcb\xcc\xcd"),  # Latin with accents
    (30, b"\xce\xcf"),  # Greek
    (18, b"\xd0\xd1\xd2\xd3\xd4\xd5"),  # Cyrillic
    (35, b"\xd6\xd7"),  # Hebrew
    (26, b"\xd8\xd9\xda\xdb\xdc\xdd\xde\xdf"),  # Arabic
    (44, b"\xe0"),  # Indic scripts, Thai
    (58, b"\xe1"),
    (72, b"\xe2"),  # dashes, quotes, arrows, boxes
    (51, b"\xe3\xea\xeb\xec\xed"),  # kana, Hangul
    (53, b"\xe4\xe5\xe6\xe7\xe8\xe9"),  # Chinese characters
    (60, b"\xee\xef"),
    (120, b"\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7"),  # emoji
)
_CONTROL_WEIGHT = 32
_WEIGHT_MAX = 120
_SPAN_BYTES = 65_520 // _WEIGHT_MAX
"""So many bytes of any weight have a sum below 65,521, where Adler-32 would wrap."""
_PIECE_BYTES = 64 * _SPAN_BYTES

_SEALED_UNITS = 12
"""Of a byte of base64 in which text is sealed: 3/4 byte of text, four of which are a token."""

# `\\u4e2d` as plain letters and digits costs more than the one character it stands for: so many
# units more, those of some scripts yet more.
_ESCAPE = b"\\u"
_ESCAPE_UNITS = 105
_ESCAPE_UNITS_MORE = ((b"\\u04", 62), (b"\\u30", 25))  # Cyrillic, kana
_ESCAPES_MATTER_BYTES = 256
_STRIPE_BYTES = 1_024
_STRIPES_APART_BYTES = 8_192


def _table() -> bytes:
    weights = bytearray([_CONTROL_WEIGHT]) * 0x80 + bytearray(0x80)
    for weight, members in _WEIGHTS:
        for byte in members:
            weights[byte] = weight
    return bytes(weights)


_TABLE = _table()


def estimate_text(text: bytes | bytearray) -> int:
    """Tokens of a text in UTF-8, rounded up; as it is, or as it stands in JSON."""
    return -(-_units(text) // UNITS)


def _units(text: bytes | bytearray) -> int:
    """The sum of all weights, about a millisecond for a megabyte.

    Adler-32 begins with the plain sum of all bytes, modulo 65,521, and nothing in Python sums bytes
    faster.
    """
    sum_of = zlib.adler32
    units = 0
    # Small pieces, so that nothing leaves the processor's cache on the way.
    for begin in range(0, len(text), _PIECE_BYTES):
        weights = text[begin : begin + _PIECE_BYTES].translate(_TABLE)
        view = memoryview(weights)
        for start in range(0, len(weights), _SPAN_BYTES):
            units += sum_of(view[start : start + _SPAN_BYTES], 0) & 0xFFFF
    return max(units - _escaped_units(text), 0)


def _escaped_units(text: bytes | bytearray) -> int:
    """What characters written as `\\uXXXX` were counted too much, where there are many of them.

    Looking for two bytes takes as long as everything else, so it is first done in stripes.
    """
    size = len(text)
    stripes: bytes | bytearray = text
    if size > 2 * _STRIPES_APART_BYTES:
        starts = range(0, size, _STRIPES_APART_BYTES)
        stripes = b"".join([text[start : start + _STRIPE_BYTES] for start in starts])
    if stripes.count(_ESCAPE) * _ESCAPES_MATTER_BYTES < len(stripes):
        return 0
    more = sum([text.count(begin) * units for begin, units in _ESCAPE_UNITS_MORE])
    return text.count(_ESCAPE) * _ESCAPE_UNITS + more


_NOTHING = msgspec.Raw(b"")


class _Source(msgspec.Struct, gc=False):
    type: str = ""
    media_type: str = ""
    data: msgspec.Raw = _NOTHING
    content: "list[_Block] | str | None" = None


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    text: msgspec.Raw = _NOTHING
    thinking: msgspec.Raw = _NOTHING
    signature: msgspec.Raw = _NOTHING
    data: msgspec.Raw = _NOTHING
    encrypted_content: msgspec.Raw = _NOTHING
    name: msgspec.Raw = _NOTHING
    input: msgspec.Raw = _NOTHING
    title: msgspec.Raw = _NOTHING
    context: msgspec.Raw = _NOTHING
    url: msgspec.Raw = _NOTHING
    source: msgspec.Raw = _NOTHING
    content: "list[_Block] | str | None" = None


class _Message(msgspec.Struct, gc=False):
    content: list[_Block] | str | None = None


_messages = msgspec.json.Decoder(list[_Message])
_message = msgspec.json.Decoder(_Message)
_content = msgspec.json.Decoder(list[_Block] | str | None)
_source = msgspec.json.Decoder(_Source)
_raws = msgspec.json.Decoder(list[msgspec.Raw])
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Unknown(Exception):
    """A block of a type that is not known here: it is counted as it stands."""


class _Sheet:
    """What was found of a request: its texts, and tokens of all that is no text."""

    __slots__ = ("texts", "tokens", "units")

    def __init__(self) -> None:
        self.texts: list[bytes | msgspec.Raw] = []
        self.tokens = 0
        self.units = 0

    def content(self, content: list[_Block] | str | None) -> None:
        """Of a message, of the system, of a tool's result."""
        if isinstance(content, list):
            for block in content:
                _KINDS.get(block.type, _unknown)(self, block)
        elif content:
            self.texts.append(content.encode())

    def add(self, other: "_Sheet") -> None:
        """All that the other one has."""
        self.texts += other.texts
        self.tokens += other.tokens
        self.units += other.units


def estimate_request(body: Body) -> int:
    """Tokens of a Messages request that its provider will count as input, rounded up.

    Before calibration, and for a tokenizer like o200k_base. Images and PDFs count as what they
    show, not as text.
    """
    fields = body.fields
    sheet = _read_messages(fields.get("messages", _NOTHING))
    system = fields.get("system")
    if system is not None:
        _read_content(sheet, system)
    tools = fields.get("tools")
    if tools is not None:
        sheet.texts.append(tools)
        sheet.tokens += TOOL_TOKENS * _length(tools)
    for name in ("output_config", "output_format"):
        if name in fields:
            sheet.texts.append(fields[name])
    return sheet.tokens + -(-(_units(b"".join(sheet.texts)) + sheet.units) // UNITS)


def _read_messages(raw: msgspec.Raw) -> _Sheet:
    sheet = _Sheet()
    try:
        messages = _messages.decode(raw)
        for message in messages:
            sheet.content(message.content)
    except (*_UNREADABLE, _Unknown):
        return _read_one_by_one(raw)
    sheet.tokens += MESSAGE_TOKENS * len(messages)
    return sheet


def _read_one_by_one(raw: msgspec.Raw) -> _Sheet:
    """Where one message holds what is not known, the others are still counted exactly."""
    sheet = _Sheet()
    try:
        messages = _raws.decode(raw)
    except _UNREADABLE:
        _as_it_stands(sheet, raw)
        return sheet
    for message in messages:
        one = _Sheet()
        try:
            one.content(_message.decode(message).content)
        except (*_UNREADABLE, _Unknown):
            one = _Sheet()
            _as_it_stands(one, message)
        sheet.add(one)
    sheet.tokens += MESSAGE_TOKENS * len(messages)
    return sheet


def _read_content(sheet: _Sheet, raw: msgspec.Raw) -> None:
    one = _Sheet()
    try:
        one.content(_content.decode(raw))
    except (*_UNREADABLE, _Unknown):
        one = _Sheet()
        _as_it_stands(one, raw)
    sheet.add(one)


# Not a text of any language; an image or a document in a block that is not known here.
_BLOB = re.compile(rb'"[A-Za-z0-9+/]{2000,}={0,2}"')


def _as_it_stands(sheet: _Sheet, raw: msgspec.Raw) -> None:
    text, blobs = _BLOB.subn(b"", bytes(raw))
    sheet.texts.append(text)
    sheet.tokens += blobs * UNKNOWN_IMAGE_TOKENS


def _length(raw: msgspec.Raw) -> int:
    try:
        return len(_raws.decode(raw))
    except _UNREADABLE:
        return 0


def _text(sheet: _Sheet, block: _Block) -> None:
    sheet.texts.append(block.text)


def _thinking(sheet: _Sheet, block: _Block) -> None:
    sheet.texts.append(block.thinking)
    # Omitted thinking comes back sealed in its signature; beside its text it is only a signature.
    if len(block.thinking) <= len('""'):
        sheet.units += _SEALED_UNITS * len(block.signature)


def _redacted_thinking(sheet: _Sheet, block: _Block) -> None:
    sheet.units += _SEALED_UNITS * len(block.data)


def _tool_use(sheet: _Sheet, block: _Block) -> None:
    sheet.texts += (block.name, block.input)


def _result(sheet: _Sheet, block: _Block) -> None:
    sheet.content(block.content)


def _search_result(sheet: _Sheet, block: _Block) -> None:
    sheet.texts += (block.title, block.source)
    sheet.content(block.content)


def _web_search_result(sheet: _Sheet, block: _Block) -> None:
    sheet.texts += (block.title, block.url)
    sheet.units += _SEALED_UNITS * len(block.encrypted_content)


def _image(sheet: _Sheet, block: _Block) -> None:
    source = _source_of(block)
    is_here = source.type == "base64"
    sheet.tokens += image_tokens(source.data) if is_here else UNKNOWN_IMAGE_TOKENS


def _document(sheet: _Sheet, block: _Block) -> None:
    source = _source_of(block)
    sheet.texts += (block.title, block.context)
    match source.type:
        case "text":
            sheet.texts.append(source.data)
        case "content":
            sheet.content(source.content)
        case "base64":
            sheet.tokens += pdf_tokens(source.data)
        case _:
            sheet.tokens += UNKNOWN_DOCUMENT_TOKENS


def _source_of(block: _Block) -> _Source:
    return _source.decode(block.source or b"{}")


def _unknown(sheet: _Sheet, block: _Block) -> None:
    raise _Unknown


_KINDS: dict[str, Callable[[_Sheet, _Block], None]] = {
    "text": _text,
    "thinking": _thinking,
    "redacted_thinking": _redacted_thinking,
    "tool_use": _tool_use,
    "server_tool_use": _tool_use,
    "tool_result": _result,
    "web_search_tool_result": _result,
    "web_search_result": _web_search_result,
    "search_result": _search_result,
    "image": _image,
    "document": _document,
}

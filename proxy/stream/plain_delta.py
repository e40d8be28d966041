"""The short way for what most of a stream is: chunks that are the same but for one bit of text.

After a chunk whose delta was text alone, everything around that text is known. An event that begins
and ends with the same bytes, and between them is one JSON string, can only mean the same with other
words: they are copied from one event into the other, undecoded. That it is so is proven once for
each shape, by reading a probe through the ordinary decoder, and again by a law in the tests that
compares the two ways.
"""

from typing import Final

import msgspec

from proxy.wire.chat import Chunk, read_chunk
from proxy.wire.events import LF

_decode_text: Final = msgspec.json.Decoder(str).decode
_PROBE: Final = "probe"
_FIELDS: Final = {
    False: (b'"content":"', b'"content": "'),
    True: (
        b'"reasoning_content":"',
        b'"reasoning":"',
        b'"reasoning_content": "',
        b'"reasoning": "',
    ),
}
"""Where the words are looked for: text, thinking."""


class PlainDelta:
    """The shape of an event: bytes before its words, and after."""

    __slots__ = ("_begin", "_between", "_end", "before", "behind", "is_thinking")

    def __init__(self, before: bytes, behind: bytes, *, is_thinking: bool) -> None:
        self.before = before
        self.behind = behind
        self.is_thinking = is_thinking
        self._between = behind + before
        # The quotes around the words are the last of `before` and the first of `behind`.
        self._begin = len(before) - 1
        self._end = 1 - len(behind)

    def quoted(self, read: bytes) -> bytes:
        """The words of the one event that `read` is, in their quotes; empty when it is another, or
        several."""
        if read.startswith(self.before) and read.endswith(self.behind):
            words = read[self._begin : self._end]
            if LF not in words:
                return words
        return b""

    def parts(self, read: bytes) -> tuple[list[bytes], int]:
        """The words of the events of this shape that `read` begins with, and where they end; no
        words where it begins with another. The words are not checked yet."""
        end = read.rfind(self.behind)
        if end < 0 or not read.startswith(self.before):
            return [], 0
        return read[len(self.before) : end].split(self._between), end + len(self.behind)

    def good(self, parts: list[bytes]) -> tuple[list[bytes], int]:
        """The first of `parts` up to one that is no mere text, and where their events end."""
        count = 0
        while count < len(parts) and text_of(parts[count : count + 1]) is not None:
            count += 1
        good = parts[:count]
        return good, count * len(self._between) + sum(map(len, good))


def text_of(parts: list[bytes]) -> str | None:
    """The words as text, all together; None where one of them is not to be copied."""
    if len(parts) == 1:
        return text_of_one(parts[0])
    words = b"".join(parts)
    if words.isascii() and b"\\" not in words and all(parts):
        return text_of_one(words)
    # Half an escape or half a character may make a whole one with the next part.
    texts = [text_of_one(part) for part in parts]
    said = [text for text in texts if text is not None]
    return "".join(said) if len(said) == len(texts) else None


def text_of_one(words: bytes) -> str | None:
    """The words of one event as text; None where they are no JSON string, an empty one, or one
    that we would write in other bytes."""
    return text_of_quoted(b'"' + words + b'"')


def text_of_quoted(quoted: bytes) -> str | None:
    """The same of words in their quotes; None also where nothing is given."""
    if b"\\" in quoted and (b"\\u" in quoted or b"\\/" in quoted):
        return None
    try:
        return _decode_text(quoted) or None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def learn(data: bytes, words: bytes, *, is_thinking: bool) -> PlainDelta | None:
    """The shape of an event with `data`, framed as most servers do it, given its words as they
    stand there. None where they stand there otherwise, or not alone."""
    event = b"data: %b\n\n" % data
    for field in _FIELDS[is_thinking]:
        at = event.find(field + words + b'"')
        if at >= 0:
            before = event[: at + len(field)]
            behind = event[at + len(field) + len(words) :]
            if _is_plain(before, behind, is_thinking):
                return PlainDelta(before, behind, is_thinking=is_thinking)
    return None


def _is_plain(before: bytes, behind: bytes, is_thinking: bool) -> bool:
    """Does an event of this shape say its words and nothing else? A probe will tell."""
    chunk = read_chunk(before[len(b"data: ") :] + _PROBE.encode() + behind)
    return chunk is not None and said_alone(chunk, is_thinking=is_thinking) == _PROBE


def said_alone(chunk: Chunk, *, is_thinking: bool) -> str | None:
    """The words of a chunk that says nothing else."""
    if chunk.is_loose or bytes(chunk.usage) != b"null" or bytes(chunk.error) != b"null":
        return None
    if chunk.x_groq is not None or chunk.choices is None or len(chunk.choices) != 1:
        return None
    choice = chunk.choices[0]
    delta = choice.delta
    if delta is None or choice.finish_reason is not None or bytes(choice.usage) != b"null":
        return None
    if choice.index is not None and choice.index != 0:
        return None
    if delta.tool_calls or delta.function_call is not None or delta.refusal:
        return None
    if bytes(delta.reasoning_details) != b"null":
        return None
    thinking, text = delta.reasoning_content or delta.reasoning, delta.content
    words = thinking if is_thinking else text
    other = text if is_thinking else thinking
    return words if isinstance(words, str) and words and not other else None

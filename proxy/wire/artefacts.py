"""What of ours may stand in a conversation that goes to Anthropic itself, and must not.

Thinking that other models thought bears our signatures, which Claude refuses (translation.md 4.1,
trap 30). Everything else stays byte for byte: prompt caches hang on it.
"""

import msgspec

from proxy.wire.body import Body, read_body
from proxy.wire.seal import PREFIX

_MARK = PREFIX.encode()
"""Survives every JSON encoder: it has no character that any would escape."""
_MARKS = (_MARK, b"GWc1.")
"""That of thinking, and that of searches (`web_search/tokens.py`)."""
_LETTER = _MARK[1:2]
_LETTERS_MAX = 128
_SPACE = b" \t\r\n,"
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_HIDDEN = b'"(thinking that is not shown)"'
"""Stands for thinking without text where a turn would be empty."""


class _Message(msgspec.Struct, gc=False):
    content: msgspec.Raw = msgspec.Raw()


class _Block(msgspec.Struct, gc=False):
    type: msgspec.Raw = msgspec.Raw()
    thinking: msgspec.Raw = msgspec.Raw()
    signature: msgspec.Raw = msgspec.Raw()


_MESSAGE = msgspec.json.Decoder(_Message)
_BLOCK = msgspec.json.Decoder(_Block)


def without_artefacts(body: Body) -> Body:
    """`body` without thinking that we signed; the same object when there is none. A turn of nothing
    but such thinking keeps it as text."""
    if _MARK not in body.raw:
        return body
    messages = bytes(body.fields["messages"])
    try:
        cleaned = _cleaned_messages(messages)
    except _UNREADABLE:
        return body  # no conversation: the provider will say what is wrong with it
    if cleaned is messages:
        return body
    at = body.raw.find(messages)
    raw = b"".join((body.raw[:at], cleaned, body.raw[at + len(messages) :]))
    changed = read_body(raw, needs_max_tokens=False)
    changed.max_tokens = body.max_tokens
    return changed


def bears_artefacts(body: Body) -> bool:
    """Does a mark of ours stand somewhere in `body`?"""
    return bears_marks(body.raw) if body.artefacts is None else body.artefacts


def bears_marks(raw: bytes) -> bool:
    """Does a mark of ours stand somewhere in `raw`?

    A single rare letter is found six times as fast as a word (10 and 70 us in 150 kB of prose and
    code), as long as it is rare: in a picture's base64 it is not.
    """
    at = raw.find(_LETTER)
    for _ in range(_LETTERS_MAX):
        if at < 0:
            return False
        if raw.startswith(_MARKS, at - 1):
            return True
        at = raw.find(_LETTER, at + 1)
    return at >= 0 and any(raw.find(mark, at - 1) >= 0 for mark in _MARKS)


def _cleaned_messages(messages: bytes) -> bytes:
    pieces: list[bytes] = []
    done = 0
    for begin, end in _spans(messages):
        if messages.find(_MARK, begin, end) < 0:
            continue
        message = messages[begin:end]
        content = bytes(_MESSAGE.decode(message).content)
        if content[:1] != b"[":
            continue
        cleaned = _cleaned_content(content)
        if cleaned is not content:
            at = begin + message.find(content)
            pieces += (messages[done:at], cleaned)
            done = at + len(content)
    if not pieces:
        return messages
    return b"".join((*pieces, messages[done:]))


def _cleaned_content(content: bytes) -> bytes:
    """A list of blocks; each one that goes takes the comma before it along, the first the one
    behind it."""
    spans = _spans(content)
    blocks = [_BLOCK.decode(content[begin:end]) for begin, end in spans]
    kept = [at for at, block in enumerate(blocks) if not _is_ours(block)]
    if len(kept) == len(spans):
        return content
    if not kept:
        texts = [bytes(block.thinking) for block in blocks]
        texts = [text for text in texts if _has_words(text)] or [_HIDDEN]
        return b"[%b]" % b",".join([b'{"type":"text","text":%b}' % text for text in texts])
    pieces = [content[: spans[0][0]]]
    for number, at in enumerate(kept):
        begin, end = spans[at]
        # Between two blocks: a comma, and the space that belongs to it.
        pieces.append(content[spans[at - 1][1] if number else begin : end])
    pieces.append(content[spans[-1][1] :])
    return b"".join(pieces)


def _is_ours(block: _Block) -> bool:
    return bytes(block.type) == b'"thinking"' and bytes(block.signature).startswith(b'"' + _MARK)


def _has_words(text: bytes) -> bool:
    return text[:1] == b'"' and bool(text[1:-1].strip())


def _spans(values: bytes) -> list[tuple[int, int]]:
    """Where each value of a JSON list begins and ends."""
    spans: list[tuple[int, int]] = []
    at = values.index(b"[") + 1
    for value in _LIST.decode(values):
        while values[at] in _SPACE:
            at += 1
        spans.append((at, at + len(value)))
        at += len(value)
    return spans

"""Text in sentences and words, of languages with spaces and without; cut where it hurts least."""

import re

_SENTENCE_END = re.compile("(?<=[.!?])\\s+|(?<=[\u3002\uff01\uff1f])|\n+")
_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(f"[{_CJK}]|[^\\W{_CJK}]+")
"""Where words are not spaced, every character is one."""


def sentences(text: str) -> list[str]:
    """Those that say something, without the space around them."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def words(text: str) -> set[str]:
    """All different ones, in lower case."""
    return set(_WORD.findall(text.lower()))


def cut_at_word(text: str, most: int) -> str:
    """At most so many characters; a word is cut only where there is no space for long."""
    if len(text) <= most:
        return text
    for at in range(most, most * 3 // 4, -1):
        if text[at].isspace():
            return text[:at].rstrip()
    return text[:most]

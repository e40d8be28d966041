"""The signature of one block of thinking after the other (translation.md 3.5).

Keeps the words of the open block, because the signature stands behind them, and what the provider
wants back beside them (OpenRouter's `reasoning_details`).
"""

from typing import Any

import msgspec

from proxy.wire.seal import ThinkingSeal

_LIST = msgspec.json.Decoder(list[Any])
_TEXT = msgspec.json.Decoder(str)
_GROWING = ("text", "summary", "data")


class ThinkingSigner:
    """`shown`: does the client see the words? Else the signature carries them."""

    __slots__ = ("_details", "_details_bytes", "_family", "_seal", "_tenant_id", "shown", "words")

    def __init__(self, seal: ThinkingSeal, tenant_id: str, family: str, *, shown: bool) -> None:
        self._seal = seal
        self._tenant_id = tenant_id
        self._family = family
        self._details: list[bytes] = []
        self._details_bytes = 0
        self.shown = shown
        self.words = bytearray()
        """Of the open block, as they stand inside a JSON string."""

    def add(self, words: bytes) -> None:
        """More thinking."""
        self.words += words

    def add_details(self, details: bytes) -> None:
        """A JSON array of what the provider wants back beside the words."""
        self._details.append(details)
        self._details_bytes += len(details)

    @property
    def held_bytes(self) -> int:
        """What is kept until the block closes."""
        return len(self.words) + self._details_bytes

    def forget(self) -> None:
        """Nothing was said."""
        self.words.clear()
        self._details.clear()
        self._details_bytes = 0

    def signature(self) -> str:
        """Of all that was added; the next block begins with nothing."""
        text = _TEXT.decode(b'"' + self.words + b'"')
        extras = _joined(self._details)
        self.forget()
        if self.shown and not extras:
            return self._seal.sign(self._tenant_id, self._family, text)
        return self._seal.seal(self._tenant_id, self._family, text, extras)


def _joined(details: list[bytes]) -> bytes:
    """The details of all chunks as one array, as if they had come whole: fragments of one entry
    stand behind each other and have its index."""
    entries: list[Any] = []
    for fragment in details:
        for entry in _LIST.decode(fragment):
            last = entries[-1] if entries else None
            if _goes_on(last, entry):
                _lengthen(last, entry)
            else:
                entries.append(entry)
    return msgspec.json.encode(entries) if entries else b""


def _goes_on(last: Any, entry: Any) -> bool:
    if not isinstance(last, dict) or not isinstance(entry, dict):
        return False
    same = ("type", "index")
    return entry.get("index") is not None and all(last.get(key) == entry.get(key) for key in same)


def _lengthen(last: Any, entry: Any) -> None:
    for key, value in entry.items():
        if key in _GROWING and isinstance(value, str) and isinstance(last.get(key), str):
            last[key] += value
        elif value is not None:
            last[key] = value

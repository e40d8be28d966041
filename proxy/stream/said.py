"""How much a model has said, for the case that its provider never tells (translation.md 2.4)."""

from typing import Final

from proxy.wire.token_estimate import estimate_text

SAMPLE_CHARS: Final = 4096
"""So much of the beginning is kept: all of it could be more than the stream may hold."""


class Said:
    """Counts characters, keeps a sample of them."""

    __slots__ = ("_room", "_sample", "chars")

    def __init__(self) -> None:
        self.chars = 0
        self._sample: list[str] = []
        self._room = SAMPLE_CHARS

    def add(self, text: str) -> None:
        """More was said. However a text is cut, the sample is the same."""
        self.chars += len(text)
        room = self._room
        if room > 0:
            self._sample.append(text[:room])
            self._room = room - len(text)

    def estimate_tokens(self) -> int:
        """As many as the sample has, in proportion; one at least where anything was said."""
        if not self.chars:
            return 0
        sample = "".join(self._sample)
        estimate = estimate_text(sample.encode("utf-8", "replace"))
        return max(1, estimate * self.chars // len(sample))

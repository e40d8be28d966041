"""Stop sequences matched by us, because chat servers do not say which one they met (translation.md
3.9, D10).

The first sequence to be complete wins, and of those that are complete at once the longest: so it
makes no difference how the text was cut. Held back is only what may be the beginning of one.
"""

from collections.abc import Sequence


class StopMatcher:
    """Text in, text before the match out. After a match nothing more comes."""

    __slots__ = ("_chars_max", "_held", "_sequences", "matched")

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = tuple(sequence for sequence in sequences if sequence)
        self._chars_max = max(map(len, self._sequences), default=1) - 1
        self._held = ""
        self.matched = ""
        """The sequence that was met."""

    @property
    def held_bytes(self) -> int:
        """What is kept back."""
        return len(self._held)

    def feed(self, text: str) -> str:
        """What may go out now."""
        if self.matched:
            return ""
        text = self._held + text
        found = [
            (at + len(sequence), at, sequence)
            for sequence in self._sequences
            if (at := text.find(sequence)) >= 0
        ]
        if found:
            _, at, self.matched = min(found)
            self._held = ""
            return text[:at]
        keep = self._begun(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """The text is over: what was kept back is text."""
        held, self._held = self._held, ""
        return held

    def _begun(self, text: str) -> int:
        """How many characters at the end of `text` may begin a sequence."""
        for size in range(min(self._chars_max, len(text)), 0, -1):
            tail = text[-size:]
            if any(sequence.startswith(tail) for sequence in self._sequences):
                return size
        return 0

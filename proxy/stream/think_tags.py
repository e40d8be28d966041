"""Thinking that a server leaves inside the text, between tags (translation.md 3.5).

A tag is one only where nothing but space was said since the message or the last call began: an
answer may well quote `<think>`. Held back is only what may be the beginning of a tag.
"""

from collections.abc import Sequence
from enum import Enum

SPACE_CHARS_MAX = 1024
"""So much space is waited for a tag behind it."""


class In(Enum):
    """Where the words are."""

    OPENING = "opening"
    """Nothing but space so far: a tag may come."""
    THOUGHT = "thought"
    ANSWER = "answer"


OPENING, THOUGHT, ANSWER = In


class ThinkTags:
    """Text in, pairs out: is it thinking, and its words. `implicit`: the message begins inside a
    thought whose opening tag stood in the prompt."""

    __slots__ = ("_at", "_closings", "_held", "_implicit", "_is_after_tag", "_openings")

    def __init__(self, names: Sequence[str], *, implicit: bool) -> None:
        self._openings = tuple(f"<{name}>" for name in names)
        self._closings = tuple(f"</{name}>" for name in names)
        self._held = ""
        self._at: In = OPENING
        self._implicit = implicit
        self._is_after_tag = False
        """Space right behind a tag belongs to the tag."""

    def feed(self, text: str) -> list[tuple[bool, str]]:
        """What may go on now."""
        said: list[tuple[bool, str]] = []
        text = self._held + text
        self._held = ""
        while text:
            if self._at is ANSWER:
                said.append((False, text))
                break
            text = self._open(text) if self._at is OPENING else self._think(text, said)
        return said

    def flush(self) -> list[tuple[bool, str]]:
        """Nothing follows in this run: what was kept back is words."""
        held, self._held = self._held, ""
        if self._is_after_tag:
            held = held.lstrip()
        return [(self._at is THOUGHT, held)] if held else []

    def begin_again(self) -> None:
        """A call was made: a tag may follow."""
        self._at = OPENING
        self._implicit = self._is_after_tag = False

    def thought_elsewhere(self) -> None:
        """Thinking came by a field of its own: the text does not begin inside a thought."""
        self._implicit = False

    def _open(self, text: str) -> str:
        begun = text.lstrip()
        for tag in self._openings:
            if begun.startswith(tag):
                self._at = THOUGHT
                self._implicit = False
                self._is_after_tag = True
                return begun[len(tag) :]
        is_open = not begun or any(tag.startswith(begun) for tag in self._openings)
        if is_open and len(text) <= SPACE_CHARS_MAX:
            self._held = text
            return ""
        self._at = THOUGHT if self._implicit else ANSWER
        if self._is_after_tag or self._implicit:
            text = begun
        self._implicit = self._is_after_tag = False
        return text

    def _think(self, text: str, said: list[tuple[bool, str]]) -> str:
        if self._is_after_tag:
            text = text.lstrip()
            if not text:
                return ""
        found = [(at, tag) for tag in self._closings if (at := text.find(tag)) >= 0]
        if found:
            at, tag = min(found)
            if at:
                said.append((True, text[:at]))
            self._at = OPENING
            self._is_after_tag = True
            return text[at + len(tag) :]
        keep = self._begun(text)
        self._held = text[len(text) - keep :]
        if keep < len(text):
            self._is_after_tag = False
            said.append((True, text[: len(text) - keep]))
        return ""

    def _begun(self, text: str) -> int:
        """How many characters at the end may begin a closing tag."""
        at = text.rfind("<")
        if at < 0 or not any(tag.startswith(text[at:]) for tag in self._closings):
            return 0
        return len(text) - at

"""One call of a tool while its fragments come: where it stands, what its input is in the end."""

from enum import Enum

from proxy.stream.torn_text import TornText
from proxy.wire.chat import read_json, read_text


class At(Enum):
    """Where a call stands."""

    WAITING = "waiting"
    LIVE = "live"
    """Its block is open, none of its arguments went out."""
    SPEAKING = "speaking"
    """They go out as they come."""
    CLOSED = "closed"
    DROPPED = "dropped"
    """It is not to be seen."""


WAITING, LIVE, SPEAKING, CLOSED, DROPPED = At


class Slot:
    """One call. `place` orders it among the others."""

    __slots__ = ("at", "given", "id", "index", "name", "place", "seen_bytes", "torn")

    def __init__(self, index: int | None, place: int, call_id: str) -> None:
        self.at: At = WAITING
        self.index = index
        self.place = place
        self.id = call_id
        self.name = ""
        self.given = bytearray()
        self.seen_bytes = -1
        """How many bytes were not one whole object when last looked at."""
        self.torn: TornText | None = None

    def add(self, text: str) -> str:
        """More arguments; what of them can be written now."""
        if self.torn is not None and self.torn.half:
            text = self.torn.mend(text)
        try:
            self.given += text.encode()
        except UnicodeEncodeError:
            self.torn = self.torn or TornText()
            text = self.torn.mend(text)
            self.given += text.encode()
        return text

    @property
    def is_whole(self) -> bool:
        """Do the arguments so far make one JSON object? Asked of the same bytes once only."""
        if len(self.given) == self.seen_bytes:
            return False
        whole = read_json(bytes(self.given)) if self.given.rstrip().endswith(b"}") else None
        if whole is not None and whole.startswith(b"{"):
            return True
        self.seen_bytes = len(self.given)
        return False


def input_of(slot: Slot) -> str | None:
    """The arguments as one JSON object, None when they are none (translation.md 2.5)."""
    if slot.torn is not None:
        slot.given += slot.torn.rest().encode()
    if not slot.given.strip():
        return "{}"
    value = read_json(bytes(slot.given))
    if value is None:
        return None
    if value == b"null":
        return "{}"
    if value.startswith(b'"'):
        # Encoded twice: unwrapped once.
        inner = read_text(value) or ""
        value = read_json(inner.encode("utf-8", "replace"))
    return value.decode() if value is not None and value.startswith(b"{") else None

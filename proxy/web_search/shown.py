"""What the client gets to see of a message with searches: as events (`shown_events.py`) or as one
document (`shown_document.py`).
"""

from typing import Protocol


class Shown(Protocol):
    """What the client gets to see. Calls come in a legal order only; `words` are as they stand
    inside a JSON string, blocks are JSON."""

    def text(self, words: bytes) -> None:
        """More of the open text, which opens where there is none."""
        ...

    def cite(self, citation: bytes) -> None:
        """The open text cites."""
        ...

    def thinking(self, words: bytes) -> None:
        """More of the open thinking, which opens where there is none."""
        ...

    def sign(self, signature: bytes) -> None:
        """The signature of the open thinking, which opens where there is none."""
        ...

    def call(self, call_id: str, name: str) -> None:
        """A call of a tool of the client opens."""
        ...

    def arguments(self, words: bytes) -> None:
        """More of the open call's input."""
        ...

    def close(self) -> None:
        """The open block, if there is one, is whole."""
        ...

    def searched(self, opening: bytes, arguments: bytes, whole: bytes) -> None:
        """A `server_tool_use`: as it opens, what it is asked, and all of it."""
        ...

    def block(self, whole: bytes) -> None:
        """A block that is there at once."""
        ...

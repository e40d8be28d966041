"""The header lines of one request, by name."""

from collections.abc import Mapping
from typing import Any


class Headers(dict[bytes, bytes]):
    """Lower-case names to values; a header that came several times is joined with commas.

    Shared by all requests of a connection that repeat the same head, which clients do: what is read
    off it is kept beside it, each note by the room that made it.
    """

    __slots__ = ("client", "forwarded", "presented", "session_id", "user_agent")

    def __init__(self, lines: Mapping[bytes, bytes] | None = None) -> None:
        super().__init__(lines or {})
        self.presented: Any = None
        """`auth/credential.py`: the keys it presents."""
        self.forwarded: bytes | None = None
        """`providers/anthropic.py`: the lines that go on upstream."""
        self.client: str | None = None
        """`ledger/tab.py`: the client's label; the two texts below come with it."""
        self.user_agent = ""
        self.session_id = ""

    def text(self, name: bytes) -> str:
        """A header as text, empty when absent; bytes outside ASCII are replaced."""
        value = self.get(name)
        return "" if value is None else value.decode("ascii", "replace")

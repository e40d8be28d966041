"""How many bytes of large bodies are held at a time: those still arriving and those of requests
under way. A small body is never counted, and so never refused for the sake of large ones.
"""

from typing import Protocol

LARGE_BYTES = 1 << 20


class Holder(Protocol):
    """A connection."""

    @property
    def body_bytes(self) -> int:
        """Of the request it is at, as far as they are held or announced."""
        ...


class BodyRoom:
    """One per process. Asked only for large bodies, so it may count anew each time."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._holders: set[Holder] = set()

    def take(self, holder: Holder, size: int) -> bool:
        """May `holder` hold so many bytes? One body alone always may."""
        others = 0
        for each in list(self._holders):
            held = each.body_bytes
            if not held:
                self._holders.discard(each)
            elif each is not holder:
                others += held
        if others and others + size > self._bytes_max:
            return False
        self._holders.add(holder)
        return True

    def leave(self, holder: Holder) -> None:
        """It is closed."""
        self._holders.discard(holder)

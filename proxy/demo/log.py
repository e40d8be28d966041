"""What the demo upstream was sent, so that a test or a curious person can look.

It keeps credentials and prompts as they came, because what reaches an upstream is the very thing
to be looked at: it is for a demo on loopback, never for a service. Bounded twice, by requests and
by the bytes of their bodies; the oldest go first.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from proxy.demo.loose_json import parsed

REQUESTS_MAX = 200
BODIES_BYTES_MAX = 64 * 1024 * 1024
BODY_BYTES_MAX = 8 * 1024 * 1024


@dataclass(slots=True)
class Entry:
    """One request; what is last here becomes known later."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""
    status: int | None = None
    disconnected_early: bool = False

    def as_json(self) -> dict[str, object]:
        """The entry with its body parsed, or as text where it is not JSON."""
        try:
            body = parsed(self.body) if self.body else None
        except ValueError:
            body = self.body.decode(errors="replace")
        return {
            "method": self.method,
            "path": self.path,
            "headers": self.headers,
            "body": body,
            "status": self.status,
            "disconnected_early": self.disconnected_early,
        }


class RequestLog:
    """The last requests, oldest first."""

    def __init__(
        self, requests_max: int = REQUESTS_MAX, bodies_bytes_max: int = BODIES_BYTES_MAX
    ) -> None:
        self._entries: deque[Entry] = deque()
        self._requests_max = requests_max
        self._bodies_bytes_max = bodies_bytes_max

    def add(self, method: str, path: str, headers: Iterable[tuple[str, str]]) -> Entry:
        """Write a request down; header names become lower case, repeated ones are joined."""
        named: dict[str, str] = {}
        for name, value in headers:
            key = name.lower()
            named[key] = f"{named[key]}, {value}" if key in named else value
        entry = Entry(method, path, named)
        self._entries.append(entry)
        self._shrink()
        return entry

    def keep_body(self, entry: Entry, body: bytes) -> None:
        """Add the body to a request written down before."""
        entry.body = body[:BODY_BYTES_MAX]
        self._shrink()

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def as_json(self) -> list[dict[str, object]]:
        """All entries, oldest first."""
        return [entry.as_json() for entry in self._entries]

    def _shrink(self) -> None:
        # Summed each time, since bodies come later than their entries and these may be gone by
        # then; there are few.
        bodies_bytes = sum(len(entry.body) for entry in self._entries)
        while len(self._entries) > self._requests_max or (
            bodies_bytes > self._bodies_bytes_max and len(self._entries) > 1
        ):
            bodies_bytes -= len(self._entries.popleft().body)

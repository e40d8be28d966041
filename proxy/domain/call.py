"""What came in, and what it became once admitted."""

from enum import Enum

import msgspec

from proxy.domain.caller import Caller
from proxy.domain.model import Model


class Errand(Enum):
    """What a short-lane request wants."""

    MESSAGE = "message"
    COUNT = "count_tokens"


class Headers(dict[bytes, bytes]):
    """Lower-case names to values; a header that came several times is joined with commas.

    Shared by all requests of a connection that repeat the same head. `forwarded` is a provider's
    note: the lines that go on upstream, made once.
    """

    __slots__ = ("forwarded",)

    def __init__(self) -> None:
        super().__init__()
        self.forwarded: bytes | None = None


class Arrival(msgspec.Struct):
    """One gateway request, whole and unread.

    `received_ms` is Unix milliseconds, `clock_s` the monotonic clock at the same instant. Header
    names are lower-case; a header that came several times is joined with commas.
    """

    errand: Errand
    request_id: str
    path: bytes
    query: bytes
    headers: dict[bytes, bytes]
    body: bytes
    received_ms: int
    clock_s: float

    def text(self, header: bytes) -> str:
        """A header as text, empty when absent; bytes outside ASCII are replaced."""
        value = self.headers.get(header)
        return "" if value is None else value.decode("ascii", "replace")


class Call(msgspec.Struct):
    """An admitted request: who, what, and the head of the body. The body stays bytes."""

    arrival: Arrival
    caller: Caller
    model: Model
    asked: str
    via: str
    streamed: bool

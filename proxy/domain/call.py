"""What came in, and what it became once admitted."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

import msgspec

from proxy.domain.caller import Caller
from proxy.domain.expected import NOTHING_EXPECTED, Expected
from proxy.domain.model import Model


class Errand(Enum):
    """What a short-lane request wants."""

    MESSAGE = "message"
    COUNT = "count_tokens"


# Plain names: found through its class, a member costs ten times as much (75 ns on 3.11).
MESSAGE: Final = Errand.MESSAGE
COUNT: Final = Errand.COUNT


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


class Arrival(msgspec.Struct, gc=False):
    """One gateway request, whole and unread.

    `received_ms` is Unix milliseconds, `clock_s` the monotonic clock at the same instant. Header
    names are lower-case; a header that came several times is joined with commas. The rest is noted
    on the way, by the same clock: when the caller was known, the model resolved, the call admitted,
    its request translated, first put to a provider, and first answered; 0 until then.
    """

    errand: Errand
    request_id: str
    path: bytes
    query: bytes
    headers: Headers
    body: bytes
    received_ms: int
    clock_s: float
    known_s: float = 0.0
    resolved_s: float = 0.0
    admitted_s: float = 0.0
    translated_s: float = 0.0
    asked_s: float = 0.0
    first_byte_s: float = 0.0
    trace: Any = None
    """`observe/traces.py`: the trace it belongs to, if there is one."""


class Call(msgspec.Struct, gc=False):
    """An admitted request: who, what, and the head of the body. The body stays bytes.

    The rest is for translated calls. `message_id` and `input_tokens` (an estimate, calibrated;
    `raw_tokens` before that) are what `message_start` will say; `expected`, `notes` (header
    lines for the client) and `dropped` (fields left out in silence) are written by the provider
    with each attempt. `onward` are header lines the provider gets of a trace, `span_id` what the
    generation is called there.
    """

    arrival: Arrival
    caller: Caller
    model: Model
    asked: str
    via: str
    streamed: bool
    message_id: str = ""
    input_tokens: int = 0
    raw_tokens: int = 0
    expected: Expected = NOTHING_EXPECTED
    notes: bytes = b""
    dropped: tuple[str, ...] = ()
    is_turn: bool = False
    """Is it one turn of a request that does not stream? Its provider is asked to, all the same."""
    session: str = ""
    """`gateway/sessions.py`: whose prompt cache is to be found again; empty where it cannot be."""
    onward: bytes = b""
    span_id: int = 0

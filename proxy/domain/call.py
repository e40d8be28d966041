"""What came in, and what it became once admitted.

Classes of their own, not structs: they are read dozens of times on the way of each request, which
as machine code costs a twentieth of reading a struct (`compiled/modules.txt`).
"""

from enum import Enum
from typing import Any, Final, TypeAlias

from proxy.domain.caller import Caller
from proxy.domain.expected import NOTHING_EXPECTED, Expected
from proxy.domain.headers import Headers
from proxy.domain.model import Model


class Errand(Enum):
    """What a short-lane request wants."""

    MESSAGE = "message"
    COUNT = "count_tokens"


# Plain names: found through its class, a member costs ten times as much (75 ns on 3.11).
MESSAGE: Final = Errand.MESSAGE
COUNT: Final = Errand.COUNT

Split: TypeAlias = tuple[float, float, float, float, float, float, float]
"""Seconds for who asks, which model, limits, translation, a connection, the provider's first byte,
and the rest; NONE_S for a stage a call did not come to, or had behind it (a further turn)."""
NONE_S: Final = -1.0


class Arrival:
    """One gateway request, whole and unread.

    `received_ms` is Unix milliseconds, `clock_s` the monotonic clock at the same instant. The rest
    is noted on the way, by the same clock: when the caller was known, the model resolved, the call
    admitted, its request translated, first put to a provider, and first answered; 0 until then.
    """

    __slots__ = (
        "admitted_s",
        "asked_s",
        "body",
        "clock_s",
        "errand",
        "first_byte_s",
        "headers",
        "known_s",
        "path",
        "query",
        "received_ms",
        "request_id",
        "resolved_s",
        "trace",
        "translated_s",
    )

    def __init__(  # noqa: PLR0917 - by position: keywords are looked up one by one
        self,
        errand: Errand,
        request_id: str,
        path: bytes,
        query: bytes,
        headers: Headers,
        body: bytes,
        received_ms: int,
        clock_s: float,
    ) -> None:
        self.errand = errand
        self.request_id = request_id
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.received_ms = received_ms
        self.clock_s = clock_s
        self.known_s = 0.0
        self.resolved_s = 0.0
        self.admitted_s = 0.0
        self.translated_s = 0.0
        self.asked_s = 0.0
        self.first_byte_s = 0.0
        self.trace: Any = None
        """`observe/traces.py`: the trace it belongs to, if there is one."""

    def again(self, body: bytes, received_ms: int, clock_s: float) -> "Arrival":
        """The same request at a later turn of it, which is not admitted yet."""
        later = Arrival(
            self.errand,
            self.request_id,
            self.path,
            self.query,
            self.headers,
            body,
            received_ms,
            clock_s,
        )
        later.known_s = self.known_s
        later.resolved_s = self.resolved_s
        later.translated_s = self.translated_s
        later.asked_s = self.asked_s
        later.first_byte_s = self.first_byte_s
        later.trace = self.trace
        return later

    def split(self, ended_s: float) -> Split:
        """Where its time went if it ended at `ended_s`, by the same clock."""
        auth_s = resolve_s = limits_s = translate_s = connect_s = NONE_S
        first_byte_s = relay_s = NONE_S
        if self.admitted_s:
            auth_s = self.known_s - self.clock_s
            resolve_s = self.resolved_s - self.known_s
            limits_s = self.admitted_s - self.resolved_s
            ready_s = self.admitted_s
            if self.translated_s:
                translate_s = self.translated_s - ready_s
                ready_s = self.translated_s
            if self.asked_s:
                connect_s = self.asked_s - ready_s
        if self.first_byte_s:
            first_byte_s = self.first_byte_s - self.asked_s
            relay_s = ended_s - self.first_byte_s
        return auth_s, resolve_s, limits_s, translate_s, connect_s, first_byte_s, relay_s


class Call:
    """An admitted request: who, what, and the head of the body. The body stays bytes.

    The rest is for translated calls. `message_id` and `input_tokens` (an estimate, calibrated;
    `raw_tokens` before that) are what `message_start` will say; `expected`, `notes` (header
    lines for the client) and `dropped` (fields left out in silence) are written by the provider
    with each attempt. `onward` are header lines the provider gets of a trace, `span_id` what the
    generation is called there.
    """

    __slots__ = (
        "arrival",
        "asked",
        "caller",
        "dropped",
        "expected",
        "input_tokens",
        "is_turn",
        "message_id",
        "model",
        "notes",
        "onward",
        "raw_tokens",
        "session",
        "span_id",
        "streamed",
        "via",
    )

    def __init__(
        self, arrival: Arrival, caller: Caller, model: Model, asked: str, via: str, streamed: bool
    ) -> None:
        self.arrival = arrival
        self.caller = caller
        self.model = model
        self.asked = asked
        self.via = via
        self.streamed = streamed
        self.message_id = ""
        self.input_tokens = 0
        self.raw_tokens = 0
        self.expected: Expected = NOTHING_EXPECTED
        self.notes = b""
        self.dropped: tuple[str, ...] = ()
        self.is_turn = False
        """Is it one turn of a request that does not stream? Its provider is asked to, all the
        same."""
        self.session = ""
        """`gateway/sessions.py`: whose prompt cache is to be found again; empty where it cannot
        be."""
        self.onward = b""
        self.span_id = 0

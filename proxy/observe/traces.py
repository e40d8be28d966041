"""Which requests are traced, and what is kept of them until they are over.

Reads and writes W3C Trace Context (`traceparent`, `tracestate`; www.w3.org/TR/trace-context). A
caller that says whether its trace is sampled is obeyed, others are chosen by `ratio`. Nothing is
made of a trace before its last byte has gone out: then what the request noted anyway is laid by,
and `flush` hands it over to be made into spans elsewhere (`observe/otlp.py`), in another thread.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from proxy.domain.call import MESSAGE, Arrival, Call
from proxy.domain.entry import Entry
from proxy.domain.headers import Headers

ENDED_MAX = 2_000
"""Traces that wait for a flush; more are left out and counted."""
STATE_BYTES_MAX = 512
"""A longer `tracestate` is not carried on, which the standard allows."""
_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_STATE = re.compile(rb"[\x20-\x7e\t]*")


class Turn(NamedTuple):
    """One generation and its times, see `Arrival`. Not the call itself: that knows its trace."""

    span_id: int
    received_ms: int
    clock_s: float
    asked_s: float
    first_byte_s: float
    entry: Entry


class Trace:
    """One request's. Ids are numbers."""

    __slots__ = (
        "_new_span",
        "_tells",
        "parent_id",
        "sampled",
        "span_id",
        "state",
        "trace_id",
        "turns",
    )

    def __init__(
        self,
        trace_id: int,
        parent_id: int,
        state: bytes,
        *,
        sampled: bool,
        new_span: Callable[[], int],
        tells: bool,
    ) -> None:
        self.trace_id = trace_id
        self.parent_id = parent_id
        """0: it begins here."""
        self.span_id = new_span() if sampled else parent_id
        self.state = state
        self.sampled = sampled
        self.turns: list[Turn] = []
        self._new_span = new_span
        self._tells = tells

    def tell(self, call: Call) -> None:
        """Let the provider that is asked next know of it."""
        span_id = self.span_id
        if self.sampled and call.arrival.errand is MESSAGE:
            call.span_id = span_id = self._new_span()
        if self._tells:
            lines = b"traceparent: 00-%032x-%016x-%02x\r\n" % (self.trace_id, span_id, self.sampled)
            call.onward = lines + (b"tracestate: %b\r\n" % self.state if self.state else b"")

    def generated(self, call: Call, entry: Entry) -> None:
        """A generation of it has ended."""
        if self.sampled:
            at = call.arrival
            self.turns.append(
                Turn(call.span_id, at.received_ms, at.clock_s, at.asked_s, at.first_byte_s, entry)
            )


class Ended:
    """A sampled request that is over."""

    __slots__ = ("arrival", "call", "ended_s", "outcome", "status", "trace")

    def __init__(
        self,
        trace: Trace,
        arrival: Arrival,
        call: Call | None,
        *,
        status: int,
        outcome: str,
        ended_s: float,
    ) -> None:
        self.trace = trace
        self.arrival = arrival
        self.call = call
        self.status = status
        self.outcome = outcome
        self.ended_s = ended_s


class Traces:
    """Begins them and keeps those that are over."""

    def __init__(self, ratio: float, random: Callable[[int], bytes], *, tells: bool) -> None:
        """`random` gives bytes; `tells`: providers learn of a trace."""
        self.left_out = 0
        self._bound = round(ratio * (1 << 64))
        self._random = random
        self._tells = tells
        self._ended: list[Ended] = []

    def begin(self, headers: Headers) -> Trace | None:
        """None for a request that nobody traces."""
        given = headers.get(b"traceparent")
        if given is not None:
            read = _PARENT.fullmatch(given)
            if read is not None and _is_valid(read):
                state = headers.get(b"tracestate", b"")
                if len(state) > STATE_BYTES_MAX or not _STATE.fullmatch(state):
                    state = b""
                return Trace(
                    int(read[2], 16),
                    int(read[3], 16),
                    state,
                    sampled=bool(int(read[4], 16) & 1),
                    new_span=self._new_span,
                    tells=self._tells,
                )
        if not self._bound:
            return None
        trace_id = int.from_bytes(self._random(16), "big") or 1
        # By the same bits as OpenTelemetry's TraceIdRatioBased.
        if trace_id & 0xFFFF_FFFF_FFFF_FFFF >= self._bound:
            return None
        return Trace(trace_id, 0, b"", sampled=True, new_span=self._new_span, tells=self._tells)

    def over(self, ended: Ended) -> None:
        """The last byte has gone out."""
        if len(self._ended) < ENDED_MAX:
            self._ended.append(ended)
        else:
            self.left_out += 1

    def flush(self) -> list[Ended]:
        """Those that are over since the last time."""
        ended, self._ended = self._ended, []
        return ended

    def _new_span(self) -> int:
        return int.from_bytes(self._random(8), "big") or 1


def _is_valid(read: re.Match[bytes]) -> bool:
    version, more = read[1], read[5]
    if version == b"ff" or (version == b"00" and more is not None):
        return False
    return read[2].strip(b"0") != b"" and read[3].strip(b"0") != b""

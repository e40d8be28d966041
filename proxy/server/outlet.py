"""The writing end of a short-lane reply: head bytes from templates, one write per read.

Streams are sent in chunks (RFC 9112 section 7.1), never compressed, and told to be unbuffered on
the way. What is written goes straight into the client's transport; when that is full, whoever
fills the outlet is told.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, Protocol

from proxy.domain.call import MESSAGE, Arrival, Call
from proxy.domain.entry import CLIENT_GONE, COMPLETED, Outcome
from proxy.domain.fault import Fault
from proxy.gateway.outlet import Outlet, Reader
from proxy.ledger.client_label import client_of
from proxy.observe.access_log import Line
from proxy.observe.traces import Ended
from proxy.server.front import Front
from proxy.server.refusal import (
    anthropic_body,
    log_refusal,
    refusal_headers,
    refusal_reason,
)
from proxy.wire.chunk import chunk
from proxy.wire.http import status_line

FAILED_REST_S: Final = 2.0
"""A stream that broke off ends with its connection (client-contract.md, rule 10), but its head did
not say so, and clients that pool connections may be sending the next request already: that one is
still answered."""

_OK: Final = status_line(200)
_JSON: Final = b"content-type: application/json\r\n"
_SSE: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\nx-accel-buffering: no\r\n"
)


class Writer(Protocol):
    """Of the client's socket."""

    def write(self, data: bytes) -> None:
        """Send, at once or as soon as possible."""
        ...


class Lane(Protocol):
    """The door behind the outlet."""

    @property
    def transport(self) -> Writer | None:
        """None once the client is gone."""
        ...

    @property
    def writer(self) -> Writer | None:
        """None once the client is gone."""
        ...

    def lane_answered(self, *, keep_alive: bool) -> None:
        """The reply is written."""
        ...

    def rest_briefly(self, now_s: float, grace_s: float) -> None:
        """Close soon, unless the next request comes before."""
        ...


class LaneOutlet(Outlet):
    """One reply."""

    __slots__ = (
        "_arrival",
        "_call",
        "_chunked",
        "_front",
        "_head",
        "_keep_alive",
        "_lane",
        "_reader",
        "_status",
        "gone",
    )

    def __init__(
        self, lane: Lane, front: Front, arrival: Arrival, *, keep_alive: bool, chunked: bool
    ) -> None:
        self._lane = lane
        self._front = front
        self._arrival = arrival
        self._keep_alive = keep_alive
        self._chunked = chunked
        self._call: Call | None = None
        self._reader: Reader | None = None
        self._head = b""
        self._status = 200
        self.gone = False

    # ------------------------------------------------------------ the walk's side

    def serve(self, call: Call, reader: Reader) -> None:
        """See `gateway/outlet.py`, as for all that follows."""
        self._call = call
        self._reader = reader

    def refuse(self, fault: Fault) -> None:
        """An error with its own status."""
        request_id = self._arrival.request_id
        log_refusal(fault, request_id)
        self._front.metrics.refusal(refusal_reason(fault))
        self._status = fault.status
        extra = b"".join(
            [f"{name}: {value}\r\n".encode() for name, value in refusal_headers(fault)]
        )
        self._whole(anthropic_body(fault, request_id), extra)
        self._end("refused")

    def answer(self, body: bytes, outcome: Outcome) -> None:
        """One JSON document."""
        self._whole(body, b"")
        self._end(outcome)

    def open_stream(self) -> None:
        """The head of a stream; it goes out with the first events."""
        framing = b"transfer-encoding: chunked\r\n" if self._chunked else b""
        if not self._chunked:
            self._keep_alive = False
        self._head = b"%b%b%b\r\n" % (_SSE, framing, self._common())

    def write(self, data: bytes) -> None:
        """The next events."""
        writer = self._lane.writer
        if writer is None:
            return
        if self._chunked:
            data = chunk(data)
        if self._head:
            data = self._head + data
            self._head = b""
        writer.write(data)

    def frame_writer(self) -> Callable[[bytes], None] | None:
        """The client's own transport: events that come one by one are better sent together at the
        end of the loop's turn than each in the middle of it (measured: 5 % of a paced event)."""
        transport = self._lane.transport
        if transport is None or not self._chunked or self._head:
            return None
        return transport.write

    def end_stream(self, data: bytes, outcome: Outcome) -> None:
        """The last events and the end of the body."""
        assert data, "an empty chunk would end the body before its end"
        writer = self._lane.writer
        if writer is None:
            return
        if self._chunked:
            data = b"%b%x\r\n%b\r\n0\r\n\r\n" % (self._head, len(data), data)
        elif self._head:
            data = self._head + data
        self._head = b""
        writer.write(data)
        self._end(outcome)
        if outcome is not COMPLETED:
            self._lane.rest_briefly(self._front.wheel.now_s, FAILED_REST_S)

    # ------------------------------------------------------------ the door's side

    @property
    def body_bytes(self) -> int:
        """Of the request's body, as long as somebody needs it."""
        return len(self._arrival.body)

    def client_gone(self) -> None:
        """The client left."""
        if not self.gone:
            self.gone = True
            reader, self._reader = self._reader, None
            if reader is not None:
                reader.client_gone()
            self._status = 499
            self._note(CLIENT_GONE)

    def client_full(self) -> None:
        """The client's transport holds more than it should."""
        if self._reader is not None:
            self._reader.client_full()

    def client_ready(self) -> None:
        """It holds less again."""
        if self._reader is not None:
            self._reader.client_ready()

    # ------------------------------------------------------------ bytes

    def _whole(self, body: bytes, extra: bytes) -> None:
        writer = self._lane.writer
        if writer is not None:
            line = _OK if self._status == 200 else status_line(self._status)
            writer.write(
                b"%b%bcontent-length: %d\r\n%b%b\r\n%b"
                % (line, _JSON, len(body), extra, self._common(), body)
            )

    def _common(self) -> bytes:
        request_id = self._arrival.request_id.encode()
        call = self._call
        head = b"request-id: %b\r\nx-request-id: %b\r\n%b%b" % (
            request_id,
            request_id,
            b"" if call is None else _named(call.asked, call.via),
            self._front.date.line,
        )
        if call is not None and call.notes:
            head += call.notes
        if not self._keep_alive:
            return head + b"connection: close\r\n"
        # A client of HTTP/1.0 takes silence for a close.
        return head if self._chunked else head + b"connection: keep-alive\r\n"

    def _end(self, outcome: str) -> None:
        # Nothing more may be written, and nobody is told of the client any more. Reader and outlet
        # hold each other: parted here, both are freed at once, not by the collector.
        self.gone = True
        self._reader = None
        self._note(outcome)
        self._lane.lane_answered(keep_alive=self._keep_alive)

    def _note(self, outcome: str) -> None:
        front = self._front
        arrival = self._arrival
        route = "messages" if arrival.errand is MESSAGE else "count_tokens"
        front.metrics.replied.append((route, self._status))
        call = self._call
        trace = arrival.trace
        if trace is not None and trace.sampled and front.traces is not None:
            client_of(arrival.headers)
            ended = Ended(
                trace,
                arrival,
                call,
                status=self._status,
                outcome=outcome,
                ended_s=front.monotonic(),
            )
            front.traces.over(ended)
        if not front.access_log.wanted:
            return
        ms = round((front.monotonic() - arrival.clock_s) * 1000)
        path = arrival.path.decode("ascii", "replace")
        client_of(arrival.headers)
        client = arrival.headers.user_agent
        line = Line(
            arrival.received_ms,
            arrival.request_id,
            "POST",
            path,
            self._status,
            ms,
            client,
            outcome,
        )
        if call is not None:
            line.asked = call.asked
            line.model = call.model.id
            line.via = call.via
            line.streamed = call.streamed
            line.user_id = call.caller.user_id
        if trace is not None:
            line.trace_id = f"{trace.trace_id:032x}"
        front.access_log.note(line)


@lru_cache(maxsize=1024)  # names are few and come with every request; at most 300 kB are kept
def _named(asked: str, via: str) -> bytes:
    """The headers that say what was asked for; a name no header can hold is left out."""
    said = b"x-hatz-resolved-via: %b\r\n" % via.encode()
    if asked.isascii() and asked.isprintable():
        return b"x-hatz-requested-model: %b\r\n%b" % (asked.encode(), said)
    return said

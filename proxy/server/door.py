"""The door: one client connection, one request after the other.

Every request is read here, under caps and deadlines. A gateway POST takes the short lane to the
walk; every other request is handed whole to aiohttp, which answers on the same socket. What arrives
while one is answered is held (pipelining) and answered in order.

    HEAD -> BODY -> LANE   -> HEAD …     answered by us
                 -> OFFICE -> HEAD …     answered by aiohttp
    any -> LINGER -> closed              refused before the body was read
"""

import asyncio
import re
from enum import Enum
from math import inf
from typing import Final, cast
from urllib.parse import unquote_to_bytes

from proxy.domain.call import Arrival, Errand
from proxy.domain.fault import Fault, Kind
from proxy.domain.ids import is_request_id
from proxy.observe.access_log import Line
from proxy.server.body_room import LARGE_BYTES
from proxy.server.front import Front
from proxy.server.office import HandlesHttp
from proxy.server.outlet import LaneOutlet
from proxy.server.refusal import refusal_reason, whole_refusal
from proxy.sockets.direct import DirectWriter
from proxy.wire.chunked import ChunkedBody, too_large
from proxy.wire.content_coding import decoded
from proxy.wire.head_reader import HeadReader
from proxy.wire.request_head import RequestHead

_EXPECT: Final = re.compile(rb"\r\nexpect:[^\r\n]*", re.IGNORECASE)
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[^\r\n]*\r\n", re.IGNORECASE)

LINGER_S: Final = 2.0
LINGER_TIME_MAX_S: Final = 30.0
LINGER_BYTES_MAX: Final = 64 << 20
"""Behind a refusal so much more is read and dropped: a client that sends its whole body before it
reads would see a reset instead of the reply."""
OFFICE_OPENED_BYTES_MAX: Final = 1 << 20
"""Of a compressed body that is not for the lane: it is opened on the loop, for whoever asks."""
SPARE_CONNECTIONS: Final = 64
"""So many more than `connections_max`, for what is not a messages request."""
BODY_TIMEOUT_FACTOR = 10  # not Final: tests wait less, also where this is compiled
"""A body may take this many times `body_idle_timeout_s` in all, however steadily it trickles."""

_COMMA: Final = ord(",")
_BASE: Final = b"/v1/anthropic"
# The third spelling is what the SDKs make of a base URL that ends in /v1 (client-contract.md 1).
BASES: Final = ("/v1/anthropic", "/v1/anthropic/v1", "/v1/anthropic/v1/v1")
LANE: Final = {
    base.encode() + end: errand
    for base in BASES
    for end, errand in (
        (b"/messages", Errand.MESSAGE),
        (b"/messages/count_tokens", Errand.COUNT),
    )
}


class At(Enum):
    """What the connection waits for."""

    HEAD = "head"
    BODY = "body"
    LANE = "lane"
    OFFICE = "office"
    LINGER = "linger"
    CLOSED = "closed"


# Plain names: found through its class, a member costs ten times as much (75 ns on 3.11).
HEAD: Final = At.HEAD
BODY: Final = At.BODY
IN_LANE: Final = At.LANE
OFFICE: Final = At.OFFICE
LINGER: Final = At.LINGER
CLOSED: Final = At.CLOSED


class Door(asyncio.Protocol):
    """Made by the listening socket for each connection."""

    __slots__ = (
        "_at",
        "_body_end_s",
        "_chunked",
        "_deadline_s",
        "_front",
        "_full",
        "_head",
        "_head_raw",
        "_heads",
        "_held",
        "_lingered_bytes",
        "_missing",
        "_office",
        "_office_full",
        "_outlet",
        "_parts",
        "_reading",
        "_searched",
        "_spare",
        "_unsent_bytes",
        "office_request_id",
        "transport",
        "writer",
    )

    def __init__(self, front: Front) -> None:
        self._front = front
        self.transport: asyncio.Transport | None = None
        self.writer: DirectWriter | None = None
        self._at = HEAD
        self._deadline_s = inf
        self._body_end_s = inf
        self._held = b""
        self._searched = 0
        self._head: RequestHead | None = None
        self._head_raw = b""
        self._heads = HeadReader()
        self._parts: list[bytes] = []
        self._missing = 0
        self._chunked: ChunkedBody | None = None
        self._office: HandlesHttp | None = None
        self._office_full = False
        self.office_request_id = ""
        self._outlet: LaneOutlet | None = None
        self._reading = True
        self._full = False
        self._lingered_bytes = 0
        self._spare = False
        self._unsent_bytes = 0

    # ------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        # uvloop's transports are no subclasses of asyncio's, but have all their methods.
        transport = cast(asyncio.Transport, transport)
        front = self._front
        self.transport = transport
        self.writer = DirectWriter(transport)
        transport.set_write_buffer_limits(high=front.limits.held_bytes_max)
        front.doors.add(self)
        front.metrics.open_connections += 1
        front.wheel.watch(self)
        self._deadline_s = front.wheel.now_s + front.limits.keepalive_timeout_s
        if len(front.doors) > front.limits.connections_max:
            self._take_spare_place()

    def _take_spare_place(self) -> None:
        """There are too many connections. A few more are heard: whoever asks for health must not be
        shut out together with the rest."""
        front = self._front
        self._spare = True
        if len(front.doors) > front.limits.connections_max + SPARE_CONNECTIONS:
            self._refuse(front.turnstile.overloaded())

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone, or we closed."""
        front = self._front
        self._at = CLOSED
        self.transport = None
        if self.writer is not None:
            self.writer.lost()
            self.writer = None
        front.doors.discard(self)
        front.body_room.leave(self)
        front.metrics.open_connections -= 1
        front.wheel.unwatch(self)
        self._held = b""
        self._parts = []
        if self._outlet is not None:
            outlet, self._outlet = self._outlet, None
            outlet.client_gone()
            front.turnstile.left()
        if self._office is not None:
            self._office.connection_lost(exc)

    def eof_received(self) -> bool:
        """A client that will send no more also does not wait: the transport closes itself."""
        return False

    def data_received(self, data: bytes) -> None:
        """One read of the client's socket."""
        at = self._at
        if at is BODY:
            self._deadline_s = min(
                self._front.wheel.now_s + self._front.limits.body_idle_timeout_s, self._body_end_s
            )
            self._more_body(data)
        elif at is LINGER:
            self._lingered_bytes += len(data)
            self._deadline_s = min(self._front.wheel.now_s + LINGER_S, self._body_end_s)
            if self._lingered_bytes > LINGER_BYTES_MAX and self.transport is not None:
                self.transport.abort()
        else:
            self._held = self._held + data if self._held else data
            if at is HEAD and not self._full:
                self._next_head()
            if self._held and self._reading and self._holds_too_much():
                self._reading = False
                if self.transport is not None:
                    self.transport.pause_reading()

    def pause_writing(self) -> None:
        """The client reads slower than we write."""
        self._full = True
        self._wait_for_reader()
        if self._outlet is not None:
            self._outlet.client_full()
        elif self._office is not None:
            self._office_full = True
            self._office.pause_writing()

    def resume_writing(self) -> None:
        """It caught up."""
        self._full = False
        if self._at is IN_LANE or self._at is OFFICE:
            self._deadline_s = inf
        elif self._at is HEAD:
            self._deadline_s = self._front.wheel.now_s + self._front.limits.keepalive_timeout_s
        if self._outlet is not None:
            self._outlet.client_ready()
        if self._office_full and self._office is not None:
            self._office_full = False
            self._office.resume_writing()
        self._next_held()

    def _wait_for_reader(self) -> None:
        """From now on the client must read some of what is still to be sent."""
        if self.transport is not None:
            self._unsent_bytes = self.transport.get_write_buffer_size()
        self._deadline_s = self._front.wheel.now_s + self._front.limits.write_stall_timeout_s

    # ------------------------------------------------------------ head

    def _next_head(self) -> None:
        """Look for a whole head in what is held."""
        held = self._held
        if held.startswith((b"\r", b"\n")):
            held = self._held = held.lstrip(b"\r\n")  # RFC 9112 section 2.2 allows it
        end = held.find(b"\r\n\r\n", self._searched)
        bound = self._front.limits.header_bytes_max
        if end > bound or (end < 0 and len(held) > bound):
            self._refuse(
                Fault(
                    Kind.HEADERS_TOO_LARGE, f"The request's headers are over {bound} bytes in all."
                )
            )
            return
        if end < 0:
            if held and not self._searched:
                self._deadline_s = self._front.wheel.now_s + self._front.limits.header_timeout_s
            self._searched = max(0, len(held) - 3)
            return
        end += 4
        self._searched = 0
        self._head_raw = held[:end]
        self._held = b""
        try:
            self._head = self._heads.read(self._head_raw)
            self._begin_body(self._head, held, end)
        except Fault as fault:
            self._refuse(fault)

    def _begin_body(self, head: RequestHead, held: bytes, end: int) -> None:
        if head.version not in ("1.1", "1.0"):
            raise Fault(Kind.BAD_REQUEST, f"HTTP/{head.version} is not spoken here; use HTTP/1.1.")
        host = head.headers.get(b"host")
        if _COMMA in host if host is not None else head.version == "1.1":
            raise Fault(Kind.BAD_REQUEST, "HTTP/1.1 asks for exactly one Host header.")
        limits = self._front.limits
        size = head.body_bytes
        if size > limits.body_bytes_max:
            raise too_large(limits.body_bytes_max)
        if size > LARGE_BYTES:
            self._take_room(size)
        if len(held) - end >= size >= 0:
            self._held = held[end + size :]
            self._dispatch(head, held[end : end + size])
            return
        self._at = BODY
        self._body_end_s = (
            self._front.wheel.now_s + limits.body_idle_timeout_s * BODY_TIMEOUT_FACTOR
        )
        self._deadline_s = self._front.wheel.now_s + limits.body_idle_timeout_s
        if head.expects_continue and self.transport is not None:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._missing = size
        self._chunked = ChunkedBody(limits.body_bytes_max) if size < 0 else None
        if len(held) > end:
            self._more_body(held[end:])

    # ------------------------------------------------------------ body

    def _more_body(self, data: bytes) -> None:
        head = self._head
        assert head is not None
        if self._chunked is not None:
            try:
                self._chunked.feed(data)
                if self._chunked.held_bytes > LARGE_BYTES:
                    self._take_room(self._chunked.held_bytes)
            except Fault as fault:
                self._refuse(fault)
                return
            if self._chunked.whole:
                body, self._held = self._chunked.body, self._chunked.rest
                self._chunked = None
                self._dispatch(head, body)
            return
        if len(data) < self._missing:
            self._parts.append(data)
            self._missing -= len(data)
            return
        self._held = data[self._missing :]
        self._parts.append(data[: self._missing] if self._held else data)
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts = []
        self._dispatch(head, body)

    def _take_room(self, size: int) -> None:
        if not self._front.body_room.take(self, size):
            raise self._front.turnstile.overloaded()

    @property
    def body_bytes(self) -> int:
        """Bytes of the body of the request it is at, arrived or announced."""
        if self._at is IN_LANE and self._outlet is not None:
            return self._outlet.body_bytes
        if self._at is not BODY or self._head is None:
            return 0
        return self._head.body_bytes if self._chunked is None else self._chunked.held_bytes

    def _dispatch(self, head: RequestHead, body: bytes) -> None:
        """A whole request is here: which way?"""
        self._deadline_s = inf
        errand = None
        if head.method == b"POST":
            errand = LANE.get(head.path) or LANE.get(_plain(head.path))
        if errand is None:
            self._hand_to_office(head, body)
            return
        front = self._front
        request_id = self._request_id(head)
        arrival = Arrival(
            errand,
            request_id,
            head.path,
            head.query,
            head.headers,
            body,
            int(front.wall() * 1000),
            front.monotonic(),
        )
        if front.traces is not None:
            arrival.trace = front.traces.begin(head.headers)
        self._at = IN_LANE
        self._head = None
        self._head_raw = b""
        keep_alive = head.keep_alive and not front.draining
        outlet = LaneOutlet(
            self, front, arrival, keep_alive=keep_alive, chunked=head.version != "1.0"
        )
        self._outlet = outlet
        turnstile = front.turnstile
        turnstile.in_flight += 1
        if self._spare:
            outlet.refuse(turnstile.overloaded())
            return
        if turnstile.in_flight > turnstile.room:
            turnstile.wait(arrival, outlet)
        else:
            front.walk.begin(arrival, outlet)

    def _request_id(self, head: RequestHead) -> str:
        given = head.headers.get(b"x-request-id")
        if given is not None:
            text = given.decode("ascii", "replace")
            if is_request_id(text):
                return text
        return self._front.new_request_id()

    def _hand_to_office(self, head: RequestHead, body: bytes) -> None:
        assert self.transport is not None
        raw = self._head_raw
        coding = head.headers.get(b"content-encoding")
        if coding is not None:
            try:
                body = decoded(
                    body, coding, min(self._front.limits.body_bytes_max, OFFICE_OPENED_BYTES_MAX)
                )
            except Fault as fault:
                self._refuse(fault)
                return
            raw = _LENGTH.sub(b"\r\nContent-Length: %d\r\n" % len(body), raw)
        if b"expect" in head.headers:
            raw = _EXPECT.sub(b"", raw)  # answered here; aiohttp would answer it again
        self._at = OFFICE
        self.office_request_id = self._request_id(head)
        if self._office is None:
            self._office = self._front.office.handler()
            self._office.connection_made(self.transport)
        self._head = None
        self._head_raw = b""
        if head.body_bytes < 0:
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        self._office.data_received(raw + body)

    # ------------------------------------------------------------ after an answer

    def office_answered(self, *, keep_alive: bool) -> None:
        """aiohttp has written its reply."""
        if self._at is OFFICE:
            if keep_alive:
                self._rest()
            else:
                self._wait_for_reader()

    def lane_answered(self, *, keep_alive: bool) -> None:
        """The short lane has written its reply."""
        if self._outlet is not None:
            self._outlet = None
            self._front.turnstile.left()
        if keep_alive:
            self._rest()
        elif self.transport is not None:
            self._close()

    def _close(self) -> None:
        """Close behind what is still to be sent."""
        assert self.transport is not None
        self._at = CLOSED
        self._wait_for_reader()
        self.transport.close()

    def _rest(self) -> None:
        """Wait for the next request, or begin with one that is here already."""
        self._at = HEAD
        if self._full:
            self._wait_for_reader()
        else:
            self._deadline_s = self._front.wheel.now_s + self._front.limits.keepalive_timeout_s
        if self._held or not self._reading:
            # Not from within the reply that has just ended: a pile of held requests must not
            # pile up calls.
            asyncio.get_running_loop().call_soon(self._next_held)

    def _next_held(self) -> None:
        """The next request, if one is held and the last reply has gone out; then read on, if what
        is held does not already come to too much."""
        if self._at is HEAD and self._held and not self._full:
            self._next_head()
        if self._reading or self.transport is None:
            return
        if self._at is BODY or self._at is LINGER or not self._holds_too_much():
            self._reading = True
            self.transport.resume_reading()

    def _holds_too_much(self) -> bool:
        limits = self._front.limits
        # One whole head must always find room, or it could never be read to its end.
        return len(self._held) > max(limits.pipelined_bytes_max, limits.header_bytes_max)

    # ------------------------------------------------------------ refusing and closing

    def _refuse(self, fault: Fault) -> None:
        """Before a request is whole there is no lane to answer on: answer, linger, close."""
        if self.transport is None:
            return
        front = self._front
        head = self._head
        request_id = self._request_id(head) if head is not None else front.new_request_id()
        is_gateway = head is None or head.path.startswith(_BASE)
        self.transport.write(whole_refusal(fault, request_id, anthropic=is_gateway))
        front.metrics.replied.append(("door", fault.status))
        front.metrics.refusal(refusal_reason(fault))
        if front.access_log.wanted:
            method = head.method.decode("ascii", "replace") if head is not None else "-"
            path = head.path.decode("ascii", "replace")[:500] if head is not None else "-"
            at = int(front.wall() * 1000)
            front.access_log.note(Line(at, request_id, method, path, fault.status, 0))
        self._parts = []
        self._chunked = None
        self._held = b""
        # A client that is still sending would lose the reply to a reset: read on for a moment.
        self._at = LINGER
        self._deadline_s = front.wheel.now_s + LINGER_S
        self._body_end_s = front.wheel.now_s + LINGER_TIME_MAX_S
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def tick(self, now_s: float) -> None:
        """About once a second: is somebody too slow?"""
        if now_s < self._deadline_s or self.transport is None:
            return
        unsent_bytes = self.transport.get_write_buffer_size()
        if unsent_bytes and unsent_bytes != self._unsent_bytes:
            # A slow reader, but a reader: it gets the time again.
            self._unsent_bytes = unsent_bytes
            self._deadline_s = now_s + self._front.limits.write_stall_timeout_s
            return
        self._deadline_s = inf
        if self._at is BODY or (self._at is HEAD and self._held and not self._full):
            self._refuse(Fault(Kind.REQUEST_TIMEOUT, "The request took too long to arrive."))
        else:
            self.transport.abort()

    def rest_briefly(self, now_s: float, grace_s: float) -> None:
        """A connection that is now without a request is closed `grace_s` later if it has none then.
        `now_s` is the loop's clock."""
        if self._at is not HEAD or self._held or self.transport is None:
            return
        if now_s >= self._deadline_s:
            self._close()
        else:
            self._deadline_s = min(self._deadline_s, now_s + grace_s)


def _plain(path: bytes) -> bytes:
    """A path in another legal form as `LANE` spells it: without the scheme and host of the absolute
    form (RFC 9112 section 3.2.2), without a fragment, nothing percent-encoded."""
    if not path.startswith(b"/"):
        path = b"/" + path.partition(b"://")[2].partition(b"/")[2]
    return unquote_to_bytes(path.partition(b"#")[0]).rstrip(b"/")

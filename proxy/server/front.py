"""What all doors share: one per process."""

from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate

from proxy.gateway.wheel import Wheel
from proxy.observe.access_log import AccessLog
from proxy.observe.metrics import Metrics
from proxy.observe.traces import Traces
from proxy.server.body_room import BodyRoom
from proxy.server.office import Office
from proxy.server.turnstile import Turnstile, Walk


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """Bytes and seconds a client may take (settings `[server]`)."""

    body_bytes_max: int
    header_bytes_max: int
    pipelined_bytes_max: int
    held_bytes_max: int
    connections_max: int
    header_timeout_s: float
    body_idle_timeout_s: float
    keepalive_timeout_s: float
    write_stall_timeout_s: float


class DateLine:
    """The Date header (RFC 9110 section 6.6.1), written anew at each turn of the wheel."""

    __slots__ = ("_wall", "line")

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self.line = b""
        self.tick(0.0)

    def tick(self, now_s: float) -> None:
        """About a second went by."""
        self.line = f"date: {formatdate(self._wall(), usegmt=True)}\r\n".encode()


@dataclass(slots=True)
class Front:
    """`connections` holds every open door; `draining` is set when no new requests are wanted."""

    walk: Walk
    turnstile: Turnstile
    body_room: BodyRoom
    office: Office
    limits: DoorLimits
    wheel: Wheel
    metrics: Metrics
    access_log: AccessLog
    wall: Callable[[], float]
    monotonic: Callable[[], float]
    new_request_id: Callable[[], str]
    date: DateLine
    doors: set[object] = field(default_factory=set)
    draining: bool = False
    traces: Traces | None = None
    """Set where traces are wanted."""

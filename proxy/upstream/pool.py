"""Connections per origin: opened when none is free, reused newest first, capped, queued for.

Owns: how a connection is made (TCP, TLS, a proxy named by the environment) and how many there may
be. A free connection is handed over without any `await`; only a new one takes a task.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from math import inf
from typing import Any, Final, Protocol

from proxy.domain.fault import Fault, Kind, Source
from proxy.upstream.connection import Connection
from proxy.upstream.pacer import STEADY, Pacer
from proxy.upstream.tunnel import ProxyServer, open_tunnel
from proxy.wire.http import Origin

DRAIN_TIMEOUT_S: Final = 5.0
WARM_AGAIN_S: Final = 10.0
"""After a provider could not be reached ahead of any request."""

StartTask = Callable[[Coroutine[Any, Any, None], str], object]


class Taker(Protocol):
    """Who wants a connection."""

    __slots__ = ()

    def leased(self, connection: Connection) -> None:
        """Here it is. A taker that no longer wants it gives it back."""
        ...

    def lease_failed(self, fault: Fault) -> None:
        """None can be had."""
        ...


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Caps and times of one pool."""

    connections_max: int
    waiting_max: int
    connect_timeout_s: float
    idle_connection_timeout_s: float
    connection_age_max_s: float = inf
    """An older connection is not used again: a new one asks anew where the name leads."""
    warm: int = 0
    """So many connections are kept free, also before anybody wants one."""


class Pool:
    """All connections to one origin."""

    def __init__(
        self,
        origin: Origin,
        limits: PoolLimits,
        *,
        start_task: StartTask,
        clock: Callable[[], float],
        tls: ssl.SSLContext | None,
        via: ProxyServer | None = None,
        pacer: Pacer = STEADY,
    ) -> None:
        self.origin = origin
        self._limits = limits
        self._start_task = start_task
        self._clock = clock
        self._tls = tls
        self._via = via
        self._pacer = pacer
        self._header_names: dict[bytes, bytes] = {}
        self._free: list[Connection] = []
        self._all: set[Connection] = set()
        self._connecting = 0
        self._waiting: deque[Taker] = deque()
        self._closing = False
        self.opened = 0
        self.failed = 0
        """Connections ever made, and tries that made none."""
        self._warm_after_s = 0.0

    def lease(self, taker: Taker) -> Connection | None:
        """A free connection at once, or None and a call of the taker later.

        Raises Fault 503 when more are waiting than `waiting_max`.
        """
        while self._free:
            connection = self._free.pop()
            if connection.usable:
                connection.since_s = 0.0
                return connection
        if len(self._waiting) >= self._limits.waiting_max:
            raise Fault(
                Kind.UNAVAILABLE,
                "Too many requests are waiting for this model. Try again in a moment.",
                source=Source.HOUSE,
                retry_after_s=1,
                reason="upstream_unavailable",
            )
        self._waiting.append(taker)
        self._connect_more()
        return None

    def distrust(self) -> None:
        """One free connection turned out to be dead; the others are as old: drop them all."""
        free, self._free = self._free, []
        for connection in free:
            connection.abort()

    def forget(self, taker: Taker) -> None:
        """The taker left; what is being connected for it serves the next."""
        try:
            self._waiting.remove(taker)
        except ValueError:
            pass  # it has been served already

    def tick(self, now_s: float) -> None:
        """Close what has been free, or left with a rest to read, for too long."""
        oldest_s = now_s - self._limits.idle_connection_timeout_s
        youngest = self._free[max(0, len(self._free) - self._limits.warm) :]
        stale = [
            each
            for each in self._free
            if (each.since_s < oldest_s and each not in youngest) or self._is_old(each, now_s)
        ]
        if stale:
            self._free = [each for each in self._free if each not in stale]
        stale += [each for each in self._all if each.left and self._is_overdue(each, now_s)]
        for connection in stale:
            connection.abort()
        self._keep_warm(now_s)

    def close(self) -> None:
        """Close every connection; nothing new is opened."""
        self._closing = True
        for connection in list(self._all):
            connection.abort()

    @property
    def open_count(self) -> int:
        """Connections that exist."""
        return len(self._all)

    @property
    def idle_count(self) -> int:
        """Those of them that nobody uses."""
        return len(self._free)

    @property
    def connecting_count(self) -> int:
        """Connections on their way."""
        return self._connecting

    @property
    def waiting_count(self) -> int:
        """Requests that wait for a connection."""
        return len(self._waiting)

    def _is_overdue(self, connection: Connection, now_s: float) -> bool:
        if connection.since_s == 0.0:
            connection.since_s = now_s
        return now_s - connection.since_s > DRAIN_TIMEOUT_S

    def _is_old(self, connection: Connection, now_s: float) -> bool:
        return now_s - connection.born_s > self._limits.connection_age_max_s

    def _keep_warm(self, now_s: float) -> None:
        """Connect ahead of the next request, unless there was no way just now."""
        if self._closing or now_s < self._warm_after_s:
            return
        missing = self._limits.warm - len(self._free) - self._connecting
        room = self._limits.connections_max - len(self._all) - self._connecting
        for _ in range(min(missing, room)):
            self._start_connecting()

    async def _connect(self) -> None:
        fault: Fault | None = None
        connection: Connection | None = None
        try:
            async with asyncio.timeout(self._limits.connect_timeout_s):
                opened = await self._open()
            if not opened.usable:
                raise ConnectionResetError("the server closed the connection at once")
            connection = opened
        except TimeoutError:
            took = f"no connection within {self._limits.connect_timeout_s:g} s"
            fault = _unreachable(Kind.UPSTREAM_TIMEOUT, self.origin, took)
        except (OSError, UnicodeError) as problem:  # UnicodeError: a name no host can have
            fault = _unreachable(Kind.UPSTREAM_BROKEN, self.origin, str(problem))
        finally:
            self._connecting -= 1
        if connection is not None:
            self.opened += 1
            connection.born_s = self._clock()
            self._warm_after_s = 0.0
            self._all.add(connection)
            self._freed(connection)
            return
        self.failed += 1
        if fault is not None and not self._waiting:
            self._warm_after_s = self._clock() + WARM_AGAIN_S
        elif fault is not None:
            self._waiting.popleft().lease_failed(fault)
            self._connect_more()

    def _connect_more(self) -> None:
        """For everyone who waits a connection on its way, as far as the cap allows."""
        while (
            not self._closing
            and self._connecting < len(self._waiting)
            and len(self._all) + self._connecting < self._limits.connections_max
        ):
            self._start_connecting()

    def _start_connecting(self) -> None:
        self._connecting += 1
        self._start_task(self._connect(), f"connect {self.origin.authority}")

    async def _open(self) -> Connection:
        loop = asyncio.get_running_loop()
        origin = self.origin
        connection = Connection(self._freed, self._closed, self._pacer, self._header_names)
        if self._via is not None:
            await open_tunnel(self._via, origin, self._tls, connection)
        else:
            await loop.create_connection(
                lambda: connection,
                origin.host,
                origin.port,
                ssl=self._tls,
                server_hostname=origin.host if self._tls is not None else None,
            )
        return connection

    def _freed(self, connection: Connection) -> None:
        if self._closing or not connection.usable:
            connection.abort()
            return
        if self._waiting:
            connection.since_s = 0.0
            self._waiting.popleft().leased(connection)
            return
        now_s = connection.since_s = self._clock()
        if self._is_old(connection, now_s):
            connection.abort()
            return
        self._free.append(connection)

    def _closed(self, connection: Connection) -> None:
        self._all.discard(connection)
        if connection in self._free:
            self._free.remove(connection)
        self._connect_more()


def _unreachable(kind: Kind, origin: Origin, why: str) -> Fault:
    return Fault(
        kind,
        "The model provider cannot be reached. Try again.",
        detail=f"{origin.authority}: {why}",
        source=Source.UPSTREAM,
        reason="upstream_unavailable",
    )

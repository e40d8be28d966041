"""The sockets: open them, and close them without cutting a stream or losing a request.

The drain: `/readyz` turns to 503 and every reply says `Connection: close`; after the notice no new
connections are taken, those the system had accepted for us included; connections without a request
are closed a moment later, because a client may just be sending one; requests under way finish, or
are ended in an orderly way when the time is over.
"""

import asyncio
import logging
import socket

from proxy.server.door import Door
from proxy.server.front import Front

_LOG = logging.getLogger("proxy.listener")
BACKLOG = 4096
POLL_S = 0.1
IDLE_GRACE_S = 1.0
"""A client whose last reply did not say `close` may send its next request on the same connection.
It gets this long to do so, and then a reply that says it."""


def bind(host: str, port: int, *, shared: bool, listens: bool = True) -> socket.socket:
    """A bound socket; `shared` lets several processes take connections from one port, and one that
    does not listen only keeps the port.

    Raises OSError naming the address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind((host, port))
        if listens:
            listening.listen(BACKLOG)
    except OSError as problem:
        listening.close()
        raise OSError(
            problem.errno, f"cannot listen on {host}:{port}: {problem.strerror}"
        ) from None
    listening.setblocking(False)
    return listening


class Listener:
    """One per process."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._server: asyncio.Server | None = None
        self._listening: socket.socket | None = None

    async def open(self, listening: socket.socket) -> None:
        """Take connections."""
        loop = asyncio.get_running_loop()
        self._listening = listening
        self._server = await loop.create_server(self._door, sock=listening, backlog=BACKLOG)

    async def drain(self, timeout_s: float, notice_s: float = 0.0) -> int:
        """Let requests under way finish; gives the number of those that did not.

        For `notice_s` everything is served as before, so that a balancer sees `/readyz` first. A
        second call only waits.
        """
        front = self._front
        front.draining = True
        await asyncio.sleep(notice_s)
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        if self._server is not None:
            await self._stop_listening()
        while front.doors and (now_s := loop.time()) < end_s:
            for door in list(front.doors):
                assert isinstance(door, Door)
                door.rest_briefly(now_s, IDLE_GRACE_S)
            await asyncio.sleep(POLL_S)
        return len(front.doors)

    async def _stop_listening(self) -> None:
        """Close the socket behind the last connection that waits in it: closed with one inside, the
        system would reset that client."""
        assert self._server is not None and self._listening is not None
        loop = asyncio.get_running_loop()
        accepted: list[socket.socket] = []
        while True:
            try:
                accepted.append(self._listening.accept()[0])
            except OSError:  # nobody waits (BlockingIOError), or no file is left for whoever does
                break
        self._server.close()
        self._server = None
        for connection in accepted:
            connection.setblocking(False)
            await loop.connect_accepted_socket(self._door, connection)

    def _door(self) -> Door:
        return Door(self._front)

"""The sockets: open them, and close them without cutting a stream.

The drain: `/readyz` turns to 503, no new connections, idle ones closed, requests under way finish
or are ended in an orderly way when the time is over.
"""

import asyncio
import logging
import socket

from proxy.server.door import Door
from proxy.server.front import Front

_LOG = logging.getLogger("proxy.listener")
BACKLOG = 4096
POLL_S = 0.1


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

    async def open(self, listening: socket.socket) -> None:
        """Take connections."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._door, sock=listening, backlog=BACKLOG)

    async def drain(self, timeout_s: float) -> int:
        """Let requests under way finish; gives the number of those that did not."""
        front = self._front
        front.draining = True
        if self._server is not None:
            self._server.close()
        for door in list(front.doors):
            assert isinstance(door, Door)
            door.close_if_idle()
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        while front.doors and loop.time() < end_s:  # noqa: ASYNC110 - a drain happens once
            await asyncio.sleep(POLL_S)
        return len(front.doors)

    def _door(self) -> Door:
        return Door(self._front)

"""Bytes to a socket at once, past the transport's queue, as long as that queue is empty.

uvloop's `write` takes the bytes into a list and sends them at the end of the loop's turn. The
system call made in place costs less, a tenth of a whole exchange of 1 kB, and the bytes leave
earlier. Whatever the socket does not take goes to the transport, and with it all that is special:
flow control, errors, the end of the connection.

A file descriptor outlives no connection: transports tell `connection_lost` before they close it.
Whoever holds a `DirectWriter` calls `lost` from there, and nothing can be written to whichever
connection has the number next.
"""

import asyncio
import os
from collections.abc import Sequence
from typing import Final

Piece = bytes | memoryview

PIECES_MAX: Final = 64
"""The kernel takes 1,024 at once. So many pieces are no hot path: the transport may have them."""
JOINED_BYTES_MAX: Final = 8 << 10
"""So little is copied sooner than the kernel is told of its pieces."""
_NOWHERE: Final = -1


class DirectWriter:
    """The writing end of one connection."""

    __slots__ = ("_fd", "_transport", "_unsent_bytes")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport: asyncio.Transport | None = transport
        self._unsent_bytes = transport.get_write_buffer_size
        self._fd = _NOWHERE
        if transport.get_extra_info("sslcontext") is None:
            socket = transport.get_extra_info("socket")
            if socket is not None:
                self._fd = socket.fileno()

    def write(self, data: bytes) -> None:
        """Send, or queue behind what is queued already."""
        sent = 0
        if self._fd >= 0 and not self._unsent_bytes():
            try:
                sent = os.write(self._fd, data)
            except OSError:
                sent = 0  # full, or broken: the transport will find out which
            if sent == len(data):
                return
        if self._transport is not None:
            self._transport.write(data[sent:] if sent else data)

    def write_all(self, pieces: Sequence[Piece]) -> None:
        """As one `write` of the pieces joined, without joining what is large."""
        size = sum(map(len, pieces))
        if size <= JOINED_BYTES_MAX:
            self.write(b"".join(pieces))
            return
        sent = 0
        if self._fd >= 0 and len(pieces) <= PIECES_MAX and not self._unsent_bytes():
            try:
                sent = os.writev(self._fd, pieces)
            except OSError:
                sent = 0
            if sent == size:
                return
        transport = self._transport
        if transport is None:
            return
        for piece in pieces:
            length = len(piece)
            if sent >= length:
                sent -= length
            else:
                transport.write(memoryview(piece)[sent:] if sent else piece)
                sent = 0

    def lost(self) -> None:
        """The connection is gone, its descriptor will be somebody else's: write to nobody."""
        self._transport = None
        self._fd = _NOWHERE

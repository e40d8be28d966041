"""The road between the workers of one machine: a socket of each in a folder only they can open.

Whoever asks connects, writes one line and reads to the end. A worker that is started again takes
the place of the one it replaces; one that has just died is silent.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, cast

from proxy.observe.roll_call import ANSWER_BYTES_MAX, Answer, Heard

PATIENCE_S: Final = 0.5
"""A worker answers as soon as its loop turns."""
QUESTION_BYTES_MAX: Final = 4096
_FILES: Final = Path("/proc/self/fd")

_LOG = logging.getLogger(__name__)


class LocalRoad:
    """One worker's end of it. `others` are the names of the other workers; `answer` says what this
    one has to say to a question, at once."""

    def __init__(
        self, folder: Path, worker: str, others: Sequence[str], answer: Callable[[bytes], bytes]
    ) -> None:
        self._folder = folder
        self._worker = worker
        self._others = others
        self._answer = answer
        self._server: asyncio.AbstractServer | None = None
        self._made: os.stat_result | None = None
        self._folder_file = -1

    async def open(self) -> None:
        """Be there for the others. Where no socket can be made they hear nothing from here."""
        loop = asyncio.get_running_loop()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._folder_file = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            self._server = await loop.create_unix_server(
                lambda: _Asked(self._answer), sock=self._bound()
            )
            self._made = os.stat(self._address(self._worker))
        except OSError as problem:
            _LOG.warning("other workers cannot ask this one what it does: %s", problem)

    async def ask(self, question: bytes, /) -> Heard:
        """All others at once."""
        said = await asyncio.gather(*[self._ask(name, question) for name in self._others])
        answers = [
            Answer(name, body) for name, body in zip(self._others, said, strict=True) if body
        ]
        return Heard(answers, len(self._others) - len(answers))

    def close(self) -> None:
        """This worker ends; one that took its place stays."""
        if self._server is not None:
            self._server.close()
        try:
            address = self._address(self._worker)
            if self._made is not None and os.path.samestat(os.stat(address), self._made):
                os.unlink(address)
        except FileNotFoundError:
            pass  # somebody tidied up
        if self._folder_file >= 0:
            os.close(self._folder_file)
            self._folder_file = -1

    def _address(self, worker: str) -> str:
        """A socket's address holds some hundred bytes, a folder's name may be longer."""
        name = f"{worker}.sock"
        opened = _FILES / str(self._folder_file)
        return str((opened if _FILES.is_dir() else self._folder) / name)

    def _bound(self) -> socket.socket:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        bound = False
        try:
            address = self._address(self._worker)
            Path(address).unlink(missing_ok=True)
            listening.bind(address)
            # Nobody can connect before it listens, and then only who may.
            os.chmod(address, 0o600)
            bound = True
        finally:
            if not bound:
                listening.close()
        return listening

    async def _ask(self, worker: str, question: bytes) -> bytes:
        try:
            async with asyncio.timeout(PATIENCE_S):
                reader, writer = await asyncio.open_unix_connection(self._address(worker))
                try:
                    writer.write(question + b"\n")
                    return await _read(reader)
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return b""  # it is just starting or ending, or has no time


async def _read(reader: asyncio.StreamReader) -> bytes:
    """To the end; nothing where that is too far away."""
    parts: list[bytes] = []
    room = ANSWER_BYTES_MAX
    while part := await reader.read(room + 1):
        parts.append(part)
        room -= len(part)
        if room < 0:
            return b""
    return b"".join(parts)


class _Asked(asyncio.Protocol):
    """One question of another worker."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It has something to ask."""
        # uvloop's are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """A line, perhaps in pieces."""
        self._held += data
        line, end, _ = self._held.partition(b"\n")
        if end:
            self._held = b""
            self._transport.write(self._answer(line))
            self._transport.close()
        elif len(self._held) > QUESTION_BYTES_MAX:
            self._transport.abort()

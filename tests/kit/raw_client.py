"""An HTTP client that knows nothing better: exact bytes out, replies read by the letter.

It shares no parser with the gateway, so that a framing mistake cannot cancel itself out. It refuses
what a lenient client would forgive: two lengths, a missing chunk end, bytes behind a reply.
"""

import json
import re
import socket
import struct
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

TIMEOUT_S = 10.0
READ_BYTES = 65536

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3}) [\x20-\x7e]*")


@dataclass
class Reply:
    """One reply. Header names are lower-case; `all_headers` keeps repeats and order."""

    status: int
    all_headers: list[tuple[str, str]]
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)
    interim: list[int] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        """Every header; one that is sent twice is a mistake of the gateway's, but for cookies
        (RFC 9110 section 5.3)."""
        names = [name for name, _ in self.all_headers if name != "set-cookie"]
        assert len(names) == len(set(names)), f"a header is there twice: {self.all_headers}"
        return dict(self.all_headers)

    def json(self) -> Any:
        """The body as a document."""
        assert self.headers["content-type"].startswith("application/json"), self.all_headers
        return json.loads(self.body)

    def events(self) -> list[tuple[str, Any]]:
        """The body as a stream of events: name and document of each."""
        return events_of(self.body)


def events_of(body: bytes) -> list[tuple[str, Any]]:
    """Name and document of each event; a stream cut inside an event is refused."""
    assert not body or body.endswith(b"\n\n"), f"cut inside an event: {body[-200:]!r}"
    events = []
    for block in body.decode().split("\n\n")[:-1]:
        name, _, data = block.partition("\n")
        assert name.startswith("event: ") and data.startswith("data: "), block
        events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return events


def request(
    method: str,
    path: str,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    body: bytes | None = None,
    version: str = "1.1",
) -> bytes:
    """The bytes of one request; a body gets its length stated."""
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    if version == "1.1" and "host" not in [name.lower() for name, _ in pairs]:
        pairs.insert(0, ("Host", "gateway.test"))
    if body is not None:
        pairs.append(("Content-Length", str(len(body))))
    lines = [f"{method} {path} HTTP/{version}", *[f"{name}: {value}" for name, value in pairs]]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


class RawClient:
    """One connection."""

    def __init__(
        self, address: tuple[str, int], timeout_s: float = TIMEOUT_S, receive_bytes: int = 0
    ) -> None:
        """`receive_bytes` narrows what the kernel takes for a client that does not read."""
        self.socket = socket.socket()
        self.socket.settimeout(timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self._unread = b""

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave."""
        self.socket.close()

    def reset(self) -> None:
        """Leave rudely: the other side sees a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # ------------------------------------------------------------ out

    def send(self, data: bytes) -> None:
        """All of it."""
        self.socket.sendall(data)

    def send_in_pieces(self, pieces: Iterable[bytes], pause_s: float = 0.001) -> None:
        """Each piece by itself, with time for the gateway to read it alone."""
        for piece in pieces:
            self.socket.sendall(piece)
            time.sleep(pause_s)

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> Reply:
        """One request and its reply."""
        self.send(request(method, path, headers, body))
        return self.reply(to=method)

    # ------------------------------------------------------------ in

    def reply(self, to: str = "GET") -> Reply:
        """The next reply, whole; interim ones (1xx) are noted in it."""
        interim: list[int] = []
        while (reply := self.reply_head()).status < 200:
            interim.append(reply.status)
        reply.interim = interim
        headers = reply.headers
        if to == "HEAD" or reply.status in (204, 304):
            return reply
        if "transfer-encoding" in headers:
            assert headers["transfer-encoding"] == "chunked"
            assert "content-length" not in headers, "two framings at once"
            while chunk := self.chunk():
                reply.chunks.append(chunk)
            reply.body = b"".join(reply.chunks)
        elif "content-length" in headers:
            reply.body = self.exactly(int(headers["content-length"]))
        else:
            reply.body = self.until_end()
        return reply

    def reply_head(self) -> Reply:
        """Status and headers; the body is still to be read."""
        lines = self.until(b"\r\n\r\n").split(b"\r\n")[:-2]
        status_line = _STATUS_LINE.fullmatch(lines[0])
        assert status_line, f"not a status line: {lines[0]!r}"
        headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(b": ")
            assert colon and re.fullmatch(rb"[!-9;-~]+", name), f"not a header: {line!r}"
            headers.append((name.decode().lower(), value.decode("latin-1")))
        return Reply(int(status_line[1]), headers)

    def chunk(self) -> bytes:
        """The next chunk of a body; empty: it was the last."""
        size = self.until(b"\r\n")
        assert re.fullmatch(rb"[0-9a-fA-F]+\r\n", size), f"not a chunk's size: {size!r}"
        data = self.exactly(int(size, 16))
        assert self.exactly(2) == b"\r\n", "a chunk without its end"
        return data

    def until(self, mark: bytes) -> bytes:
        """Everything up to and including `mark`."""
        while mark not in self._unread:
            self._more(f"waiting for {mark!r}")
        at = self._unread.index(mark) + len(mark)
        found, self._unread = self._unread[:at], self._unread[at:]
        return found

    def exactly(self, size: int) -> bytes:
        """So many bytes."""
        parts = [self._unread]
        missing = size - len(self._unread)
        while missing > 0:
            parts.append(self._read(f"waiting for {missing} more bytes"))
            missing -= len(parts[-1])
        whole = b"".join(parts)
        self._unread = whole[size:]
        return whole[:size]

    def until_end(self) -> bytes:
        """Everything until the gateway closes."""
        parts = [self._unread]
        self._unread = b""
        while data := self.socket.recv(READ_BYTES):
            parts.append(data)
        return b"".join(parts)

    def is_ended(self) -> bool:
        """Wait for the gateway to close, and see that nothing came before."""
        try:
            return self.until_end() == b""
        except ConnectionResetError:
            return True

    def is_silent(self, for_s: float = 0.05) -> bool:
        """Nothing more comes, and the connection stands."""
        before = self.socket.gettimeout()
        self.socket.settimeout(for_s)
        try:
            self._unread += self.socket.recv(READ_BYTES)
            return False
        except TimeoutError:
            return not self._unread
        finally:
            self.socket.settimeout(before)

    def _more(self, why: str) -> None:
        self._unread += self._read(why)

    def _read(self, why: str) -> bytes:
        data = self.socket.recv(READ_BYTES)
        if not data:
            raise EOFError(f"the gateway closed while {why}; unread: {self._unread[:200]!r}")
        return data

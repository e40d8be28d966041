"""A connection through an HTTP proxy that the environment names (`HTTPS_PROXY`, `NO_PROXY` …).

Every origin behind a proxy is reached by CONNECT, plain ones too: one way, and the bytes on the
connection are then the same as on a direct one. Loopback addresses never go through a proxy.
"""

import asyncio
import base64
import ssl
import urllib.request
from urllib.parse import unquote, urlsplit

import msgspec

from proxy.upstream.connection import Connection
from proxy.wire.http import Origin

REPLY_BYTES_MAX = 16384


class ProxyServer(msgspec.Struct, frozen=True):
    """Where the proxy is; `authorization` is a ready header line or empty."""

    host: str
    port: int
    authorization: bytes = b""

    def __repr__(self) -> str:
        return f"ProxyServer({self.host!r}, {self.port})"


def proxy_for(origin: Origin) -> ProxyServer | None:
    """The proxy the environment names for this origin, if any."""
    if origin.host in ("localhost", "::1") or origin.host.startswith("127."):
        return None
    if urllib.request.proxy_bypass(f"{origin.host}:{origin.port}"):
        return None
    proxies = urllib.request.getproxies_environment()
    url = proxies.get("https" if origin.secure else "http") or proxies.get("all")
    if not url:
        return None
    parts = urlsplit(url if "//" in url else f"//{url}")
    if not parts.hostname or parts.scheme not in ("", "http"):
        raise ValueError(f"the proxy named by the environment for {origin.host} is not http://")
    authorization = b""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        authorization = b"proxy-authorization: Basic " + base64.b64encode(pair) + b"\r\n"
    return ProxyServer(parts.hostname, parts.port or 3128, authorization)


async def open_tunnel(
    via: ProxyServer, origin: Origin, tls: ssl.SSLContext | None, connection: Connection
) -> None:
    """Connect `connection` to `origin` through `via`. Raises OSError like a direct connect."""
    loop = asyncio.get_running_loop()
    handshake = _Handshake(loop.create_future())
    transport, _ = await loop.create_connection(lambda: handshake, via.host, via.port)
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    target = f"{host}:{origin.port}".encode()
    transport.write(
        b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n%b\r\n" % (target, target, via.authorization)
    )
    try:
        await handshake.agreed
    except (OSError, asyncio.CancelledError):  # cancelled: the time to connect is over
        transport.abort()
        raise
    transport.set_protocol(connection)
    if tls is None:
        connection.connection_made(transport)
        return
    secured = await loop.start_tls(transport, connection, tls, server_hostname=origin.host)
    if secured is None:
        raise ConnectionResetError("the connection closed during the TLS handshake")
    connection.connection_made(secured)


class _Handshake(asyncio.Protocol):
    """Waits for the proxy's 200; anything else is an OSError."""

    def __init__(self, agreed: asyncio.Future[None]) -> None:
        self.agreed = agreed
        self._held = b""

    def data_received(self, data: bytes) -> None:
        """The proxy's reply, which carries no body when it agrees."""
        self._held += data
        if self.agreed.done():
            return
        if b"\r\n\r\n" in self._held:
            status = self._held.split(b" ", 2)[1:2]
            if status and status[0].startswith(b"2"):
                self.agreed.set_result(None)
            else:
                said = self._held.split(b"\r\n", 1)[0][:100].decode("ascii", "replace")
                self.agreed.set_exception(ConnectionRefusedError(f"the proxy answered {said!r}"))
        elif len(self._held) > REPLY_BYTES_MAX:
            self.agreed.set_exception(ConnectionRefusedError("the proxy's reply is too long"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The proxy hung up before it agreed."""
        if not self.agreed.done():
            self.agreed.set_exception(ConnectionResetError("the proxy closed the connection"))

"""One HTTP client per process for everything beside the hot path, such as the search service.

Owns: how such a call is made, bounded and ended. It follows no redirects, keeps no cookies, reads
no `.netrc`, and is led to the public internet only, but for the places the operator has configured
(`guarded_names.py`). Nothing is opened before the first call. Refuses to know: what is asked, what
the answer means, whether to ask again. Headers carry keys: they are neither logged nor part of any
error.
"""

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver
from yarl import URL

from proxy.upstream.guarded_names import AddressRefusedError, GuardedNames, Place
from proxy.upstream.public_address import is_public_address
from proxy.upstream.tunnel import ProxyServer, proxy_for
from proxy.wire.http import Origin

_NO_REDIRECTS = False
_PROXY_AUTHORIZATION = "Proxy-Authorization"


class CallFailed(Exception):
    """No whole reply came. The text is for the log: where, and why; nothing of the request."""


class TimedOut(CallFailed):
    """Not within the time: no connection, no answer, or not all of it."""


class Unreachable(CallFailed):
    """No connection, one that broke, TLS that was not trusted, or not HTTP."""


class TooLarge(CallFailed):
    """The body is larger than `bytes_max`; reading stopped there."""


class NotPublic(CallFailed):
    """The host lives where requests must not be led; nothing was sent."""


class SideReply(NamedTuple):
    """A whole reply of any status; names of headers are in lower case, the last of a name counts.
    The body is decompressed."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes


class SideLimits(msgspec.Struct, frozen=True):
    """Times and trust, as the operator has set them for all upstreams."""

    connect_timeout_s: float
    """From the look-up of the name until the connection stands, TLS included."""
    idle_connection_timeout_s: float
    ca_file: str = ""
    trust_env_proxies: bool = True


class SideCalls:
    """The client. `configured` are the URLs whose hosts may be anywhere: exactly that host and
    port; `names` looks names up, by default as the system does."""

    def __init__(
        self,
        limits: SideLimits,
        *,
        configured: Iterable[str] = (),
        names: AbstractResolver | None = None,
    ) -> None:
        self._limits = limits
        self._configured = frozenset([_place(URL(url)) for url in configured])
        self._excepted = set(self._configured)
        """These, and the proxies that were met."""
        self._names = names
        self._session: aiohttp.ClientSession | None = None
        self._tls: ssl.SSLContext | None = None
        self._making_tls = asyncio.Lock()
        self._closed = False

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        timeout_s: float,
        bytes_max: int,
    ) -> SideReply:
        """Send `body`, read the whole reply, all within `timeout_s`. Cancelling closes the
        connection. Raises CallFailed, one of its four kinds."""
        return await self._ask("POST", url, headers, body, timeout_s, bytes_max)

    async def get(
        self, url: str, headers: Mapping[str, str], *, timeout_s: float, bytes_max: int
    ) -> SideReply:
        """The same without a body."""
        return await self._ask("GET", url, headers, None, timeout_s, bytes_max)

    def admit(self, url: str) -> None:
        """What the operator has configured names this address, which is as good as if they had done
        so themselves. Raises ValueError for what is none."""
        place = _place(URL(url))
        self._configured |= {place}
        self._excepted.add(place)

    async def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout_s: float,
        bytes_max: int,
    ) -> SideReply:
        try:
            target = URL(url)
        except ValueError:
            raise Unreachable("the address is none") from None
        where = _where(target)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._asked(method, target, headers, body, bytes_max)
        except TimeoutError:
            raise TimedOut(f"{where}: no whole reply in time") from None
        except aiohttp.ClientHttpProxyError as problem:
            raise Unreachable(f"{where}: the proxy answered {problem.status}") from None
        except aiohttp.ClientConnectorDNSError as problem:
            if isinstance(problem.os_error, AddressRefusedError):
                raise NotPublic(f"{where}: {problem.os_error}") from None
            raise Unreachable(f"{where}: {problem.os_error}") from None
        except aiohttp.ClientConnectorCertificateError as problem:
            raise Unreachable(f"{where}: {problem.certificate_error}") from None
        except aiohttp.ClientConnectorError as problem:
            raise Unreachable(f"{where}: {problem.os_error}") from None
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            # Their texts may quote what was sent: the kind has to do.
            raise Unreachable(f"{where}: {type(problem).__name__}") from None

    async def close(self) -> None:
        """Close every connection, calls under way fail; nothing new is opened."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @property
    def is_open(self) -> bool:
        """Has anything been asked for yet?"""
        return self._session is not None

    async def _asked(
        self,
        method: str,
        target: URL,
        headers: Mapping[str, str],
        body: bytes | None,
        bytes_max: int,
    ) -> SideReply:
        via = self._way(target)
        secure = target.scheme == "https"
        proxy: URL | None = None
        proxy_headers: dict[str, str] | None = None
        if via is not None:
            proxy = URL.build(scheme="http", host=via.host, port=via.port)
            if via.authorization:
                credential = via.authorization.decode("latin-1").partition(":")[2].strip()
                # A tunnel is asked for with headers of its own; without one there is one request.
                if secure:
                    proxy_headers = {_PROXY_AUTHORIZATION: credential}
                else:
                    headers = {**headers, _PROXY_AUTHORIZATION: credential}
        async with self._open_session().request(
            method,
            target,
            data=body,
            headers=headers,
            allow_redirects=_NO_REDIRECTS,
            ssl=await self._trusted() if secure else True,
            proxy=proxy,
            proxy_headers=proxy_headers,
        ) as response:
            return SideReply(
                response.status,
                {name.lower(): value for name, value in response.raw_headers},
                await _read(response, bytes_max, _where(target)),
            )

    def _way(self, target: URL) -> ProxyServer | None:
        """The proxy to go through, if any. Raises NotPublic, ValueError."""
        place = _place(target)
        host, port = place
        proxy = None
        if self._limits.trust_env_proxies:
            proxy = proxy_for(Origin(target.scheme == "https", host, port))
        if place in self._configured:
            if proxy is not None:
                self._excepted.add((proxy.host.lower(), proxy.port))
            return proxy
        if proxy is not None or place in self._excepted:
            # What a proxy connects to cannot be seen from here.
            raise NotPublic(f"{_where(target)}: it is not configured, and behind a proxy")
        if _is_literal(host) and not is_public_address(host):
            # Only names are looked up by the guarded resolver.
            raise NotPublic(f"{_where(target)}: {AddressRefusedError(host)}")
        return None

    def _open_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise aiohttp.ClientConnectionError("closed")
        if self._session is None:
            limits = self._limits
            names = self._names or aiohttp.ThreadedResolver()
            connector = aiohttp.TCPConnector(
                # Who calls keeps count of its calls; waiting here would eat into their time.
                limit=0,
                keepalive_timeout=limits.idle_connection_timeout_s,
                resolver=GuardedNames(names, self._excepted),
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "hatz-messages-gateway"},
                timeout=aiohttp.ClientTimeout(total=None, connect=limits.connect_timeout_s),
                # The proxy is chosen above, as for the models; `.netrc` must not be read at all.
                trust_env=False,
            )
        return self._session

    async def _trusted(self) -> ssl.SSLContext:
        """Made at the first call that needs it, beside the loop: it takes some 20 ms."""
        async with self._making_tls:  # one for all: connections belong to their context
            if self._tls is None:
                self._tls = await asyncio.to_thread(_make_tls, self._limits.ca_file)
            return self._tls


def _place(url: URL) -> Place:
    """Raises ValueError for what no request can be sent to."""
    if url.scheme not in ("http", "https") or not url.raw_host or url.port is None:
        raise ValueError("not an http:// or https:// address")
    return url.raw_host.lower(), url.port


def _where(url: URL) -> str:
    """Fit for a log: `authority` would show a user and password."""
    return url.host_port_subcomponent or "nowhere"


def _is_literal(host: str) -> bool:
    """Whatever is taken for an address and not looked up: `::1`, `10.0.0.1`, `2130706433`."""
    return ":" in host or host.replace(".", "").isdigit()


async def _read(response: aiohttp.ClientResponse, bytes_max: int, where: str) -> bytes:
    held = bytearray()
    async for piece in response.content.iter_any():
        held += piece
        if len(held) > bytes_max:
            response.close()
            raise TooLarge(f"{where}: more than {bytes_max} bytes")
    return bytes(held)


def _make_tls(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    return context

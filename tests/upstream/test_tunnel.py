"""Through a proxy that the environment names."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from proxy.domain.fault import Fault, Kind
from proxy.upstream.connection import Connection
from proxy.upstream.pool import Pool, PoolLimits
from proxy.upstream.tunnel import REPLY_BYTES_MAX, ProxyServer, open_tunnel, proxy_for
from proxy.wire.http import Origin
from tests.kit.rude_upstream import (
    CLOSE,
    RESET,
    STALL,
    Certificate,
    Dribble,
    RudeUpstream,
    Script,
    answer,
    rude_upstream,
)
from tests.upstream.ears import REQUEST, Ear, until

PROVIDER = Origin(True, "api.example.com", 443)
PLAIN = Origin(False, "api.example.com", 80)
VARIABLES = ["http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy"]


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that names no proxy yet."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


# -------------------------------------------------------------- which proxy


def test_no_proxy_is_used_unless_one_is_named(environ: pytest.MonkeyPatch) -> None:
    assert proxy_for(PROVIDER) is None


def test_each_scheme_has_its_proxy(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("HTTPS_PROXY", "http://secure.proxy:8443")
    environ.setenv("http_proxy", "plain.proxy")
    assert proxy_for(PROVIDER) == ProxyServer("secure.proxy", 8443)
    assert proxy_for(PLAIN) == ProxyServer("plain.proxy", 3128)


def test_one_proxy_may_serve_all(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("ALL_PROXY", "http://any.proxy:1")
    assert proxy_for(PROVIDER) == proxy_for(PLAIN) == ProxyServer("any.proxy", 1)


def test_an_empty_variable_names_none(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("HTTPS_PROXY", "")
    assert proxy_for(PROVIDER) is None


@pytest.mark.parametrize(
    "no_proxy", ["api.example.com", "example.com", ".example.com", "*", "x, api.example.com:443"]
)
def test_no_proxy_is_obeyed(environ: pytest.MonkeyPatch, no_proxy: str) -> None:
    environ.setenv("HTTPS_PROXY", "http://p:1")
    environ.setenv("NO_PROXY", no_proxy)
    assert proxy_for(PROVIDER) is None


def test_no_proxy_for_others_changes_nothing(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("HTTPS_PROXY", "http://p:1")
    environ.setenv("NO_PROXY", "other.com,api.example.com:8443")
    assert proxy_for(PROVIDER) == ProxyServer("p", 1)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "::1"])
def test_loopback_never_goes_through_a_proxy(environ: pytest.MonkeyPatch, host: str) -> None:
    environ.setenv("ALL_PROXY", "http://p:1")
    assert proxy_for(Origin(False, host, 8081)) is None


def test_a_name_and_password_become_a_header(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("HTTPS_PROXY", "http://us%40er:p%3Aw@p:1")
    via = proxy_for(PROVIDER)
    assert via is not None
    pair = base64.b64encode(b"us@er:p:w")
    assert via.authorization == b"proxy-authorization: Basic " + pair + b"\r\n"
    assert pair.decode() not in repr(via) and "p:w" not in repr(via)
    environ.setenv("HTTPS_PROXY", "http://user@p:1")
    via = proxy_for(PROVIDER)
    assert via is not None and base64.b64encode(b"user:") in via.authorization


@pytest.mark.parametrize("url", ["socks5://p:1", "https://p:1", "http://", "http://:3128"])
def test_other_kinds_of_proxies_are_refused_by_name(environ: pytest.MonkeyPatch, url: str) -> None:
    environ.setenv("HTTPS_PROXY", url)
    with pytest.raises(ValueError, match=r"api\.example\.com"):
        proxy_for(PROVIDER)


def test_the_refusal_of_a_proxy_tells_no_password(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("HTTPS_PROXY", "socks5://user:secret@p:1")
    with pytest.raises(ValueError) as caught:
        proxy_for(PROVIDER)
    assert "secret" not in str(caught.value)


# -------------------------------------------------------------- the tunnel

AGREED: Script = [b"HTTP/1.1 200 Connection established\r\n\r\n"]


class Waiting:
    """A taker of the pool."""

    def __init__(self) -> None:
        self.outcome: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()

    def leased(self, connection: Connection) -> None:
        self.outcome.set_result(connection)

    def lease_failed(self, fault: Fault) -> None:
        self.outcome.set_exception(fault)


@asynccontextmanager
async def pool_via(
    proxy: RudeUpstream, origin: Origin, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Pool]:
    tasks: list[asyncio.Task[None]] = []
    pool = Pool(
        origin,
        PoolLimits(4, 4, 0.5, 60.0),
        start_task=lambda work, name: tasks.append(asyncio.create_task(work, name=name)),
        clock=lambda: 0.0,
        tls=tls,
        via=ProxyServer(proxy.host, proxy.port, b"proxy-authorization: Basic dTpw\r\n"),
    )
    try:
        yield pool
    finally:
        pool.close()
        await asyncio.gather(*tasks)
        await until(lambda: pool.open_count == 0)


async def lease(pool: Pool) -> Connection:
    waiting = Waiting()
    connection = pool.lease(waiting)
    if connection is not None:
        return connection
    async with asyncio.timeout(5):
        return await waiting.outcome


async def fault_of(pool: Pool) -> Fault:
    with pytest.raises(Fault) as caught:
        await lease(pool)
    return caught.value


async def said(connection: Connection) -> Ear:
    ear = Ear()
    connection.ask(REQUEST, ear)
    await ear.over()
    return ear


@pytest.mark.parametrize("agreed", [AGREED, [Dribble(AGREED[0])]], ids=["at once", "dribbled"])
async def test_a_plain_origin_is_reached_through_a_tunnel(agreed: Script) -> None:
    async with (
        rude_upstream(agreed, [answer(b"through")]) as proxy,
        pool_via(proxy, Origin(False, "far.example", 8080)) as pool,
    ):
        connection = await lease(pool)
        for _ in range(2):
            assert (await said(connection)).body == b"through"
        connect, ask, _ = proxy.requests
        assert connect.line == b"CONNECT far.example:8080 HTTP/1.1"
        assert connect.headers == {"host": "far.example:8080", "proxy-authorization": "Basic dTpw"}
        assert ask.head + ask.body == b"".join(REQUEST)
        assert "proxy-authorization" not in ask.headers
        assert await lease(pool) is connection


async def test_an_ipv6_origin_is_written_in_brackets() -> None:
    async with rude_upstream(AGREED) as proxy, pool_via(proxy, Origin(False, "::2", 80)) as pool:
        await lease(pool)
        assert proxy.requests[0].line == b"CONNECT [::2]:80 HTTP/1.1"


@asynccontextmanager
async def forwarding_proxy(port: int) -> AsyncIterator[tuple[str, int]]:
    """A proxy that really connects, to one port of loopback whatever is asked."""
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(AGREED[0])  # type: ignore[arg-type]
        try:
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        except ConnectionError:
            pass  # tests hang up as they please
        finally:
            far_writer.close()
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("trusted", [True, False])
async def test_tls_goes_through_the_tunnel_and_is_verified(
    certificate: Certificate, trusted: bool
) -> None:
    cafile = str(certificate.path) if trusted else None
    async with (
        rude_upstream([answer(b"safe")], tls=certificate.server_context()) as upstream,
        forwarding_proxy(upstream.port) as (host, port),
    ):
        proxy = RudeUpstream([], [])
        proxy.host, proxy.port = host, port
        context = ssl.create_default_context(cafile=cafile)
        async with pool_via(proxy, Origin(True, "localhost", 443), context) as pool:
            if trusted:
                connection = await lease(pool)
                assert (await said(connection)).body == b"safe"
                assert (await said(connection)).body == b"safe"
            else:
                fault = await fault_of(pool)
                assert fault.kind is Kind.UPSTREAM_BROKEN
                assert "certificate" in fault.detail.lower()
                assert pool.open_count == 0


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ([b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", STALL], "407"),
        ([b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno", CLOSE], "403 Forbidden"),
        ([b"hello\r\n\r\n", STALL], "hello"),
        ([b"x" * (REPLY_BYTES_MAX + 1), STALL], "too long"),
        ([CLOSE], "closed the connection"),
        ([b"HTTP/1.1 2", CLOSE], "closed the connection"),
        ([RESET], ""),
    ],
)
async def test_a_proxy_that_refuses_is_a_fault(reply: Script, why: str) -> None:
    async with rude_upstream(reply) as proxy, pool_via(proxy, PLAIN) as pool:
        fault = await fault_of(pool)
        assert (fault.kind, fault.status) == (Kind.UPSTREAM_BROKEN, 502)
        assert why in fault.detail
        assert "dTpw" not in fault.detail
        assert pool.open_count == 0
        await proxy.until(lambda: proxy.hung_up == proxy.accepted)


async def test_a_proxy_that_says_nothing_runs_into_the_time_limit() -> None:
    async with rude_upstream([STALL]) as proxy, pool_via(proxy, PLAIN) as pool:
        fault = await fault_of(pool)
        assert fault.kind is Kind.UPSTREAM_TIMEOUT
        await proxy.until(lambda: proxy.hung_up == 1)


async def test_a_tunnel_that_closes_at_once_serves_nobody_and_takes_no_room() -> None:
    async with rude_upstream([*AGREED, CLOSE]) as proxy, pool_via(proxy, PLAIN) as pool:
        for _ in range(6):
            try:
                connection = await lease(pool)
            except Fault as fault:
                assert fault.kind is Kind.UPSTREAM_BROKEN
            else:
                assert (await said(connection)).broken is not None
        await until(lambda: pool.open_count == 0)


async def test_a_proxy_that_is_not_there_is_a_fault() -> None:
    async with rude_upstream() as gone:
        pass
    async with pool_via(gone, PLAIN) as pool:
        assert (await fault_of(pool)).kind is Kind.UPSTREAM_BROKEN


async def test_a_tunnel_given_up_is_closed() -> None:
    async with rude_upstream([STALL]) as proxy:
        connection = Connection(lambda _: None, lambda _: None)
        opening = asyncio.create_task(
            open_tunnel(ProxyServer(proxy.host, proxy.port), PLAIN, None, connection)
        )
        await proxy.until(lambda: proxy.requests)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await proxy.until(lambda: proxy.hung_up == 1)
        assert not connection.usable

"""Connections of one origin: made, reused, capped, queued for, given up."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.ports import free_port
from proxy.domain.fault import Fault, Kind, Source
from proxy.upstream.connection import Connection
from proxy.upstream.pool import DRAIN_TIMEOUT_S, WARM_AGAIN_S, Pool, PoolLimits
from proxy.wire.http import Origin
from tests.kit.rude_upstream import (
    CLOSE,
    LAST_CHUNK,
    RESET,
    STALL,
    Certificate,
    Until,
    answer,
    chunk,
    head,
    make_certificate,
    rude_upstream,
)
from tests.upstream.ears import REQUEST, Ear, until


class Taker:
    """Wants a connection and notes what becomes of it."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.fault: Fault | None = None
        self._served = asyncio.Event()

    def leased(self, connection: Connection) -> None:
        assert connection.usable
        self.connection = connection
        self._served.set()

    def lease_failed(self, fault: Fault) -> None:
        self.fault = fault
        self._served.set()

    @property
    def served(self) -> bool:
        return self._served.is_set()

    async def got(self) -> Connection:
        """The connection, when it comes."""
        async with asyncio.timeout(5):
            await self._served.wait()
        assert self.connection is not None, self.fault
        return self.connection

    async def failed(self) -> Fault:
        """The fault, when it comes."""
        async with asyncio.timeout(5):
            await self._served.wait()
        assert self.fault is not None
        return self.fault


class Pond:
    """A pool, its tasks and a clock that is turned by hand."""

    def __init__(self, origin: Origin, limits: PoolLimits, tls: ssl.SSLContext | None) -> None:
        self.now_s = 1000.0
        self.tasks: set[asyncio.Task[None]] = set()
        self.started = 0
        self.pool = Pool(
            origin,
            limits,
            start_task=self._start,
            clock=lambda: self.now_s,
            tls=tls,
        )

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> object:
        self.started += 1
        task = asyncio.create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def want(self) -> Taker:
        """Ask for a connection; a free one is there at once."""
        taker = Taker()
        connection = self.pool.lease(taker)
        if connection is not None:
            taker.leased(connection)
        return taker

    async def open(self, count: int) -> list[Connection]:
        """So many connections, all leased."""
        takers = [self.want() for _ in range(count)]
        return [await taker.got() for taker in takers]

    async def settled(self) -> None:
        """Wait until nothing is being connected."""
        while self.tasks:
            await asyncio.wait(self.tasks, timeout=5)


@asynccontextmanager
async def pond_at(
    host: str,
    port: int,
    *,
    connections_max: int = 10,
    waiting_max: int = 10,
    connect_timeout_s: float = 5.0,
    connection_age_max_s: float = 10_000.0,
    warm: int = 0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Pond]:
    limits = PoolLimits(
        connections_max, waiting_max, connect_timeout_s, 60.0, connection_age_max_s, warm
    )
    pond = Pond(Origin(tls is not None, host, port), limits, tls)
    try:
        yield pond
    finally:
        pond.pool.close()
        for task in list(pond.tasks):
            task.cancel()
        await asyncio.gather(*pond.tasks, return_exceptions=True)
        await until(lambda: pond.pool.open_count == 0)


async def exchange(connection: Connection) -> Ear:
    ear = Ear()
    connection.ask(REQUEST, ear)
    await ear.over()
    return ear


# -------------------------------------------------------------- reuse


async def test_the_first_lease_connects_and_the_next_reuses() -> None:
    async with (
        rude_upstream([answer(b"hi")]) as upstream,
        pond_at(upstream.host, upstream.port) as pond,
    ):
        first = pond.want()
        assert not first.served
        assert pond.pool.waiting_count == 1
        connection = await first.got()
        assert (await exchange(connection)).body == b"hi"
        again = pond.want()
        assert again.connection is connection
        assert (await exchange(connection)).body == b"hi"
        assert upstream.accepted == pond.pool.open_count == 1


async def test_the_newest_connection_is_reused_first() -> None:
    async with rude_upstream() as upstream, pond_at(upstream.host, upstream.port) as pond:
        one, two, three = await pond.open(3)
        for connection in (two, three, one):
            connection.give_back()
        assert [pond.want().connection for _ in range(3)] == [one, three, two]


async def test_a_dead_connection_is_not_leased() -> None:
    async with rude_upstream() as upstream, pond_at(upstream.host, upstream.port) as pond:
        one, two = await pond.open(2)
        one.give_back()
        two.give_back()
        two.abort()
        assert pond.want().connection is one


async def test_a_connection_the_server_closed_makes_room() -> None:
    async with (
        rude_upstream([answer(b"x"), CLOSE]) as upstream,
        pond_at(upstream.host, upstream.port, connections_max=1) as pond,
    ):
        await exchange(*await pond.open(1))
        await until(lambda: pond.pool.open_count == 0)
        [other] = await pond.open(1)
        assert (await exchange(other)).body == b"x"


# -------------------------------------------------------------- caps and the queue


async def test_over_the_cap_one_waits_in_order() -> None:
    async with (
        rude_upstream() as upstream,
        pond_at(upstream.host, upstream.port, connections_max=2) as pond,
    ):
        one, two = await pond.open(2)
        third, fourth = pond.want(), pond.want()
        await pond.settled()
        assert upstream.accepted == 2
        assert pond.pool.waiting_count == 2
        two.give_back()
        assert third.connection is two and not fourth.served
        one.give_back()
        assert fourth.connection is one
        assert pond.pool.waiting_count == 0


async def test_the_queue_has_a_cap() -> None:
    async with (
        rude_upstream() as upstream,
        pond_at(upstream.host, upstream.port, connections_max=1, waiting_max=2) as pond,
    ):
        await pond.open(1)
        pond.want(), pond.want()
        with pytest.raises(Fault) as caught:
            pond.want()
        fault = caught.value
        assert (fault.kind, fault.source) == (Kind.UNAVAILABLE, Source.HOUSE)
        assert (fault.retry_after_s, fault.reason) == (1, "upstream_unavailable")
        assert pond.pool.waiting_count == 2


async def test_a_free_connection_is_leased_whatever_the_queues_cap() -> None:
    async with (
        rude_upstream() as upstream,
        pond_at(upstream.host, upstream.port, connections_max=1, waiting_max=1) as pond,
    ):
        [one] = await pond.open(1)
        one.give_back()
        assert pond.want().connection is one


async def test_a_connection_that_ends_is_replaced_for_who_waits() -> None:
    async with (
        rude_upstream() as upstream,
        pond_at(upstream.host, upstream.port, connections_max=1) as pond,
    ):
        [one] = await pond.open(1)
        waiter = pond.want()
        one.abort()
        assert await waiter.got() is not one
        assert upstream.accepted == 2
        assert pond.pool.open_count == 1


async def test_who_forgets_is_not_served() -> None:
    async with rude_upstream() as upstream, pond_at(upstream.host, upstream.port) as pond:
        leaver, other = pond.want(), pond.want()
        pond.pool.forget(leaver)
        pond.pool.forget(leaver)
        await other.got()
        await pond.settled()
        assert not leaver.served
        assert pond.want().served  # what was being connected for the one who left


async def test_what_frees_while_connecting_serves_first_and_nothing_is_lost() -> None:
    async with rude_upstream() as upstream, pond_at(upstream.host, upstream.port) as pond:
        [one] = await pond.open(1)
        waiter = pond.want()
        one.give_back()
        assert waiter.connection is one
        await pond.settled()
        assert pond.pool.open_count == 2
        assert pond.want().served


# -------------------------------------------------------------- no connection


async def test_a_refused_connection_is_a_fault() -> None:
    port = free_port()
    async with pond_at("127.0.0.1", port) as pond:
        fault = await pond.want().failed()
        assert (fault.kind, fault.status) == (Kind.UPSTREAM_BROKEN, 502)
        assert fault.source is Source.UPSTREAM
        assert fault.reason == "upstream_unavailable"
        assert f"127.0.0.1:{port}" in fault.detail
        assert str(port) not in fault.message
        assert pond.pool.waiting_count == 0


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".invalid"])
async def test_a_name_that_no_host_can_have_is_a_fault(host: str) -> None:
    async with pond_at(host, 443) as pond:
        assert (await pond.want().failed()).kind is Kind.UPSTREAM_BROKEN


async def test_a_connect_that_takes_too_long_is_a_fault() -> None:
    with socket.socket() as full:  # a queue of one that is full: the next handshake hangs
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        stuck = [socket.socket() for _ in range(3)]
        try:
            for each in stuck:
                each.setblocking(False)
                each.connect_ex(("127.0.0.1", port))
            async with pond_at("127.0.0.1", port, connect_timeout_s=0.05) as pond:
                fault = await pond.want().failed()
                assert (fault.kind, fault.status) == (Kind.UPSTREAM_TIMEOUT, 504)
                assert "0.05 s" in fault.detail
                assert pond.pool.open_count == 0
        finally:
            for each in stuck:
                each.close()


async def test_everyone_who_waits_is_told_when_nothing_can_be_reached() -> None:
    async with pond_at("127.0.0.1", free_port(), connections_max=2) as pond:
        takers = [pond.want() for _ in range(7)]
        for taker in takers:
            assert (await taker.failed()).kind is Kind.UPSTREAM_BROKEN
        await pond.settled()
        assert pond.pool.waiting_count == 0


async def test_a_connection_that_is_closed_at_once_serves_nobody_and_takes_no_room() -> None:
    for ending in (CLOSE, RESET):
        async with (
            rude_upstream(on_connect=[ending]) as upstream,
            pond_at(upstream.host, upstream.port, connections_max=1) as pond,
        ):
            for _ in range(3):
                taker = pond.want()
                async with asyncio.timeout(5):
                    await taker._served.wait()
                # It may live just long enough to be handed over.
                if taker.connection is not None:
                    taker.connection.abort()
            await pond.settled()
            await until(lambda pond=pond: pond.pool.open_count == 0)


# -------------------------------------------------------------- TLS


async def test_a_certificate_nobody_vouches_for_is_refused(certificate: Certificate) -> None:
    async with (
        rude_upstream([answer(b"x")], tls=certificate.server_context()) as upstream,
        pond_at("localhost", upstream.port, tls=ssl.create_default_context()) as pond,
    ):
        fault = await pond.want().failed()
        assert (fault.kind, fault.status) == (Kind.UPSTREAM_BROKEN, 502)
        assert "certificate" in fault.detail.lower()
        assert upstream.requests == []
        assert pond.pool.open_count == 0


async def test_a_certificate_of_our_own_authority_is_accepted(certificate: Certificate) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate.path))
    async with (
        rude_upstream([answer(b"safe")], tls=certificate.server_context()) as upstream,
        pond_at("localhost", upstream.port, tls=trusting) as pond,
    ):
        [connection] = await pond.open(1)
        for _ in range(2):
            assert (await exchange(connection)).body == b"safe"
        assert pond.want().connection is connection


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    other = make_certificate(tmp_path, "elsewhere.example")
    trusting = ssl.create_default_context(cafile=str(other.path))
    async with (
        rude_upstream(tls=other.server_context()) as upstream,
        pond_at("localhost", upstream.port, tls=trusting) as pond,
    ):
        fault = await pond.want().failed()
        assert fault.kind is Kind.UPSTREAM_BROKEN
        assert "localhost" in fault.detail and "certificate" in fault.detail.lower()


async def test_a_server_that_speaks_no_tls_is_a_fault(certificate: Certificate) -> None:
    async with (
        rude_upstream(on_connect=[b"HTTP/1.1 400 Bad Request\r\n\r\n", STALL]) as upstream,
        pond_at("localhost", upstream.port, tls=ssl.create_default_context()) as pond,
    ):
        assert (await pond.want().failed()).kind is Kind.UPSTREAM_BROKEN


# -------------------------------------------------------------- time


async def test_a_connection_free_for_too_long_is_closed() -> None:
    async with rude_upstream() as upstream, pond_at(upstream.host, upstream.port) as pond:
        old, young, busy = await pond.open(3)
        old.give_back()
        pond.now_s += 40
        young.give_back()
        pond.pool.tick(pond.now_s)
        assert pond.pool.open_count == 3
        pond.now_s += 30
        pond.pool.tick(pond.now_s)
        await until(lambda: pond.pool.open_count == 2)
        assert not old.usable and busy.usable
        assert pond.want().connection is young


async def test_a_left_connection_has_a_while_to_read_its_rest() -> None:
    go = asyncio.Event()
    begun = head("Transfer-Encoding: chunked") + chunk(b"a")
    async with (
        rude_upstream([begun, STALL], [begun, Until(go), LAST_CHUNK]) as upstream,
        pond_at(upstream.host, upstream.port) as pond,
    ):
        stalled, slow = await pond.open(2)
        for connection in (stalled, slow):
            ear = Ear()
            ear.on_body = connection.leave
            connection.ask(REQUEST, ear)
            await ear.until(lambda ear=ear: ear.pieces)
            assert connection.left
        pond.pool.tick(pond.now_s)
        pond.now_s += DRAIN_TIMEOUT_S - 1
        pond.pool.tick(pond.now_s)
        go.set()
        await until(lambda: not slow.left)
        assert stalled.left and pond.pool.open_count == 2
        pond.now_s += 2
        pond.pool.tick(pond.now_s)
        await until(lambda: pond.pool.open_count == 1)
        assert pond.want().connection is slow


async def test_a_busy_connection_is_never_too_old() -> None:
    async with rude_upstream([STALL]) as upstream, pond_at(upstream.host, upstream.port) as pond:
        [connection] = await pond.open(1)
        connection.ask(REQUEST, Ear())
        pond.now_s += 100_000
        pond.pool.tick(pond.now_s)
        assert connection.busy
        assert pond.pool.open_count == 1


async def test_distrust_drops_what_is_free_and_leaves_what_is_busy() -> None:
    async with rude_upstream() as upstream, pond_at(upstream.host, upstream.port) as pond:
        one, two, busy = await pond.open(3)
        one.give_back()
        two.give_back()
        pond.pool.distrust()
        await until(lambda: pond.pool.open_count == 1)
        assert busy.usable
        [new] = await pond.open(1)
        assert new not in (one, two)


# -------------------------------------------------------------- the stop


async def test_a_closed_pool_closes_all_and_connects_no_more() -> None:
    async with (
        rude_upstream() as upstream,
        pond_at(upstream.host, upstream.port, connections_max=2) as pond,
    ):
        one, two = await pond.open(2)
        one.give_back()
        assert pond.want().connection is one
        waiter = pond.want()
        pond.pool.close()
        await until(lambda: pond.pool.open_count == 0)
        assert pond.started == 2
        assert not one.usable and not two.usable
        assert not waiter.served


async def test_what_is_connected_after_the_close_is_dropped() -> None:
    async with rude_upstream() as upstream, pond_at(upstream.host, upstream.port) as pond:
        taker = pond.want()
        pond.pool.close()
        await pond.settled()
        await until(lambda: pond.pool.open_count == 0)
        assert taker.connection is None
        await upstream.until(lambda: upstream.hung_up == upstream.accepted)


# -------------------------------------------------------------- age and warmth


async def test_an_old_connection_is_not_used_again() -> None:
    async with (
        rude_upstream([answer(b"x")]) as upstream,
        pond_at(upstream.host, upstream.port, connection_age_max_s=100.0) as pond,
    ):
        [old] = await pond.open(1)
        pond.now_s += 90
        await exchange(old)
        assert pond.want().connection is old
        pond.now_s += 20
        await exchange(old)
        taker = pond.want()
        assert taker.connection is None
        assert await taker.got() is not old
        await until(lambda: pond.pool.open_count == 1)


async def test_an_old_connection_that_rests_is_closed() -> None:
    async with (
        rude_upstream() as upstream,
        pond_at(upstream.host, upstream.port, connection_age_max_s=50.0) as pond,
    ):
        [one] = await pond.open(1)
        one.give_back()
        pond.now_s += 49
        pond.pool.tick(pond.now_s)
        assert pond.pool.open_count == 1
        pond.now_s += 2
        pond.pool.tick(pond.now_s)
        await until(lambda: pond.pool.open_count == 0)


async def test_connections_are_kept_ready_ahead_of_requests() -> None:
    async with rude_upstream() as upstream, pond_at(upstream.host, upstream.port, warm=2) as pond:
        pond.pool.tick(pond.now_s)
        pond.pool.tick(pond.now_s)
        await until(lambda: pond.pool.open_count == 2)
        assert pond.started == 2
        assert pond.want().connection is not None
        pond.now_s += 1000
        pond.pool.tick(pond.now_s)
        await until(lambda: pond.pool.open_count == 3)
        assert pond.pool.waiting_count == 0, "the idle one was kept, and another joined it"


async def test_who_cannot_be_reached_is_not_bothered_all_the_time() -> None:
    async with pond_at("127.0.0.1", free_port(), warm=1) as pond:
        for _ in range(5):
            pond.pool.tick(pond.now_s)
            await pond.settled()
        assert pond.started == 1
        pond.now_s += WARM_AGAIN_S
        pond.pool.tick(pond.now_s)
        assert pond.started == 2

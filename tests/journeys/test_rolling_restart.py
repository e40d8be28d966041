"""A new gateway takes over from one that stops, under load: no request fails, no stream is cut."""

import http.client
import json
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.kit.provider import END, START, Play, Provider, delta
from tests.kit.provider import provider as opened_provider
from tests.kit.raw_client import RawClient, request
from tests.kit.running import KEY, GatewayProcess, gateway_process, message, until

PATH = "/v1/anthropic/v1/messages"
HEADERS = {"X-Api-Key": KEY, "Content-Type": "application/json"}
CLIENTS = 12
REQUESTS = 300
"""So many must be answered before, during and after the change."""


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with opened_provider() as opened:
        yield opened


class Load:
    """Clients that ask one request after the other, keep their connections as long as they are
    told to, and try nothing twice."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.answered = 0
        self.failures: list[str] = []
        self._address = address
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask_on) for _ in range(CLIENTS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)

    def wait_for(self, more: int) -> None:
        """Until so many more have been answered."""
        goal = self.answered + more
        until(lambda: self.answered >= goal or self.failures, f"{more} more answers", 60)

    def _ask_on(self) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=20)
        body = message(stream=False)
        while not self._over.is_set() and not self.failures:
            try:
                connection.request("POST", PATH, body, HEADERS)
                reply = connection.getresponse()
                text = reply.read()
                seen = reply.status, json.loads(text).get("type")
            except (OSError, http.client.HTTPException, ValueError) as problem:
                seen = 0, repr(problem)
            with self._lock:
                if seen == (200, "message"):
                    self.answered += 1
                else:
                    self.failures.append(str(seen))
        connection.close()


def begin(gateway: GatewayProcess, play: Play) -> RawClient:
    """A client whose stream has begun."""
    client = gateway.connect()
    client.send(request("POST", PATH, HEADERS, message(text=play.cue)))
    play.wait_arrived()
    play.say(START)
    assert client.reply_head().status == 200
    assert client.chunk().startswith(b"event: message_start")
    return client


def ends_well(client: RawClient, play: Play) -> None:
    with client:
        play.say(delta("to the end") + END)
        play.end()
        text = b""
        while chunk := client.chunk():
            text += chunk
        assert text.endswith(END)


def successor(
    place: Path, provider: Provider, gateway: GatewayProcess, **more: object
) -> AbstractContextManager[GatewayProcess]:
    """Another gateway with the same port, storage and journal."""
    place.mkdir()
    return gateway_process(
        place,
        provider.url,
        server__port=gateway.address[1],
        storage__url=f"sqlite:///{gateway.place}/gateway.db",
        ledger__folder=gateway.place / "journal",
        **more,  # type: ignore[arg-type]  # settings, and what the process is started with
    )


@pytest.mark.parametrize("workers", (1, 2))
def test_a_second_gateway_opens_the_same_port_and_takes_over(
    tmp_path: Path, provider: Provider, workers: int
) -> None:
    shared: dict[str, object] = {"server__reuse_port": "true"} if workers == 1 else {}
    place = tmp_path / "old"
    place.mkdir()
    with gateway_process(place, provider.url, workers=workers, **shared) as old:  # type: ignore[arg-type]
        plays = [provider.play() for _ in range(4)]
        with Load(old.address) as load:
            load.wait_for(REQUESTS)
            streams = [begin(old, play) for play in plays]
            with successor(tmp_path / "new", provider, old, workers=workers, **shared) as new:
                load.wait_for(REQUESTS)
                old.signal(signal.SIGTERM)
                load.wait_for(REQUESTS)
                for client, play in zip(streams, plays, strict=True):
                    ends_well(client, play)
                assert old.exit_status() == 0
                load.wait_for(REQUESTS)
                assert new.ask("GET", "/readyz").status == 200
                load.__exit__()
        assert load.failures == []
        assert load.answered >= 4 * REQUESTS


def test_a_socket_that_systemd_holds_keeps_those_who_come_in_between(
    tmp_path: Path, provider: Provider
) -> None:
    place = tmp_path / "old"
    place.mkdir()
    with socket.create_server(("127.0.0.1", 0), backlog=512) as held:
        play = provider.play()
        with gateway_process(place, provider.url, held=held) as old, Load(old.address) as load:
            assert old.address == held.getsockname()
            load.wait_for(REQUESTS)
            stream = begin(old, play)
            old.signal(signal.SIGTERM)
            ends_well(stream, play)
            assert old.exit_status() == 0
            # Nobody serves now; who comes waits.
            with successor(tmp_path / "new", provider, old, held=held):
                load.wait_for(REQUESTS)
                load.__exit__()
        assert load.failures == []


def test_a_balancer_sees_it_coming_before_the_port_is_closed(
    tmp_path: Path, provider: Provider
) -> None:
    with gateway_process(tmp_path, provider.url, server__drain_notice_s=2.0) as gateway:
        assert gateway.ask("GET", "/readyz").status == 200
        gateway.signal(signal.SIGTERM)
        reply = until(
            lambda: (seen := gateway.ask("GET", "/readyz")).status == 503 and seen, "not ready"
        )
        assert reply.headers["connection"] == "close"
        reply = gateway.ask("POST", PATH, {}, message(stream=False))
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        assert gateway.exit_status() == 0

"""Slow clients, silent clients, clients that leave: what each may take, and who is told."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.config.settings import Server
from proxy.server import door
from tests.kit.provider import END, START, Provider, delta
from tests.kit.raw_client import events_of, request
from tests.kit.running import KEY, RunningHouse, house, message, until

AUTH = {"X-Api-Key": KEY}
PATH = "/v1/anthropic/v1/messages"
SHORT_S = 0.4
KEEPALIVE_S = 0.8
STALL_S = 0.6
HELD_BYTES_MAX = 50_000
PIECE_CHARS = 10_000
KERNEL_BYTES = sum(
    int(Path("/proc/sys/net/ipv4", name).read_text().split()[2]) * 2
    for name in ("tcp_rmem", "tcp_wmem")
)
"""More than two loopback connections may have in the kernel's buffers, however it grows them."""


@pytest.fixture(scope="module")
def brisk(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    """A gateway that does not wait long."""
    with house(
        tmp_path_factory.mktemp("brisk"),
        provider.url,
        server__header_timeout_s=SHORT_S,
        server__body_idle_timeout_s=SHORT_S,
        server__keepalive_timeout_s=KEEPALIVE_S,
        server__write_stall_timeout_s=STALL_S,
        upstream__held_bytes_max=HELD_BYTES_MAX,
    ) as running:
        yield running


def ask(request_id: str, text: str = "Hello") -> bytes:
    return request("POST", PATH, {**AUTH, "X-Request-ID": request_id}, message(text=text))


class TestASlowRequest:
    def test_may_not_take_for_ever_over_its_head(self, brisk: RunningHouse) -> None:
        began_s = time.monotonic()
        with brisk.connect() as client:
            stop = threading.Event()

            def dribble() -> None:
                client.send(b"GET /healthz HTTP/1.1\r\n")
                while not stop.wait(SHORT_S / 5):
                    client.send(b"X: y\r\n")

            dribbling = threading.Thread(target=dribble)
            dribbling.start()
            reply = client.reply()
            stop.set()
            dribbling.join()
            assert (reply.status, reply.json()["error"]["type"]) == (408, "timeout_error")
            assert reply.headers["connection"] == "close"
            assert client.is_ended()
        assert SHORT_S * 0.9 < time.monotonic() - began_s < SHORT_S * 10

    @pytest.mark.parametrize("sent", (b"G", b"GET", b"GET /healthz HTTP/1.1\r\nHo"))
    def test_that_begins_and_stops_is_408(self, brisk: RunningHouse, sent: bytes) -> None:
        with brisk.connect() as client:
            client.send(sent)
            assert client.reply().status == 408
            assert client.is_ended()

    @pytest.mark.parametrize("path", (PATH, "/v1/preferences/gateway-mapping"))
    @pytest.mark.parametrize("chunked", (False, True), ids=("length", "chunks"))
    def test_whose_body_stops_is_408(self, brisk: RunningHouse, path: str, chunked: bool) -> None:
        framing = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", "100")
        with brisk.connect() as client:
            client.send(request("POST", path, [*AUTH.items(), framing]) + b"5\r\n")
            reply = client.reply()
            assert reply.status == 408
            assert reply.headers["request-id"] == reply.json()["request_id"]
            assert client.is_ended()

    def test_whose_body_moves_on_is_waited_for(self, brisk: RunningHouse) -> None:
        head, _, body = ask("slow-but-steady").partition(b"\r\n\r\n")
        step = len(body) // 6
        with brisk.connect() as client:
            client.send(head + b"\r\n\r\n")
            client.send_in_pieces(
                [body[at : at + step] for at in range(0, len(body), step)], SHORT_S / 4
            )
            assert client.reply().status == 200

    def test_may_not_trickle_its_body_for_ever(
        self, brisk: RunningHouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(door, "BODY_TIMEOUT_FACTOR", 3)
        began_s = time.monotonic()
        with brisk.connect() as client:
            client.send(request("POST", PATH, {**AUTH, "Content-Length": "1000000"}))
            while client.is_silent(SHORT_S / 4):
                client.send(b"x")
                assert time.monotonic() - began_s < 20 * SHORT_S
            assert client.reply().status == 408
        assert time.monotonic() - began_s > 2.9 * SHORT_S

    def test_is_not_hurried_by_the_time_of_the_one_before(self, brisk: RunningHouse) -> None:
        with brisk.connect() as client:
            for number in range(4):
                sent = ask(f"paused-{number}")
                client.send_in_pieces((sent[:50], sent[50:]), SHORT_S / 3)
                assert client.reply().status == 200
                time.sleep(SHORT_S / 2)


class TestAnIdleConnection:
    def test_is_kept_longer_than_clients_keep_theirs(self) -> None:
        assert Server().keepalive_timeout_s > 75

    @pytest.mark.parametrize("path", ("", "/healthz", "/v1/anthropic/v1/messages"))
    def test_is_closed_in_silence_after_its_time(self, brisk: RunningHouse, path: str) -> None:
        with brisk.connect() as client:
            if path:
                client.ask("GET", path)
            began_s = time.monotonic()
            assert client.is_ended()
        assert KEEPALIVE_S * 0.8 < time.monotonic() - began_s < KEEPALIVE_S * 5

    def test_lives_on_while_it_is_used(self, brisk: RunningHouse) -> None:
        with brisk.connect() as client:
            for _ in range(4):
                time.sleep(KEEPALIVE_S / 3)
                assert client.ask("GET", "/healthz").status == 200

    @pytest.mark.parametrize("before", ("", "/healthz"), ids=("fresh", "after the office"))
    def test_is_not_one_whose_stream_is_silent(
        self, brisk: RunningHouse, provider: Provider, before: str
    ) -> None:
        play = provider.play()
        with brisk.connect() as client:
            if before:
                client.ask("GET", before)
            client.send(ask("silent", play.cue))
            play.wait_arrived()
            play.say(START)
            client.reply_head()
            client.chunk()
            assert client.is_silent(KEEPALIVE_S * 1.5)
            play.say(delta("at last") + END)
            play.end()
            assert b"at last" in client.chunk()


class TestAStalledReader:
    def test_holds_up_the_provider_and_not_our_memory(
        self, brisk: RunningHouse, provider: Provider
    ) -> None:
        play = provider.play()
        piece = delta("x" * PIECE_CHARS)
        with brisk.connect(receive_bytes=4096) as client:
            client.send(ask("stalled", play.cue))
            play.wait_arrived()
            play.say(START)
            for _ in range(KERNEL_BYTES * 2 // PIECE_CHARS):
                play.say(piece)
            until(lambda: unsent(brisk) > HELD_BYTES_MAX, "the gateway holds what it may")
            assert unsent(brisk) < HELD_BYTES_MAX + 600_000
            assert play.wait_gone(STALL_S * 10), "the provider was not let go"
            assert play.written_bytes < KERNEL_BYTES
            row = brisk.row("stalled")
            assert (row["outcome"], row["status"]) == ("client_gone", 200)
            until(lambda: not brisk.doors(), "the connection is dropped")

    def test_who_reads_on_gets_everything(self, brisk: RunningHouse, provider: Provider) -> None:
        play = provider.play()
        pieces = [delta(f"{number} " + "x" * 10_000) for number in range(1500)]
        with brisk.connect(receive_bytes=4096) as client:
            client.ask("GET", "/healthz")
            client.send(ask("caught-up", play.cue))
            play.wait_arrived()
            play.say(START)
            for piece in pieces:
                play.say(piece)
            play.say(END)
            play.end()
            until(lambda: unsent(brisk) > HELD_BYTES_MAX, "the gateway holds what it may")
            reply = client.reply()
            texts = [
                document["delta"]["text"].split()[0]
                for name, document in reply.events()
                if name == "content_block_delta"
            ]
            assert texts == [str(number) for number in range(1500)]
            assert client.ask("GET", "/healthz").status == 200
        assert brisk.row("caught-up")["outcome"] == "completed"

    def test_who_reads_a_little_now_and_then_is_not_let_go(
        self, brisk: RunningHouse, provider: Provider
    ) -> None:
        play = provider.play()
        with brisk.connect(receive_bytes=4096) as client:
            client.send(ask("sipping", play.cue))
            play.wait_arrived()
            play.say(START)
            for _ in range(3000):
                play.say(delta("x" * 10_000))
            until(lambda: unsent(brisk) > HELD_BYTES_MAX, "the gateway holds what it may")
            for _ in range(5):
                client.exactly(3_000_000)
                time.sleep(STALL_S / 2)
            assert not play.gone.is_set()

    def test_of_an_end_is_let_go_too(self, brisk: RunningHouse, provider: Provider) -> None:
        play = provider.play()
        with brisk.connect(receive_bytes=4096) as client:
            client.send(ask("end-unread", play.cue) + request("GET", "/healthz") * 3)
            play.wait_arrived()
            play.say(START)
            play.say(delta("x" * 8_000_000))
            play.say(END)
            play.end()
            until(lambda: brisk.rows("end-unread"), "the generation ended")
            until(lambda: not brisk.doors(), "the connection is dropped", STALL_S * 20)
            assert client.socket.fileno() >= 0


class TestAClientThatLeaves:
    @pytest.mark.parametrize("rudely", (False, True), ids=("closes", "resets"))
    @pytest.mark.parametrize("begun", (False, True), ids=("before the head", "in the stream"))
    def test_takes_the_providers_work_along(
        self, gateway: RunningHouse, provider: Provider, begun: bool, rudely: bool
    ) -> None:
        play = provider.play()
        request_id = f"left-{begun}-{rudely}"
        with gateway.connect() as client:
            client.send(ask(request_id, play.cue))
            play.wait_arrived()
            if begun:
                play.say(START + delta("some words"))
                client.reply_head()
                client.chunk()
            if rudely:
                client.reset()
        assert play.wait_gone(2.0)
        row = gateway.row(request_id)
        assert row["outcome"] == "client_gone"
        assert row["status"] == (200 if begun else 499)
        assert (row["input_tokens"] == 11) is begun
        until(lambda: not gateway.doors(), "the connection is forgotten")

    def test_during_the_look_up_of_its_key_costs_nothing(
        self, gateway: RunningHouse, provider: Provider
    ) -> None:
        before = len(provider.asked)
        for number in range(10):
            gateway.loop.call_soon_threadsafe(gateway.house._gate.forget)
            # The loop wakes to a request whose sender is gone already; storage takes longer than
            # to see that.
            gateway.loop.call_soon_threadsafe(time.sleep, 0.02)
            with gateway.connect() as client:
                client.send(ask(f"look-up-{number}"))
            until(lambda: gateway.ask("GET", "/healthz").status == 200, "it lives")
        until(lambda: not gateway.doors(), "all are forgotten")
        assert gateway.ask("POST", PATH, {"X-Request-ID": "after"}, message()).status == 200
        gateway.row("after")
        assert len(provider.asked) == before + 1
        assert not [number for number in range(10) if gateway.rows(f"look-up-{number}")]

    def test_leaves_no_trace_of_requests_it_had_sent_ahead(
        self, gateway: RunningHouse, provider: Provider
    ) -> None:
        play = provider.play()
        with gateway.connect() as client:
            client.send(ask("leaver", play.cue) + ask("ahead-of-it"))
            play.wait_arrived()
        assert play.wait_gone(2.0)
        gateway.row("leaver")
        assert gateway.rows("ahead-of-it") == []


class TestTooManyConnections:
    @pytest.fixture
    def crowded(self, provider: Provider, place: object) -> Iterator[RunningHouse]:
        with house(place, provider.url, server__connections_max=3) as running:  # type: ignore[arg-type]
            yield running

    def test_are_529_until_there_is_room(self, crowded: RunningHouse) -> None:
        clients = [crowded.connect() for _ in range(3)]
        for client in clients:
            assert client.ask("GET", "/healthz").status == 200
        with crowded.connect() as fourth:
            reply = fourth.ask("POST", PATH, {"X-Api-Key": KEY}, message())
            assert reply.status == 529
            assert reply.json()["error"]["type"] == "overloaded_error"
            assert int(reply.headers["retry-after"]) >= 1
            assert reply.json()["request_id"] == reply.headers["request-id"]
            assert fourth.ask("GET", "/healthz").status == 200, "health is told all the same"
        until(lambda: len(crowded.doors()) == 3, "it has left")
        spare = [crowded.connect() for _ in range(door.SPARE_CONNECTIONS)]
        with crowded.connect() as one_more:
            reply = one_more.reply()
            assert reply.status == 529 and int(reply.headers["retry-after"]) >= 1
            assert one_more.is_ended()
        for client in spare:
            client.close()
        until(lambda: len(crowded.doors()) == 3, "they have left")
        for client in clients:
            assert client.ask("GET", "/healthz").status == 200
        clients.pop().close()
        until(lambda: len(crowded.doors()) == 2, "one has left")
        assert crowded.ask("POST", PATH, {}, message()).status == 200
        for client in clients:
            client.close()


def unsent(gateway: RunningHouse) -> int:
    """What the gateway itself holds for the client that holds it up most."""
    transports = [each.transport for each in gateway.doors() if each.transport]
    return max([transport.get_write_buffer_size() for transport in transports], default=0)


def test_events_of_refuses_a_cut_stream() -> None:
    with pytest.raises(AssertionError, match="cut inside an event"):
        events_of(START + b"event: content")

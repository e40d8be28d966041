"""One connection, two roads: replies in order whichever road each request takes, memory bounded."""

import threading
from collections.abc import Callable, Iterator

import pytest

from tests.kit.provider import END, START, Provider, delta
from tests.kit.raw_client import RawClient, request
from tests.kit.running import KEY, RunningHouse, house, message, until

AUTH = {"X-Api-Key": KEY}
PIPELINED_BYTES_MAX = 20_000
HELD_BYTES_MAX = 50_000
ONE_READ_BYTES = 262_144
"""What the event loop takes off a socket at once."""


@pytest.fixture(scope="module")
def tight(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    """A gateway that holds little for a connection."""
    with house(
        tmp_path_factory.mktemp("tight"),
        provider.url,
        server__pipelined_bytes_max=PIPELINED_BYTES_MAX,
        server__header_bytes_max=PIPELINED_BYTES_MAX,
        upstream__held_bytes_max=HELD_BYTES_MAX,
    ) as running:
        yield running


def stream(request_id: str, text: str = "Hello") -> bytes:
    headers = {**AUTH, "X-Request-ID": request_id}
    return request("POST", "/v1/anthropic/v1/messages", headers, message(text=text))


def count(request_id: str) -> bytes:
    headers = {**AUTH, "X-Request-ID": request_id}
    return request("POST", "/v1/anthropic/messages/count_tokens", headers, message())


def models(request_id: str) -> bytes:
    return request("GET", "/v1/anthropic/v1/models", {**AUTH, "X-Request-ID": request_id})


def unknown(request_id: str) -> bytes:
    return request("POST", "/nothing", {"X-Request-ID": request_id}, b"x" * 1000)


def refused(request_id: str) -> bytes:
    headers = {"X-Request-ID": request_id, "X-Padding": "x" * 1000}
    return request("POST", "/v1/anthropic/v1/messages", headers, b"{}")


MIX = ((stream, 200), (models, 200), (count, 200), (unknown, 404), (refused, 401), (models, 200))


def test_a_connection_takes_either_road_again_and_again(client: RawClient) -> None:
    for number in range(60):
        ask, status = MIX[number % len(MIX)]
        client.send(ask(f"mix-{number}"))
        reply = client.reply()
        assert (reply.status, reply.headers["request-id"]) == (status, f"mix-{number}")
    assert client.is_silent()


@pytest.mark.parametrize("stays", (False, True))
def test_an_old_client_is_told_whether_the_connection_stays(
    gateway: RunningHouse, stays: bool
) -> None:
    headers = {"Connection": "keep-alive"} if stays else {}
    with gateway.connect() as client:
        client.send(request("GET", "/healthz", headers, version="1.0"))
        reply = client.reply()
        assert reply.status == 200
        assert int(reply.headers["content-length"]) == len(reply.body)
        if stays:
            assert reply.headers["connection"] == "keep-alive"
            client.send(request("GET", "/healthz", headers, version="1.0"))
            assert client.reply().status == 200
        else:
            assert client.is_ended()


def test_requests_sent_ahead_are_answered_in_order(client: RawClient) -> None:
    for number in range(10):
        turned = MIX[number % len(MIX) :] + MIX[: number % len(MIX)]
        client.send(b"".join([ask(f"ahead-{at}") for at, (ask, _) in enumerate(turned)]))
        for at, (_, status) in enumerate(turned):
            reply = client.reply()
            assert (reply.status, reply.headers["request-id"]) == (status, f"ahead-{at}")
    assert client.is_silent()


@pytest.mark.parametrize("size", (1, 100, 1000))
def test_requests_sent_ahead_may_be_cut_anywhere(client: RawClient, size: int) -> None:
    sent = b"".join([ask(f"cut-{at}") for at, (ask, _) in enumerate(MIX)])
    if size == 1:
        sent = models("cut-0") + count("cut-1") + models("cut-2")
    client.send_in_pieces([sent[at : at + size] for at in range(0, len(sent), size)], 0.0005)
    for at in range(3 if size == 1 else len(MIX)):
        assert client.reply().headers["request-id"] == f"cut-{at}"


def test_requests_wait_for_the_stream_before_them(client: RawClient, provider: Provider) -> None:
    play = provider.play()
    client.send(stream("first", play.cue) + models("second") + stream("third") + unknown("fourth"))
    play.wait_arrived()
    play.say(START)
    assert client.reply_head().headers["request-id"] == "first"
    assert client.chunk().startswith(b"event: message_start")
    assert client.is_silent(), "the second was answered inside the first"
    play.say(delta("so far") + END)
    play.end()
    while client.chunk():
        pass
    for request_id in ("second", "third", "fourth"):
        assert client.reply().headers["request-id"] == request_id


def test_a_connection_that_is_to_be_closed_answers_nothing_more(client: RawClient) -> None:
    closing = request("GET", "/healthz", {"Connection": "close"})
    client.send(models("one") + closing + models("never"))
    assert client.reply().headers["request-id"] == "one"
    assert client.reply().status == 200
    assert client.is_ended()


def test_what_is_sent_ahead_of_a_running_stream_is_held_up_to_the_bound(
    tight: RunningHouse, provider: Provider
) -> None:
    play = provider.play()
    asked = [models(f"held-{number}") for number in range(4000)]
    with tight.connect() as client:
        client.send(stream("running", play.cue))
        play.wait_arrived()
        sender = threading.Thread(target=client.send, args=(b"".join(asked),))
        sender.start()
        held = until(
            lambda: max(len(door._held) for door in tight.doors()) > PIPELINED_BYTES_MAX,
            "reading goes up to the bound",
        )
        assert held
        assert client.is_silent(0.1)
        assert max(len(door._held) for door in tight.doors()) <= (
            PIPELINED_BYTES_MAX + ONE_READ_BYTES
        )
        play.say(START + END)
        play.end()
        assert client.reply().events()[-1][0] == "message_stop"
        for number in range(len(asked)):
            assert client.reply().headers["request-id"] == f"held-{number}"
        sender.join()


def test_a_flood_is_read_no_faster_than_it_is_answered(tight: RunningHouse) -> None:
    asked = [refused(f"flood-{number}") for number in range(4000)]
    most = 0
    with tight.connect() as client:
        sender = threading.Thread(target=client.send, args=(b"".join(asked),))
        sender.start()
        for number in range(len(asked)):
            reply = client.reply()
            assert (reply.status, reply.headers["request-id"]) == (401, f"flood-{number}")
            most = max([most, *[len(door._held) for door in tight.doors()]])
        sender.join()
    assert most <= PIPELINED_BYTES_MAX + ONE_READ_BYTES


@pytest.mark.parametrize("ask", (refused, models), ids=("lane", "office"))
def test_a_flood_whose_replies_are_not_read_is_not_answered_on_and_on(
    tight: RunningHouse, ask: Callable[[str], bytes]
) -> None:
    asked = [ask(f"deaf-{number}") for number in range(8_000)]
    sent = b"".join(asked)
    with tight.connect(receive_bytes=4096) as client:
        sender = threading.Thread(target=client.send, args=(sent,))
        sender.start()

        def unsent() -> int:
            transports = [door.transport for door in tight.doors() if door.transport]
            return max([transport.get_write_buffer_size() for transport in transports], default=0)

        until(lambda: unsent() > HELD_BYTES_MAX, "replies pile up to the bound")
        assert unsent() < HELD_BYTES_MAX + ONE_READ_BYTES
        assert max(len(door._held) for door in tight.doors()) <= (
            PIPELINED_BYTES_MAX + ONE_READ_BYTES
        )
        for number in range(len(asked)):
            assert client.reply().headers["request-id"] == f"deaf-{number}"
        sender.join()

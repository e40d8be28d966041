"""A gateway told to stop: what runs may finish, what is new is refused, nothing is just cut."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.provider import END, START, Play, Provider, delta
from tests.kit.provider import provider as opened_provider
from tests.kit.raw_client import RawClient, request
from tests.kit.running import KEY, GatewayProcess, gateway_process, message, until

AUTH = {"X-Api-Key": KEY}
PATH = "/v1/anthropic/v1/messages"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with opened_provider() as opened:
        yield opened


def begin(gateway: GatewayProcess, play: Play, request_id: str) -> RawClient:
    """A client whose stream has begun."""
    client = gateway.connect()
    headers = {**AUTH, "X-Request-ID": request_id}
    client.send(request("POST", PATH, headers, message(text=play.cue)))
    play.wait_arrived()
    play.say(START)
    assert client.reply_head().status == 200
    assert client.chunk().startswith(b"event: message_start")
    return client


def is_refused(gateway: GatewayProcess) -> bool:
    try:
        gateway.connect(1.0).close()
    except ConnectionRefusedError:
        return True
    return False


def test_running_streams_finish_and_nothing_new_begins(tmp_path: Path, provider: Provider) -> None:
    play = provider.play()
    with gateway_process(tmp_path, provider.url) as gateway:
        streaming = begin(gateway, play, "finishes")
        ahead = request("GET", "/healthz")
        with (
            streaming,
            gateway.connect() as idle,
            gateway.connect() as half,
            gateway.connect() as late,
        ):
            assert idle.ask("GET", "/healthz").status == 200
            half.send(b"GET /readyz HTTP/1.1\r\nHost: x\r\n")
            body = message(stream=False)
            sent = request("POST", PATH, AUTH, body)
            late.send(sent[:-10])
            gateway.signal(signal.SIGTERM)

            until(lambda: is_refused(gateway), "new connections are refused")
            assert idle.is_ended()
            half.send(b"\r\n")
            reply = half.reply()
            assert reply.status == 503
            assert "reasons" in reply.json()
            assert half.is_ended()
            late.send(sent[-10:])
            reply = late.reply()
            assert (reply.status, reply.headers["connection"]) == (200, "close")
            assert late.is_ended()

            streaming.send(ahead)
            play.say(delta("so it ends well") + END)
            play.end()
            text = b""
            while chunk := streaming.chunk():
                text += chunk
            assert text.endswith(END)
            reply = streaming.reply()
            assert (reply.status, reply.headers["connection"]) == (200, "close")
            assert streaming.is_ended()
        assert gateway.exit_status() == 0
        assert gateway.row("finishes")["outcome"] == "completed"


def test_a_stream_that_goes_on_too_long_ends_in_one_error_and_one_row(
    tmp_path: Path, provider: Provider
) -> None:
    plays = [provider.play(), provider.play(), provider.play()]
    with gateway_process(tmp_path, provider.url, server__drain_timeout_s=0.4) as gateway:
        streaming = begin(gateway, plays[0], "too-long")
        plays[0].say(delta("half a sentence"))
        streaming.chunk()
        with streaming, gateway.connect() as waiting, gateway.connect() as whole:
            for client, play, stream in ((waiting, plays[1], True), (whole, plays[2], False)):
                headers = {**AUTH, "X-Request-ID": f"waits-{stream}"}
                body = message(stream=stream, text=play.cue)
                client.send(request("POST", PATH, headers, body))
                play.wait_arrived()
            began_s = time.monotonic()
            gateway.signal(signal.SIGTERM)
            rest = b""
            while chunk := streaming.chunk():
                rest += chunk
            assert rest.count(b"event: error\n") == 1
            assert rest.startswith(b"event: error\n") and b'"request_id":"too-long"' in rest
            assert streaming.is_ended()
            for client in (waiting, whole):
                reply = client.reply()
                assert reply.status == 503
                assert int(reply.headers["retry-after"]) >= 1
                assert client.is_ended()
            assert gateway.exit_status() == 0
            assert time.monotonic() - began_s < 5
        for play in plays:
            assert play.wait_gone(2.0)
        row = gateway.row("too-long")
        assert row["outcome"] in ("partial", "house_error")
        assert (row["status"], row["error_type"], row["input_tokens"]) == (200, "api_error", 11)
        for request_id in ("waits-True", "waits-False"):
            assert gateway.row(request_id)["outcome"] == "house_error"


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT))
def test_an_idle_gateway_stops_at_once(
    tmp_path: Path, provider: Provider, number: signal.Signals
) -> None:
    with gateway_process(tmp_path, provider.url) as gateway:
        with gateway.connect() as idle:
            assert idle.ask("GET", "/readyz").status == 200
            began_s = time.monotonic()
            gateway.signal(number)
            assert gateway.exit_status() == 0
            assert idle.is_ended()
        assert time.monotonic() - began_s < 3
        assert "Traceback" not in gateway.log.read_text()

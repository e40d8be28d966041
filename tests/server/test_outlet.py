"""What a short-lane reply looks like on the wire."""

import re
from email.utils import parsedate_to_datetime

import pytest

from tests.kit.provider import END, MESSAGE, START, Provider, delta
from tests.kit.raw_client import RawClient, request
from tests.kit.running import KEY, MODEL, RunningHouse, message

AUTH = {"X-Api-Key": KEY}
PATH = "/v1/anthropic/v1/messages"


class TestAStream:
    def test_says_what_it_is_and_asks_not_to_be_held_up(self, client: RawClient) -> None:
        reply = client.ask("POST", PATH, {**AUTH, "Accept-Encoding": "gzip, br"}, message())
        headers = reply.headers
        assert headers["content-type"] == "text/event-stream; charset=utf-8"
        assert headers["cache-control"] == "no-cache"
        assert headers["x-accel-buffering"] == "no"
        assert headers["transfer-encoding"] == "chunked"
        assert parsedate_to_datetime(headers["date"]).tzinfo is not None
        assert not {"content-length", "content-encoding", "connection", "server"} & set(headers)
        assert [name for name, _ in reply.events()] == [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]

    def test_comes_event_by_event_as_the_provider_speaks(
        self, client: RawClient, provider: Provider
    ) -> None:
        play = provider.play()
        client.send(request("POST", PATH, AUTH, message(text=play.cue)))
        play.wait_arrived()
        assert client.is_silent(), "a head was sent before the provider had begun"
        play.say(START)
        assert client.reply_head().status == 200
        assert client.chunk().startswith(b"event: message_start\n")
        for number in range(5):
            play.say(delta(f"word{number}"))
            assert client.chunk() == delta(f"word{number}")
        half = delta("cut in two")
        play.say(half[:30])
        assert client.is_silent()
        play.say(half[30:])
        assert client.chunk() == half
        play.say(END)
        play.end()
        assert client.chunk() == END
        assert client.chunk() == b""
        assert client.ask("GET", "/healthz").status == 200

    @pytest.mark.parametrize("asked", ("close", "keep-alive"))
    def test_to_an_old_client_ends_with_the_connection(
        self, gateway: RunningHouse, asked: str
    ) -> None:
        with gateway.connect() as client:
            headers = {**AUTH, "Connection": asked}
            client.send(request("POST", PATH, headers, message(), version="1.0"))
            reply = client.reply()
            assert "transfer-encoding" not in reply.headers
            assert "content-length" not in reply.headers
            assert reply.headers["connection"] == "close"
            assert reply.events()[-1][0] == "message_stop"

    def test_that_breaks_off_ends_in_one_error_and_the_connection_with_it(
        self, gateway: RunningHouse, provider: Provider
    ) -> None:
        play = provider.play()
        with gateway.connect() as client:
            headers = {**AUTH, "X-Request-ID": "broken-off"}
            client.send(request("POST", PATH, headers, message(text=play.cue)))
            play.wait_arrived()
            play.say(START + delta("half a sen"))
            play.end()
            reply = client.reply()
            names = [name for name, _ in reply.events()]
            assert names.count("error") == 1 and names[-1] == "error"
            error = reply.events()[-1][1]
            assert error["request_id"] == "broken-off"
            assert client.is_ended()
        assert gateway.row("broken-off")["outcome"] == "partial"

    def test_that_breaks_off_does_not_cost_the_next_request_its_answer(
        self, gateway: RunningHouse, provider: Provider
    ) -> None:
        play = provider.play()
        with gateway.connect() as client:
            client.send(request("POST", PATH, AUTH, message(text=play.cue)))
            play.wait_arrived()
            play.say(START + delta("half a sen"))
            play.end()
            assert client.reply().events()[-1][0] == "error"
            for _ in range(2):
                assert client.ask("POST", PATH, AUTH, message()).events()[-1][0] == "message_stop"


class TestAWholeReply:
    def test_says_its_length_and_what_was_asked_for(self, client: RawClient) -> None:
        headers = {**AUTH, "Accept-Encoding": "gzip"}
        reply = client.ask("POST", PATH, headers, message(stream=False, model="haiku"))
        assert reply.status == 200
        assert int(reply.headers["content-length"]) == len(reply.body)
        assert reply.headers["content-type"] == "application/json"
        assert reply.headers["x-hatz-requested-model"] == "haiku"
        assert re.fullmatch("[a-z_]+", reply.headers["x-hatz-resolved-via"])
        assert "content-encoding" not in reply.headers
        assert reply.json() == {**MESSAGE, "model": reply.json()["model"]}

    def test_of_count_tokens_says_how_exact_it_is(self, client: RawClient) -> None:
        reply = client.ask("POST", f"{PATH}/count_tokens", AUTH, message())
        assert reply.headers["x-hatz-count"] == "exact"

    @pytest.mark.parametrize("stream", (True, False))
    def test_of_a_message_says_nothing_of_counts(self, client: RawClient, stream: bool) -> None:
        reply = client.ask("POST", PATH, AUTH, message(stream=stream))
        assert "x-hatz-count" not in reply.headers

    @pytest.mark.parametrize(
        ("headers", "stays"), [({}, False), ({"Connection": "keep-alive"}, True)]
    )
    def test_to_an_old_client_says_whether_the_connection_stays(
        self, gateway: RunningHouse, headers: dict[str, str], stays: bool
    ) -> None:
        sent = request("POST", PATH, {**AUTH, **headers}, message(stream=False), version="1.0")
        with gateway.connect() as client:
            client.send(sent)
            reply = client.reply()
            assert int(reply.headers["content-length"]) == len(reply.body)
            if stays:
                assert reply.headers["connection"] == "keep-alive"
                client.send(sent)
                assert client.reply().status == 200
            else:
                assert reply.headers["connection"] == "close"
                assert client.is_ended()


class TestARefusal:
    def test_says_why_in_a_word_for_machines(self, client: RawClient) -> None:
        reply = client.ask("POST", PATH, AUTH, message(model="no-such-model"))
        assert reply.status == 404
        assert reply.headers["x-hatz-reason"] == "model_not_found"
        assert "model: no-such-model" in reply.json()["error"]["message"]

    def test_of_a_stream_is_no_stream(self, client: RawClient) -> None:
        reply = client.ask("POST", PATH, AUTH, message(stream=True, model="no-such-model"))
        assert reply.headers["content-type"] == "application/json"
        assert int(reply.headers["content-length"]) == len(reply.body)

    def test_of_a_thread_carries_the_code_clients_look_for(self, client: RawClient) -> None:
        body = message(thread={"id": "thread_1"})
        reply = client.ask("POST", PATH, AUTH, body)
        assert reply.status == 400
        assert reply.json()["error"]["details"]["error_code"] == "thread_unsupported_request"

    @pytest.mark.parametrize(
        "model", ("line\r\nX-Evil: 1", "caf\u00e9", "x" * 5000, "\u0000", "\U0001f600", "a\u2028b")
    )
    def test_of_a_model_never_puts_its_name_where_it_could_do_harm(
        self, client: RawClient, model: str
    ) -> None:
        reply = client.ask("POST", PATH, AUTH, message(model=model))
        assert reply.status == 404
        assert "x-evil" not in reply.headers
        assert sum(len(value) for value in reply.headers.values()) < 2000
        assert client.ask("POST", PATH, AUTH, message(stream=False)).status == 200


def test_a_model_by_another_name_is_told_by_its_id(client: RawClient) -> None:
    reply = client.ask("POST", PATH, AUTH, message(model="claude-haiku-4-5-20251001"))
    assert reply.status == 200
    assert reply.headers["x-hatz-requested-model"] == "claude-haiku-4-5-20251001"
    assert MODEL.removeprefix("anthropic.") in reply.body.decode()

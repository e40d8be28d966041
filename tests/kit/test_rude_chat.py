"""The rude provider does what it is told: a journey that believes it must be able to."""

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.kit.rude_chat import (
    CLOSE,
    COMMENT,
    DONE,
    RESET,
    ROLE,
    STALL,
    ChatPlay,
    ChatProvider,
    Dribble,
    Pause,
    Step,
    answer_head,
    call,
    chat_provider,
    crlf,
    error,
    finish,
    more,
    reasoning,
    text,
    usage,
    whole,
)

PATH = "/v1/chat/completions"


@pytest.fixture(scope="module")
def upstream() -> Iterator[ChatProvider]:
    with chat_provider() as stage:
        yield stage


Ask = Callable[..., http.client.HTTPResponse]


@pytest.fixture
def ask(upstream: ChatProvider) -> Iterator[Ask]:
    """Ask with a cue, for the head of the answer; every connection is closed in the end."""
    opened: list[http.client.HTTPConnection] = []

    def asking(cue: str = "", path: str = PATH, timeout_s: float = 5.0) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=timeout_s)
        opened.append(connection)
        message = {"role": "user", "content": cue}
        body = json.dumps({"model": "m", "stream": True, "messages": [message]})
        connection.request("POST", path, body)
        return connection.getresponse()

    yield asking
    for connection in opened:
        connection.close()


def played(upstream: ChatProvider, *steps: Step) -> ChatPlay:
    play = upstream.play()
    play.perform_all(*steps)
    return play


def test_an_uncued_request_is_answered_whole(upstream: ChatProvider, ask: Ask) -> None:
    said = ask().read()
    assert said == ROLE + text("Hello") + text(" there.") + finish() + usage() + DONE
    assert upstream.bodies()[-1]["stream"] is True


def test_tokens_are_counted_on_both_paths(upstream: ChatProvider, ask: Ask) -> None:
    moonshot = json.loads(ask(path="/v1/tokenizers/estimate-token-count").read())
    assert moonshot["data"]["total_tokens"] == 7
    assert json.loads(ask(path="/tokenize").read())["count"] == 7


@pytest.mark.parametrize(
    "steps",
    [
        [ROLE, text("a"), finish(), usage(), DONE],
        [ROLE, text("a"), finish()],
        [COMMENT, ROLE, reasoning("t"), call(0, "c", "f"), more(0, "{}"), finish("tool_calls")],
        [error()],
        [crlf(ROLE + text("a"))],
        [],
    ],
)
def test_events_arrive_as_they_were_made(
    upstream: ChatProvider, ask: Ask, steps: list[bytes]
) -> None:
    play = played(upstream, *steps)
    response = ask(play.cue)
    assert response.status == 200
    assert response.getheader("content-type") == "text/event-stream; charset=utf-8"
    assert response.read() == b"".join(steps)
    assert not play.gone.is_set()


def test_one_byte_at_a_time(upstream: ChatProvider, ask: Ask) -> None:
    play = played(upstream, Dribble(text("é")), Pause(0.001), DONE)
    assert ask(play.cue).read() == text("é") + DONE


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"<html>bad gateway</html>", 200, "text/html"),
        (b'{"choices":[]}', 200, "application/json"),
        (b'{"error":{"message":"no"}}', 429, "application/json"),
        (b"", 502, "text/plain"),
    ],
)
def test_answers_in_one_piece(
    upstream: ChatProvider, ask: Ask, body: bytes, status: int, kind: str
) -> None:
    play = played(upstream, *whole(body, status, kind, "retry-after: 3"))
    response = ask(play.cue)
    assert (response.status, response.getheader("content-type")) == (status, kind)
    assert response.getheader("retry-after") == "3"
    assert response.read() == body


@pytest.mark.parametrize(
    ("ending", "problem"),
    [(CLOSE, http.client.IncompleteRead), (RESET, ConnectionError), (STALL, TimeoutError)],
)
def test_rude_endings(
    upstream: ChatProvider, ask: Ask, ending: Any, problem: type[Exception]
) -> None:
    play = played(upstream, ROLE, text("a"), Pause(0.05), ending)
    response = ask(play.cue, timeout_s=0.5)
    with pytest.raises(problem):
        response.read()
    response.close()


def test_a_body_shorter_than_it_says(upstream: ChatProvider, ask: Ask) -> None:
    play = played(upstream, answer_head(200, "application/json", length=10), b"{}", CLOSE)
    with pytest.raises(http.client.IncompleteRead):
        ask(play.cue).read()


def test_a_client_that_leaves_is_noticed(upstream: ChatProvider) -> None:
    play = upstream.play()
    play.say(ROLE)
    with socket.create_connection(("127.0.0.1", upstream.port)) as client:
        body = play.cue.encode()
        head = b"POST %b HTTP/1.1\r\nhost: kit\r\ncontent-length: %d\r\n\r\n"
        client.sendall(head % (PATH.encode(), len(body)) + body)
        play.wait_arrived()
        assert client.recv(1)
        assert not play.gone.is_set()
    assert play.wait_gone()

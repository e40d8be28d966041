"""What the process writes: one line of JSON a request, and nothing that nobody may read."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.provider import START, Provider, delta, provider
from tests.kit.raw_client import request
from tests.kit.running import KEY, MODEL, OTHER_KEY, gateway_process, message

MESSAGES = "/v1/anthropic/v1/messages"
PROMPT, ANSWER = "a-prompt-nobody-may-read", "Hello from the provider."
PROVIDER_KEY = "sk-a-key-of-the-provider-0123456789"
LINE = {"at", "request_id", "method", "path", "status", "ms"}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Provider]:
    with provider() as there:
        yield there


@pytest.fixture(scope="module")
def lines(upstream: Provider, tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """Of a process that was asked well, badly, and by strangers, until its end."""
    place: Path = tmp_path_factory.mktemp("log")
    keyed = f'api_key = "file:{place / "provider.key"}"'
    (place / "provider.key").write_text(PROVIDER_KEY, "utf-8")
    more = (
        f'[[providers]]\nname = "keyed"\nwire = "anthropic"\nbase_url = "{upstream.url}"\n{keyed}\n'
    )
    with gateway_process(place, upstream.url, more) as gateway:
        bearer = {"X-Api-Key": OTHER_KEY, "Authorization": f"Bearer {OTHER_KEY}"}
        gateway.ask("POST", MESSAGES, {}, message(stream=False, text=PROMPT))
        gateway.ask("POST", MESSAGES, bearer, message(text=PROMPT))
        gateway.ask("POST", MESSAGES, {}, message(text=PROMPT)[:-1])
        gateway.ask("POST", MESSAGES + f"?key={OTHER_KEY}", {}, message(model=f"no-{MODEL}"))
        gateway.ask(
            "GET", f"/v1/chat/models?api_key={OTHER_KEY}", {"Cookie": "session=secret-cookie"}
        )
        gateway.ask("GET", "/nothing", {"User-Agent": "curl\t8"})
        gateway.ask("GET", "/healthz")
        play = upstream.play()
        with gateway.connect() as client:
            body = message(text=f"{play.cue} {PROMPT}")
            client.send(request("POST", MESSAGES, {"X-Api-Key": KEY}, body))
            play.wait_arrived()
            play.say(START + delta(ANSWER) + b'event: error\ndata: {"broken\n\n')
            play.end()
            client.reply()
        gateway.running.terminate()
        assert gateway.exit_status() == 0
        text = gateway.log.read_text("utf-8")
    for secret in (PROMPT, ANSWER, KEY, OTHER_KEY, PROVIDER_KEY, "secret-cookie"):
        assert secret not in text, f"{secret} stands in the log"
    return [json.loads(line) for line in text.splitlines()]


def test_every_line_is_json_and_each_request_has_exactly_one(lines: list[dict]) -> None:
    requests = [line for line in lines if "path" in line]
    assert all(line.keys() >= LINE for line in requests)
    assert [(line["path"], line["status"]) for line in requests] == [
        (MESSAGES, 200),
        (MESSAGES, 401),
        (MESSAGES, 400),
        (MESSAGES, 404),
        ("/v1/chat/models", 200),
        ("/nothing", 404),
        (MESSAGES, 200),
    ]
    assert len({line["request_id"] for line in requests}) == len(requests)
    assert [line["outcome"] for line in requests if line["path"] == MESSAGES] == [
        "completed", "refused", "refused", "refused", "partial",
    ]  # fmt: skip


def test_other_lines_are_events_that_say_where_and_how_bad(lines: list[dict]) -> None:
    events = [line for line in lines if "path" not in line]
    assert events
    for event in events:
        assert event.keys() - {"trace"} == {"at", "level", "where", "message"}


def test_a_line_says_what_became_of_the_request(lines: list[dict]) -> None:
    whole, streamed = (line for line in lines if line.get("model"))
    assert (whole["asked"], whole["model"], whole["via"]) == (MODEL, MODEL, "exact")
    assert "streamed" not in whole and streamed["streamed"] is True
    assert whole["user_id"] and "trace_id" not in whole

"""SIGHUP: a changed file is swapped in whole, a bad one is refused with its reason."""

import signal
from pathlib import Path

from tests.kit.provider import END, START, provider
from tests.kit.raw_client import request
from tests.kit.running import (
    KEY,
    MODEL,
    SECOND_MODEL,
    GatewayProcess,
    gateway_process,
    message,
    until,
)

AUTH = {"X-Api-Key": KEY}
PATH = "/v1/anthropic/v1/messages"
SECOND = "anthropic.claude-opus-5-5"


def listed(gateway: GatewayProcess) -> set[str]:
    document = gateway.ask("GET", "/v1/anthropic/v1/models").json()
    return {model["id"] for model in document["data"]}


def test_a_changed_file_counts_and_a_bad_one_does_not(tmp_path: Path) -> None:
    with provider() as upstream, gateway_process(tmp_path, upstream.url) as gateway:
        file = tmp_path / "gateway.toml"
        first = file.read_text()
        play = upstream.play()
        with gateway.connect() as client:
            client.send(request("POST", PATH, AUTH, message(text=play.cue)))
            play.wait_arrived()
            play.say(START)
            client.reply_head()

            assert listed(gateway) == {MODEL}
            asked = message(stream=False, model=SECOND)
            assert gateway.ask("POST", PATH, {}, asked).status == 404
            file.write_text(first + SECOND_MODEL)
            gateway.signal(signal.SIGHUP)
            gateway.said("configuration reloaded: 2 models")
            assert listed(gateway) == {MODEL, SECOND}
            assert gateway.ask("POST", PATH, {}, asked).status == 200

            file.write_text(first + SECOND_MODEL.replace("rates", "ratse") + "\n[server")
            gateway.signal(signal.SIGHUP)
            gateway.said("the configuration was not reloaded")
            assert listed(gateway) == {MODEL, SECOND}
            assert gateway.ask("POST", PATH, {}, asked).status == 200
            file.write_text(first + SECOND_MODEL.replace("rates", "ratse"))
            gateway.signal(signal.SIGHUP)
            gateway.said("did you mean")
            assert listed(gateway) == {MODEL, SECOND}

            file.write_text(first)
            gateway.signal(signal.SIGHUP)
            gateway.said("configuration reloaded: 1 models")
            until(lambda: listed(gateway) == {MODEL}, "the second model is gone")

            play.say(END)
            play.end()
            rest = b""
            while chunk := client.chunk():
                rest += chunk
            assert rest.endswith(END)
            assert client.ask("GET", "/readyz").status == 200

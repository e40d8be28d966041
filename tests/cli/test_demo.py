"""`demo`: what a newcomer sees first, from an empty folder."""

import re
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from bench.ports import free_port
from proxy.cli import demo
from tests.cli.starting import environment, finished, started

REAL_KEY = "sk-hunter2-hunter2-hunter2"


def test_once_streams_a_message_and_ends_with_0(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "proxy", "demo", "--once", "--port", "0"],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert running.stdout is not None
    shown = b""
    arrived_s = []
    with running, running.stdout as out:
        while piece := out.read1(65536):
            shown += piece
            if b" > " in shown:
                arrived_s.append(time.monotonic())
    assert running.returncode == 0
    text = shown.decode()
    assert "The gateway is up at http://127.0.0.1:" in text
    message = text.partition(" > ")[2].strip()
    assert len(message.split()) > 5
    # Visibly: it comes in many pieces over a while, and not at once at the end.
    assert len(arrived_s) > 5
    assert arrived_s[-1] - arrived_s[0] > 0.1


def test_it_prints_what_is_needed_to_go_on_and_serves_until_ctrl_c(tmp_path: Path) -> None:
    port = free_port()
    with started("proxy", "demo", "--port", str(port), cwd=tmp_path) as running:
        shown = running.says("Ctrl-C stops it.")
        base = f"http://127.0.0.1:{port}/v1/anthropic"
        key = (tmp_path / "var" / "demo.key").read_text().strip()
        assert f"Base URL   {base}\n" in shown
        assert f"API key    {key}\n" in shown
        password = (tmp_path / "var" / "demo.password").read_text().strip()
        assert f"Console    http://127.0.0.1:{port}/\n" in shown
        assert f"sign in as admin@example.com, password {password}\n" in shown
        assert f'curl -N {base}/v1/messages \\\n    -H "x-api-key: {key}"' in shown
        assert f'Anthropic(base_url="{base}", api_key="{key}")' in shown
        assert f"ANTHROPIC_BASE_URL={base} ANTHROPIC_AUTH_TOKEN={key} claude" in shown
        body = curl_of(shown)
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(
                b"POST /v1/anthropic/v1/messages HTTP/1.1\r\nhost: localhost\r\n"
                b"connection: close\r\nx-api-key: %b\r\ncontent-type: application/json\r\n"
                b"content-length: %d\r\n\r\n%b" % (key.encode(), len(body), body)
            )
            reply = b"".join(iter(lambda: client.recv(65536), b""))
        assert reply.startswith(b"HTTP/1.1 200 ")
        assert b"event: message_stop" in reply
        assert running.told(signal.SIGINT) == 0
        assert "Traceback" not in running.printed
        assert "stopping" in running.printed


def curl_of(shown: str) -> bytes:
    """The body of the curl example, which must be JSON as it stands."""
    found = re.search(r"-d '(\{.*?\})'", shown, re.DOTALL)
    assert found is not None
    asked = msgspec.json.decode(found[1])
    assert asked["stream"] is True
    return found[1].encode()


def test_a_second_start_uses_the_same_key_and_password(tmp_path: Path) -> None:
    files = [tmp_path / "var" / name for name in ("demo.key", "demo.password")]
    found = []
    for _ in range(2):
        ended = finished("proxy", "demo", "--once", "--port", "0", cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        found.append([file.read_text().strip() for file in files])
    assert found[0] == found[1]
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]


def test_a_key_that_fits_no_storage_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "var" / "demo.key"
    file.parent.mkdir()
    file.write_text("hz_of_another_storage_0123456789abcdefghijkl\n")
    ended = finished("proxy", "demo", "--once", "--port", "0", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "another_storage" not in file.read_text()


def test_a_port_that_is_taken_ends_with_1_and_the_remedy(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = finished("proxy", "demo", "--once", "--port", str(port), cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"cannot listen on 127.0.0.1:{port}: ")
    assert "make run PORT=" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_used_ends_with_1_and_names_it(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "journal").write_text("in the way")
    ended = finished("proxy", "demo", "--once", "--port", "0", cwd=tmp_path)
    assert ended.returncode == 1
    assert "var/journal" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_ctrl_c_while_it_starts_leaves_no_trace(tmp_path: Path) -> None:
    with started("proxy", "demo", "--port", "0", cwd=tmp_path) as running:
        running.says(" > ")
        assert running.told(signal.SIGINT) in (130, 0)  # 0: the message was already whole
        assert "Traceback" not in running.printed


def test_without_keys_every_model_is_played_by_the_demo() -> None:
    settings = demo._settings("http://127.0.0.1:9", "127.0.0.1", 8080, {})
    played = ["demo", "demo-moonshot", "demo-openai"]
    assert [provider.name for provider in settings.providers] == played
    places = {place.provider for model in settings.models for place in model.deployments}
    assert places == set(played)


def test_each_is_played_on_its_own_wire() -> None:
    settings = demo._settings("http://127.0.0.1:9", "127.0.0.1", 8080, {})
    ways = [(each.wire, each.dialect, each.base_url) for each in settings.providers]
    assert ways == [
        ("anthropic", "", "http://127.0.0.1:9"),
        ("openai_chat", "moonshot", "http://127.0.0.1:9/v1"),
        ("openai_chat", "openai", "http://127.0.0.1:9/v1"),
    ]


def test_a_key_in_the_environment_sends_its_models_to_the_real_provider() -> None:
    environ = {"ANTHROPIC_API_KEY": REAL_KEY}
    settings = demo._settings("http://127.0.0.1:9", "127.0.0.1", 8080, environ)
    names = [provider.name for provider in settings.providers]
    assert names == ["anthropic", "demo-moonshot", "demo-openai"]
    assert settings.providers[0].base_url == "https://api.anthropic.com"
    assert settings.providers[0].api_key == "env:ANTHROPIC_API_KEY"
    places = {model.id: model.deployments[0].provider for model in settings.models}
    claude = {id: place for id, place in places.items() if id.startswith("anthropic.")}
    assert len(claude) > 3
    assert set(claude.values()) == {"anthropic"}
    assert places["moonshot.kimi-k2-thinking"] == "demo-moonshot"


def test_an_account_of_google_in_the_environment_sends_claude_there() -> None:
    environ = {
        "GOOGLE_APPLICATION_CREDENTIALS": "/a.json",
        "ANTHROPIC_VERTEX_PROJECT_ID": "my-project",
    }
    settings = demo._settings("http://127.0.0.1:9", "127.0.0.1", 8080, environ)
    google = settings.providers[0]
    assert (google.name, google.wire, google.project, google.region) == (
        "vertex",
        "vertex",
        "my-project",
        "global",
    )
    places = {model.id: model.deployments[0].provider for model in settings.models}
    claude = {place for id, place in places.items() if id.startswith("anthropic.")}
    assert claude == {"vertex"} and places["moonshot.kimi-k2-thinking"] == "demo-moonshot"
    for missing in environ:
        less = {name: value for name, value in environ.items() if name != missing}
        settings = demo._settings("http://127.0.0.1:9", "127.0.0.1", 8080, less)
        assert settings.providers[0].name == "demo"


@pytest.mark.parametrize(
    ("environ", "api_key"),
    [
        ({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-west-1"}, ""),
        ({"AWS_PROFILE": "work", "AWS_DEFAULT_REGION": "eu-west-1"}, ""),
        (
            {"AWS_BEARER_TOKEN_BEDROCK": "k", "AWS_REGION": "eu-west-1"},
            "env:AWS_BEARER_TOKEN_BEDROCK",
        ),
    ],
)
def test_an_account_of_aws_in_the_environment_sends_models_there(
    environ: dict[str, str], api_key: str
) -> None:
    settings = demo._settings("http://127.0.0.1:9", "127.0.0.1", 8080, environ)
    amazon = settings.providers[-1]
    assert (amazon.name, amazon.wire, amazon.region) == ("bedrock", "bedrock", "eu-west-1")
    assert amazon.api_key == api_key
    places = {model.id: model.deployments[0] for model in settings.models}
    for id in ("anthropic.claude-haiku-4-5", "moonshot.kimi-k2-thinking"):
        assert (places[id].provider, places[id].model) == ("bedrock", id)
    assert places["anthropic.claude-sonnet-4-5"].provider == "demo"  # not at mantle
    assert places["gpt-5.2"].provider == "demo-openai"
    settings = demo._settings(
        "http://127.0.0.1:9", "127.0.0.1", 8080, {**environ, "ANTHROPIC_API_KEY": "x"}
    )
    places = {model.id: model.deployments[0] for model in settings.models}
    assert places["anthropic.claude-haiku-4-5"].provider == "anthropic"


def test_the_message_it_shows_costs_nothing_even_then(tmp_path: Path) -> None:
    env = environment(ANTHROPIC_API_KEY=REAL_KEY)
    ended = finished("proxy", "demo", "--once", "--port", "0", cwd=tmp_path, env=env)
    assert ended.returncode == 0, ended.stderr
    assert "moonshot.kimi-k2-thinking > " in ended.stdout
    assert "hunter2" not in ended.stdout + ended.stderr

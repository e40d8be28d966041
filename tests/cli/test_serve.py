"""`serve` as a process: it starts fast, says what is wrong, takes a changed file, stops well."""

import signal
import socket
from pathlib import Path

import msgspec
import pytest

from bench.ports import free_port
from proxy.cli import serve
from tests.cli.starting import CONFIG, MODEL, environment, finished, started

READY_S_MAX = 1.5
FIRST = MODEL.format(id="anthropic.claude-haiku-5-5")
SECOND = MODEL.format(id="anthropic.claude-opus-5-5")
KEY = "hz_test_0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "gateway.toml").write_text(CONFIG + FIRST)
    return tmp_path


def test_a_bad_configuration_ends_with_2_and_every_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text("[server]\nprot = 1\nworkers = 0\n[catalogue]\nrefresh_s = 1\n")
    assert serve.run(["--config", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["line 2", "line 3", "line 4"]
    assert "did you mean `port`?" in lines[0]


def test_a_port_that_is_taken_ends_with_1_and_names_it(place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for workers in ("1", "2"):
            ended = finished(
                *("proxy", "serve", "--config", "gateway.toml"),
                *("--port", str(port), "--workers", workers),
                cwd=place,
            )
            assert ended.returncode == 1
            last = ended.stderr.splitlines()[-1]
            assert last.startswith(f"hatz-gateway: cannot listen on 127.0.0.1:{port}: ")
            assert "Traceback" not in ended.stderr


def test_storage_that_does_not_open_ends_with_1_and_names_it(place: Path) -> None:
    (place / "gateway.db").mkdir()
    ended = finished(
        *("proxy", "serve", "--config", "gateway.toml", "--port", "0"),
        cwd=place,
    )
    assert ended.returncode == 1
    assert "gateway.db" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_a_journal_folder_that_cannot_be_used_ends_with_1_and_names_it(place: Path) -> None:
    (place / "journal").write_text("in the way")
    ended = finished(
        *("proxy", "serve", "--config", "gateway.toml", "--port", "0"),
        cwd=place,
    )
    assert ended.returncode == 1
    assert "journal" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_a_ca_file_that_is_missing_ends_with_1_and_names_it(place: Path) -> None:
    config = (CONFIG + FIRST).replace("http://127.0.0.1:9", "https://127.0.0.1:9")
    (place / "gateway.toml").write_text(config + '\n[upstream]\nca_file = "nowhere.pem"\n')
    ended = finished(
        *("proxy", "serve", "--config", "gateway.toml", "--port", "0"),
        cwd=place,
    )
    assert ended.returncode == 1
    assert "nowhere.pem" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_it_is_ready_within_one_and_a_half_seconds(place: Path) -> None:
    """Of its own work: the time on the wall is that of whoever else uses the machine, too."""
    port = free_port()
    with started(
        *("proxy", "serve", "--config", "gateway.toml", "--port", str(port)), cwd=place
    ) as gateway:
        gateway.answers(f"http://127.0.0.1:{port}/readyz")
        assert gateway.cpu_s() < READY_S_MAX


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_ends_it_with_0(number: signal.Signals, place: Path) -> None:
    with started(*("proxy", "serve", "--config", "gateway.toml", "--port", "0"), cwd=place) as it:
        it.says("worker w0 serves http://127.0.0.1:")
        assert it.told(number) == 0
        lines = [msgspec.json.decode(line) for line in it.printed.splitlines()]
        assert lines[-1]["message"] == "worker w0 stops"
        # An orderly end leaves nothing in the journal.
        assert list((place / "journal").glob("*.jsonl")) == []


def test_options_go_before_the_file(place: Path) -> None:
    port = free_port()
    (place / "gateway.toml").write_text(CONFIG.replace("[server]", "[server]\nport = 1") + FIRST)
    with started(
        *("proxy", "serve", "--config", "gateway.toml"),
        *("--host", "0.0.0.0", "--port", str(port)),
        cwd=place,
    ) as gateway:
        gateway.answers(f"http://127.0.0.1:{port}/healthz")
        gateway.says(f"worker w0 serves http://0.0.0.0:{port}/v1/anthropic")


def test_what_will_surprise_is_in_the_log(place: Path) -> None:
    (place / "gateway.toml").write_text(CONFIG.replace("[[providers]]", SECRETLESS) + FIRST)
    with started(*("proxy", "serve", "--config", "gateway.toml", "--port", "0"), cwd=place) as it:
        it.says("serves http://")
        assert "the environment variable NO_SUCH_VARIABLE is not set" in it.printed


SECRETLESS = '[[providers]]\napi_key = "env:NO_SUCH_VARIABLE"'


def test_a_changed_file_is_swapped_in_and_a_bad_one_is_refused(place: Path) -> None:
    config = place / "gateway.toml"
    env = environment(NEW_KEY=KEY)
    create = ["proxy", "key", "create", "--config", "gateway.toml", "--user", "a@example.com"]
    made = finished(*create, "--secret", "env:NEW_KEY", cwd=place, env=env)
    assert (made.returncode, made.stdout) == (0, "")
    port = free_port()
    with started(
        *("proxy", "serve", "--config", "gateway.toml", "--port", str(port)), cwd=place
    ) as gateway:
        gateway.answers(f"http://127.0.0.1:{port}/readyz")
        assert models(port) == ["anthropic.claude-haiku-5-5"]
        config.write_text(CONFIG + SECOND)
        gateway.running.send_signal(signal.SIGHUP)
        gateway.says("configuration reloaded: 1 models")
        assert models(port) == ["anthropic.claude-opus-5-5"]
        config.write_text("[server]\nprot = 1\n")
        gateway.running.send_signal(signal.SIGHUP)
        gateway.says("the configuration was not reloaded: line 2: server.prot")
        assert models(port) == ["anthropic.claude-opus-5-5"]
        assert gateway.told(signal.SIGTERM) == 0


def test_a_change_that_cannot_be_carried_out_does_not_stop_it(place: Path) -> None:
    port = free_port()
    env = environment(HTTPS_PROXY="socks5://127.0.0.1:9")
    with started(
        *("proxy", "serve", "--config", "gateway.toml", "--port", str(port)), cwd=place, env=env
    ) as gateway:
        gateway.answers(f"http://127.0.0.1:{port}/readyz")
        changed = CONFIG.replace("http://127.0.0.1:9", "https://provider.invalid") + FIRST
        (place / "gateway.toml").write_text(changed)
        gateway.running.send_signal(signal.SIGHUP)
        gateway.says("is not http://")
        gateway.answers(f"http://127.0.0.1:{port}/readyz")
        assert gateway.told(signal.SIGTERM) == 0


def models(port: int) -> list[str]:
    """What the product's model list shows."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(
            b"GET /v1/chat/models HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
            b"x-api-key: %b\r\n\r\n" % KEY.encode()
        )
        reply = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = reply.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), reply
    shown = msgspec.json.decode(body)
    return [model["name"] for model in shown["data"]]


def test_the_doctor_knows_a_gateway_that_serves(place: Path) -> None:
    port = free_port()
    with started(
        *("proxy", "serve", "--config", "gateway.toml", "--port", str(port)), cwd=place
    ) as gateway:
        gateway.answers(f"http://127.0.0.1:{port}/readyz")
        examined = finished(
            *("proxy", "doctor", "--config", "gateway.toml"),
            cwd=place,
            env=environment(HATZ_GATEWAY__SERVER__PORT=str(port)),
        )
    assert f"ok    port: a gateway serves on 127.0.0.1:{port} and is ready" in examined.stdout
    assert "ok    storage: its schema is up to date" in examined.stdout

"""The servers of the kit are real ones, and can be taken away and given back."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.kit import servers
from tests.kit.servers import Postgres, Redis

ROOT = Path(__file__).parents[2]


def test_each_test_has_an_empty_database_of_its_own(postgres: Postgres, postgres_url: str) -> None:
    name = postgres_url.rpartition("/")[2]
    assert postgres.ask("SELECT current_database()", name) == name
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert postgres.ask(tables, name) == "0"


def test_a_killed_server_comes_back_on_its_port_with_what_was_committed(
    postgres: Postgres, postgres_url: str
) -> None:
    name = postgres_url.rpartition("/")[2]
    postgres.ask("CREATE TABLE kept AS SELECT 7 AS n", name)
    port = postgres.port
    postgres.kill()
    with pytest.raises(AssertionError, match="refused"):
        postgres.ask("SELECT 1")
    postgres.start()
    assert postgres.port == port
    assert postgres.ask("SELECT n FROM kept", name) == "7"


def test_redis_answers_forgets_and_comes_back(redis_server: Redis) -> None:
    redis_server.ask("SET", "a", "1")
    assert redis_server.ask("GET", "a").endswith(b"1\r\n")
    redis_server.kill()
    with pytest.raises(OSError):
        redis_server.ask("PING")
    redis_server.start()
    assert redis_server.ask("GET", "a") == b"$-1\r\n"


def test_a_test_finds_redis_empty(redis_server: Redis) -> None:
    assert redis_server.ask("DBSIZE") == b":0\r\n"


def test_a_paused_server_does_not_answer_until_resumed(
    redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis_server.pause()
    with monkeypatch.context() as patch, pytest.raises(TimeoutError):
        patch.setattr(servers, "ANSWER_S", 0.2)
        redis_server.ask("PING")
    redis_server.resume()
    assert redis_server.ask("PING") == b"+PONG\r\n"


HOLDER = """
import sys, time
from pathlib import Path
from tests.kit.servers import Redis

server = Redis(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
time.sleep(60)
"""


def test_no_server_outlives_its_tests_even_killed_ones() -> None:
    folder = servers._folder("redis")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    pid = int(holder.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    holder.kill()
    holder.communicate()
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}/exe").exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not os.path.exists(f"/proc/{pid}/exe")
    while folder.exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not folder.exists()


def test_a_missing_server_is_a_failure_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(servers, "found", lambda program: None)
    with pytest.raises(pytest.fail.Exception, match=r"`make servers`.*redis-server"):
        servers._wanted("redis-server")


def test_who_may_not_install_is_told_what_to_ask_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert servers.install() == 0
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(servers, "found", lambda program: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert servers.install() == 1
    assert "as root: postgresql redis-server" in capsys.readouterr().err

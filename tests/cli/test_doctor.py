"""`doctor` against real local servers and files: each trouble gets its line and its remedy."""

import asyncio
import errno
import http.server
import os
import re
import socket
import sqlite3
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path

import msgspec
import pytest

from bench.ports import free_port
from proxy.cli import doctor, key, migrate, premises
from proxy.cli.finding import Finding, Level, fail
from proxy.config.settings import Settings, Storage
from proxy.domain.entry import Entry, Outcome
from proxy.ledger.segment import SUFFIX
from proxy.storage.opening import open_storage
from tests.kit.mail_server import PASSWORD, Mailbox, mailbox
from tests.kit.servers import Postgres, Redis

KEY = "sk-hunter2-hunter2-hunter2"
CERTIFICATE = Path(__file__).parent / "loopback.pem"
CONFIG = """
[server]
port = 0
connections_max = 100

[storage]
url = "sqlite:///gateway.db"

[ledger]
folder = "journal"

[upstream]
connections_max = 100

[[providers]]
name = "main"
wire = "anthropic"
base_url = "{address}"
api_key = "env:MAIN_KEY"
"""

Doctor = Callable[..., tuple[int, list[Finding]]]


class Provider(http.server.ThreadingHTTPServer):
    """A provider that says what the test wants."""

    daemon_threads = True
    secure = False
    status: int | None = None
    skew_s = 0.0

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        super().__init__(("127.0.0.1", 0), _Answering)

    @property
    def address(self) -> str:
        return f"{'https' if self.secure else 'http'}://localhost:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that dislikes our certificate hangs up: no news."""


class _Answering(http.server.BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.path, headers))
        status = self.server.status
        if status is None:
            accepted = KEY in (headers.get("x-api-key"), headers.get("authorization", "")[7:])
            status = HTTPStatus.OK if accepted else HTTPStatus.UNAUTHORIZED
        self.send_response(status)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def do_CONNECT(self) -> None:
        self.server.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        self.send_error(HTTPStatus.FORBIDDEN)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(time.time() + self.server.skew_s)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as server:
        running = threading.Thread(target=server.serve_forever, args=(0.01,))
        running.start()
        yield server
        server.shutdown()
        running.join()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own, and an environment without surprises."""
    monkeypatch.chdir(tmp_path)
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("MAIN_KEY", KEY)
    return tmp_path


@pytest.fixture
def examine(place: Path, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Write a configuration, run the doctor on it: the exit status and the findings."""

    def run(config: str) -> tuple[int, list[Finding]]:
        (place / "gateway.toml").write_text(config)
        capsys.readouterr()
        status = doctor.run(["--config", "gateway.toml", "--json"])
        out, err = capsys.readouterr()
        assert "hunter2" not in out + err
        return status, msgspec.json.decode(out, type=list[Finding])

    return run


def of(found: list[Finding], what: str) -> list[Finding]:
    return [finding for finding in found if finding.what == what]


def test_a_healthy_gateway_has_only_good_findings(
    examine: Doctor, provider: Provider, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEW_KEY", "hz_test_0123456789abcdefghijklmnopqrstuvwxyz")
    config = CONFIG.format(address=provider.address) + MODEL
    (place / "gateway.toml").write_text(config)
    given = ["--user", "a@example.com", "--secret", "env:NEW_KEY"]
    assert key.run(["create", "--config", "gateway.toml", *given]) == 0
    (place / "journal").mkdir()
    status, found = examine(config)
    assert status == 0
    assert [finding for finding in found if finding.level is not Level.OK] == []
    assert [finding.seen.partition(" ms")[0][:10] for finding in of(found, "provider main")] == [
        "http://loc",
        "credential",
        "clock righ",
    ]
    assert {finding.what for finding in found} == {
        *("configuration", "secrets", "storage", "keys", "port", "journal", "open files"),
        *("program", "counters", "web search", "mail", "single sign-on", "provider main"),
    }


MODEL = """
[[models]]
id = "anthropic.claude-haiku-5-5"
display_name = "Claude Haiku 5.5"
developer = "Anthropic"
released = 2026-10-07
context_window = 1000
max_output_tokens = 100
rates = { input = 100, output = 500 }
deployments = [ { provider = "main", model = "claude-haiku-5-5" } ]
"""


def test_for_people_each_finding_is_one_line_and_the_count_goes_to_standard_error(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "gateway.toml").write_text(CONFIG.format(address=f"http://127.0.0.1:{free_port()}"))
    assert doctor.run(["--config", "gateway.toml"]) == 1
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "ok    configuration: gateway.toml loads; providers: 1, models enabled: 0"
    assert all(line.startswith(("ok    ", "warn  ", "FAIL  ")) for line in lines)
    assert lines[-1].startswith("FAIL  provider main: http://127.0.0.1:")
    assert err == "hatz-gateway doctor: 1 FAIL, 1 warn\n"  # no model is enabled


# ---------------------------------------------------------------- the configuration


def test_every_problem_of_a_bad_file_is_a_finding(examine: Doctor) -> None:
    status, found = examine('[server]\nprot = 1\nworkers = "two"\n')
    assert status == 1
    assert [(finding.level, finding.seen.partition(":")[0]) for finding in found] == [
        (Level.FAIL, "line 2"),
        (Level.FAIL, "line 3"),
    ]


def test_a_file_that_is_not_there_names_the_command_that_writes_one(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor.run(["--config", "nowhere.toml"]) == 1
    assert "`hatz-gateway init nowhere.toml`" in capsys.readouterr().out


def test_a_secret_that_cannot_be_had_fails_and_names_the_variable(
    examine: Doctor, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAIN_KEY")
    status, found = examine(CONFIG.format(address=provider.address))
    assert status == 1
    [missing] = of(found, "secrets")
    assert missing.level is Level.FAIL
    assert "the environment variable MAIN_KEY is not set" in missing.seen
    # The provider is visited all the same; what it says without a key is no news.
    assert [finding.level for finding in of(found, "provider main")] == [Level.OK, Level.OK]


def test_a_collector_is_looked_for_where_one_is_named(examine: Doctor) -> None:
    config = "[server]\nport = 0\n"
    assert of(examine(config)[1], "traces") == []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        config += f'[observability]\notlp_endpoint = "http://127.0.0.1:{port}"\n'
        [there] = of(examine(config)[1], "traces")
        assert there.level is Level.OK
    status, found = examine(config)
    [away] = of(found, "traces")
    assert (status, away.level) == (0, Level.WARN)
    assert f"no collector at http://127.0.0.1:{port}" in away.seen
    assert "served all the same" in away.remedy


# ---------------------------------------------------------------- web search


SEARCH = """
[web_search]
enabled = true
base_url = "{address}"
api_key = "env:MAIN_KEY"
"""


@pytest.mark.parametrize(
    ("status", "level", "said"),
    [
        (200, Level.OK, "key accepted"),
        (401, Level.FAIL, "key refused (401)"),
        (402, Level.FAIL, "used up"),
        (404, Level.OK, "of its own kind"),
        (500, Level.WARN, "it answers 500"),
    ],
)
def test_the_search_service_is_asked_for_its_account(
    examine: Doctor, provider: Provider, status: int, level: Level, said: str
) -> None:
    provider.status = status
    config = CONFIG.format(address=provider.address) + SEARCH.format(address=provider.address)
    _, found = examine(config)
    reached, judged = of(found, "web search")
    assert reached.level is Level.OK
    assert judged.level is level
    assert said in judged.seen
    asked = [path for path, headers in provider.asked if "authorization" in headers]
    assert asked == ["/v2/team/credit-usage"]


def test_a_search_service_that_is_not_there_is_a_failure(
    examine: Doctor, provider: Provider
) -> None:
    nowhere = SEARCH.format(address=f"http://127.0.0.1:{free_port()}")
    status, found = examine(CONFIG.format(address=provider.address) + nowhere)
    assert status == 1
    [missed] = of(found, "web search")
    assert missed.level is Level.FAIL
    assert "no answer" in missed.seen


# ---------------------------------------------------------------- mail


MAIL = """
[mail]
enabled = true
host = "localhost"
port = {port}
tls = "{tls}"
from_address = "gateway@example.com"
user = "gateway"
password = "env:MAIL_PASSWORD"
link_url = "https://gateway.example.com"
"""


def with_mail(provider: Provider, box: Mailbox, more: str = "") -> str:
    text = CONFIG.format(address=provider.address) + MAIL.format(port=box.port, tls=box.tls)
    return text.replace("[upstream]", f"[upstream]\n{more}")


@pytest.mark.parametrize(
    ("tls", "said"), [("starttls", "TLS stands (STARTTLS)"), ("implicit", "TLS stands")]
)
def test_the_mail_server_is_visited_and_gets_no_letter(
    examine: Doctor, provider: Provider, monkeypatch: pytest.MonkeyPatch, tls: str, said: str
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", PASSWORD)
    with mailbox(tls=tls, wants_user=True) as box:
        _, found = examine(with_mail(provider, box, f'ca_file = "{CERTIFICATE}"'))
        [reached] = of(found, "mail")
        assert reached.level is Level.OK
        assert f"{said}; user and password accepted" in reached.seen
        assert box.mails == []
        assert box.logins == [("gateway", PASSWORD)]


def test_a_mail_server_nobody_vouches_for_fails(
    examine: Doctor, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", KEY)
    with mailbox(tls="starttls", wants_user=True) as box:
        status, found = examine(with_mail(provider, box))
        [refused] = of(found, "mail")
        assert (status, refused.level, box.logins) == (1, Level.FAIL, [])
        assert "certificate" in refused.seen


def test_a_wrong_mail_password_fails(
    examine: Doctor, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", KEY)
    with mailbox(tls="starttls", wants_user=True) as box:
        _, found = examine(with_mail(provider, box, f'ca_file = "{CERTIFICATE}"'))
        [refused] = of(found, "mail")
        assert "it refuses user and password (535)" in refused.seen
        assert "password of [mail]" in refused.remedy


def test_a_mail_server_that_is_not_there_fails(
    examine: Doctor, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", KEY)
    status, found = examine(with_mail(provider, Mailbox(free_port())))
    [missed] = of(found, "mail")
    assert (status, missed.level) == (1, Level.FAIL)
    monkeypatch.delenv("MAIL_PASSWORD")
    _, found = examine(with_mail(provider, Mailbox(free_port())))
    assert of(found, "mail") == []
    assert any("mail.password" in each.seen for each in of(found, "secrets"))


# ---------------------------------------------------------------- storage and journal


def test_nothing_is_made_where_nothing_is(examine: Doctor, provider: Provider, place: Path) -> None:
    status, found = examine(CONFIG.format(address=provider.address))
    assert status == 0
    assert [path.name for path in place.iterdir()] == ["gateway.toml"]
    for what in ("storage", "journal"):
        [finding] = of(found, what)
        assert "is not there yet; `hatz-gateway serve` makes it" in finding.seen


def test_a_database_without_keys_is_a_warning(
    examine: Doctor, provider: Provider, place: Path
) -> None:
    config = CONFIG.format(address=provider.address)
    (place / "gateway.toml").write_text(config)
    assert migrate.run(["--config", "gateway.toml"]) == 0
    status, found = examine(config)
    assert status == 0
    assert [finding.level for finding in of(found, "storage")] == [Level.OK, Level.OK]
    [keys] = of(found, "keys")
    assert keys.level is Level.WARN
    assert "key create" in keys.remedy


def test_a_schema_that_is_behind_is_a_warning_and_stays_behind(
    examine: Doctor, provider: Provider, place: Path
) -> None:
    (place / "gateway.db").touch()
    for _ in range(2):
        status, found = examine(CONFIG.format(address=provider.address))
        assert status == 0
        behind = of(found, "storage")[1]
        assert behind.level is Level.WARN
        assert "step(s) behind" in behind.seen
        assert "hatz-gateway migrate" in behind.remedy


def test_a_schema_of_a_newer_release_fails(
    examine: Doctor, provider: Provider, place: Path
) -> None:
    connection = sqlite3.connect(place / "gateway.db")
    connection.execute("CREATE TABLE migrations (number INTEGER, name TEXT, applied_at BIGINT)")
    connection.execute("INSERT INTO migrations VALUES (9999, '9999_later', 0)")
    connection.commit()
    connection.close()
    status, found = examine(CONFIG.format(address=provider.address))
    assert status == 1
    assert "newer than this release" in of(found, "storage")[1].seen


@pytest.mark.parametrize("made", ["text", "folder"])
def test_a_database_that_is_none_fails(
    made: str, examine: Doctor, provider: Provider, place: Path
) -> None:
    path = place / "gateway.db"
    if made == "folder":
        path.mkdir()
    else:
        path.write_text("this is a letter to my aunt, and no database at all\n" * 40)
    status, found = examine(CONFIG.format(address=provider.address))
    assert status == 1
    [storage] = of(found, "storage")
    assert storage.level is Level.FAIL
    assert "gateway.db cannot be used" in storage.seen


def test_a_postgresql_database_is_looked_at_and_not_touched(
    examine: Doctor, provider: Provider, postgres: Postgres, postgres_url: str
) -> None:
    config = CONFIG.format(address=provider.address)
    config = re.sub('url = "sqlite[^"]*"', f'url = "{postgres_url}"', config)
    _, found = examine(config)
    opens, schema = of(found, "storage")
    assert opens.level is Level.OK
    assert "step(s) behind" in schema.seen
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert postgres.ask(tables, postgres_url.rpartition("/")[2]) == "0"

    async def made() -> None:
        storage = await open_storage(Settings(storage=Storage(url=postgres_url)), {}, migrates=True)
        await storage.database.close()

    asyncio.run(made())
    _, found = examine(config)
    assert [finding.seen for finding in of(found, "storage")] == [
        "the database opens and can be written",
        "its schema is up to date",
    ]
    [keys] = of(found, "keys")
    assert "there is none" in keys.seen


def test_a_postgresql_server_that_is_away_fails_without_its_password(
    examine: Doctor, postgres: Postgres, postgres_url: str
) -> None:
    postgres.stop()
    status, found = examine(f'[server]\nport = 0\n[storage]\nurl = "{postgres_url}"\n')
    assert status == 1
    [storage] = of(found, "storage")
    assert storage.level is Level.FAIL
    assert f"127.0.0.1:{postgres.port}" in storage.seen
    assert postgres.password not in str(found)


def test_a_redis_that_answers_is_a_line_and_is_left_as_it_was(
    examine: Doctor, provider: Provider, redis_server: Redis
) -> None:
    config = CONFIG.format(address=provider.address)
    _, found = examine(f'{config}\n[counters]\nurl = "{redis_server.url()}"\n')
    assert of(found, "counters") == [Finding(Level.OK, "counters", "Redis answers")]
    assert redis_server.ask("DBSIZE") == b":0\r\n"


def test_a_redis_that_is_away_fails_without_its_password(
    examine: Doctor, provider: Provider, redis_server: Redis
) -> None:
    redis_server.stop()
    config = CONFIG.format(address=provider.address)
    status, found = examine(f'{config}\n[counters]\nurl = "{redis_server.url()}"\n')
    assert status == 1
    [counters] = of(found, "counters")
    assert counters.level is Level.FAIL and counters.remedy
    assert redis_server.password not in str(found)


@pytest.mark.parametrize(("workers", "seen"), [(1, "in memory"), (2, "workers meet in storage")])
def test_without_redis_it_is_told_where_workers_meet(
    examine: Doctor, provider: Provider, workers: int, seen: str
) -> None:
    config = CONFIG.format(address=provider.address)
    _, found = examine(config.replace("[server]", f"[server]\nworkers = {workers}"))
    assert of(found, "counters") == [Finding(Level.OK, "counters", seen)]


def test_folders_that_cannot_be_made_fail(examine: Doctor, provider: Provider, place: Path) -> None:
    (place / "journal").write_text("in the way")
    config = CONFIG.format(address=provider.address).replace("gateway.db", "journal/x/gateway.db")
    status, found = examine(config.replace('"journal"', '"journal/y"'))
    assert status == 1
    for what in ("storage", "journal"):
        [finding] = of(found, what)
        assert finding.level is Level.FAIL
        assert "journal is no folder" in finding.seen


def entry_line(number: int) -> bytes:
    entry = Entry(
        f"ev_{number}", f"req_{number}", 1, 2, "t", "u", "general_user", "key_1", "a", "a", "exact",
        Outcome.COMPLETED, 200,
    )  # fmt: skip
    return b'{"entry":' + msgspec.json.encode(entry) + b"}\n"


def test_rows_that_wait_are_counted_and_rows_set_aside_are_named(
    examine: Doctor, provider: Provider, place: Path
) -> None:
    folder = place / "journal"
    folder.mkdir()
    segment = folder / f"w0.7-00000000{SUFFIX}"
    segment.write_bytes(entry_line(1) + b"\n" + entry_line(2))
    (folder / "w0.7-00000001.torn").write_bytes(b'{"entry":{"ev\n')
    before = segment.read_bytes()
    status, found = examine(CONFIG.format(address=provider.address))
    assert status == 0
    can_be_written, waiting, aside = of(found, "journal")
    assert can_be_written.level is Level.OK
    assert (waiting.level, waiting.seen[:26]) == (Level.WARN, "2 rows wait for storage (0")
    assert aside.level is Level.WARN
    assert "w0.7-00000001.torn" in aside.seen
    assert segment.read_bytes() == before
    assert len(list(folder.iterdir())) == 2


def test_a_journal_that_is_full_fails(examine: Doctor, provider: Provider, place: Path) -> None:
    (place / "journal").mkdir()
    (place / "journal" / f"w0.7-00000000{SUFFIX}").write_bytes(entry_line(1) * 10)
    config = CONFIG.format(address=provider.address).replace(
        "[ledger]", "[ledger]\nspool_bytes_max = 1000"
    )
    status, found = examine(config)
    assert status == 1
    assert "new requests are refused" in of(found, "journal")[1].remedy


# ---------------------------------------------------------------- port and files


def test_a_free_port_is_free(examine: Doctor, provider: Provider) -> None:
    port = free_port()
    status, found = examine(
        CONFIG.format(address=provider.address).replace("port = 0", f"port = {port}")
    )
    assert status == 0
    assert of(found, "port") == [Finding(Level.OK, "port", f"127.0.0.1:{port} is free")]


def test_a_port_of_another_program_fails(examine: Doctor, provider: Provider) -> None:
    taken = provider.server_address[1]
    config = CONFIG.format(address=provider.address).replace("port = 0", f"port = {taken}")
    status, found = examine(config)
    assert status == 1
    [port] = of(found, "port")
    assert f"127.0.0.1:{taken} is taken by another program" in port.seen


def test_an_address_of_another_machine_fails(examine: Doctor, provider: Provider) -> None:
    config = CONFIG.format(address=provider.address)
    status, found = examine(config.replace("[server]", '[server]\nhost = "192.0.2.1"'))
    assert status == 1
    [port] = of(found, "port")
    assert "an address of this machine" in port.remedy
    assert os.strerror(errno.EADDRNOTAVAIL) in port.seen


def test_too_few_open_files_are_a_warning_with_both_numbers(
    examine: Doctor, provider: Provider
) -> None:
    config = CONFIG.format(address=provider.address)
    wanted = 2_000_000_000
    status, found = examine(
        config.replace(
            "connections_max = 100\n\n[storage]", f"connections_max = {wanted}\n[storage]"
        )
    )
    assert status == 0
    [files] = of(found, "open files")
    assert files.level is Level.WARN
    assert str(wanted + 100 + premises.FILES_BESIDE) in files.seen


# ---------------------------------------------------------------- providers


def test_the_credential_goes_where_requests_put_it(examine: Doctor, provider: Provider) -> None:
    config = CONFIG.format(address=provider.address)
    assert examine(config)[0] == 0
    assert examine(config + 'auth_scheme = "bearer"\n')[0] == 0
    (path, by_key), (_, by_bearer) = provider.asked
    assert path == "/v1/models?limit=1"
    assert (by_key["x-api-key"], by_key["anthropic-version"]) == (KEY, "2023-06-01")
    assert by_bearer["authorization"] == f"Bearer {KEY}"
    assert "x-api-key" not in by_bearer


def test_a_wrong_key_names_the_variable_to_look_at(
    examine: Doctor, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIN_KEY", "hunter2-but-wrong")
    status, found = examine(CONFIG.format(address=provider.address))
    assert status == 1
    reached, refused, clock = of(found, "provider main")
    assert (reached.level, clock.level) == (Level.OK, Level.OK)
    assert refused == fail(
        "provider main",
        "credential refused (401)",
        "look at the variable MAIN_KEY: is the key whole, of this account, not revoked?",
    )


def test_a_wrong_key_of_a_file_names_the_file(
    examine: Doctor, provider: Provider, place: Path
) -> None:
    (place / "key.txt").write_text("hunter2-but-wrong\n")
    config = CONFIG.format(address=provider.address).replace("env:MAIN_KEY", "file:key.txt")
    status, found = examine(config)
    assert status == 1
    assert "look at the file key.txt" in of(found, "provider main")[1].remedy


def test_a_provider_that_wants_a_key_where_none_is_configured_fails(
    examine: Doctor, provider: Provider
) -> None:
    config = CONFIG.format(address=provider.address).replace('api_key = "env:MAIN_KEY"', "")
    status, found = examine(config)
    assert status == 1
    assert "wants a credential" in of(found, "provider main")[1].seen


@pytest.mark.parametrize(
    ("status_said", "level", "words"),
    [
        (402, Level.FAIL, "cannot pay"),
        (403, Level.FAIL, "credential refused (403)"),
        (302, Level.FAIL, "redirects"),
        (404, Level.WARN, "no list of models"),
        (418, Level.WARN, "answers 418"),
        (429, Level.WARN, "limits our rate"),
        (529, Level.WARN, "in trouble (529)"),
    ],
)
def test_every_status_has_its_meaning(
    status_said: int, level: Level, words: str, examine: Doctor, provider: Provider
) -> None:
    provider.status = status_said
    status, found = examine(CONFIG.format(address=provider.address))
    judged = of(found, "provider main")[1]
    assert judged.level is level
    assert words in judged.seen
    assert judged.remedy
    assert status == (1 if level is Level.FAIL else 0)


@pytest.mark.parametrize(("skew_s", "side"), [(300, "behind"), (-300, "ahead of")])
def test_a_clock_that_is_wrong_is_a_warning(
    skew_s: float, side: str, examine: Doctor, provider: Provider
) -> None:
    provider.skew_s = skew_s
    status, found = examine(CONFIG.format(address=provider.address))
    assert status == 0
    clock = of(found, "provider main")[2]
    assert clock.level is Level.WARN
    assert f"s {side} the provider's" in clock.seen
    assert 295 <= int(clock.seen.split(" is ")[1].split()[0]) <= 305


def test_a_port_where_nobody_listens_fails(examine: Doctor) -> None:
    status, found = examine(CONFIG.format(address=f"http://127.0.0.1:{free_port()}"))
    assert status == 1
    [refused] = of(found, "provider main")
    assert "no connection (connection refused)" in refused.seen


def test_a_name_that_does_not_resolve_fails(examine: Doctor) -> None:
    status, found = examine(CONFIG.format(address="https://provider.invalid"))
    assert status == 1
    assert "the name cannot be resolved" in of(found, "provider main")[0].seen


def test_a_server_that_speaks_no_http_fails(examine: Doctor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def mumble() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"220 mail.example.com ESMTP\r\n")

        mumbling = threading.Thread(target=mumble)
        mumbling.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        status, found = examine(CONFIG.format(address=address))
        mumbling.join()
    assert status == 1
    assert "no HTTP comes back" in of(found, "provider main")[0].seen


def secured(provider: Provider) -> Provider:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    provider.socket = context.wrap_socket(provider.socket, server_side=True)
    provider.secure = True
    return provider


def test_an_authority_nobody_knows_fails_and_its_file_cures_it(
    examine: Doctor, provider: Provider
) -> None:
    secured(provider)
    config = CONFIG.format(address=provider.address)
    status, found = examine(config)
    assert status == 1
    [unknown] = of(found, "provider main")
    assert "its certificate is not accepted (self" in unknown.seen
    assert "upstream.ca_file" in unknown.remedy
    trusting = config.replace("[upstream]", f'[upstream]\nca_file = "{CERTIFICATE}"')
    assert examine(trusting)[0] == 0


def test_tls_where_there_is_none_fails(examine: Doctor, provider: Provider) -> None:
    address = provider.address.replace("http:", "https:")
    status, found = examine(CONFIG.format(address=address))
    assert status == 1
    assert "TLS fails" in of(found, "provider main")[0].seen


@pytest.mark.parametrize(
    ("content", "words"), [(None, "cannot be read (No such file"), ("-", "holds no certificate")]
)
def test_a_bad_ca_file_is_named(
    content: str | None, words: str, examine: Doctor, provider: Provider, place: Path
) -> None:
    if content is not None:
        (place / "authority.pem").write_text(content)
    config = CONFIG.format(address=provider.address)
    status, found = examine(config.replace("[upstream]", '[upstream]\nca_file = "authority.pem"'))
    assert status == 1
    [finding] = of(found, "upstream.ca_file")
    assert words in finding.seen


def test_the_proxy_of_the_environment_is_used_unless_switched_off(
    examine: Doctor, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = provider.server_address[1]
    monkeypatch.setenv("HTTP_PROXY", f"http://me:hunter2@127.0.0.1:{port}")
    config = CONFIG.format(address="http://provider.invalid")
    status, found = examine(config)
    assert status == 0
    assert "through the proxy of the environment" in of(found, "provider main")[0].seen
    [(path, headers)] = provider.asked
    assert path == "http://provider.invalid/v1/models?limit=1"
    assert headers["proxy-authorization"].startswith("Basic ")
    direct = config.replace("[upstream]", "[upstream]\ntrust_env_proxies = false")
    assert "the name cannot be resolved" in of(examine(direct)[1], "provider main")[0].seen


def test_a_proxy_that_opens_no_tunnel_is_told_from_the_provider(
    examine: Doctor, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = provider.server_address[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:hunter2@127.0.0.1:{port}")
    status, found = examine(CONFIG.format(address="https://provider.invalid"))
    assert status == 1
    assert "the proxy of the environment answers 403" in of(found, "provider main")[0].seen
    [(path, headers)] = provider.asked
    assert path == "provider.invalid:443"
    assert headers["proxy-authorization"].startswith("Basic ")
    assert "x-api-key" not in headers


def test_a_proxy_of_another_kind_is_named(examine: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1080")
    status, found = examine(CONFIG.format(address="https://provider.invalid"))
    assert status == 1
    assert "is not http://" in of(found, "provider main")[0].seen


def test_a_key_with_a_typographic_quote_is_told_before_it_is_sent(
    examine: Doctor, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIN_KEY", "\u201csk-hunter2\u201d")
    status, found = examine(CONFIG.format(address=provider.address))
    assert status == 1
    [told] = of(found, "provider main")
    assert "characters outside ASCII" in told.seen
    assert provider.asked == []

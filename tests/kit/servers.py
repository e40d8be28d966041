"""Real servers for tests, found on the machine and started when first asked for.

Each test process has its own, on free loopback ports, in a temporary folder; a random password
guards each. `python -m tests.kit.servers` installs what is missing (Debian, as root), the browser
of `browser.py` too.

    postgres        the server: stopped, killed, paused and begun again on the same port
    postgres_url    the URL of an empty database of this test's own
    redis_server    likewise
    redis_url       the URL of it, emptied
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bench.ports import free_port

START_S = 30.0
STOP_S = 15.0
TRIES = 5
PAUSE_S = 0.02
ANSWER_S = 5.0
IN_MEMORY_FREE_BYTES = 1 << 30
HOST = "127.0.0.1"
USER = "gateway"
PACKAGES = {
    "postgres": "postgresql",
    "redis-server": "redis-server",
    "promtool": "prometheus",
    "haproxy": "haproxy",
    "chromium": "chromium fonts-dejavu-core",  # tests/kit/browser.py; without a font it shows none
}
"""Program wanted, and the Debian packages that bring it."""


def found(program: str) -> Path | None:
    """Where a program is; Debian keeps PostgreSQL's out of the PATH, one folder a version."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), reverse=True)
    if places:
        return places[0]
    at = shutil.which(program)
    if at is None and program == "redis-server":
        at = shutil.which("valkey-server")
    return Path(at) if at else None


def _wanted(program: str) -> str:
    at = found(program)
    if at is None:
        pytest.fail(
            f"{program} is not installed, and this test needs the real one:"
            f" `make servers` as root, or install the package {PACKAGES.get(program, program)}",
            pytrace=False,
        )
    return str(at)


_GUARD = ["/bin/sh", "-c", 'read _; kill -QUIT "$0"; sleep 1; rm -rf "$1"']


class Server:
    """One server process. `start` after `stop` or `kill` brings it back on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.password = secrets.token_hex(16)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._paused = False

    @property
    def pid(self) -> int:
        """The process that listens."""
        assert self._process is not None, "it does not run"
        return self._process.pid

    def start(self) -> None:
        """Begin, and wait until it answers. The first time a port is chosen."""
        assert self._process is None, "it runs already"
        tries = 1 if self.port else TRIES  # another process may be faster to take a free port
        for left in reversed(range(tries)):
            if tries > 1:
                self.port = free_port()
            if self._begun():
                return
            self.kill()
            assert left, f"did not start:\n{self._log()}"

    def stop(self) -> None:
        """End as an operator would: clients are cut off, nothing is lost."""
        self._end(self._polite)

    def kill(self) -> None:
        """End as a crash does: at once, without tidying up."""
        self._end(self._rude)

    def pause(self) -> None:
        """Connections stay open, nothing answers."""
        self._paused = True
        self._tell_all(signal.SIGSTOP)

    def resume(self) -> None:
        """After `pause`; otherwise nothing."""
        if self._paused:
            self._paused = False
            self._tell_all(signal.SIGCONT)

    def _tell_all(self, what: signal.Signals) -> None:
        for pid in self._pids():
            try:
                os.kill(pid, what)
            except ProcessLookupError:
                pass  # one that served a connection, which ended meanwhile

    _polite = signal.SIGTERM
    _rude = signal.SIGKILL

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _answers(self) -> bool:
        raise NotImplementedError

    def _pids(self) -> list[int]:
        return [self.pid]

    def _begun(self) -> bool:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the tests, which then end it
                **_unprivileged(),
            )
        # Ends the server, and removes its folder, when this process is gone, however that came: its
        # end of the pipe closes.
        self._guard = subprocess.Popen(
            [*_GUARD, str(self._process.pid), str(self.folder)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + START_S
        while time.monotonic() < until and self._process.poll() is None:
            if self._answers():
                return True
            time.sleep(PAUSE_S)
        return False

    def _end(self, how: signal.Signals) -> None:
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._guard = None
        if self._process is None:
            return
        if self._process.poll() is None:
            self.resume()
            self._process.send_signal(how)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def _log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-2_000:]


class Postgres(Server):
    """PostgreSQL without a care for power cuts: fsync is off, all else as it comes."""

    _polite = signal.SIGINT  # "fast": without waiting for clients to leave
    _rude = signal.SIGQUIT  # "immediate": every process of it drops dead, the next start recovers

    def prepare(self) -> None:
        """Make the cluster; some two seconds."""
        secret = self.folder / "password"
        secret.write_text(self.password)
        if owner := _unprivileged():
            for path in (self.folder, secret):
                os.chown(path, owner["user"], owner["group"])
        command = [_wanted("initdb"), "-D", self.folder / "data", "-U", USER, "--no-sync"]
        command += ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", f"--pwfile={secret}"]
        subprocess.run(
            command, check=True, cwd=self.folder, stdout=subprocess.DEVNULL, **_unprivileged()
        )

    def url(self, database: str = "postgres") -> str:
        """Where a database of it is."""
        return f"postgresql://{USER}:{self.password}@{HOST}:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of a database with nothing in it."""
        name = f"test_{secrets.token_hex(8)}"
        self.ask(f"CREATE DATABASE {name} TEMPLATE template0")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Away with a database, whoever is still connected."""
        self.ask(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def ask(self, sql: str, database: str = "postgres") -> str:
        """What psql says to one statement: a line a row, columns between `|`."""
        command = [_wanted("psql"), "-X", "-q", "-t", "-A", "-h", HOST, "-p", str(self.port)]
        done = subprocess.run(
            [*command, "-U", USER, "-d", database, "-v", "ON_ERROR_STOP=1", "-c", sql],
            env={**os.environ, "PGPASSWORD": self.password},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "off",
            "shared_buffers": "16MB",
            "min_wal_size": "32MB",
            "max_wal_size": "64MB",
            "max_connections": 100,
        }
        command = [_wanted("postgres"), "-D", str(self.folder / "data")]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        return command

    def _answers(self) -> bool:
        command = [_wanted("pg_isready"), "-q", "-h", HOST, "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def _pids(self) -> list[int]:
        # Its own first, so that it does not see the others stand still.
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]


class Redis(Server):
    """Redis, or Valkey, in memory only: what it knew is gone after `stop` and `kill`."""

    def url(self) -> str:
        """Where it is."""
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    def ask(self, *words: str) -> bytes:
        """What it answers to one command, as it comes over the wire."""
        said = b""
        for command in (("AUTH", self.password), words):
            said += b"*%d\r\n" % len(command)
            said += b"".join(b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in command)
        with socket.create_connection((HOST, self.port), timeout=ANSWER_S) as line:
            line.sendall(said)
            heard = b""
            while heard.count(b"\r\n") < 2 and (chunk := line.recv(65536)):
                heard += chunk
        return heard.partition(b"\r\n")[2]

    def _command(self) -> list[str]:
        command = [_wanted("redis-server"), "--port", str(self.port), "--bind", HOST, "--save", ""]
        return [*command, "--appendonly", "no", "--requirepass", self.password, "--dir", "."]

    def _answers(self) -> bool:
        try:
            return self.ask("PING") == b"+PONG\r\n"
        except OSError:
            return False


def _unprivileged() -> dict[str, int | Sequence[int]]:
    """PostgreSQL refuses to run as root: then as somebody with no rights."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    pytest.fail("there is no user `postgres` or `nobody` to run PostgreSQL as", pytrace=False)


def _folder(of: str) -> Path:
    # Not below pytest's own temporary folder: nobody but its owner may enter that. In memory where
    # there is room: a new database is seven megabytes written, for each test.
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > IN_MEMORY_FREE_BYTES
    folder = Path(tempfile.mkdtemp(prefix=f"gateway-{of}-", dir=memory if roomy else None))
    if owner := _unprivileged():
        os.chown(folder, owner["user"], owner["group"])
    return folder


@pytest.fixture(scope="session")
def _postgres_server() -> Iterator[Postgres]:
    _wanted("postgres")
    folder = _folder("postgres")
    server = Postgres(folder)
    try:
        server.prepare()
        server.start()
        yield server
        server.stop()
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(_postgres_server: Postgres) -> Iterator[Postgres]:
    """The server, running; a test that takes it down need not bring it back."""
    yield _postgres_server
    if _postgres_server._process is None:
        _postgres_server.start()
    _postgres_server.resume()


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """An empty database for this test."""
    url = postgres.new_database()
    yield url
    if postgres._process is None:
        postgres.start()
    postgres.resume()
    postgres.drop(url)


@pytest.fixture(scope="session")
def _redis_server() -> Iterator[Redis]:
    _wanted("redis-server")
    folder = _folder("redis")
    server = Redis(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def redis_server(_redis_server: Redis) -> Iterator[Redis]:
    """The server, running and empty; a test that takes it down need not bring it back."""
    assert _redis_server.ask("FLUSHALL") == b"+OK\r\n"
    yield _redis_server
    if _redis_server._process is None:
        _redis_server.start()
    _redis_server.resume()


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    """Where the emptied server is."""
    return redis_server.url()


def install() -> int:
    """Install what is missing; 0 when all is there. Says nothing when nothing was to do."""
    missing = [
        package
        for program, packages in PACKAGES.items()
        if found(program) is None
        for package in packages.split()
    ]
    if not missing:
        return 0
    packages = " ".join(missing)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"The tests need real servers; install, as root: {packages}", file=sys.stderr)
        return 1
    print(f"servers: installing {packages} ...", flush=True)
    # RUNLEVEL: the packages' own services are not wanted, the tests start theirs.
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    for step in (["apt-get", "update", "-qq"], command):
        done = subprocess.run(step, env=quiet, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"{' '.join(step)} failed:\n{done.stderr}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(install())

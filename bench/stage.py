"""The stage: upstream, gateway and references as processes of their own, on loopback, on set CPUs.

Everything a bench or load test starts is started here, in one temporary folder, and ended here by
its process id. The target has the first CPU for itself; upstream and load share the others.
"""

import http.client
import os
import pathlib
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import orjson

from bench import load, nginx, proctree
from bench.fast_upstream import HANDSHAKES_PATH, Handshakes
from bench.load import Outcome, Plan
from bench.peers.recipe import Recipe, filled
from bench.ports import free_port
from bench.scenarios import ANTHROPIC, BEDROCK, CHAT, DIRECT, GATEWAY, NAIVE, NGINX, Scenario
from bench.score import KEY_VARIABLE, Score

ROOT = pathlib.Path(__file__).resolve().parent.parent
READY_LIMIT_S = 30.0
PEER_READY_LIMIT_S = 60.0
STOP_LIMIT_S = 10.0
LOAD_LIMIT_S = 180.0
"""No load takes so long; one that does hangs at its target."""
IDLE_SETTLE_S = 0.3
UPSTREAM_KEY_VARIABLE = "BENCH_UPSTREAM_KEY"
GATEWAY_MODEL_PREFIXES = {"http": "anthropic.", "https": "anthropic.tls-"}
CHAT_MODEL_PREFIX = "openai."
BEDROCK_MODEL_PREFIX = "amazon."
_CHAT_PROVIDER = "bench-chat"
_BEDROCK_PROVIDER = "bench-bedrock"
# Mock and load shall keep the pages they once had: bodies of 200 kB would else cost them a hundred
# page faults each. Targets live with the malloc they come with.
_QUIET_MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "268435456",
    "MALLOC_TOP_PAD_": "16777216",
}
ALLOWANCE_CREDITS = "1000000000"
"""Every request is held against it, none comes near it; so it is with the bursts."""
_BURST = "{ requests_per_minute = 100000000, tokens_per_minute = 100000000000, streams = 1000000 }"
_PROVIDERS = {"http": "bench", "https": "bench-tls"}


class CannotStart(Exception):
    """A process did not come up; the message says which and what it said last."""


def cpus() -> tuple[int, int, int]:
    """CPU of the target, of the upstream, of the load."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[1 % len(allowed)], allowed[2] if len(allowed) > 2 else allowed[-1]


def _ready(port: int, path: str) -> bool:
    ask = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
            probe.sendall(ask.encode())
            return probe.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


class Part(NamedTuple):
    """One thing the upstream will be asked to play: what, and on which wire."""

    score: Score
    wire: str = ANTHROPIC


class Target:
    """One thing to be measured: where it listens, what it is asked, which process it is."""

    def __init__(
        self,
        name: str,
        process: subprocess.Popen[bytes] | None,
        recipe: Recipe | None = None,
        **where: int,
    ) -> None:
        self.name = name
        self.process = process
        self.recipe = recipe
        self.port = where["port"]
        self.tls_port = where.get("tls_port", self.port)
        self.ready_s = 0.0
        self.idle: proctree.Memory | None = None

    @property
    def pid(self) -> int | None:
        """Root of the process tree whose CPU time counts."""
        return self.process.pid if self.process else None

    @property
    def path(self) -> str:
        """Where messages are posted."""
        if self.recipe is not None:
            return self.recipe.path
        return "/v1/anthropic/v1/messages" if self.name == GATEWAY else "/v1/messages"

    def asked(self, score: Score, *, tls: bool, wire: str = ANTHROPIC) -> str:
        """The model's name a client sends here (and must find in the reply)."""
        if self.recipe is not None:
            words = {"score": score.name, "scheme": "https" if tls else "http"}
            return filled(self.recipe.model, words)
        if self.name != GATEWAY:
            return score.name
        if wire == CHAT:
            return CHAT_MODEL_PREFIX + score.name
        if wire == BEDROCK:
            return BEDROCK_MODEL_PREFIX + score.name
        return GATEWAY_MODEL_PREFIXES["https" if tls else "http"] + score.name


class Stage:
    """All processes of one session. A context manager: on leaving, nothing is left behind."""

    def __init__(self, *, tls: bool = False, gateway: Sequence[str] | None = None) -> None:
        self.gateway_command = gateway or gateway_command()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-"))
        self.key = "sk-bench-" + secrets.token_urlsafe(36)
        self.certificate: pathlib.Path | None = None
        self._running: list[subprocess.Popen[bytes]] = []
        self._number = 0
        self.target_cpu, self.upstream_cpu, self.load_cpu = cpus()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < hard:  # a thousand streams have two thousand sockets in a proxy
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        if tls:
            self._make_certificate()

    def __enter__(self) -> "Stage":
        # A plain SIGTERM would end us without a word to our children.
        self._old_handler = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            self._start_upstream()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, self._old_handler)
        self.close()

    def close(self) -> None:
        """End every process, forget the folder."""
        for process in reversed(self._running):
            self.end(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    # processes

    def spawn(
        self,
        name: str,
        command: Sequence[str],
        *,
        cpu: int,
        env: Mapping[str, str] = {},
        stdout: int | None = None,
        stderr: int | None = None,
        cwd: pathlib.Path = ROOT,
    ) -> subprocess.Popen[bytes]:
        """Start a process on its CPU; what it says goes to a file of its own in the folder."""
        self._number += 1
        allowed = os.sched_getaffinity(0)
        with (self.folder / f"{self._number}-{name}.log").open("wb") as log:
            os.sched_setaffinity(0, {cpu})  # a child inherits it
            try:
                process = subprocess.Popen(
                    command,
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=log if stdout is None else stdout,
                    stderr=log if stderr is None else stderr,
                    env=os.environ
                    | (_QUIET_MALLOC if name in ("upstream", "load") else {})
                    | dict(env),
                )
            except OSError as error:
                raise CannotStart(f"{name}: {error}") from error
            finally:
                os.sched_setaffinity(0, allowed)
        self._running.append(process)
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """Ask, wait, insist; the process and nothing else. It may have ended already."""
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stdout is not None:
            process.stdout.close()
        if process in self._running:
            self._running.remove(process)

    def last_words(self) -> str:
        """The end of the newest log."""
        logs = sorted(self.folder.glob("*.log"), key=lambda log: int(log.name.split("-")[0]))
        return logs[-1].read_text(errors="replace")[-2000:] if logs else ""

    def _wait_ready(self, target: Target, since: float) -> Target:
        assert target.process is not None
        ready, limit_s = "/readyz", READY_LIMIT_S
        if target.recipe is not None:
            ready, limit_s = target.recipe.ready, PEER_READY_LIMIT_S
        while not _ready(target.port, ready):
            if target.process.poll() is not None:
                raise CannotStart(
                    f"{target.name} ended with {target.process.returncode}:\n{self.last_words()}"
                )
            if time.monotonic() - since > limit_s:
                raise CannotStart(f"{target.name} not ready in time:\n{self.last_words()}")
            time.sleep(0.002)
        target.ready_s = time.monotonic() - since
        time.sleep(IDLE_SETTLE_S)
        target.idle = proctree.memory(target.process.pid)
        return target

    def stop(self, target: Target) -> None:
        """End one target."""
        if target.process is not None:
            self.end(target.process)

    # the upstream

    def _make_certificate(self) -> None:
        self.certificate = self.folder / "certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
             "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
             "-addext", "keyUsage=critical,digitalSignature,keyCertSign",
             "-keyout", str(self.folder / "private.pem"), "-out", str(self.certificate)],
            check=True,
            capture_output=True,
        )  # fmt: skip

    def _start_upstream(self) -> None:
        command = [sys.executable, "-m", "bench.fast_upstream"]
        if self.certificate:
            command += ["--certificate", str(self.certificate)]
            command += ["--private-key", str(self.folder / "private.pem")]
        process = self.spawn("upstream", command, cpu=self.upstream_cpu, stdout=subprocess.PIPE)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise CannotStart(f"upstream:\n{self.last_words()}")
        self.upstream_ports: dict[str, int] = orjson.loads(line)

    def upstream_url(self, scheme: str) -> str:
        """Where the upstream listens."""
        return f"{scheme}://127.0.0.1:{self.upstream_ports[scheme]}"

    # the targets

    def start(self, name: str, parts: Sequence[Part]) -> Target:
        """Start a target that will be asked for these parts; measure how long it takes."""
        if name == DIRECT:
            ports = self.upstream_ports
            return Target(name, None, port=ports["http"], tls_port=ports.get("https", 0))
        starters = {NGINX: self._start_nginx, NAIVE: self._start_naive}
        return self._start_gateway(parts) if name == GATEWAY else starters[name]()

    def _start_naive(self) -> Target:
        port, tls_port = free_port(), free_port()
        command = [sys.executable, "-m", "bench.naive_proxy", f"{port}={self.upstream_url('http')}"]
        if self.certificate:
            command.append(f"{tls_port}={self.upstream_url('https')}={self.certificate}")
        since = time.monotonic()
        process = self.spawn(NAIVE, command, cpu=self.target_cpu)
        return self._wait_ready(Target(NAIVE, process, port=port, tls_port=tls_port), since)

    def _start_nginx(self) -> Target:
        binary = nginx.found("nginx")
        if binary is None:
            raise CannotStart("nginx is not installed")
        port, tls_port = free_port(), free_port()
        home = self.folder / f"nginx-{port}"
        home.mkdir()
        sites = [nginx.site("plain", port, "http", self.upstream_ports["http"])]
        if self.certificate:
            trust = (
                f"proxy_ssl_trusted_certificate {self.certificate}; proxy_ssl_verify on;"
                " proxy_ssl_name localhost;"
            )
            sites.append(nginx.site("tls", tls_port, "https", self.upstream_ports["https"], trust))
        settings = home / "nginx.conf"
        settings.write_text(nginx.settings(home, sites))
        since = time.monotonic()
        command = [binary, "-p", str(home), "-c", str(settings), "-e", str(home / "error.log")]
        process = self.spawn(NGINX, command, cpu=self.target_cpu)
        return self._wait_ready(Target(NGINX, process, port=port, tls_port=tls_port), since)

    def _start_gateway(self, parts: Sequence[Part]) -> Target:
        port = free_port()
        home = self.folder / f"gateway-{port}"
        home.mkdir()
        settings = home / "gateway.toml"
        settings.write_text(self._gateway_settings(home, port, parts))
        env = {KEY_VARIABLE: self.key, UPSTREAM_KEY_VARIABLE: "sk-ant-bench-" + "0" * 40}
        if self.certificate:
            env["SSL_CERT_FILE"] = str(self.certificate)  # what OpenSSL trusts, by its own variable
        for words in (
            ["key", "create", "--user", "bench@example.com", "--secret", f"env:{KEY_VARIABLE}"],
            ["package", "create", "Bench", "--monthly-credits", ALLOWANCE_CREDITS],
            ["tenant", "change", "Default", "--package", "Bench"],
        ):
            done = subprocess.run(
                [*self.gateway_command, *words, "--config", str(settings)],
                cwd=ROOT,
                env=os.environ | env,
                capture_output=True,
            )
            if done.returncode:
                said = done.stderr.decode(errors="replace")
                raise CannotStart(f"gateway, {' '.join(words[:2])}: {said}")
        command = [*self.gateway_command, "serve", "--config", str(settings)]
        since = time.monotonic()
        process = self.spawn(GATEWAY, command, cpu=self.target_cpu, env=env)
        return self._wait_ready(Target(GATEWAY, process, port=port), since)

    def start_peer(self, recipe: Recipe, parts: Sequence[Part]) -> Target:
        """Start a peer to be asked for these parts on Anthropic's wire, over both schemes."""
        port, tls_port = free_port(), free_port()
        home = self.folder / f"{recipe.name}-{port}"
        home.mkdir()
        places = {
            "port": str(port),
            "tls_port": str(tls_port),
            "home": str(home),
            "key": self.key,
            "certificate": str(self.certificate or ""),
            "upstream": self.upstream_url("http"),
            "upstream_port": str(self.upstream_ports["http"]),
        }
        if self.certificate:
            places["tls_upstream"] = self.upstream_url("https")
            places["tls_upstream_port"] = str(self.upstream_ports["https"])
        names = list(dict.fromkeys(part.score.name for part in parts if part.wire == ANTHROPIC))
        written = recipe.written(names, places)
        for name, text in written.files.items():
            (home / name).write_text(text)
        since = time.monotonic()
        process = self.spawn(
            recipe.name, written.command, cpu=self.target_cpu, env=written.env, cwd=home
        )
        where = {"port": port}
        if any("$tls_port" in text for text in (*recipe.files.values(), *recipe.command)):
            where["tls_port"] = tls_port
        return self._wait_ready(Target(recipe.name, process, written, **where), since)

    def _gateway_settings(self, home: pathlib.Path, port: int, parts: Sequence[Part]) -> str:
        """Keys, limits, ledger on SQLite and metrics on; no access log, as nginx and the naive
        proxy have none either. One model for each score, scheme and wire."""
        written = [
            "[server]\n"
            'host = "127.0.0.1"\n'
            f"port = {port}\n"
            "workers = 1\n"
            "[storage]\n"
            f'url = "sqlite:///{home / "gateway.db"}"\n'
            "[counters]\n"
            'url = "memory://"\n'
            "[limits]\n"
            f"key = {_BURST}\nuser = {_BURST}\ntenant = {_BURST}\n"
            "[observability]\n"
            "access_log = false\n"
        ]
        scores = dict.fromkeys(part.score for part in parts if part.wire == ANTHROPIC)
        for scheme in self.upstream_ports:
            url = self.upstream_url(scheme)
            written.append(_provider(_PROVIDERS[scheme], 'wire = "anthropic"\n', url))
            written.extend(
                _model(GATEWAY_MODEL_PREFIXES[scheme], score, _PROVIDERS[scheme])
                for score in scores
            )
        played = dict.fromkeys(part.score for part in parts if part.wire == CHAT)
        if played:
            wire = 'wire = "openai_chat"\ndialect = "openai"\n'
            written.append(_provider(_CHAT_PROVIDER, wire, self.upstream_url("http") + "/v1"))
            written.extend(_model(CHAT_MODEL_PREFIX, score, _CHAT_PROVIDER) for score in played)
        framed = dict.fromkeys(part.score for part in parts if part.wire == BEDROCK)
        if framed:
            wire = 'wire = "bedrock"\nregion = "us-east-1"\nsurface = "invoke"\n'
            written.append(_provider(_BEDROCK_PROVIDER, wire, self.upstream_url("http")))
            known = 'base_model = "anthropic.claude-sonnet-4-5"'
            written.extend(
                _model(BEDROCK_MODEL_PREFIX, score, _BEDROCK_PROVIDER, known) for score in framed
            )
        return "\n".join(written)

    # the load

    def load(self, scenario: Scenario, target: Target, **changed: object) -> Outcome:
        """Put one workload on one target, in a process of its own; give back what it saw."""
        if not scenario.tls:
            return self.outcome(self.begin_load(scenario, target, **changed))
        before = self._handshakes()
        outcome = self.outcome(self.begin_load(scenario, target, **changed))
        after = self._handshakes()
        outcome.tls_full = after.full - before.full
        outcome.tls_resumed = after.resumed - before.resumed
        return outcome

    def _handshakes(self) -> Handshakes:
        """How many TLS sessions the upstream has begun so far."""
        road = http.client.HTTPConnection("127.0.0.1", self.upstream_ports["http"], timeout=5)
        try:
            road.request("GET", HANDSHAKES_PATH.decode())
            return msgspec.json.decode(road.getresponse().read(), type=Handshakes)
        finally:
            road.close()

    def begin_load(
        self, scenario: Scenario, target: Target, **changed: object
    ) -> subprocess.Popen[bytes]:
        """Begin a load; what is to be different in its plan may be given by name."""
        score = scenario.score(load.SETTLE_S)
        asked = target.asked(score, tls=scenario.tls, wire=scenario.wire)
        headers: dict[str, str] = {}
        reply_model = ""
        if target.recipe is not None:
            scheme = "https" if scenario.tls else "http"
            words = {"score": score.name, "scheme": scheme, "upstream": self.upstream_url(scheme)}
            headers = {k: filled(text, words) for k, text in target.recipe.headers.items()}
            reply_model = filled(target.recipe.reply_model, words)
        plan = Plan(
            port=target.tls_port if scenario.tls else target.port,
            path=target.path,
            model=asked,
            score=score.name,
            body=scenario.body,
            connections=scenario.connections,
            duration_s=scenario.duration_s,
            held=scenario.held,
            ramp_s=scenario.ramp_s,
            # Only the direct road meets the upstream's TLS itself.
            certificate=str(self.certificate) if scenario.tls and not target.pid else None,
            watch_pid=target.pid,
            headers=headers,
            reply_model=reply_model,
        )
        plan = msgspec.structs.replace(plan, **changed)
        return self.spawn(
            "load",
            [sys.executable, "-m", "bench.load", msgspec.json.encode(plan).decode()],
            cpu=self.load_cpu,
            stdout=subprocess.PIPE,
            env={KEY_VARIABLE: self.key},
        )

    def outcome(self, process: subprocess.Popen[bytes]) -> Outcome:
        """Wait for a load that was begun; what it saw."""
        try:
            answer, _ = process.communicate(timeout=LOAD_LIMIT_S)
        except subprocess.TimeoutExpired as problem:
            raise CannotStart(f"the load did not end within {LOAD_LIMIT_S:.0f} s") from problem
        finally:
            self.end(process)
        if process.returncode:
            raise CannotStart(f"load: {self.last_words()}")
        return msgspec.json.decode(answer, type=Outcome)


def _provider(name: str, wire: str, base_url: str) -> str:
    return (
        "[[providers]]\n"
        f'name = "{name}"\n'
        f"{wire}"
        f'base_url = "{base_url}"\n'
        f'api_key = "env:{UPSTREAM_KEY_VARIABLE}"\n'
    )


def _model(prefix: str, score: Score, provider: str, more: str = "") -> str:
    """`more` stands in its deployment."""
    there = ", ".join(filter(None, (f'provider = "{provider}", model = "{score.name}"', more)))
    return (
        "[[models]]\n"
        f'id = "{prefix}{score.name}"\n'
        f'display_name = "Bench {score.name} of {provider}"\n'
        'developer = "Bench"\n'
        "released = 2025-10-15\n"
        "context_window = 200000\n"
        "max_output_tokens = 64000\n"
        "vision = true\n"
        "enabled = true\n"
        "rates = { input = 1000, output = 5000, cache_write_5m = 1250, cache_read = 100 }\n"
        f"deployments = [ {{ {there} }} ]\n"
    )


def gateway_command() -> list[str]:
    """The gateway's own command, from the environment this bench runs in."""
    script = pathlib.Path(sys.executable).parent / "hatz-gateway"
    return [str(script)] if script.exists() else [sys.executable, "-m", "proxy"]

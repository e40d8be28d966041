"""The services of docker-compose.yml without an engine: each command as it is written there, with
the environment that is written there, as a process on this machine.

What an engine would do is done by hand: names of services become loopback addresses, ports free
ones, mounted files copies of them. PostgreSQL's image starts the server by its own script, so here
the one of the tests takes its user, password and database; Grafana is not to be had from Debian.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.ports import free_port
from tests.deploy.compose import (
    OURS,
    ROOT,
    SERVICES,
    environment_of,
    instructions,
    mounts_of,
)
from tests.kit.servers import Postgres, _folder, found

WAIT_S = 60.0
LISTENING = {
    "postgres": (5432,),
    "valkey": (6379,),
    "upstream": (9000,),
    "gateway-1": (8080,),
    "gateway-2": (8080,),
    "balancer": (8080,),
    "prometheus": (9090,),
    "locust-master": (8089, 5557),
}
HOST = "127.0.0.1"


class Stack:
    """`start` and `stop` services by name; `close` ends all that still run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {
            (name, port): free_port() for name, ports in LISTENING.items() for port in ports
        }
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.postgres: Postgres | None = None

    def address(self, name: str, port: int = 8080) -> str:
        """Where a service is."""
        return f"http://{HOST}:{self.ports[name, port]}"

    # ------------------------------------------------------------ as an engine would

    def placed(self, text: str) -> str:
        """`name:port` as a place on this machine."""
        for (name, port), here in self.ports.items():
            text = re.sub(rf"(?<![\w-]){name}:{port}\b", f"{HOST}:{here}", text)
        return text

    def command(self, name: str) -> list[str]:
        """The words of the image's entry and of the service's command."""
        service = SERVICES[name]
        words: list[str] = list(service["command"])
        if service["image"] == OURS:
            [entry] = instructions("ENTRYPOINT")
            words = [*service.get("entrypoint", json.loads(entry)), *words]
        mounted = {target: self._mounted(name, source) for source, target, _ in mounts_of(name)}
        targets = "|".join(sorted(map(re.escape, mounted), key=len, reverse=True))
        if targets:
            place = re.compile(rf"(?:(?<==)|^)(?:{targets})(?![\w.-])")
            words = [place.sub(lambda at: str(mounted[at[0]]), word) for word in words]
        return [self.placed(word) for word in words]

    def _mounted(self, service: str, source: str) -> Path:
        """A volume of its own, or the file or folder with its addresses changed."""
        if not source.startswith("."):
            volume = self.folder / source
            volume.mkdir(exist_ok=True)
            return volume
        original = ROOT / source
        copy = self.folder / service / original.name
        if original.is_dir():
            shutil.copytree(original, copy, dirs_exist_ok=True)
        else:
            copy.parent.mkdir(exist_ok=True)
            shutil.copy(original, copy)
        for path in copy.rglob("*") if copy.is_dir() else [copy]:
            if path.suffix in (".toml", ".yml", ".cfg"):
                path.write_text(self._own(service, self.placed(path.read_text("utf-8"))), "utf-8")
        return copy

    def _own(self, service: str, text: str) -> str:
        """Its own port, where it stands without a name."""
        for port in LISTENING.get(service, ()):
            here = self.ports[service, port]
            text = text.replace(f"bind :{port}", f"bind {HOST}:{here}")
            text = text.replace(f'"{HOST}:{port}"', f'"{HOST}:{here}"')
        return text

    # ------------------------------------------------------------ services

    def start(self, name: str) -> None:
        """Run it, whatever it is."""
        if name == "postgres":
            self._start_postgres()
            return
        words = self.command(name)
        more: dict[str, str] = {}
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        if SERVICES[name]["image"] == OURS:
            words, more = self._ours(name, words)
        elif name == "valkey":
            assert words[0] == "valkey-server"
            port = str(self.ports[name, 6379])
            words = [_program("redis-server"), *words[1:], "--port", port, "--bind", HOST]
        elif name == "balancer":
            words = [_program(words[0]), *words[1:]]
        elif name == "prometheus":
            listens = f"--web.listen-address={HOST}:{self.ports[name, 9090]}"
            words = [_program("prometheus"), *words, listens]
        elif name.startswith("locust"):
            words = self._locust(name, words)
        log = (folder / "log").open("ab")
        self.running[name] = subprocess.Popen(
            words,
            cwd=folder,
            env=environment_of(name) | {key: self.placed(v) for key, v in _own_of(name)} | more,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        log.close()

    def _ours(self, name: str, words: list[str]) -> tuple[list[str], dict[str, str]]:
        if words[0] == "python":
            port = str(self.ports[name, 9000])
            there = {"9000": port, "0.0.0.0": HOST}
            words = [sys.executable, *[there.get(word, word) for word in words[1:]]]
        else:
            assert words[0] == "hatz-gateway"
            words = [sys.executable, "-m", "proxy", *words[1:]]
        more = {"PYTHONPATH": str(ROOT)}
        if name.startswith("gateway-"):
            more["HATZ_GATEWAY__SERVER__HOST"] = HOST
            more["HATZ_GATEWAY__SERVER__PORT"] = str(self.ports[name, 8080])
            more["HATZ_GATEWAY__LEDGER__FOLDER"] = str(self.folder / f"journal-{name[-1]}")
        return words, more

    def _locust(self, name: str, words: list[str]) -> list[str]:
        master = str(self.ports["locust-master", 5557])
        words = [HOST if word == "locust-master" else word for word in words]
        if "--master" in words:
            more = ["--web-host", HOST, "--web-port", str(self.ports["locust-master", 8089])]
            more += ["--master-bind-host", HOST, "--master-bind-port", master]
        else:
            more = ["--master-port", master]
        return [sys.executable, "-m", "locust", *words, *more]

    def _start_postgres(self) -> None:
        given = SERVICES["postgres"]["environment"]
        server = Postgres(_folder("stack"))
        server.password = given["POSTGRES_PASSWORD"]
        assert given["POSTGRES_USER"] == "gateway"
        server.port = self.ports["postgres", 5432]
        server.prepare()
        server.start()
        self.postgres = server
        server.ask(f"CREATE DATABASE {given['POSTGRES_DB']}")

    def completes(self, name: str) -> None:
        """Run a service that ends by itself; it must end well."""
        self.start(name)
        status = self.running.pop(name).wait(WAIT_S)
        assert status == 0, f"{name} ended with {status}:\n{self.said(name)}"

    def stop(self, name: str) -> int:
        """As an engine stops it: SIGTERM, patience; its exit status."""
        running = self.running.pop(name)
        running.send_signal(signal.SIGTERM)
        return running.wait(WAIT_S)

    def said(self, name: str) -> str:
        """The end of its log."""
        return (self.folder / name / "log").read_text(errors="replace")[-3_000:]

    def healthy(self, name: str) -> None:
        """Wait until the service's own check passes, or the image's."""
        check = SERVICES[name].get("healthcheck", {}).get("test")
        if check is None:
            [line] = instructions("HEALTHCHECK")
            check = ["CMD", *json.loads(line.partition("CMD ")[2])]
        kind, program, *words = check
        assert kind == "CMD"
        environ = dict(os.environ)
        if program == "python":
            program = sys.executable
            for port in LISTENING[name]:
                words = [word.replace(f":{port}", f":{self.ports[name, port]}") for word in words]
        elif program == "valkey-cli":
            words = ["-p", str(self.ports[name, 6379]), *words]
            program = _program("redis-cli")
        else:
            environ |= {"PGHOST": HOST, "PGPORT": str(self.ports[name, 5432])}
            program = _program(program)

        def passes() -> bool:
            done = subprocess.run([program, *words], env=environ, capture_output=True, timeout=30)
            return done.returncode == 0

        self.until(passes, f"{name} to be healthy", name)

    def until(self, look: Callable[[], Any], what: str, name: str = "") -> Any:
        """Look again and again; fail with the service's log when it takes too long or has ended."""
        end_s = time.monotonic() + WAIT_S
        while not (seen := look()):
            ended = name in self.running and self.running[name].poll() is not None
            if ended or time.monotonic() > end_s:
                log = self.said(name) if (self.folder / name / "log").exists() else ""
                pytest.fail(f"waited for {what}\n{log}")
            time.sleep(0.1)
        return seen

    def close(self) -> None:
        """End everything."""
        for running in self.running.values():
            running.terminate()
        for running in self.running.values():
            try:
                running.wait(15)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
        if self.postgres is not None:
            self.postgres.kill()
            shutil.rmtree(self.postgres.folder, ignore_errors=True)


def read(url: str, within_s: float = 10.0) -> bytes | None:
    """What is there; None while nobody answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=within_s) as reply:
            body: bytes = reply.read()
            return body
    except (urllib.error.URLError, OSError):
        return None


def _own_of(name: str) -> list[tuple[str, str]]:
    return list(environment_of(name).items())


def _program(name: str) -> str:
    at = found(name)
    if at is None:
        pytest.fail(f"{name} is not installed: `make servers` as root", pytrace=False)
    return str(at)

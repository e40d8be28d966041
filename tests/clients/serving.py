"""The gateway and its demo upstream as an operator starts them: two processes, one TOML file."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.ports import free_port
from tests.kit.google_issuer import google_issuer
from tests.kit.vertex_cloud import VertexCloud, cloud_in_a_thread, plays_model_of

ROOT = Path(__file__).resolve().parents[2]
START_TIME_MAX_S = 30

KEY = "hz_clients_0123456789abcdefghijklmnopqrstuv"
KEY_MAPPED = "hz_clients_mapped_0123456789abcdefghijklmnopq"
KEY_WRONG = "hz_clients_this_key_was_never_given_to_anybody"
UPSTREAM_KEY = "upstream-key-only-the-gateway-knows"

CONFIG = """
[server]
host = "127.0.0.1"

[storage]
url = "sqlite:///gateway.db"

[upstream]                             # less patient than usual: clients shall see pings
ping_after_s = 1.0
commit_after_s = 2.5

[web_search]                           # the same process once more, as a search service
enabled = {searches}
base_url = "{upstream}"
api_key = "env:DEMO_UPSTREAM_KEY"

[[providers]]
name = "demo"
wire = "anthropic"
base_url = "{upstream}"
api_key = "env:DEMO_UPSTREAM_KEY"

[[providers]]                          # Claude where it cannot search by itself
name = "compat"
wire = "anthropic_compat"
base_url = "{upstream}"
api_key = "env:DEMO_UPSTREAM_KEY"

[[providers]]                          # Google Cloud, which has the same model behind it
name = "vertex"
wire = "vertex"
base_url = "{vertex}"
project = "my-project"
region = "europe-west1"
credentials = "env:GOOGLE_LOGIN"

[[providers]]                          # the same process, which plays the vendor of each model
name = "kimi"
wire = "openai_chat"
dialect = "moonshot"
base_url = "{upstream}/v1"
api_key = "env:DEMO_UPSTREAM_KEY"

[[providers]]
name = "gpt"
wire = "openai_chat"
dialect = "openai"
base_url = "{upstream}/v1"
api_key = "env:DEMO_UPSTREAM_KEY"
"""
MODEL = """
[[models]]
id = "{id}"
display_name = "{name}"
developer = "{developer}"
{family}
released = {released}
context_window = 200000
max_output_tokens = 64000
vision = {vision}
rates = {{ input = 1000, output = 5000, cache_write_5m = 1250, cache_write_1h = 2000, cache_read = 100 }}
deployments = [ {{ provider = "{provider}", model = "{native}" }} ]
"""  # noqa: E501  one table, one line
KIMI = "moonshot.kimi-k2-thinking"
GPT = "gpt-5.2"
CLAUDE_ELSEWHERE = "anthropic.claude-sonnet-4-6"
CLAUDE_ON_VERTEX = "anthropic.claude-opus-4-7"
MODELS = [
    ("anthropic.claude-opus-5-5", "Claude Opus 5.5", "opus", "2026-10-01"),
    ("anthropic.claude-sonnet-5-5", "Claude Sonnet 5.5", "sonnet", "2026-09-15"),
    ("anthropic.claude-haiku-5-5", "Claude Haiku 5.5", "haiku", "2026-10-10"),
    ("anthropic.claude-haiku-4-5", "Claude Haiku 4.5", "haiku", "2025-10-15"),
    (CLAUDE_ELSEWHERE, "Claude Sonnet 4.6", "", "2026-02-17"),
    (CLAUDE_ON_VERTEX, "Claude Opus 4.7", "", "2026-04-16"),
    (KIMI, "Kimi K2 Thinking", "", "2025-11-06"),
    (GPT, "GPT 5.2", "", "2025-12-11"),
]
FOREIGN = {  # developer, provider, whether it sees
    KIMI: ("Moonshot AI", "kimi", False),
    GPT: ("OpenAI", "gpt", True),
    CLAUDE_ELSEWHERE: ("Anthropic", "compat", True),
    CLAUDE_ON_VERTEX: ("Anthropic", "vertex", True),
}


@dataclass(frozen=True)
class Gateway:
    """Where the clients are sent, and with what."""

    url: str
    key: str
    key_wrong: str
    key_mapped: str
    """Of a user whose `haiku` is Kimi."""
    url_searchless: str
    """Of another gateway, where web search is switched off."""
    upstream_url: str
    log: Path
    vertex: VertexCloud | None = None
    """Google Cloud, and all it was asked."""
    clouds: tuple[str, ...] = (CLAUDE_ON_VERTEX,)
    """Models that run where every request is looked at, for the scenes of clouds."""


@contextmanager
def serving(place: Path) -> Iterator[Gateway]:
    """A gateway that searches and one that does not, in front of a demo upstream; all on free
    ports, their files in `place`."""
    environment = {
        **os.environ,
        "DEMO_UPSTREAM_KEY": UPSTREAM_KEY,
        "CLIENTS_KEY": KEY,
        "CLIENTS_KEY_MAPPED": KEY_MAPPED,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
    demo = ["proxy.demo.upstream", "--port", "0", "--pace-ms", "0", "--die-with-parent"]
    with process(demo, place / "upstream.log", environment) as upstream:
        upstream_url = upstream.said("listening ")
        searchless = place / "searchless"
        searchless.mkdir()
        with (
            google_issuer() as issuer,
            cloud_in_a_thread(issuer, plays_model_of(upstream_url, UPSTREAM_KEY)) as vertex,
            opened(
                place,
                config(upstream_url, vertex.base_url),
                {**environment, "GOOGLE_LOGIN": issuer.service_account()},
            ) as (gateway, url),
            opened(
                searchless,
                config(upstream_url, vertex.base_url, searches=False),
                {**environment, "GOOGLE_LOGIN": issuer.authorized_user()},
            ) as (other, url_2),
        ):
            gateway.answers(f"{url}/readyz")
            other.answers(f"{url_2}/readyz")
            map_haiku_to_kimi(url)
            yield Gateway(
                f"{url}/v1/anthropic",
                KEY,
                KEY_WRONG,
                KEY_MAPPED,
                f"{url_2}/v1/anthropic",
                upstream_url,
                place / "gateway.log",
                vertex,
            )


@contextmanager
def opened(
    place: Path, written: str, environment: Mapping[str, str]
) -> Iterator[tuple["Process", str]]:
    """A gateway that begins to serve, with its keys, and its address."""
    (place / "gateway.toml").write_text(written)
    config_file = ["--config", str(place / "gateway.toml")]
    for email, secret in (("driver", "CLIENTS_KEY"), ("mapper", "CLIENTS_KEY_MAPPED")):
        create = ["key", "create", *config_file, "--user", f"{email}@example.com"]
        create += ["--secret", f"env:{secret}"]
        made = subprocess.run(
            [sys.executable, "-m", "proxy", *create],
            cwd=place,
            env=environment,
            capture_output=True,
            text=True,
            timeout=START_TIME_MAX_S,
        )
        assert made.returncode == 0, made.stderr
    port = free_port()
    serve = ["proxy", "serve", *config_file, "--port", str(port)]
    with process(serve, place / "gateway.log", environment) as gateway:
        yield gateway, f"http://127.0.0.1:{port}"


def map_haiku_to_kimi(url: str) -> None:
    """What a user sets in the preferences, for the one whose key is KEY_MAPPED."""
    wanted = {"enabled": True, "mappings": {"haiku": KIMI}}
    request = urllib.request.Request(
        f"{url}/v1/preferences/gateway-mapping",
        json.dumps(wanted).encode(),
        {"x-api-key": KEY_MAPPED, "content-type": "application/json"},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=START_TIME_MAX_S) as reply:
        assert reply.status == 200


def config(upstream: str, vertex: str, *, searches: bool = True) -> str:
    """The gateway's configuration file."""
    models = []
    for id, name, family, released in MODELS:
        developer, provider, vision = FOREIGN.get(id, ("Anthropic", "demo", True))
        models.append(
            MODEL.format(
                id=id,
                name=name,
                developer=developer,
                family=f'family = "{family}"' if family else "",
                released=released,
                vision=str(vision).lower(),
                provider=provider,
                native=id.partition(".")[2] if id != GPT else GPT,
            )
        )
    head = CONFIG.format(upstream=upstream, vertex=vertex, searches=str(searches).lower())
    return head + "".join(models)


class Process:
    """One of our own programs, running; what it prints goes into a file."""

    def __init__(self, running: subprocess.Popen[bytes], log: Path) -> None:
        self._running = running
        self._log = log
        self._deadline = time.monotonic() + START_TIME_MAX_S

    def said(self, beginning: str) -> str:
        """The rest of the first line that begins so."""
        while True:
            for line in self._log.read_text(errors="replace").splitlines():
                if line.startswith(beginning):
                    return line.removeprefix(beginning).strip()
            self._wait_a_little(f"did not say {beginning!r}")

    def answers(self, url: str) -> None:
        """Return when this address answers 200."""
        while True:
            try:
                with urllib.request.urlopen(url, timeout=5) as reply:
                    if reply.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass  # not listening yet, or not ready: the deadline decides
            self._wait_a_little(f"does not answer at {url}")

    def _wait_a_little(self, complaint: str) -> None:
        if self._running.poll() is not None or time.monotonic() > self._deadline:
            log = self._log.read_text(errors="replace")[-4000:]
            pytest.fail(f"{self._log.stem} {complaint}; it printed:\n{log}")
        time.sleep(0.05)


@contextmanager
def process(module: Sequence[str], log: Path, environment: Mapping[str, str]) -> Iterator[Process]:
    """Run `python -m module` for as long as it is needed."""
    with log.open("wb") as out:
        running = subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=log.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Process(running, log)
    finally:
        running.terminate()
        try:
            running.wait(timeout=10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()

"""The peers we know: their recipes, and how each is installed in a place of its own.

Versions are pinned beside this file (`litellm.txt`, `portkey/package.json`); HAProxy is Debian's.
What is installed stands under `.peers/`, which git ignores, and is used again by the next run.
"""

import os
import pathlib
import shutil
import subprocess
import sys

from bench.nginx import apt_install
from bench.peers.recipe import Recipe
from bench.stage import ROOT

PLACE = ROOT / ".peers"
INSTALL_LIMIT_S = 600
HERE = pathlib.Path(__file__).resolve().parent

LITELLM, PORTKEY, HAPROXY = "litellm", "portkey", "haproxy"


class CannotInstall(Exception):
    """A peer is not to be had; the message says why, in one line."""


def _run(words: list[str], *, cwd: pathlib.Path = ROOT) -> None:
    try:
        done = subprocess.run(
            words, cwd=cwd, capture_output=True, text=True, timeout=INSTALL_LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise CannotInstall(f"{pathlib.Path(words[0]).name}: {problem}") from problem
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise CannotInstall(f"{pathlib.Path(words[0]).name}: {said[-1] if said else 'failed'}")


def _once(folder: pathlib.Path, pins: pathlib.Path) -> bool:
    """Whether the folder still has to be filled: its note of what was installed is another."""
    note = folder / ".installed"
    return not (note.exists() and note.read_bytes() == pins.read_bytes())


# ---------------------------------------------------------------- LiteLLM

# One entry for each model, as its documentation shows; a master key, so that it asks for keys.
_LITELLM_SETTINGS = """model_list:
$for_each_score
general_settings:
  master_key: $key
"""
_LITELLM_MODEL = """  - model_name: $scheme-$score
    litellm_params:
      model: anthropic/$score
      api_base: $upstream
      api_key: sk-ant-bench
"""


def _litellm() -> Recipe:
    folder, pins = PLACE / LITELLM, HERE / "litellm.txt"
    python = folder / "bin" / "python"
    if _once(folder, pins):
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(folder)])
        _run(
            [
                *(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                *("--no-deps", "-r", str(pins)),
            ]
        )
        shutil.copy(pins, folder / ".installed")
    (version,) = [
        line.partition("==")[2]
        for line in pins.read_text().splitlines()
        if line.startswith("litellm==")
    ]
    return Recipe(
        name=LITELLM,
        version=version,
        route="POST /v1/messages to anthropic/MODEL with api_base; one worker, a master key, no "
        "database, log level ERROR as it advises for production",
        command=[
            *(str(folder / "bin" / "litellm"), "--config", "$home/config.yaml"),
            *("--host", "127.0.0.1", "--port", "$port"),
        ],
        files={"config.yaml": _LITELLM_SETTINGS},
        for_each_score=_LITELLM_MODEL,
        env={
            "LITELLM_LOG": "ERROR",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it asks the network at its start
            "SSL_CERT_FILE": "$certificate",
        },
        ready="/health/readiness",
        model="$scheme-$score",
        keys=True,
        tls=True,
    )


# ---------------------------------------------------------------- Portkey


def _portkey() -> Recipe:
    folder, pins = PLACE / PORTKEY, HERE / "portkey" / "package.json"
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise CannotInstall("node and npm are missing")
    if _once(folder, pins):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copy(pins, folder / "package.json")
        _run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder)
        shutil.copy(pins, folder / ".installed")
    package = folder / "node_modules" / "@portkey-ai" / "gateway"
    return Recipe(
        name=PORTKEY,
        version="1.15.2",
        route="POST /v1/messages with x-portkey-provider: anthropic and x-portkey-custom-host; "
        "asks for no key; @hono/node-server held at 1.13.8, with newer ones its streams fail (its "
        "issue 1389)",
        command=["node", str(package / "build" / "start-server.js"), "--port=$port", "--headless"],
        env={"NODE_ENV": "production", "NODE_EXTRA_CA_CERTS": "$certificate"},
        headers={
            "x-portkey-provider": "anthropic",
            "x-portkey-custom-host": "$upstream/v1",
        },
        tls=True,
    )


# ---------------------------------------------------------------- HAProxy

_HAPROXY_SETTINGS = """global
  nbthread 1
  maxconn 8192
  tune.ssl.default-dh-param 2048
defaults
  mode http
  http-reuse always
  option http-no-delay
  timeout connect 5s
  timeout client 300s
  timeout server 300s
frontend plain
  bind 127.0.0.1:$port backlog 4096
  default_backend plain
backend plain
  server one 127.0.0.1:$upstream_port
frontend tls
  bind 127.0.0.1:$tls_port backlog 4096
  default_backend tls
backend tls
  default-server ssl verify required ca-file $certificate sni str(localhost)
  server one 127.0.0.1:$tls_upstream_port
"""


def _haproxy() -> Recipe:
    if reason := apt_install("haproxy", ("haproxy",)):
        raise CannotInstall(reason)
    binary = shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin")
    assert binary is not None
    said = subprocess.run([binary, "-v"], capture_output=True, text=True).stdout.split()
    return Recipe(
        name=HAPROXY,
        version=said[2] if len(said) > 2 else "",
        route="plain streaming proxy, one thread, nothing logged",
        command=[binary, "-db", "-f", "$home/haproxy.cfg"],
        files={"haproxy.cfg": _HAPROXY_SETTINGS},
        limit=True,
        tls=True,
    )


KNOWN = {HAPROXY: _haproxy, LITELLM: _litellm, PORTKEY: _portkey}


def recipe(name: str) -> Recipe:
    """Install a known peer if it is not there yet; how it is set up."""
    return KNOWN[name]()

"""Running a client's driver and keeping the document it prints."""

import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.clients.serving import ROOT, Gateway

DRIVERS = Path(__file__).resolve().parent / "drivers"
CLIENTS = ROOT / ".clients"
NODE_ARCH = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "")
DRIVE_TIME_MAX_S = 300


class Seen:
    """What one client saw, scene by scene. A scene that fell over fails whoever asks for it."""

    def __init__(self, client: str, document: Mapping[str, Any]) -> None:
        self.client = client
        self.is_new = client.endswith("-new")
        self.is_python = client.startswith("python")
        self._document = document

    def __getitem__(self, scene: str) -> Any:
        told = self._document[scene]
        if isinstance(told, dict) and "failed" in told:
            pytest.fail(f"{self.client}, scene {scene}: {told['failed']}\n{told['trace']}")
        return told


def command_of(client: str) -> list[str]:
    """The command that drives this client."""
    kind, _, age = client.rpartition("-")
    node_modules = CLIENTS / "node" / "node_modules"
    python = [sys.executable, "-S"]  # the standard library and the SDK's folder, nothing of ours
    node = [str(node_modules / f"node-linux-{NODE_ARCH}" / "bin" / "node")]
    node += ["--experimental-import-meta-resolve", "--no-warnings"]
    match kind:
        case "python":
            return [*python, str(DRIVERS / "python_sdk.py")]
        case "typescript":
            return [*node, str(DRIVERS / "typescript_sdk.mjs"), age]
        case "ai-sdk":
            return [*node, str(DRIVERS / "ai_sdk.mjs"), age]
        case "claude":
            program = node_modules / f"@anthropic-ai/claude-code-linux-{NODE_ARCH}" / "claude"
            return [*python, str(DRIVERS / "claude_code.py"), str(program)]
        case _:
            raise AssertionError(f"no such client: {client}")


def folder_of(client: str) -> Path:
    """Where `install.py` has put this client."""
    return CLIENTS / (client if client.startswith("python-") else "node")


def drive(client: str, gateway: Gateway, home: Path, *scenes: str) -> Seen:
    """Run one client's driver to its end: all its scenes, or those named."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(folder_of(client)),
        "CLIENTS_NODE": str(CLIENTS / "node"),
        "GATEWAY_URL": gateway.url,
        "GATEWAY_URL_SEARCHLESS": gateway.url_searchless,
        "GATEWAY_KEY": gateway.key,
        "GATEWAY_KEY_WRONG": gateway.key_wrong,
        "GATEWAY_KEY_MAPPED": gateway.key_mapped,
        "UPSTREAM_URL": gateway.upstream_url,
        "CLIENTS_CLOUDS": ",".join(gateway.clouds),
    }
    driving = subprocess.Popen(
        [*command_of(client), *scenes],
        cwd=home,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = driving.communicate(timeout=DRIVE_TIME_MAX_S)
    except subprocess.TimeoutExpired:
        os.killpg(driving.pid, signal.SIGKILL)
        out, err = driving.communicate()
    if driving.returncode:
        raise AssertionError(f"the driver of {client} failed:\n{err.decode(errors='replace')}")
    return Seen(client, json.loads(out))

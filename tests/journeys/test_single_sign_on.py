"""Several workers, one way in: a sign-in that one of them began is ended by another, and what an
administrator switches for all holds in all, also after a restart."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.kit.identity_provider import CLIENT, SECRET, identity_provider
from tests.kit.running import ROOT, GatewayProcess, gateway_process, until
from tests.kit.traveller import Traveller

WORKERS = 2
OFTEN = 10
"""So many connections in a row: of two workers each is asked, but for once in 500 runs."""
KIMI = """
[web_search]
base_url = "{provider}"
api_key = ""

[[providers]]
name = "kimi"
wire = "openai_chat"
dialect = "moonshot"
base_url = "{provider}/v1"

[[models]]
id = "moonshot.kimi-k2-thinking"
display_name = "Kimi K2 Thinking"
developer = "Moonshot AI"
released = 2025-11-06
context_window = 262144
max_output_tokens = 32768
rates = {{ input = 600, output = 2500 }}
deployments = [ {{ provider = "kimi", model = "kimi-k2-thinking" }} ]
"""


@pytest.fixture
def models() -> Iterator[str]:
    """The demo's provider of models, which searches, too."""
    running = subprocess.Popen(
        [sys.executable, "-m", "proxy.demo.upstream", "--port", "0", "--die-with-parent"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    try:
        yield running.stdout.readline().removeprefix("listening ").strip()
    finally:
        running.terminate()
        running.wait()
        running.stdout.close()


def test_a_sign_in_goes_on_at_whichever_worker(tmp_path: Path, models: str) -> None:
    secret = tmp_path / "client-secret"
    secret.write_text(SECRET)
    with identity_provider() as there:
        there.people = {"ada": {"email": "ada@example.com", "email_verified": True}}
        settings: dict[str, Any] = {
            "server__public_url": "https://ai.example.com",
            "console__client_address_header": "X-Real-IP",
            "oidc__enabled": "true",
            "oidc__issuer": there.url,
            "oidc__client_id": CLIENT,
            "oidc__client_secret": f"file:{secret}",
        }
        with gateway_process(tmp_path, models, workers=WORKERS, **settings) as gateway:
            gateway.command("user", "create", "ada@example.com", "--tenant", "Default")
            for _ in range(OFTEN):
                here = Traveller(gateway, there)
                assert here.sign_in("ada") == "/workspace/preferences"
                assert here.who() == "ada@example.com"
        assert SECRET not in gateway.log.read_text("utf-8")
        assert there.complaints == []


def searched(gateway: GatewayProcess) -> bool:
    """Does a request search that asks for it?"""
    body = {
        "model": "moonshot.kimi-k2-thinking",
        "max_tokens": 200,
        "tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 1}],
        "messages": [{"role": "user", "content": "Perform a web search for the query: tides"}],
    }
    said = gateway.ask("POST", "/v1/anthropic/v1/messages", {}, msgspec.json.encode(body))
    if said.status != 200:
        assert b"administrator" in said.body, said.body
        return False
    usage = said.json()["usage"].get("server_tool_use") or {}
    return bool(usage.get("web_search_requests"))


def all_search(gateway: GatewayProcess, wanted: bool) -> bool:
    return all(searched(gateway) is wanted for _ in range(OFTEN))


def test_web_search_is_switched_in_every_worker_and_stays_so(tmp_path: Path, models: str) -> None:
    more = KIMI.format(provider=models)
    path = "/v1/admin/settings/web-search"
    with gateway_process(tmp_path, models, more, workers=WORKERS) as gateway:
        root = gateway.command("user", "create", "root@msp.example", "--admin", "--json")
        assert "root@msp.example" in root
        key = gateway.command("key", "create", "--user", "root@msp.example")
        as_root = {"X-Api-Key": key}
        assert not searched(gateway)
        said = gateway.ask("PUT", path, as_root, b'{"enabled":true}')
        assert said.json()["enabled"] is True
        until(lambda: all_search(gateway, True), "all workers search", 60.0)
    with gateway_process(tmp_path, models, more, workers=WORKERS) as gateway:
        assert all_search(gateway, True), "what was switched outlives a restart"
        assert gateway.ask("PUT", path, as_root, b'{"enabled":null}').status == 200
        until(lambda: all_search(gateway, False), "no worker searches", 60.0)

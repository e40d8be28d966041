"""A gateway with people in it, in front of the demo's model provider, for tests of the console."""

import contextlib
import io
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from proxy.cli.main import main as command
from tests.kit.demo import demo_provider
from tests.kit.raw_client import Reply
from tests.kit.running import SECOND_MODEL, RunningHouse, house, message

T = TypeVar("T")
PASSWORD = "correct horse battery staple"
ROOT_USER = "root@msp.example"
ADA = "ada@acme.example"
BOB = "bob@acme.example"
CARL = "carl@acme.example"
EVE = "eve@beta.example"
ROLES = {
    ADA: "client_admin",
    BOB: "general_user",
    CARL: "chat_only_user",
    EVE: "client_admin",
    "manager@msp.example": "msp_tenant_manager",
    "billing@msp.example": "msp_billing_manager",
    "help@msp.example": "msp_helpdesk",
}
HAIKU = "anthropic.claude-haiku-4-5"
OPUS = "anthropic.claude-opus-5-5"
KIMI = "moonshot.kimi-k2-thinking"

_MORE = """
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
rates = {{ input = 600, output = 2500, cache_read = 150 }}
deployments = [ {{ provider = "kimi", model = "kimi-k2-thinking" }} ]
"""


@dataclass
class Floor:
    """The gateway, and commands on its storage."""

    gateway: RunningHouse

    @property
    def base(self) -> str:
        """Where a browser finds it."""
        host, port = self.gateway.address
        return f"http://{host}:{port}"

    def run(self, *words: str) -> Any:
        """A command of ours that must succeed; what it says as JSON."""
        return msgspec.json.decode(self._said(*words, "--json"))

    def key(self, email: str, tenant: str = "Acme") -> str:
        """A new API key of somebody."""
        words = ("key", "create", "--user", email, "--tenant", tenant, "--name", "for a test")
        return self._said(*words).strip()

    def _said(self, *words: str) -> str:
        config = str(self.gateway.place / "gateway.toml")
        said = io.StringIO()

        def carried_out() -> int:
            with contextlib.redirect_stdout(said):
                return command([*words, "--config", config])

        with ThreadPoolExecutor(1) as thread:  # see `beside`
            assert thread.submit(carried_out).result() == 0, said.getvalue()
        return said.getvalue()

    def say(self, key: str, model: str = "haiku", text: str = "Hello") -> Reply:
        """One message of a client."""
        body = message(stream=False, model=model, text=text)
        headers = {"X-Api-Key": key, "User-Agent": "claude-cli/2.1.0 (external, cli)"}
        return self.gateway.ask("POST", "/v1/anthropic/v1/messages", headers, body)


@contextlib.contextmanager
def beside(opening: contextlib.AbstractContextManager[T]) -> Iterator[T]:
    """Opened and closed on another thread: Playwright's own event loop runs on this one, and what
    is opened wants one for itself."""
    with ThreadPoolExecutor(1) as thread:
        opened = thread.submit(opening.__enter__).result()
        try:
            yield opened
        finally:
            thread.submit(opening.__exit__, None, None, None).result()


@contextlib.contextmanager
def opened_floor(place: Path, **settings: object) -> Iterator[Floor]:
    """With its people; everybody has the same password."""
    with demo_provider() as url:
        more = SECOND_MODEL + _MORE.format(provider=url)
        with house(place, url, more, **settings) as gateway:
            floor = Floor(gateway)
            _furnish(floor, place)
            yield floor


def _furnish(floor: Floor, place: Path) -> None:
    password = place / "password"
    password.write_text(PASSWORD)
    given = ("--password", f"file:{password}")
    floor.run("package", "create", "Starter", "--monthly-credits", "10000")
    floor.run("package", "create", "Professional", "--monthly-credits", "20000")
    for tenant in ("Acme", "Zebra"):
        floor.run("tenant", "create", tenant)
    floor.run("user", "create", ROOT_USER, "--admin", "--tenant", "MSP", *given)
    for email, role in ROLES.items():
        tenant = {"acme": "Acme", "beta": "Zebra", "msp": "MSP"}[re.split("[@.]", email)[1]]
        floor.run("user", "create", email, "--tenant", tenant, "--role", role, *given)

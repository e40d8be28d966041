"""A town: a gateway with several tenants, their people and packages, changed through its own API.

What a reply costs is the test's to say (`costs`), so that a tenant can be brought to any share of
its allowance with one call.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from aiohttp.test_utils import TestServer

from proxy.demo.log import RequestLog
from proxy.demo.upstream import build_app
from tests.kit.journey import (
    Client,
    Gateway,
    Line,
    Play,
    Provider,
    Reply,
    ask,
    config_text,
    provider,
)

OPUS = "anthropic.claude-opus-4-7"
OLD_OPUS = "anthropic.claude-opus-4-6"
SONNET = "anthropic.claude-sonnet-4-6"
HAIKU = "anthropic.claude-haiku-4-5"
KIMI = "moonshot.kimi-k2-thinking"
BASE = "anthropic.claude-base-1"
GUEST = "anthropic.claude-opus-5-5"
GPT = "gpt-5.2"
ELSEWHERE = "anthropic.claude-sonnet-4-5"

MULTIPLIERS = {OPUS: 1.67, OLD_OPUS: 1.67, SONNET: 1.0, HAIKU: 0.33, KIMI: 0.18, BASE: 0.02}
_MODELS = [
    # id, family, released, rates in and out, base level
    (OPUS, "opus", "2026-02-01", 5000, 25000, False),
    (OLD_OPUS, "opus", "2025-11-01", 5000, 25000, False),
    (SONNET, "sonnet", "2025-12-01", 3000, 15000, False),
    (HAIKU, "haiku", "2025-10-15", 1000, 5000, False),
    (KIMI, "", "2025-11-06", 600, 2500, False),
    (BASE, "", "2025-01-01", 100, 100, True),
]
INPUT_RATES = {id: rate for id, _, _, rate, _, _ in _MODELS}
SETTLED_S = 2.0
"""Within this time everything changed or used counts everywhere (domain.md 4.2, 10)."""


def town_text(port: int, folder: Path, more: str = "", search: str = "") -> str:
    """The operator's file of a town; `more` are further sections, `search` what stands under
    [web_search]."""
    file = config_text([port], folder, ledger="flush_ms = 20", search=search)
    head = file.partition("[[models]]")[0]
    lines = [head, more]
    for id, family, released, rate_in, rate_out, base in _MODELS:
        lines.append(
            f'[[models]]\nid = "{id}"\ndisplay_name = "{id}"\ndeveloper = "Somebody"\n'
            + (f'family = "{family}"\n' if family else "")
            + f"released = {released}\ncontext_window = 200000\nmax_output_tokens = 64000\n"
            f"base_level = {str(base).lower()}\n"
            f"rates = {{ input = {rate_in}, output = {rate_out} }}\n"
            f'deployments = [ {{ provider = "p0", model = "{id.partition(".")[2]}" }} ]\n'
        )
    return "\n".join(lines)


def costs(credits: float, model: str) -> Play:
    """A whole reply that costs so many credits of this model, all of them input."""
    tokens = round(credits * 1_000_000 / INPUT_RATES[model])
    body = msgspec.json.encode(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": model.partition(".")[2],
            "content": [{"type": "text", "text": "Done."}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": tokens, "output_tokens": 0},
        }
    )

    async def play(line: Line) -> None:
        line.whole(200, body)

    return play


@dataclass
class Vendors:
    """Makers of models as they really are, played by the demo upstream; `more` brings their models
    GUEST (on Anthropic's wire), GPT (on OpenAI's) and ELSEWHERE (a Claude that cannot search by
    itself) into a town, `searching` a search service."""

    port: int
    log: RequestLog

    @property
    def more(self) -> str:
        lines = []
        for name, wire, path, id, native in (
            ("there", "anthropic", "", GUEST, "claude-opus-5-5"),
            ("gpt", "openai_chat", "/v1", GPT, "gpt-5.2"),
            ("elsewhere", "anthropic_compat", "", ELSEWHERE, "claude-sonnet-4-5"),
        ):
            lines.append(
                f'[[providers]]\nname = "{name}"\nwire = "{wire}"\napi_key = "env:PROVIDER_KEY"\n'
                f'base_url = "http://127.0.0.1:{self.port}{path}"\n'
                + ('dialect = "openai"\n' if wire == "openai_chat" else "")
                + f'[[models]]\nid = "{id}"\ndisplay_name = "{id}"\ndeveloper = "Somebody"\n'
                "released = 2025-12-11\ncontext_window = 200000\nmax_output_tokens = 64000\n"
                "rates = { input = 1750, output = 14000 }\n"
                f'deployments = [ {{ provider = "{name}", model = "{native}" }} ]\n'
            )
        return "\n".join(lines)

    @property
    def searching(self) -> str:
        return f'enabled = true\nbase_url = "http://127.0.0.1:{self.port}"\napi_key = ""'

    @property
    def asked(self) -> list[Any]:
        """Bodies they were sent, oldest first."""
        return [entry["body"] for entry in self.log.as_json()]


@contextlib.asynccontextmanager
async def vendors() -> AsyncIterator[Vendors]:
    """Vendors on a free port."""
    app = build_app(pace_ms=0)
    [log] = [value for value in app.values() if isinstance(value, RequestLog)]
    async with TestServer(app) as server:
        assert server.port is not None
        yield Vendors(server.port, log)


@dataclass
class Person:
    """A user with a key."""

    town: "Town"
    email: str
    user_id: str
    tenant_id: str
    key: str

    async def call(self, model: str, *, stream: bool = False, **more: object) -> Reply:
        """One message."""
        return await self.post(ask(model, stream=stream, **more))

    async def post(self, body: bytes, *path: str, **headers: str) -> Reply:
        client = await self.client()
        try:
            return await client.post(body, *path, **headers)
        finally:
            client.close()

    async def api(self, method: str, path: str, document: object = None) -> tuple[int, Any]:
        """Status and JSON of one request to the office."""
        client = await self.client()
        try:
            body = b"" if document is None else msgspec.json.encode(document)
            client.send(body, path, method)
            reply = await client.reply()
        finally:
            client.close()
        return reply.status, msgspec.json.decode(reply.body) if reply.body else None

    async def done(self, method: str, path: str, document: object = None) -> Any:
        """As `api`, of a request that must succeed."""
        status, answer = await self.api(method, path, document)
        assert 200 <= status < 300, (status, answer)
        return answer

    async def client(self) -> Client:
        return await Client.connect(self.town.gateway.port, self.key)

    async def spends(self, credits: float, model: str = BASE) -> None:
        """One call that costs so much, of a model nobody restricts; until it counts."""
        before = (await self.done("GET", "/v1/usage"))["credits_used"]
        self.town.provider.plays.append(costs(credits, model))
        reply = await self.call(model)
        assert reply.status == 200, reply.body
        await self.until_used(before + credits)

    async def until_used(self, credits: float) -> None:
        """Until this month's use of the tenant is as told."""
        end_s = time.monotonic() + SETTLED_S
        while True:
            used = (await self.done("GET", "/v1/usage"))["credits_used"]
            if abs(used - credits) < 0.001:
                return
            assert time.monotonic() < end_s, f"{used} credits used, not {credits}"
            await asyncio.sleep(0.02)


@dataclass
class Town:
    """`msp` is an administrator of everything, in a tenant of their own."""

    gateway: Gateway
    provider: Provider
    msp: Person = field(init=False)

    async def tenant(self, name: str, credits: float | None = None) -> str:
        """A tenant with a package of so many credits a month (None: no limit); its id."""
        package = await self.msp.done(
            "POST", "/v1/admin/packages", {"name": f"of {name}", "monthly_credits": credits}
        )
        made = await self.msp.done(
            "POST",
            "/v1/admin/tenants",
            {"tenants": [{"tenant_name": name, "package_id": package["id"]}]},
        )
        assert made["total_tenants_created"] == 1, made
        tenant_id: str = made["tenants"][0]["id"]
        return tenant_id

    async def person(self, tenant: str, email: str, role: str = "general_user") -> Person:
        """A user of a tenant (by name), with a key."""
        key, user_id, tenant_id = await self.gateway.enrol(email, tenant, role)
        return Person(self, email, user_id, tenant_id, key)


@contextlib.asynccontextmanager
async def town(folder: Path, more: str = "", search: str = "") -> AsyncIterator[Town]:
    """A town that is open."""
    async with provider() as there:
        config = folder / "gateway.toml"
        config.write_text(town_text(there.port, folder, more, search))
        gateway = Gateway(folder, config)
        await gateway.open()
        try:
            one = Town(gateway, there)
            one.msp = await one.person("The MSP", "root@msp.example", "msp_primary_admin")
            yield one
        finally:
            await gateway.close()

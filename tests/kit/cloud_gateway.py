"""A gateway in front of one model with several deployments, on wires that differ."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from tests.kit.bedrock import Bedrock
from tests.kit.google_issuer import GoogleIssuer
from tests.kit.journey import PROVIDER_KEY, Gateway, Provider
from tests.kit.vertex_cloud import PROJECT, VertexCloud, plays_vertex

MODEL = "anthropic.claude-haiku-4-5"
THERE = "claude-haiku-4-5@20251001"
PROFILE = "eu.anthropic.claude-haiku-4-5-20251001-v1:0"
Cloud = Provider | Bedrock

_FILE = """
[server]
host = "127.0.0.1"
port = 0
drain_timeout_s = 0.5
[storage]
url = "sqlite:///{folder}/gateway.db"
[observability]
access_log = false
[catalog]
refresh_s = 0.1
[ledger]
folder = "{folder}/journal"
flush_ms = 20
[upstream]
{upstream}
{providers}
[[models]]
id = "{model}"
display_name = "Claude"
developer = "Anthropic"
family = "haiku"
released = 2025-10-15
context_window = 200000
max_output_tokens = 64000
vision = true
rates = {{ input = 1000, output = 5000, cache_write_5m = 1250, cache_read = 100 }}
deployments = [ {deployments} ]
"""


def provider_text(name: str, place: Cloud, folder: Path, more: str = "") -> str:
    """Its table. Credentials of Google stand in a file of the folder."""
    if isinstance(place, Bedrock):
        return place.provider(name)
    if isinstance(place, VertexCloud):
        document = folder / f"{name}.json"
        if not document.exists():
            document.write_text(place.issuer.service_account())
        return (
            f'[[providers]]\nname = "{name}"\nwire = "vertex"\nproject = "{PROJECT}"\n'
            f'region = "{place.region}"\nbase_url = "{place.base_url}"\n'
            f'credentials = "file:{document}"\n{more}\n'
        )
    return (
        f'[[providers]]\nname = "{name}"\nwire = "anthropic"\napi_key = "env:PROVIDER_KEY"\n'
        f'base_url = "http://127.0.0.1:{place.port}"\n{more}\n'
    )


def _called_at(place: Cloud) -> str:
    """What the model is called there."""
    if isinstance(place, Bedrock):
        return PROFILE
    return THERE if isinstance(place, VertexCloud) else "claude-haiku-4-5"


def file_text(folder: Path, places: Sequence[Cloud], *, upstream: str = "", more: str = "") -> str:
    """An operator's file; `more` stands in the table of each provider."""
    names = [f"p{number}" for number in range(len(places))]
    tables = [provider_text(n, p, folder, more) for n, p in zip(names, places, strict=True)]
    deployed = [
        f'{{ provider = "{name}", model = "{_called_at(place)}" }}'
        for name, place in zip(names, places, strict=True)
    ]
    return _FILE.format(
        folder=folder,
        upstream=upstream,
        providers="\n".join(tables),
        model=MODEL,
        deployments=", ".join(deployed),
    )


@contextlib.asynccontextmanager
async def cloud_gateway(
    folder: Path, *places: Cloud, upstream: str = "", more: str = ""
) -> AsyncIterator[Gateway]:
    """The gateway, in this process."""
    config = folder / "gateway.toml"
    config.write_text(file_text(folder, places, upstream=upstream, more=more))
    one = Gateway(folder, config)
    assert one.environ == {"PROVIDER_KEY": PROVIDER_KEY}
    await one.open()
    try:
        yield one
    finally:
        await one.close()


@contextlib.asynccontextmanager
async def vertex_cloud(issuer: GoogleIssuer, **settings: object) -> AsyncIterator[VertexCloud]:
    """A cloud on a free port."""
    cloud = VertexCloud(issuer, **settings)
    cloud.usual = plays_vertex
    await cloud.open()
    try:
        yield cloud
    finally:
        await cloud.close()

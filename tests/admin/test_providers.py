"""Providers are shown without whatever they are reached with."""

from pathlib import Path

import pytest

from proxy.admin.providers import ProviderPages
from proxy.config.settings import Provider, Settings
from proxy.domain.permissions import MSP_MODELS, MSP_SETTINGS, MSP_VIEW
from tests.admin.office_floor import Visit
from tests.admin.usage_floor import ledger
from tests.catalog.shop import make_model

PATH = "/v1/admin/providers"
SETTINGS = Settings(
    providers=(
        Provider(
            name="here",
            wire="anthropic",
            base_url="https://me:pa55@models.example:8443/x?key=s3cret",
            api_key="env:THE_KEY",
        ),
        Provider(name="cloud", wire="bedrock"),
        Provider(name="google", wire="vertex", credentials="file:/s3cret.json"),
    ),
    models=(make_model("model_a"), make_model("model_b")),
)


async def test_no_credential_is_shown(tmp_path: Path, aiohttp_client: Visit) -> None:
    async with ledger(tmp_path) as books:
        await books.open(ProviderPages(lambda: SETTINGS).endpoints(), aiohttp_client)
        said = await books.ask(PATH)
        assert said.json() == {
            "providers": [
                {
                    "name": "here",
                    "wire": "anthropic",
                    "host": "models.example:8443",
                    "has_credential": True,
                    "models": ["model_a", "model_b"],
                },
                {
                    "name": "cloud",
                    "wire": "bedrock",
                    "host": None,
                    "has_credential": True,
                    "models": [],
                },
                {
                    "name": "google",
                    "wire": "vertex",
                    "host": None,
                    "has_credential": True,
                    "models": [],
                },
            ]
        }
        for secret in (b"pa55", b"s3cret", b"THE_KEY"):
            assert secret not in said.body


@pytest.mark.parametrize(
    ("permission", "status"),
    [(MSP_VIEW, 200), (MSP_MODELS, 200), (MSP_SETTINGS, 200), ("tenant.manage", 403)],
)
async def test_who_may(tmp_path: Path, aiohttp_client: Visit, permission: str, status: int) -> None:
    async with ledger(tmp_path) as books:
        books.empower("ada", permission)
        await books.open(ProviderPages(lambda: SETTINGS).endpoints(), aiohttp_client)
        assert (await books.ask(PATH, "ada")).status == status

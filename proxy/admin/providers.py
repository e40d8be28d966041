"""`/v1/admin/providers`: who carries the models, and where. No credential, nor where one lies."""

from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, NoBody, NoQuery
from proxy.config.settings import Provider, Settings
from proxy.domain.permissions import MSP_MODELS, MSP_SETTINGS, MSP_VIEW


class ProviderRow(msgspec.Struct, frozen=True):
    """One account at one upstream. `host` is null where the wire knows the place by itself;
    `has_credential` says whether requests carry one. `models` are those it serves."""

    name: str
    wire: str
    host: str | None
    has_credential: bool
    models: list[str]


class ProviderList(msgspec.Struct, frozen=True):
    """As configured."""

    providers: list[ProviderRow]


class ProviderPages:
    """The handler. `settings` gives those of now."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings

    def endpoints(self) -> list[AnyEndpoint]:
        """The row of the table."""
        return [
            Endpoint(
                method="GET",
                path="/v1/admin/providers",
                summary="The configured providers, without their credentials",
                handler=self._list,
                reply=ProviderList,
                query=NoQuery,
                body=NoBody,
                needs=(MSP_VIEW, MSP_MODELS, MSP_SETTINGS),
            )
        ]

    async def _list(self, asked: Asked[NoQuery, None]) -> ProviderList:
        settings = self._settings()
        return ProviderList([_row(provider, settings) for provider in settings.providers])


def _row(provider: Provider, settings: Settings) -> ProviderRow:
    return ProviderRow(
        name=provider.name,
        wire=provider.wire,
        host=_host(provider.base_url),
        has_credential=bool(provider.api_key) or provider.wire in ("bedrock", "vertex"),
        models=[
            model.id
            for model in settings.models
            if any(each.provider == provider.name for each in model.deployments)
        ],
    )


def _host(base_url: str) -> str | None:
    """Host and port: the rest of an address may hold a name and a password."""
    return urlsplit(base_url).netloc.rpartition("@")[2] or None

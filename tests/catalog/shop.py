"""A small shop of models and callers for tests: valid by default, vary one thing."""

import datetime as dt
from collections.abc import Mapping

from proxy.catalog.catalog import Catalog
from proxy.domain.alias_mapping import AliasMapping
from proxy.domain.caller import Caller
from proxy.domain.model import Deployment, Model, Rates
from proxy.domain.people import Actor

NO_MAPPING = AliasMapping()
RATES = Rates(input=1000, output=5000)


def make_model(
    id: str,
    *,
    released: str = "2025-10-15",
    family: str | None = None,
    developer: str | None = None,
    enabled: bool = True,
    context_window: int = 200_000,
    rates: Rates | None = RATES,
    vision: bool = False,
) -> Model:
    return Model(
        id=id,
        display_name=id.rpartition(".")[2].replace("-", " ").title(),
        developer=developer or ("Anthropic" if "claude" in id else "OpenAI"),
        released=dt.date.fromisoformat(released),
        context_window=context_window,
        max_output_tokens=64_000,
        family=family,
        vision=vision,
        enabled=enabled,
        rates=rates,
        deployments=(Deployment("here", id),),
    )


def make_caller(
    user_id: str = "user_a",
    *,
    disabled: frozenset[str] | set[str] = frozenset(),
    mapping: AliasMapping = NO_MAPPING,
    allowed: frozenset[str] | set[str] | None = None,
) -> Caller:
    return Caller(
        key_id=f"key_of_{user_id}",
        user_id=user_id,
        email=f"{user_id}@example.com",
        tenant_id="tenant_1",
        tenant="Default",
        role="general_user",
        permissions=frozenset({"gateway.use"}),
        disabled_models=frozenset(disabled),
        mapping=mapping,
        allowed_models=None if allowed is None else frozenset(allowed),
    )


OPUS_4_7 = make_model(
    "anthropic.claude-opus-4-7", family="opus", released="2026-04-16", context_window=1_000_000
)
OPUS_4_6 = make_model("anthropic.claude-opus-4-6", family="opus", released="2026-02-05")
# Newer by its text, older by its day: "current" must go by the day.
OPUS_4_10 = make_model("anthropic.claude-opus-4-10", family="opus", released="2025-08-05")
SONNET_4_6 = make_model("anthropic.claude-sonnet-4-6", family="sonnet", released="2026-02-17")
SONNET_4_5 = make_model("anthropic.claude-sonnet-4-5", family="sonnet", released="2025-09-29")
SONNET_3_5 = make_model("anthropic.claude-3-5-sonnet", family="sonnet", released="2024-10-22")
HAIKU_4_5 = make_model("anthropic.claude-haiku-4-5", family="haiku", vision=True)
HAIKU_3_5 = make_model("anthropic.claude-haiku-3-5", family="haiku", released="2024-11-04")
KIMI = make_model(
    "moonshot.kimi-k2-thinking",
    developer="Moonshot AI",
    released="2025-11-06",
    context_window=262_144,
)
GPT = make_model("gpt-5.2", released="2025-12-11")
SWITCHED_OFF = make_model(
    "anthropic.claude-sonnet-4-9", family="sonnet", released="2026-09-01", enabled=False
)

MODELS = (
    HAIKU_4_5,
    HAIKU_3_5,
    SONNET_3_5,
    SONNET_4_5,
    SONNET_4_6,
    SWITCHED_OFF,
    OPUS_4_10,
    OPUS_4_6,
    OPUS_4_7,
    KIMI,
    GPT,
)

HAIKU_TO_KIMI = AliasMapping(enabled=True, haiku=KIMI.id)


def make_catalog(
    *models: Model,
    version: int | str = 1,
    mapping_applies_to_native_ids: bool = True,
    custom_aliases: Mapping[str, str] | None = None,
) -> Catalog:
    return Catalog(
        models or MODELS,
        version,
        mapping_applies_to_native_ids=mapping_applies_to_native_ids,
        custom_aliases=custom_aliases,
    )


class Switches:
    """A switch store in memory."""

    def __init__(self, **switches: bool) -> None:
        self.kept: dict[str, bool] = dict(switches)

    async def switches(self) -> dict[str, bool]:
        return dict(self.kept)


class Mappings:
    """A mapping store in memory that counts its readings."""

    def __init__(self) -> None:
        self.kept: dict[str, AliasMapping] = {}
        self.readings = 0

    async def get(self, user_id: str, /) -> AliasMapping:
        self.readings += 1
        return self.kept.get(user_id, AliasMapping())

    async def put(
        self, user_id: str, mapping: AliasMapping, by: Actor | None = None, tenant_id: str = "", /
    ) -> None:
        self.kept[user_id] = mapping

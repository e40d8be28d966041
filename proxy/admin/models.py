"""`/v1/admin/models`: the catalogue as the MSP has it: what there is, what it costs, what is on.

A switch set here wins over the configuration and reaches everybody. A model that has no rates
cannot be switched on: it would be free in silence (domain.md 9).
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import msgspec

from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, NoBody, NoQuery, bad, not_there
from proxy.catalog.catalog import Catalog
from proxy.domain.model import REFERENCE_RATES, Deployment, Model, Rates
from proxy.domain.people import Actor
from proxy.domain.permissions import MSP_MODELS, MSP_VIEW

State = Literal["enabled", "disabled", "no_rates"]


class SwitchStore(Protocol):
    """Where switches live. Implemented by `storage/models.py`."""

    async def switches(self) -> Mapping[str, bool]:
        """The switches of the whole installation: model id to on or off."""

    async def set(self, model_id: str, /, *, enabled: bool, by: Actor | None = None) -> None:
        """Switch a model on or off for all."""

    async def clear(self, model_id: str, by: Actor, /) -> None:
        """As configured again."""


class CurrentRates(Protocol):
    """Where rates that were set live. Implemented by `storage/rates.py`."""

    async def current(self, now_ms: int, /) -> Mapping[str, Rates]:
        """The rates in effect, by model id; a model not in it has the configuration's."""


class ModelDocument(msgspec.Struct, frozen=True):
    """A model. `switch` is what an administrator chose, null: as configured. `rates` are credits
    per million tokens; `state` says what comes of both."""

    name: str
    display_name: str
    developer: str
    family: str | None
    released: str
    context_window: int
    max_output_tokens: int
    vision: bool
    base_level: bool
    enabled: bool
    state: State
    switch: bool | None
    rates: Rates | None
    multiplier: float | None
    deployments: list[Deployment]


class ModelDocuments(msgspec.Struct, frozen=True):
    """By developer, then newest first."""

    models: list[ModelDocument]


class HouseSwitch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """On, off, or null: as configured."""

    enabled: bool | None


class ModelDesk:
    """The handlers. `configured` gives the models as the file has them, by id; `catalog` the
    snapshot of now."""

    def __init__(
        self,
        catalog: Callable[[], Catalog],
        configured: Callable[[], Mapping[str, Model]],
        switches: SwitchStore,
        rates: CurrentRates,
        *,
        reference: Rates = REFERENCE_RATES,
    ) -> None:
        self._catalog = catalog
        self._configured = configured
        self._switches = switches
        self._rates = rates
        self._reference = reference

    def endpoints(self) -> list[AnyEndpoint]:
        """The rows of the table."""
        path = "/v1/admin/models"
        return [
            Endpoint(
                method="GET",
                path=path,
                summary="All models, with rates, multiplier and state",
                handler=self._list,
                reply=ModelDocuments,
                query=NoQuery,
                body=NoBody,
                needs=(MSP_VIEW, MSP_MODELS),
            ),
            Endpoint(
                method="GET",
                path=path + "/{model}",
                summary="One model",
                handler=self._read,
                reply=ModelDocument,
                query=NoQuery,
                body=NoBody,
                needs=(MSP_VIEW, MSP_MODELS),
                refusals=(404,),
            ),
            Endpoint(
                method="PUT",
                path=path + "/{model}",
                summary="Switch a model on or off for the whole installation",
                handler=self._switch,
                reply=ModelDocument,
                query=NoQuery,
                body=HouseSwitch,
                needs=(MSP_MODELS,),
                refusals=(404,),
            ),
        ]

    async def _list(self, asked: Asked[NoQuery, None]) -> ModelDocuments:
        switches = await self._switches.switches()
        rates = await self._rates.current(asked.now_ms)
        return ModelDocuments(
            [
                self._document(model, switches.get(model.id), rates.get(model.id))
                for model in self._catalog().models
            ]
        )

    async def _read(self, asked: Asked[NoQuery, None]) -> ModelDocument:
        model = self._model(asked)
        switches = await self._switches.switches()
        rates = await self._rates.current(asked.now_ms)
        return self._document(model, switches.get(model.id), rates.get(model.id))

    async def _switch(self, asked: Asked[NoQuery, HouseSwitch]) -> ModelDocument:
        model, wanted = self._model(asked), asked.body.enabled
        rates = (await self._rates.current(asked.now_ms)).get(model.id)
        if wanted and rates is None and self._file(model).rates is None:
            raise bad(
                "enabled",
                f"{model.id} has no rates, so its use would cost nothing.",
                "Set them first with PUT /v1/admin/rates.",
            )
        before = (await self._switches.switches()).get(model.id)
        if wanted is None:
            await self._switches.clear(model.id, asked.actor)
        elif wanted != before:
            await self._switches.set(model.id, enabled=wanted, by=asked.actor)
        return self._document(model, wanted, rates)

    def _model(self, asked: Asked[Any, Any]) -> Model:
        name = asked.path["model"]
        model = self._catalog().find(name)
        if model is None:
            raise not_there("model", name, "GET /v1/admin/models has all of them.")
        return model

    def _file(self, model: Model) -> Model:
        return self._configured().get(model.id, model)

    def _document(
        self, model: Model, switch: bool | None, set_rates: Rates | None
    ) -> ModelDocument:
        """From the stores and not from the snapshot: who just changed something looks for it."""
        configured = self._file(model)
        rates = configured.rates if set_rates is None else set_rates
        wanted = configured.enabled if switch is None else switch
        state: State = "disabled" if not wanted else "enabled" if rates else "no_rates"
        priced = msgspec.structs.replace(model, rates=rates)
        return ModelDocument(
            name=model.id,
            display_name=model.display_name,
            developer=model.developer,
            family=model.family,
            released=model.released.isoformat(),
            context_window=model.context_window,
            max_output_tokens=model.max_output_tokens,
            vision=model.vision,
            base_level=model.base_level,
            enabled=state == "enabled",
            state=state,
            switch=switch,
            rates=rates,
            multiplier=None if rates is None else priced.multiplier(self._reference),
            deployments=list(model.deployments),
        )

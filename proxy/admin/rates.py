"""`/v1/admin/rates`: what models cost, from when on. What was used is never priced again, so rates
are set from now or from a moment to come, and only those to come can be taken back (domain.md 9).
"""

import datetime as dt
from collections.abc import Collection
from typing import Annotated, Final, Protocol

import msgspec
from msgspec import Meta

from proxy.admin.credit_packs import Moment
from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, NoBody, NoQuery, bad
from proxy.admin.packages import KnowsModels, Page
from proxy.domain.model import Rates
from proxy.domain.people import Actor, DatedRates
from proxy.domain.permissions import MSP_MODELS, MSP_VIEW
from proxy.ledger.report import YEARS
from proxy.ledger.support_record import moment

RATE_MAX: Final = 1_000_000_000
NOW_IS_S: Final = 60
"""A moment that passed so recently is taken for now: clocks differ, and people type."""
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

Rate = Annotated[int, Meta(ge=0, le=RATE_MAX, description="Credits per million tokens.")]
ModelId = Annotated[str, Meta(min_length=1, max_length=200)]


class RateStore(Protocol):
    """Where rates live. Implemented by `storage/rates.py`."""

    async def page(
        self, model_id: str | None = None, limit: int = 100, offset: int = 0, /
    ) -> Collection[DatedRates]:
        """Rates of a model, or of all, past and to come: by model, newest first."""

    async def set(
        self, model_id: str, rates: Rates, by: Actor, /, *, effective_from: int | None = None
    ) -> DatedRates:
        """Set rates from now on, or from a moment to come."""

    async def withdraw(self, model_id: str, effective_from: int, by: Actor, /) -> None:
        """Take back rates that are still to come."""


class RateQuery(Page, frozen=True):
    """Of one model, or of all."""

    model: ModelId | None = None


class RateRow(msgspec.Struct, frozen=True):
    """Rates from a moment on, until later ones of the model take their place."""

    model: str
    effective_from: str
    to_come: bool
    rates: Rates
    created_at: str


class RateList(msgspec.Struct, frozen=True):
    """By model, newest first. The configuration's rates, which hold where none were set, are in
    GET /v1/admin/models."""

    rates: list[RateRow]
    has_more: bool


class RatesWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Credits per million tokens."""

    input: Rate
    output: Rate
    cache_write_5m: Rate = 0
    cache_write_1h: Rate = 0
    cache_read: Rate = 0


class RateWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """New rates of a model; without a moment from now on."""

    model: ModelId
    rates: RatesWish
    effective_from: Moment | None = None


class Withdrawal(msgspec.Struct, frozen=True):
    """The moment from which the rates would have held."""

    effective_from: Moment


class Withdrawn(msgspec.Struct, frozen=True):
    """Rates that will not come."""

    model: str
    effective_from: str
    withdrawn: bool = True


class RateDesk:
    """The handlers."""

    def __init__(self, store: RateStore, model_ids: KnowsModels) -> None:
        self._store = store
        self._model_ids = model_ids

    def endpoints(self) -> list[AnyEndpoint]:
        """The rows of the table."""
        path = "/v1/admin/rates"
        return [
            Endpoint(
                method="GET",
                path=path,
                summary="Rates that were set, past and to come",
                handler=self._list,
                reply=RateList,
                query=RateQuery,
                body=NoBody,
                needs=(MSP_VIEW, MSP_MODELS),
            ),
            Endpoint(
                method="PUT",
                path=path,
                summary="Set the rates of a model, from now or from a moment to come",
                handler=self._set,
                reply=RateRow,
                query=NoQuery,
                body=RateWish,
                needs=(MSP_MODELS,),
            ),
            Endpoint(
                method="DELETE",
                path=path + "/{model}",
                summary="Take back rates that are still to come",
                handler=self._withdraw,
                reply=Withdrawn,
                query=Withdrawal,
                body=NoBody,
                needs=(MSP_MODELS,),
                refusals=(404, 409),
            ),
        ]

    async def _list(self, asked: Asked[RateQuery, None]) -> RateList:
        query = asked.query
        rows = await self._store.page(query.model, query.limit, query.offset)
        more = len(rows) == query.limit and bool(
            await self._store.page(query.model, 1, query.offset + query.limit)
        )
        return RateList([_row(dated, asked.now_ms) for dated in rows], more)

    async def _set(self, asked: Asked[NoQuery, RateWish]) -> RateRow:
        wish = asked.body
        if wish.model not in self._model_ids():
            raise bad(
                "model", f"There is no model {wish.model!r}.", "Use an id of GET /v1/admin/models."
            )
        effective_from = None
        if wish.effective_from is not None:
            effective_from = _ms(wish.effective_from)
            if effective_from <= asked.now_ms:
                if effective_from < asked.now_ms - NOW_IS_S * 1000:
                    raise bad(
                        "effective_from",
                        "It has passed, and what was used is never priced again.",
                        "Leave it out for now.",
                    )
                effective_from = None
        rates = msgspec.convert(wish.rates, Rates, from_attributes=True)
        dated = await self._store.set(wish.model, rates, asked.actor, effective_from=effective_from)
        return _row(dated, asked.now_ms)

    async def _withdraw(self, asked: Asked[Withdrawal, None]) -> Withdrawn:
        model_id, effective_from = asked.path["model"], _ms(asked.query.effective_from)
        await self._store.withdraw(model_id, effective_from, asked.actor)
        return Withdrawn(model_id, moment(effective_from))


def _row(dated: DatedRates, now_ms: int) -> RateRow:
    return RateRow(
        model=dated.model_id,
        effective_from=moment(dated.effective_from),
        to_come=dated.effective_from > now_ms,
        rates=dated.rates,
        created_at=moment(dated.created_at),
    )


def _ms(at: dt.datetime) -> int:
    if at.year not in YEARS:
        raise bad("effective_from", f"It must be in the years {YEARS.start} to {YEARS.stop - 1}.")
    return (at - _EPOCH) // dt.timedelta(milliseconds=1)

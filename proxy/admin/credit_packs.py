"""`/v1/admin/credit-packs`: credits a tenant has beside its package, for a while or for good. They
count in every calendar month they are valid in, at once (domain.md 2.1).
"""

import datetime as dt
from typing import Annotated, Final, Protocol

import msgspec
from msgspec import Meta

from proxy.admin.endpoint import (
    AnyEndpoint,
    Asked,
    Deleted,
    Endpoint,
    NoBody,
    NoQuery,
    bad,
    not_there,
)
from proxy.admin.packages import CreditAmount, Page, micro
from proxy.domain.people import CREDIT, Actor, CreditPack, Tenant
from proxy.domain.permissions import MSP_BILLING, MSP_VIEW
from proxy.ledger.report import YEARS
from proxy.ledger.support_record import moment
from proxy.limits.window import Months

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

Id = Annotated[str, Meta(min_length=1, max_length=200)]
Moment = Annotated[dt.datetime, Meta(tz=True)]


class PackStore(Protocol):
    """Where packs live. Implemented by `storage/packages.py`."""

    async def page(self, tenant_id: str, limit: int = 100, offset: int = 0, /) -> list[CreditPack]:
        """A tenant's packs, also those that ended, by the moment they begin."""

    async def add(
        self,
        tenant_id: str,
        by: Actor,
        /,
        *,
        name: str,
        credits: int,
        valid_from: int,
        valid_until: int | None,
    ) -> CreditPack:
        """Give a tenant a pack."""

    async def remove(self, pack_id: str, by: Actor, /) -> None:
        """Take it away, at once. NOT_FOUND if it is not there."""


class TenantLookup(Protocol):
    """Implemented by `storage/tenants.py`."""

    async def get(self, tenant_id: str, /) -> Tenant | None:
        """One tenant."""


class PackQuery(Page, frozen=True, kw_only=True):
    """The packs of a tenant."""

    tenant_id: Id


class PackRow(msgspec.Struct, frozen=True):
    """A pack. `valid_until` is exclusive; null: it stays. `counts` tells whether it is part of this
    month's allowance."""

    id: str
    tenant_id: str
    name: str
    credits: float
    valid_from: str
    valid_until: str | None
    created_at: str
    counts: bool


class PackList(msgspec.Struct, frozen=True):
    """By the moment they begin."""

    credit_packs: list[PackRow]
    has_more: bool


class PackWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A new pack. Without dates it is for the current month, with `recurring` for all months from
    now on."""

    tenant_id: Id
    credits: CreditAmount
    name: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    recurring: bool = False


class PackDesk:
    """The handlers. `months` is the calendar allowances are for."""

    def __init__(self, store: PackStore, tenants: TenantLookup, months: Months) -> None:
        self._store = store
        self._tenants = tenants
        self._months = months

    def endpoints(self) -> list[AnyEndpoint]:
        """The rows of the table."""
        path = "/v1/admin/credit-packs"
        return [
            Endpoint(
                method="GET",
                path=path,
                summary="The credit packs of a tenant, also those that ended",
                handler=self._list,
                reply=PackList,
                query=PackQuery,
                body=NoBody,
                needs=(MSP_VIEW, MSP_BILLING),
                refusals=(404,),
            ),
            Endpoint(
                method="POST",
                path=path,
                summary="Give a tenant a credit pack",
                handler=self._add,
                reply=PackRow,
                query=NoQuery,
                body=PackWish,
                needs=(MSP_BILLING,),
                status=201,
                refusals=(404,),
            ),
            Endpoint(
                method="DELETE",
                path=path + "/{pack_id}",
                summary="Take a credit pack away, at once",
                handler=self._remove,
                reply=Deleted,
                query=NoQuery,
                body=NoBody,
                needs=(MSP_BILLING,),
                refusals=(404,),
            ),
        ]

    async def _list(self, asked: Asked[PackQuery, None]) -> PackList:
        query = asked.query
        if await self._tenants.get(query.tenant_id) is None:
            raise not_there("tenant", query.tenant_id)
        rows = await self._store.page(query.tenant_id, query.limit, query.offset)
        more = len(rows) == query.limit and bool(
            await self._store.page(query.tenant_id, 1, query.offset + query.limit)
        )
        return PackList([self._row(pack, asked.now_ms) for pack in rows], more)

    async def _add(self, asked: Asked[NoQuery, PackWish]) -> PackRow:
        wish = asked.body
        credits = micro("credits", wish.credits)
        assert credits is not None
        if credits == 0:
            raise bad("credits", "A pack has more than 0.")
        valid_from = asked.now_ms
        if wish.valid_from is not None:
            valid_from = _ms("valid_from", wish.valid_from)
        valid_until = None
        if wish.valid_until is not None:
            if wish.recurring:
                raise bad("valid_until", "A recurring pack has no end.", "Leave one of both out.")
            valid_until = _ms("valid_until", wish.valid_until)
            if valid_until <= valid_from:
                raise bad("valid_until", "It must lie after valid_from.")
        elif not wish.recurring:
            valid_until = self._months.of(valid_from).end_ms
        pack = await self._store.add(
            wish.tenant_id,
            asked.actor,
            name=f"{credits / CREDIT:g} Extra Credits" if wish.name is None else wish.name,
            credits=credits,
            valid_from=valid_from,
            valid_until=valid_until,
        )
        return self._row(pack, asked.now_ms)

    async def _remove(self, asked: Asked[NoQuery, None]) -> Deleted:
        pack_id = asked.path["pack_id"]
        await self._store.remove(pack_id, asked.actor)
        return Deleted(pack_id)

    def _row(self, pack: CreditPack, now_ms: int) -> PackRow:
        month = self._months.of(now_ms)
        until = pack.valid_until
        return PackRow(
            id=pack.id,
            tenant_id=pack.tenant_id,
            name=pack.name,
            credits=pack.credits / CREDIT,
            valid_from=moment(pack.valid_from),
            valid_until=None if until is None else moment(until),
            created_at=moment(pack.created_at),
            counts=pack.valid_from < month.end_ms and (until is None or until > month.start_ms),
        )


def _ms(field: str, at: dt.datetime) -> int:
    if at.year not in YEARS:
        raise bad(field, f"It must be in the years {YEARS.start} to {YEARS.stop - 1}.")
    return (at - _EPOCH) // dt.timedelta(milliseconds=1)

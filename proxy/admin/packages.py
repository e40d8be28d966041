"""`/v1/admin/packages`: what tenants get each month. A change holds for all tenants of a package
with their very next request (domain.md 2.1).
"""

import math
from collections.abc import Collection
from typing import Annotated, Protocol

import msgspec
from msgspec import UNSET, Meta, UnsetType

from proxy.admin.endpoint import (
    AnyEndpoint,
    Asked,
    Deleted,
    Endpoint,
    Limit,
    NoBody,
    NoQuery,
    Offset,
    bad,
    not_there,
)
from proxy.domain.people import CREDIT, Actor, Package
from proxy.domain.permissions import MSP_BILLING, MSP_VIEW
from proxy.domain.terms import Ladder, Step
from proxy.ledger.support_record import moment

MODELS_MAX = 1_000
STEPS_MAX = 20

CreditAmount = Annotated[float, Meta(ge=0, le=9_000_000_000, description="Credits.")]
LadderWish = Annotated[list[Step], Meta(max_length=STEPS_MAX)]
PackageName = Annotated[str, Meta(min_length=1, max_length=200)]


class PackageStore(Protocol):
    """Where packages live. Implemented by `storage/packages.py`."""

    async def page(self, limit: int = 100, offset: int = 0, /) -> list[Package]:
        """Packages, by name."""

    async def get(self, package_id: str, /) -> Package | None:
        """One package."""

    async def create(
        self,
        name: str,
        by: Actor,
        /,
        *,
        monthly_credits: int | None = None,
        allowed_models: Collection[str] | None = None,
        ladder: Ladder | None = None,
    ) -> Package:
        """A new package. CONFLICT where one of this name is there."""

    async def change(
        self,
        package_id: str,
        by: Actor,
        /,
        *,
        name: str | UnsetType = UNSET,
        monthly_credits: int | UnsetType | None = UNSET,
        allowed_models: Collection[str] | UnsetType | None = UNSET,
        ladder: Ladder | UnsetType | None = UNSET,
    ) -> Package:
        """Change what is given. NOT_FOUND where it is not there."""

    async def delete(self, package_id: str, by: Actor, /) -> None:
        """Delete it. CONFLICT while it is in use."""


class KnowsModels(Protocol):
    """Which model ids there are, switched on or off."""

    def __call__(self) -> Collection[str]: ...


class Page(msgspec.Struct, frozen=True):
    """Which rows of a list."""

    limit: Limit = 100
    offset: Offset = 0


class PackageRow(msgspec.Struct, frozen=True):
    """A package. `monthly_credits` null: no limit; `allowed_models` null: all models; `ladder`
    null: the installation's."""

    id: str
    name: str
    monthly_credits: float | None
    allowed_models: list[str] | None
    ladder: list[Step] | None
    created_at: str
    tenant_count: int


class PackageList(msgspec.Struct, frozen=True):
    """By name."""

    packages: list[PackageRow]
    has_more: bool


class NewPackage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new package. Without credits it has no limit, with 0 nothing is allowed."""

    name: PackageName
    monthly_credits: CreditAmount | None = None
    allowed_models: Annotated[list[str], Meta(max_length=MODELS_MAX)] | None = None
    ladder: LadderWish | None = None


class PackageChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays as it is."""

    name: PackageName | UnsetType = UNSET
    monthly_credits: CreditAmount | UnsetType | None = UNSET
    allowed_models: Annotated[list[str], Meta(max_length=MODELS_MAX)] | UnsetType | None = UNSET
    ladder: LadderWish | UnsetType | None = UNSET


class PackageDesk:
    """The handlers."""

    def __init__(self, store: PackageStore, model_ids: KnowsModels) -> None:
        self._store = store
        self._model_ids = model_ids

    def endpoints(self) -> list[AnyEndpoint]:
        """The rows of the table."""
        path = "/v1/admin/packages"
        return [
            Endpoint(
                method="GET",
                path=path,
                summary="Packages",
                handler=self._list,
                reply=PackageList,
                query=Page,
                body=NoBody,
                needs=(MSP_VIEW, MSP_BILLING),
            ),
            Endpoint(
                method="POST",
                path=path,
                summary="Make a package",
                handler=self._create,
                reply=PackageRow,
                query=NoQuery,
                body=NewPackage,
                needs=(MSP_BILLING,),
                status=201,
                refusals=(409,),
            ),
            Endpoint(
                method="GET",
                path=path + "/{package_id}",
                summary="One package",
                handler=self._read,
                reply=PackageRow,
                query=NoQuery,
                body=NoBody,
                needs=(MSP_VIEW, MSP_BILLING),
                refusals=(404,),
            ),
            Endpoint(
                method="PATCH",
                path=path + "/{package_id}",
                summary="Change a package for all its tenants, at once",
                handler=self._change,
                reply=PackageRow,
                query=NoQuery,
                body=PackageChange,
                needs=(MSP_BILLING,),
                refusals=(404, 409),
            ),
            Endpoint(
                method="DELETE",
                path=path + "/{package_id}",
                summary="Delete a package nobody has",
                handler=self._delete,
                reply=Deleted,
                query=NoQuery,
                body=NoBody,
                needs=(MSP_BILLING,),
                refusals=(404, 409),
            ),
        ]

    async def _list(self, asked: Asked[Page, None]) -> PackageList:
        limit, offset = asked.query.limit, asked.query.offset
        rows = await self._store.page(limit, offset)
        more = len(rows) == limit and bool(await self._store.page(1, offset + limit))
        return PackageList([_row(package) for package in rows], more)

    async def _read(self, asked: Asked[NoQuery, None]) -> PackageRow:
        package_id = asked.path["package_id"]
        package = await self._store.get(package_id)
        if package is None:
            raise not_there("package", package_id)
        return _row(package)

    async def _create(self, asked: Asked[NoQuery, NewPackage]) -> PackageRow:
        wish = asked.body
        return _row(
            await self._store.create(
                wish.name,
                asked.actor,
                monthly_credits=micro("monthly_credits", wish.monthly_credits),
                allowed_models=self._models(wish.allowed_models),
                ladder=climbed(wish.ladder),
            )
        )

    async def _change(self, asked: Asked[NoQuery, PackageChange]) -> PackageRow:
        wish = asked.body
        credits, models, ladder = wish.monthly_credits, wish.allowed_models, wish.ladder
        return _row(
            await self._store.change(
                asked.path["package_id"],
                asked.actor,
                name=wish.name,
                monthly_credits=UNSET if credits is UNSET else micro("monthly_credits", credits),
                allowed_models=UNSET if models is UNSET else self._models(models),
                ladder=UNSET if ladder is UNSET else climbed(ladder),
            )
        )

    async def _delete(self, asked: Asked[NoQuery, None]) -> Deleted:
        package_id = asked.path["package_id"]
        await self._store.delete(package_id, asked.actor)
        return Deleted(package_id)

    def _models(self, asked: list[str] | None) -> list[str] | None:
        """Ids the catalogue has: a misspelt one would take a model away in silence."""
        known = self._model_ids()
        for number, model_id in enumerate(asked or ()):
            if model_id not in known:
                raise bad(
                    f"allowed_models.{number}",
                    f"There is no model {model_id[:200]!r}.",
                    "Use ids from GET /v1/admin/models.",
                )
        return asked


def micro(field: str, credits: float | None) -> int | None:
    """Micro-credits; None stays None. Raises Fault for what is no number."""
    if credits is None:
        return None
    if not math.isfinite(credits):
        raise bad(field, "It must be a number.")
    return round(credits * CREDIT)


def climbed(ladder: list[Step] | None) -> Ladder | None:
    """A ladder that can be climbed: each step higher up, its models no dearer than those below, and
    nothing after the step that takes everything. None stays None. Raises Fault."""
    if ladder is None:
        return None
    before: Step | None = None
    for number, step in enumerate(ladder):
        if not (math.isfinite(step.ratio) and 0 < step.ratio <= 1000):
            raise bad(f"ladder.{number}.ratio", "It must be above 0 and at most 1000.")
        if step.multiplier is not None and not 0 <= step.multiplier <= 1_000_000:
            raise bad(f"ladder.{number}.multiplier", "It must be 0 or more.")
        if before is not None:
            if step.ratio <= before.ratio:
                raise bad(f"ladder.{number}.ratio", "It must be above that of the step before.")
            if before.multiplier is None or (
                step.multiplier is not None and step.multiplier >= before.multiplier
            ):
                raise bad(
                    f"ladder.{number}.multiplier",
                    "It must be below that of the step before; without one, everything but the base"
                    " level is restricted, and nothing can follow.",
                )
        before = step
    return tuple(ladder)


def _row(package: Package) -> PackageRow:
    credits = package.monthly_credits
    return PackageRow(
        id=package.id,
        name=package.name,
        monthly_credits=None if credits is None else credits / CREDIT,
        allowed_models=None if package.allowed_models is None else list(package.allowed_models),
        ladder=None if package.ladder is None else list(package.ladder),
        created_at=moment(package.created_at),
        tenant_count=package.tenant_count,
    )

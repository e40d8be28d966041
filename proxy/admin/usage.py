"""`/v1/usage/summary`, `models`, `users`, `sources`: sums of the ledger over a stretch of time.

Adds nothing up itself: the sums are storage's, so that by model, by user, by source and in all they
come to the same.
"""

import datetime as dt
from typing import Protocol

from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, NoBody
from proxy.admin.usage_query import (
    Figures,
    PagedQuery,
    Spanned,
    UsageQuery,
    figures,
    optional_credits,
    page,
    spanned,
    within,
    zone_named,
    zone_of,
)
from proxy.domain.sums import ModelSums, SourceSums, Sums, UserSums, Within


class SumStore(Protocol):
    """Where the sums come from. Implemented by `storage/usage.py`."""

    async def total(self, within: Within, /) -> tuple[Sums, int]:
        """The sums of all, and how many users they are of."""

    async def by_model(self, within: Within, limit: int, offset: int = 0, /) -> list[ModelSums]:
        """Per resolved model, dearest first."""

    async def by_source(self, within: Within, limit: int, offset: int = 0, /) -> list[SourceSums]:
        """Per surface and client, dearest first."""

    async def by_user(
        self, within: Within, period: str, limit: int, offset: int = 0, /
    ) -> list[UserSums]:
        """Per user and tenant, dearest first; with what they used in the month `period`."""


class Summary(Figures, frozen=True, kw_only=True):
    """Everything together."""

    start: str
    end: str
    timezone: str
    active_users: int


class ModelUsage(Figures, frozen=True, kw_only=True):
    """One model, by the id its requests were resolved to."""

    model: str


class SourceUsage(Figures, frozen=True, kw_only=True):
    """One client on one surface; null: it did not say what it is."""

    surface: str
    client: str | None


class UserUsage(Figures, frozen=True, kw_only=True):
    """One user. `role_limit` and `role_used` are of the current month, whatever stretch was asked
    for; all but the ids is null for somebody who is no longer in the tenant."""

    user_id: str
    tenant_id: str
    email: str | None
    role: str | None
    role_limit: float | None
    role_used: float | None


class Models(Spanned, frozen=True, kw_only=True):
    """Dearest first."""

    data: list[ModelUsage]
    has_more: bool


class Sources(Spanned, frozen=True, kw_only=True):
    """Dearest first."""

    data: list[SourceUsage]
    has_more: bool


class Users(Spanned, frozen=True, kw_only=True):
    """Dearest first."""

    data: list[UserUsage]
    has_more: bool


class UsageSums:
    """The handlers. `zone` names the one whose months allowances are for."""

    def __init__(self, store: SumStore, zone: str) -> None:
        self._store = store
        self._zone = zone_named(zone)

    def endpoints(self) -> list[AnyEndpoint]:
        """The rows of the table."""
        return [
            Endpoint(
                method="GET",
                path="/v1/usage/summary",
                summary="What was used, all together",
                handler=self._summary,
                reply=Summary,
                query=UsageQuery,
                body=NoBody,
                tag="usage",
            ),
            Endpoint(
                method="GET",
                path="/v1/usage/models",
                summary="What was used, by model",
                handler=self._models,
                reply=Models,
                query=PagedQuery,
                body=NoBody,
                tag="usage",
            ),
            Endpoint(
                method="GET",
                path="/v1/usage/users",
                summary="What was used, by user, and how much of their role's cap",
                handler=self._users,
                reply=Users,
                query=PagedQuery,
                body=NoBody,
                tag="usage",
            ),
            Endpoint(
                method="GET",
                path="/v1/usage/sources",
                summary="What was used, by surface and client",
                handler=self._sources,
                reply=Sources,
                query=PagedQuery,
                body=NoBody,
                tag="usage",
            ),
        ]

    async def _summary(self, asked: Asked[UsageQuery, None]) -> Summary:
        zone = zone_of(asked.query, self._zone)
        meant = within(asked, zone)
        sums, users = await self._store.total(meant)
        return Summary(**spanned(meant, zone), **figures(sums), active_users=users)

    async def _models(self, asked: Asked[PagedQuery, None]) -> Models:
        query, zone = asked.query, zone_of(asked.query, self._zone)
        meant = within(asked, zone)
        rows, more = page(
            await self._store.by_model(meant, query.limit + 1, query.offset), query.limit
        )
        data = [ModelUsage(model=row.model, **figures(row.sums)) for row in rows]
        return Models(**spanned(meant, zone), data=data, has_more=more)

    async def _users(self, asked: Asked[PagedQuery, None]) -> Users:
        query, zone = asked.query, zone_of(asked.query, self._zone)
        meant = within(asked, zone)
        now = dt.datetime.fromtimestamp(asked.now_ms // 1000, self._zone.clock)
        rows, more = page(
            await self._store.by_user(meant, f"{now:%Y-%m}", query.limit + 1, query.offset),
            query.limit,
        )
        data = [
            UserUsage(
                user_id=row.user_id,
                tenant_id=row.tenant_id,
                email=row.email,
                role=row.role,
                role_limit=optional_credits(row.role_credits),
                role_used=optional_credits(row.month_credits),
                **figures(row.sums),
            )
            for row in rows
        ]
        return Users(**spanned(meant, zone), data=data, has_more=more)

    async def _sources(self, asked: Asked[PagedQuery, None]) -> Sources:
        query, zone = asked.query, zone_of(asked.query, self._zone)
        meant = within(asked, zone)
        rows, more = page(
            await self._store.by_source(meant, query.limit + 1, query.offset), query.limit
        )
        data = [
            SourceUsage(surface=row.surface, client=row.client or None, **figures(row.sums))
            for row in rows
        ]
        return Sources(**spanned(meant, zone), data=data, has_more=more)

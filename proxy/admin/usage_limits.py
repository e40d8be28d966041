"""`/v1/usage`, the caller's month, and `/v1/usage/limits`, what binds now and what will (domain 8).

The allowance is shared by the whole tenant, so everyone in it sees how much of it is used; of the
role's cap everyone sees their own. The arithmetic is the limits room's, and the sums are those it
goes by; what is still running is not in them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from proxy.admin.banners import Banner, Reset, role_banner, tenant_banner
from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, NoBody, NoQuery, not_there
from proxy.admin.limit_documents import (
    LadderStep,
    Limits,
    LimitsQuery,
    ModelLimits,
    Month,
    MonthSpan,
    RoleLimits,
    TenantLimits,
)
from proxy.admin.usage_query import credits, optional_credits, visible
from proxy.catalog.catalog import Catalog
from proxy.domain.caller import Caller
from proxy.domain.model import REFERENCE_RATES, Model, Rates
from proxy.domain.people import Package, Tenant, terms_of
from proxy.domain.terms import APPROACHING_RATIO, Ladder, TenantTerms
from proxy.ledger.support_record import moment
from proxy.limits.rules import (
    allowance,
    restricting_credits,
    role_state,
    share,
    tenant_state,
)
from proxy.limits.window import Months, Period


class Used(NamedTuple):
    """Micro-credits of a month, by a tenant and by one of its users."""

    period: Period
    tenant: int
    user: int


class Rules(NamedTuple):
    """What the installation says: the ladder of whoever has none of their own, and whether
    everything is restricted once an allowance is used."""

    ladder: Ladder
    hard_stop: bool


class UseStore(Protocol):
    """Where the sums of months are. Implemented by `storage/month_use.py`."""

    async def used(
        self, period: str, tenants: Sequence[str], users: Sequence[str], /
    ) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """Micro-credits used in a month by tenant and by user; who used none may be left out."""


class RequestStore(Protocol):
    """Where requests are counted. Implemented by `storage/usage.py`."""

    async def requests(self, period: str, user_id: str, /) -> int:
        """How many generations a user began in a month such as '2026-11'."""


class TenantLookup(Protocol):
    """Implemented by `storage/tenants.py`."""

    async def get(self, tenant_id: str, /) -> Tenant | None:
        """One tenant."""


class PackageLookup(Protocol):
    """Implemented by `storage/packages.py`."""

    async def get(self, package_id: str, /) -> Package | None:
        """One package."""


class _Bounds:
    """One tenant's allowance at one moment: its terms, its use and the installation's rules."""

    def __init__(self, terms: TenantTerms, used: Used, rules: Rules) -> None:
        self.used = used.tenant
        self.limit = allowance(terms, used.period)
        self.ladder = rules.ladder if terms.ladder is None else terms.ladder
        self.hard_stop = rules.hard_stop
        self.state = tenant_state(self.ladder, self.used, self.limit, self.hard_stop)

    def restricted_from(self, model: Model, multiplier: float) -> int | None:
        """The micro-credits from which on a model is restricted; None: never."""
        if self.limit is None:
            return None
        return restricting_credits(
            self.ladder,
            self.limit,
            multiplier,
            base_level=model.base_level,
            hard_stop=self.hard_stop,
        )

    def steps(self) -> list[LadderStep]:
        """The ladder, as far as it was climbed."""
        steps = []
        for step in self.ladder:
            at = None if self.limit is None else share(step.ratio, self.limit)
            steps.append(
                LadderStep(
                    ratio=step.ratio,
                    multiplier=step.multiplier,
                    credits=optional_credits(at),
                    reached=at is not None and self.used >= at,
                )
            )
        return steps


class UsageLimits:
    """The handlers. `catalog` and `rules` give those of now."""

    def __init__(
        self,
        use: UseStore,
        requests: RequestStore,
        tenants: TenantLookup,
        packages: PackageLookup,
        *,
        catalog: Callable[[], Catalog],
        rules: Callable[[], Rules],
        months: Months,
        reference: Rates = REFERENCE_RATES,
    ) -> None:
        self._use = use
        self._requests = requests
        self._tenants = tenants
        self._packages = packages
        self._catalog = catalog
        self._rules = rules
        self._months = months
        self._reference = reference

    def endpoints(self) -> list[AnyEndpoint]:
        """The rows of the table."""
        return [
            Endpoint(
                method="GET",
                path="/v1/usage",
                summary="The caller's month: what is used, what is left, what is restricted",
                handler=self._month,
                reply=Month,
                query=NoQuery,
                body=NoBody,
                tag="usage",
            ),
            Endpoint(
                method="GET",
                path="/v1/usage/limits",
                summary="The limits that bind, step by step and model by model",
                handler=self._limits,
                reply=Limits,
                query=LimitsQuery,
                body=NoBody,
                refusals=(404,),
                tag="usage",
            ),
        ]

    async def _month(self, asked: Asked[NoQuery, None]) -> Month:
        caller = asked.caller
        used = await self._used(caller.tenant_id, caller.user_id, asked.now_ms)
        bounds = _Bounds(caller.terms, used, self._rules())
        requests = await self._requests.requests(used.period.key, caller.user_id)
        models = self._models(self._catalog().visible(caller), bounds, _is_capped(caller, used))
        return Month(
            period=_span(used.period),
            credits_used=credits(bounds.used),
            credit_limit=optional_credits(bounds.limit),
            credits_remaining=_remaining(bounds.used, bounds.limit),
            role_limit=optional_credits(caller.role_credits),
            role_used=credits(used.user),
            requests=requests,
            state=bounds.state,
            role_state=role_state(used.user, caller.role_credits),
            restricted_models=[model.name for model in models if model.restricted],
        )

    async def _limits(self, asked: Asked[LimitsQuery, None]) -> Limits:
        caller = asked.caller
        tenant_id, _ = visible(caller, asked.query.tenant_id, None)
        if tenant_id not in (None, caller.tenant_id):
            return await self._limits_of(tenant_id, asked.now_ms)
        used = await self._used(caller.tenant_id, caller.user_id, asked.now_ms)
        bounds = _Bounds(caller.terms, used, self._rules())
        own_state = role_state(used.user, caller.role_credits)
        own = role_banner(own_state, used.user, caller.role_credits, self._reset(used.period))
        return Limits(
            period=_span(used.period),
            tenant=_tenant(caller.tenant_id, bounds),
            banners=[*self._tenant_banner(bounds, used.period), *own],
            role=RoleLimits(
                role=caller.role,
                state=own_state,
                credits_used=credits(used.user),
                credit_limit=optional_credits(caller.role_credits),
                credits_remaining=_remaining(used.user, caller.role_credits),
                ratio=_ratio(used.user, caller.role_credits),
            ),
            models=self._models(self._catalog().visible(caller), bounds, _is_capped(caller, used)),
        )

    async def _limits_of(self, tenant_id: str, now_ms: int) -> Limits:
        tenant = await self._tenants.get(tenant_id)
        if tenant is None:
            raise not_there("tenant", tenant_id)
        package = None if tenant.package_id is None else await self._packages.get(tenant.package_id)
        used = await self._used(tenant_id, "", now_ms)
        bounds = _Bounds(terms_of(tenant, package), used, self._rules())
        models = [
            model
            for model in self._catalog().models
            if model.enabled
            and model.id not in tenant.disabled_models
            and (
                package is None
                or package.allowed_models is None
                or model.id in package.allowed_models
            )
        ]
        return Limits(
            period=_span(used.period),
            tenant=_tenant(tenant_id, bounds),
            role=None,
            models=self._models(models, bounds, False),
            banners=self._tenant_banner(bounds, used.period),
        )

    def _tenant_banner(self, bounds: _Bounds, period: Period) -> list[Banner]:
        rules = (bounds.ladder, bounds.hard_stop)
        return tenant_banner(bounds.state, bounds.used, bounds.limit, rules, self._reset(period))

    def _reset(self, period: Period) -> Reset:
        return Reset(moment(period.end_ms), f"{period.next_day} 00:00 ({self._months.zone})")

    async def _used(self, tenant_id: str, user_id: str, now_ms: int) -> Used:
        period = self._months.of(now_ms)
        users = [user_id] if user_id else []
        by_tenant, by_user = await self._use.used(period.key, [tenant_id], users)
        return Used(period, by_tenant.get(tenant_id, 0), by_user.get(user_id, 0))

    def _models(
        self, models: Iterable[Model], bounds: _Bounds, is_capped: bool
    ) -> list[ModelLimits]:
        rows = []
        for model in models:
            multiplier = model.multiplier(self._reference)
            bound = bounds.restricted_from(model, multiplier)
            by_tenant = bound is not None and bounds.used >= bound
            rows.append(
                ModelLimits(
                    name=model.id,
                    multiplier=multiplier,
                    base_level=model.base_level,
                    restricted=is_capped or by_tenant,
                    # In the order in which a request is checked (domain.md 7).
                    restricted_by="role" if is_capped else "tenant" if by_tenant else None,
                    restricted_from=optional_credits(bound),
                )
            )
        return rows


def _is_capped(caller: Caller, used: Used) -> bool:
    return caller.role_credits is not None and used.user >= caller.role_credits


def _tenant(tenant_id: str, bounds: _Bounds) -> TenantLimits:
    limit = bounds.limit
    return TenantLimits(
        tenant_id=tenant_id,
        state=bounds.state,
        credits_used=credits(bounds.used),
        credit_limit=optional_credits(limit),
        credits_remaining=_remaining(bounds.used, limit),
        ratio=_ratio(bounds.used, limit),
        approaching_from=None if limit is None else credits(share(APPROACHING_RATIO, limit)),
        hard_stop=bounds.hard_stop,
        ladder=bounds.steps(),
    )


def _span(period: Period) -> MonthSpan:
    end = moment(period.end_ms)
    return MonthSpan(moment(period.start_ms), end, end)


def _remaining(used: int, limit: int | None) -> float | None:
    return None if limit is None else credits(max(0, limit - used))


def _ratio(used: int, limit: int | None) -> float | None:
    """The used share; of nothing, all."""
    if limit is None:
        return None
    return round(used / limit, 6) if limit else 1.0

"""`GET /v1/admin/tenants/{tenant_id}/usage`: what a tenant used of this month, on one page: the
allowance and the sums. Other stretches of time, models and users are under `/v1/usage`.
"""

from typing import Final, Protocol

from proxy.admin.allowance import Allowances
from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, NoBody, NoQuery
from proxy.admin.scope import Reach, present
from proxy.admin.stores import TenantStore
from proxy.admin.usage_query import Figures, figures
from proxy.domain.permissions import MSP_VIEW, VIEW_USAGE
from proxy.domain.sums import Sums, Within
from proxy.ledger.support_record import moment
from proxy.limits.window import Months

SEE: Final = Reach(own=(VIEW_USAGE,), msp=(MSP_VIEW,))


class Totals(Protocol):
    """Where the sums come from. Implemented by `storage/usage.py`."""

    async def total(self, within: Within, /) -> tuple[Sums, int]:
        """The sums of all, and how many users they are of."""


class TenantUsage(Figures, frozen=True, kw_only=True):
    """This calendar month of a tenant, from `start` up to before `end`, when it begins anew. No
    limit: null."""

    start: str
    end: str
    total_credits_used: float
    total_credit_limit: float | None
    user_count: int
    active_users: int


class TenantUsagePage:
    """The handler."""

    def __init__(
        self, tenants: TenantStore, ledger: Totals, allowances: Allowances, months: Months
    ) -> None:
        self._tenants = tenants
        self._ledger = ledger
        self._allowances = allowances
        self._months = months

    async def read(self, asked: Asked[NoQuery, None]) -> TenantUsage:
        """`GET`: this month."""
        tenant_id = asked.path["tenant_id"]
        SEE.check(asked.caller, tenant_id)
        tenant = present(await self._tenants.get(tenant_id), tenant_id)
        month = self._months.of(asked.now_ms)
        standing = (await self._allowances.of([tenant], asked.now_ms))[tenant_id]
        sums, users = await self._ledger.total(Within(month.start_ms, month.end_ms, tenant_id))
        return TenantUsage(
            start=moment(month.start_ms),
            end=moment(month.end_ms),
            total_credits_used=standing.used,
            total_credit_limit=standing.limit,
            user_count=tenant.user_count,
            active_users=users,
            **figures(sums),
        )


def endpoints(page: TenantUsagePage) -> list[AnyEndpoint]:
    """The row of the table."""
    return [
        Endpoint(
            method="GET",
            path="/v1/admin/tenants/{tenant_id}/usage",
            summary="What a tenant used of this month",
            handler=page.read,
            reply=TenantUsage,
            query=NoQuery,
            body=NoBody,
            needs=SEE.needs,
        )
    ]

"""What tenants used of this month, and what they may: two numbers in credits, as documents show
them. How both are reckoned is for storage and the limits room.
"""

from collections.abc import Mapping, Sequence

import msgspec

from proxy.admin.stores import PackageStore, UseStore
from proxy.domain.people import CREDIT, CreditPack, Package, Tenant
from proxy.domain.terms import TenantTerms
from proxy.limits.rules import allowance
from proxy.limits.window import Months, Period

PACKAGES_MAX = 1_000


class Standing(msgspec.Struct, frozen=True):
    """Credits; no limit: None. `packs` are those of this month."""

    used: float
    limit: float | None
    packs: list[CreditPack]


class Allowances:
    """Looks up many tenants at once."""

    def __init__(self, packages: PackageStore, use: UseStore, months: Months) -> None:
        self._packages = packages
        self._use = use
        self._months = months

    async def of(self, tenants: Sequence[Tenant], now_ms: int) -> dict[str, Standing]:
        """By tenant id, for the month of this moment."""
        packages: Mapping[str, Package] = {}
        if any(tenant.package_id for tenant in tenants):
            packages = {each.id: each for each in await self._packages.page(PACKAGES_MAX)}
        month = self._months.of(now_ms)
        used, _ = await self._use.used(month.key, [tenant.id for tenant in tenants], [])
        return {
            tenant.id: _standing(tenant, packages, used.get(tenant.id, 0), month)
            for tenant in tenants
        }

    def next_month_ms(self, now_ms: int) -> int:
        """When the month after this moment's begins."""
        return self._months.of(now_ms).end_ms


def _standing(
    tenant: Tenant, packages: Mapping[str, Package], used: int, month: Period
) -> Standing:
    package = packages.get(tenant.package_id or "")
    credits = None if package is None else package.monthly_credits
    limit = allowance(TenantTerms(credits, tuple([pack.terms for pack in tenant.packs])), month)
    return Standing(
        used=used / CREDIT,
        limit=None if limit is None else limit / CREDIT,
        packs=[pack for pack in tenant.packs if _counts_in(pack, month)],
    )


def _counts_in(pack: CreditPack, month: Period) -> bool:
    begins_in_time = pack.valid_from < month.end_ms
    return begins_in_time and (pack.valid_until is None or pack.valid_until > month.start_ms)

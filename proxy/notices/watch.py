"""Tells a tenant's administrators that its allowance is nearly used, and that it is used (domain.md
8.1).

Looks at the sums of the month now and then, never while a request waits. Every worker of every
machine looks; who writes the notice first tells, so each is given once for each month and kind. A
tenant nobody administers is told as soon as somebody does.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from proxy.domain.letter import Letter, Notice, NoticeKind, Recipient
from proxy.domain.people import ACTIVE, Package, Tenant, terms_of
from proxy.domain.terms import APPROACHING_RATIO, Ladder
from proxy.limits.rules import USED_UP_RATIO, allowance, share, what_still_works
from proxy.limits.window import Months, Period
from proxy.notices.outbox import Post
from proxy.notices.wording import House, Standing, approaching, reached

TENANTS_MAX = 10_000
"""Near their limit at the same time; more wait until some of these have been told."""
_LOG = logging.getLogger("proxy.notices")


class NoticeStore(Protocol):
    """Implemented by `storage/letters.py`."""

    async def near(self, period: str, tenants_max: int, /) -> Sequence[tuple[str, int]]:
        """Active tenants who may have to be told something of a month such as '2026-11', and their
        micro-credits."""

    async def told(self, period: str, tenant_id: str, /) -> set[str]:
        """The kinds of what a tenant was told in a month."""

    async def administrators(self, tenant_id: str, /) -> Sequence[Recipient]:
        """Active users of a tenant who may manage it."""


class TenantLookup(Protocol):
    """Implemented by `storage/tenants.py`."""

    async def get(self, tenant_id: str, /) -> Tenant | None:
        """One tenant."""


class PackageLookup(Protocol):
    """Implemented by `storage/packages.py`."""

    async def get(self, package_id: str, /) -> Package | None:
        """One package."""


class AllowanceWatch:
    """`rules` gives the installation's ladder and hard stop of now."""

    def __init__(
        self,
        store: NoticeStore,
        tenants: TenantLookup,
        packages: PackageLookup,
        post: Post,
        *,
        months: Months,
        rules: Callable[[], tuple[Ladder, bool]],
        house: House,
    ) -> None:
        self._store = store
        self._tenants = tenants
        self._packages = packages
        self._post = post
        self._months = months
        self._rules = rules
        self._house = house

    async def look(self, now_ms: int) -> int:
        """Tell whoever is to be told; how many tenants this call told. Raises Fault."""
        period = self._months.of(now_ms)
        count = 0
        for tenant_id, used in await self._store.near(period.key, TENANTS_MAX):
            count += await self._tell(tenant_id, used, period, now_ms)
        return count

    async def _tell(self, tenant_id: str, used: int, period: Period, now_ms: int) -> bool:
        tenant = await self._tenants.get(tenant_id)
        if tenant is None or tenant.status != ACTIVE or tenant.package_id is None:
            return False
        package = await self._packages.get(tenant.package_id)
        terms = terms_of(tenant, package)
        limit = allowance(terms, period)
        # Of an allowance of nothing there is nothing to use up.
        if package is None or not limit:
            return False
        kind = _kind(used, limit)
        if kind is None or kind in await self._store.told(period.key, tenant_id):
            return False
        recipients = await self._store.administrators(tenant_id)
        if not recipients:
            return False
        ladder, hard_stop = self._rules()
        ladder = ladder if terms.ladder is None else terms.ladder
        standing = Standing(
            tenant=tenant.name,
            package=package.name,
            has_packs=limit > (package.monthly_credits or 0),
            used=used,
            limit=limit,
            resets=f"{period.next_day} 00:00 ({self._months.zone})",
            still_works=what_still_works(ladder, used, limit, hard_stop),
        )
        notice = Notice(tenant_id, period.key, kind)
        letters = [self._letter(notice, standing, each, now_ms) for each in recipients]
        if not await self._post.post(letters, notice=notice):
            return False
        _LOG.info("tenant %s is told by mail: %s of %s", tenant_id, kind, period.key)
        return True

    def _letter(
        self, notice: Notice, standing: Standing, recipient: Recipient, now_ms: int
    ) -> Letter:
        write = reached if notice.kind == "allowance_reached" else approaching
        words = write(standing, recipient.first_name, self._house)
        return Letter(
            id=f"{notice.kind}.{notice.period}.{notice.tenant_id}.{recipient.id}",
            kind=notice.kind,
            tenant_id=notice.tenant_id,
            user_id=recipient.id,
            recipient=recipient.email,
            subject=words.subject,
            body=words.body,
            created_at=now_ms,
        )


def _kind(used: int, limit: int) -> NoticeKind | None:
    if used >= share(USED_UP_RATIO, limit):
        return "allowance_reached"
    return "allowance_approaching" if used >= share(APPROACHING_RATIO, limit) else None

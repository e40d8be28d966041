"""`/v1/admin/tenants/{tenant_id}/package`: which package a tenant has.

More credits count at once; fewer from the first of next month, until when the change may be taken
back. One change can be pending, a new one takes its place (domain.md 2.1).
"""

import math
from typing import Any, Final

from proxy.admin.allowance import Allowances
from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, NoBody, NoQuery, bad
from proxy.admin.scope import Reach, present
from proxy.admin.stores import PackageStore, TenantStore
from proxy.admin.tenant_documents import PackageState, PackageWish, package_state
from proxy.domain.people import Package, Tenant
from proxy.domain.permissions import MANAGE_TENANT, MSP_BILLING, MSP_VIEW, VIEW_USAGE

SEE: Final = Reach(own=(MANAGE_TENANT, VIEW_USAGE), msp=(MSP_VIEW, MSP_BILLING))


class TenantPackage:
    """The handlers."""

    def __init__(
        self, tenants: TenantStore, packages: PackageStore, allowances: Allowances
    ) -> None:
        self._tenants = tenants
        self._packages = packages
        self._allowances = allowances

    async def read(self, asked: Asked[NoQuery, None]) -> PackageState:
        """`GET`: the package of now and the one to come."""
        SEE.check(asked.caller, asked.path["tenant_id"])
        return await self._state(await self._tenant(asked), asked.now_ms)

    async def choose(self, asked: Asked[NoQuery, PackageWish]) -> PackageState:
        """`PUT`: an upgrade now, a downgrade with the next month."""
        tenant = await self._tenant(asked)
        wanted_id = asked.body.package_id
        wanted = await self._package(wanted_id)
        if wanted_id is not None and wanted is None:
            raise bad("package_id", f"There is no package {wanted_id[:200]!r}.")
        if wanted_id == tenant.package_id:
            changed = await self._tenants.cancel_scheduled_package(tenant.id, asked.actor)
        elif _credits(wanted) >= _credits(await self._package(tenant.package_id)):
            changed = await self._tenants.change(tenant.id, asked.actor, package_id=wanted_id)
        else:
            next_month_ms = self._allowances.next_month_ms(asked.now_ms)
            changed = await self._tenants.schedule_package(
                tenant.id, wanted_id, next_month_ms, asked.actor
            )
        return await self._state(changed, asked.now_ms)

    async def cancel(self, asked: Asked[NoQuery, None]) -> PackageState:
        """`DELETE`: stay with the package of now."""
        tenant = await self._tenant(asked)
        kept = await self._tenants.cancel_scheduled_package(tenant.id, asked.actor)
        return await self._state(kept, asked.now_ms)

    async def _tenant(self, asked: Asked[Any, Any]) -> Tenant:
        tenant_id = asked.path["tenant_id"]
        return present(await self._tenants.get(tenant_id), tenant_id)

    async def _package(self, package_id: str | None) -> Package | None:
        return None if package_id is None else await self._packages.get(package_id)

    async def _state(self, tenant: Tenant, now_ms: int) -> PackageState:
        standing = (await self._allowances.of([tenant], now_ms))[tenant.id]
        return package_state(tenant, standing)


def _credits(package: Package | None) -> float:
    """No package is no limit, as a package without credits is."""
    if package is None or package.monthly_credits is None:
        return math.inf
    return package.monthly_credits


def endpoints(package: TenantPackage) -> list[AnyEndpoint]:
    """The rows of the table."""
    path = "/v1/admin/tenants/{tenant_id}/package"
    return [
        Endpoint(
            method="GET",
            path=path,
            summary="The package of a tenant, and the one to come",
            handler=package.read,
            reply=PackageState,
            query=NoQuery,
            body=NoBody,
            needs=SEE.needs,
        ),
        Endpoint(
            method="PUT",
            path=path,
            summary="Upgrade a tenant now, or downgrade it with the next month",
            handler=package.choose,
            reply=PackageState,
            query=NoQuery,
            body=PackageWish,
            needs=(MSP_BILLING,),
        ),
        Endpoint(
            method="DELETE",
            path=path,
            summary="Take back a downgrade to come",
            handler=package.cancel,
            reply=PackageState,
            query=NoQuery,
            body=NoBody,
            needs=(MSP_BILLING,),
        ),
    ]

"""`/v1/admin/tenants`: workspaces are listed, shown and changed.

The MSP's people act on all, a tenant's administrators on their own, and on fewer of its fields.
Making tenants is in `tenant_making.py`, packages of tenants in `tenant_package.py`.
"""

from typing import Any, Final

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from proxy.admin.allowance import PACKAGES_MAX, Allowances
from proxy.admin.endpoint import (
    AnyEndpoint,
    Asked,
    Endpoint,
    NoBody,
    NoQuery,
    bad,
)
from proxy.admin.model_switches import SWITCH_TENANTS, default_warnings, switched_off
from proxy.admin.scope import Reach, present
from proxy.admin.stores import PackageStore, TenantStore
from proxy.admin.tenant_documents import (
    ConfigChange,
    MspDocument,
    TenantChange,
    TenantChanged,
    TenantDocument,
    TenantQuery,
    UsersQuery,
    tenant_changed,
    tenant_document,
)
from proxy.admin.users import SEE as SEE_USERS
from proxy.admin.users import UserPage, UserPages
from proxy.catalog.refresh import Shelf
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Tenant, TenantConfig
from proxy.domain.permissions import (
    DISABLE_MODELS,
    MANAGE_TENANT,
    MANAGE_USERS,
    MSP_BILLING,
    MSP_MODELS,
    MSP_TENANTS,
    MSP_VIEW,
    VIEW_USAGE,
)
from proxy.ledger.support_record import moment

SEE: Final = Reach(
    own=(MANAGE_TENANT, MANAGE_USERS, VIEW_USAGE), msp=(MSP_VIEW, MSP_TENANTS, MSP_BILLING)
)
CHANGE: Final = Reach(
    own=(MANAGE_TENANT, DISABLE_MODELS), msp=(MSP_TENANTS, MSP_BILLING, MSP_MODELS)
)
_MSP: Final = Reach(own=(), msp=(MSP_TENANTS,))
_PARTS: Final = {
    # Names are unique among all tenants, so that choosing one would tell of others' names.
    "name": _MSP,
    "status": _MSP,
    "ladder": _MSP,
    "burst": _MSP,
    "package_id": Reach(own=(), msp=(MSP_BILLING,)),
    "tenant_config": Reach(own=(MANAGE_TENANT,), msp=(MSP_TENANTS,)),
    "disabled_model_names": SWITCH_TENANTS,
}


class TenantPages:
    """The handlers."""

    def __init__(
        self,
        tenants: TenantStore,
        packages: PackageStore,
        allowances: Allowances,
        shelf: Shelf,
        people: UserPages,
    ) -> None:
        self._tenants = tenants
        self._packages = packages
        self._allowances = allowances
        self._shelf = shelf
        self._people = people

    async def page(self, asked: Asked[TenantQuery, None]) -> list[TenantDocument]:
        """`GET`: a bare array. A tenant's own people see their own."""
        query = asked.query
        confined = SEE.confined(asked.caller)
        if confined is None:
            found = await self._tenants.page(query.limit, query.offset, name=query.name)
        else:
            own = present(await self._tenants.get(confined), confined)
            is_meant = query.name in (None, own.name) and query.offset == 0
            found = [own] if is_meant else []
        standings = await self._allowances.of(found, asked.now_ms)
        return [tenant_document(tenant, standings[tenant.id]) for tenant in found]

    async def read(self, asked: Asked[NoQuery, None]) -> TenantDocument:
        """`GET /{tenant_id}`: one."""
        tenant = await self._tenant(asked, SEE)
        standings = await self._allowances.of([tenant], asked.now_ms)
        return tenant_document(tenant, standings[tenant.id])

    async def msp(self, asked: Asked[NoQuery, None]) -> MspDocument:
        """`GET /msp`: the MSP the caller works for."""
        own_id = asked.caller.tenant_id
        own = present(await self._tenants.get(own_id), own_id)
        standing = (await self._allowances.of([own], asked.now_ms))[own_id]
        packages = await self._packages.page(PACKAGES_MAX)
        admins, everybody = await self._people.counts(own_id)
        return MspDocument(
            name=own.name,
            created_at=moment(own.created_at),
            primary_package_name=own.package,
            additional_package_names=[pack.name for pack in standing.packs],
            packages={each.name: each.tenant_count for each in packages},
            total_credits_used=standing.used,
            total_credit_limit=standing.limit,
            admin_user_count=admins,
            tenant_user_count=everybody - admins,
        )

    async def users(self, asked: Asked[UsersQuery, None]) -> UserPage:
        """`GET /{tenant_id}/users`: a page of its people."""
        tenant = await self._tenant(asked, SEE_USERS)
        return await self._people.listed(tenant.id, None, asked.query.limit, asked.query.offset)

    async def change(self, asked: Asked[NoQuery, TenantChange]) -> TenantChanged:
        """`PATCH /{tenant_id}`: what is given changes."""
        tenant = await self._tenant(asked, CHANGE)
        caller, wish = asked.caller, asked.body
        _check_fields(caller, tenant.id, wish)
        if wish.status not in (UNSET, tenant.status) and tenant.id == caller.tenant_id:
            raise Fault(
                Kind.CONFLICT,
                "status: You would shut out yourself.",
                hint="Ask somebody of another tenant.",
                retry=False,
            )
        await self._check_package(wish.package_id)
        catalog = self._shelf.current
        names, config = wish.disabled_model_names, wish.tenant_config
        changed = await self._tenants.change(
            tenant.id,
            asked.actor,
            name=wish.name,
            status=wish.status,
            package_id=wish.package_id,
            ladder=wish.ladder,
            burst=wish.burst,
            config=UNSET if config is UNSET else self._config(tenant.config, config),
            disabled_models=UNSET
            if names is UNSET
            else switched_off(names, tenant.disabled_models, catalog),
        )
        standing = (await self._allowances.of([changed], asked.now_ms))[changed.id]
        warnings = default_warnings(changed.config, changed.disabled_models, catalog)
        return tenant_changed(changed, standing, warnings)

    async def _tenant(self, asked: Asked[Any, Any], reach: Reach) -> Tenant:
        tenant_id = asked.path["tenant_id"]
        reach.check(asked.caller, tenant_id)
        return present(await self._tenants.get(tenant_id), tenant_id)

    async def _check_package(self, package_id: str | UnsetType | None) -> None:
        if isinstance(package_id, str) and await self._packages.get(package_id) is None:
            raise bad("package_id", f"There is no package {package_id[:200]!r}.")

    def _config(self, before: TenantConfig, wish: ConfigChange) -> TenantConfig:
        given = {
            name: value
            for name in wish.__struct_fields__
            if (value := getattr(wish, name)) is not UNSET
        }
        default = given.get("default_model_name")
        if default is not None and default != before.default_model_name:
            model = self._shelf.current.find(default)
            if model is None:
                raise bad(
                    "tenant_config.default_model_name", f"There is no model {default[:200]!r}."
                )
            given["default_model_name"] = model.id
        return replace(before, **given)


def _check_fields(caller: Caller, tenant_id: str, wish: TenantChange) -> None:
    """Raises Fault FORBIDDEN for a field that is not this caller's to change."""
    for field, reach in _PARTS.items():
        if getattr(wish, field) is not UNSET:
            reach.check_part(caller, tenant_id, field)


def endpoints(pages: TenantPages) -> list[AnyEndpoint]:
    """The rows of the table."""
    path, one = "/v1/admin/tenants", "/v1/admin/tenants/{tenant_id}"
    msp = [
        Endpoint(
            method="GET",
            path=path + name,
            summary=summary,
            handler=pages.msp,
            reply=MspDocument,
            query=NoQuery,
            body=NoBody,
            needs=(MSP_VIEW,),
            refusals=(404,),
        )
        for name, summary in (("/msp", "One's own MSP"), ("/internal-admin", "As /msp"))
    ]
    return [
        Endpoint(
            method="GET",
            path=path,
            summary="Tenants, as a bare array",
            handler=pages.page,
            reply=list[TenantDocument],
            query=TenantQuery,
            body=NoBody,
            needs=SEE.needs,
        ),
        *msp,
        Endpoint(
            method="GET",
            path=one,
            summary="One tenant",
            handler=pages.read,
            reply=TenantDocument,
            query=NoQuery,
            body=NoBody,
            needs=SEE.needs,
        ),
        Endpoint(
            method="PATCH",
            path=one,
            summary="Change a tenant",
            handler=pages.change,
            reply=TenantChanged,
            query=NoQuery,
            body=TenantChange,
            needs=CHANGE.needs,
            refusals=(409,),
        ),
        Endpoint(
            method="GET",
            path=one + "/users",
            summary="The users of a tenant",
            handler=pages.users,
            reply=UserPage,
            query=UsersQuery,
            body=NoBody,
            needs=SEE_USERS.needs,
        ),
    ]

"""`/v1/admin/roles` and `/v1/admin/permissions`: what people may do.

A tenant's administrators make roles for their tenant, the MSP's people for all. Nobody makes a role
with more than they have.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import UNSET

from proxy.admin.endpoint import (
    AnyEndpoint,
    Asked,
    Deleted,
    Endpoint,
    NoBody,
    NoQuery,
    bad,
)
from proxy.admin.model_switches import switched_off
from proxy.admin.role_documents import (
    Comparison,
    ComparisonQuery,
    Permission,
    PermissionList,
    RoleChange,
    RoleDocument,
    RolePage,
    RoleQuery,
    RoleWish,
    compared,
    summary,
)
from proxy.admin.scope import (
    CHANGE_ROLES,
    ORDINARY,
    SEE_ROLES,
    check_grant,
    check_role_change,
    is_open_to,
    present,
    role_within,
)
from proxy.admin.stores import RoleStore, TenantStore, UserStore
from proxy.catalog.refresh import Shelf
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Role
from proxy.domain.permissions import MEANINGS, MSP_PERMISSIONS

COMPARED_MAX: Final = 10
ROLES_MAX: Final = 1_000
USERS_COUNTED_AT_ONCE: Final = 1_000


class RolePages:
    """The handlers."""

    def __init__(
        self, roles: RoleStore, users: UserStore, tenants: TenantStore, shelf: Shelf
    ) -> None:
        self._roles = roles
        self._users = users
        self._tenants = tenants
        self._shelf = shelf

    async def page(self, asked: Asked[RoleQuery, None]) -> RolePage:
        """`GET`: a page of each source."""
        query = asked.query
        tenant_id = query.tenant_id
        confined = SEE_ROLES.confined(asked.caller)
        if confined is not None:
            tenant_id = tenant_id or confined
            SEE_ROLES.check(asked.caller, tenant_id)
        elif tenant_id is not None:
            present(await self._tenants.get(tenant_id), tenant_id)
        defaults = [] if tenant_id is None else await self._roles.defaults(ROLES_MAX)
        if confined is None:
            custom = await self._roles.custom(tenant_id, query.limit, query.offset)
            total = len(defaults) + await self._roles.count(tenant_id)
        else:
            # What is there for all and has rights of the MSP's people is not for tenants to see.
            defaults = [role for role in defaults if is_open_to(role, confined)]
            known = await self._roles.custom(tenant_id, ROLES_MAX)
            custom = [role for role in known if is_open_to(role, confined)]
            total = len(defaults) + len(custom)
            custom = custom[query.offset : query.offset + query.limit]
        shown = [*defaults[query.offset : query.offset + query.limit], *custom]
        counts = await self._assigned(tenant_id)
        return RolePage([summary(role, counts) for role in shown], total)

    async def read(self, asked: Asked[NoQuery, None]) -> RoleDocument:
        """`GET /{role_id}`: a whole one."""
        role_id = asked.path["role_id"]
        role = role_within(asked.caller, await self._roles.get(role_id), role_id, SEE_ROLES)
        return await self._document(asked.caller, role)

    async def compare(self, asked: Asked[ComparisonQuery, None]) -> Comparison:
        """`GET /compare`: roles side by side."""
        ids = list(dict.fromkeys([each.strip() for each in asked.query.ids.split(",")]))
        if not 2 <= len(ids) <= COMPARED_MAX:
            raise bad("ids", f"2 to {COMPARED_MAX} different ids, with commas between them.")
        roles = [
            role_within(asked.caller, await self._roles.get(role_id), role_id, SEE_ROLES)
            for role_id in ids
        ]
        counts = await self._assigned(SEE_ROLES.confined(asked.caller))
        names = [name for name in MEANINGS if any(name in role.permissions for role in roles)]
        return Comparison(
            [summary(role, counts) for role in roles],
            [compared(name, roles) for name in names],
        )

    async def make(self, asked: Asked[NoQuery, RoleWish]) -> RoleDocument:
        """`POST`: a new one."""
        wish, caller = asked.body, asked.caller
        tenant_id = wish.tenant_id
        confined = CHANGE_ROLES.confined(caller)
        if confined is not None:
            tenant_id = tenant_id or confined
        if tenant_id is not None:
            CHANGE_ROLES.check(caller, tenant_id)
            present(await self._tenants.get(tenant_id), tenant_id)
        _check_permissions(wish.permissions, tenant_id)
        check_grant(caller, wish.permissions, "permissions")
        role = await self._roles.create(
            wish.name,
            asked.actor,
            tenant_id=tenant_id,
            display_name=wish.display_name or "",
            description=wish.description,
            permissions=wish.permissions,
            user_credit_limit=wish.user_credit_limit,
            disabled_models=switched_off(wish.disabled_model_names, (), self._shelf.current),
        )
        return await self._document(caller, role)

    async def change(self, asked: Asked[NoQuery, RoleChange]) -> RoleDocument:
        """`PATCH /{role_id}`: what is given changes."""
        caller, wish = asked.caller, asked.body
        role = await self._to_change(asked.path["role_id"], caller)
        if wish.permissions is not UNSET:
            _check_permissions(wish.permissions, role.tenant_id)
            check_grant(caller, wish.permissions, "permissions")
            if role.id == caller.role_id and set(wish.permissions) != role.permissions:
                raise Fault(
                    Kind.CONFLICT,
                    "permissions: Nobody changes what they may do themselves.",
                    hint="Ask another administrator.",
                    retry=False,
                )
        names = wish.disabled_model_names
        changed = await self._roles.change(
            role.id,
            asked.actor,
            display_name=wish.display_name,
            description=wish.description,
            permissions=wish.permissions,
            user_credit_limit=wish.user_credit_limit,
            disabled_models=UNSET
            if names is UNSET
            else switched_off(names, role.disabled_models, self._shelf.current),
        )
        return await self._document(caller, changed)

    async def delete(self, asked: Asked[NoQuery, None]) -> Deleted:
        """`DELETE /{role_id}`: one that nobody has."""
        role = await self._to_change(asked.path["role_id"], asked.caller)
        await self._roles.delete(role.id, asked.actor)
        return Deleted(role.id)

    async def permissions(self, asked: Asked[NoQuery, None]) -> PermissionList:
        """`GET /v1/admin/permissions`: what roles may allow."""
        sees_all = SEE_ROLES.confined(asked.caller) is None
        return PermissionList(
            [
                Permission(
                    name,
                    meaning,
                    name in MSP_PERMISSIONS,
                    name in asked.caller.permissions | ORDINARY,
                )
                for name, meaning in MEANINGS.items()
                if sees_all or name not in MSP_PERMISSIONS
            ]
        )

    async def _to_change(self, role_id: str, caller: Caller) -> Role:
        role = role_within(caller, await self._roles.get(role_id), role_id, CHANGE_ROLES)
        check_role_change(caller, role)
        return role

    async def _document(self, caller: Caller, role: Role) -> RoleDocument:
        counts = None
        if role.tenant_id is None:
            counts = await self._assigned(SEE_ROLES.confined(caller))
        return RoleDocument(
            **msgspec.structs.asdict(summary(role, counts)),
            tenant_id=role.tenant_id,
            permissions=sorted(role.permissions),
            disabled_model_names=list(role.disabled_models),
        )

    async def _assigned(self, tenant_id: str | None) -> Counter[str] | None:
        """How many users of a tenant have which role. None: those of all tenants are meant, whose
        numbers are no tenant's business."""
        if tenant_id is None:
            return None
        counts: Counter[str] = Counter()
        offset = 0
        while users := await self._users.page(tenant_id, USERS_COUNTED_AT_ONCE, offset):
            counts.update([user.role_id for user in users])
            offset += USERS_COUNTED_AT_ONCE
        return counts


def _check_permissions(names: Sequence[str], tenant_id: str | None) -> None:
    for place, name in enumerate(names):
        if name not in MEANINGS:
            raise bad(
                f"permissions.{place}",
                f"There is no permission {name[:200]!r}.",
                "GET /v1/admin/permissions shows them.",
            )
        if tenant_id is not None and name in MSP_PERMISSIONS:
            raise bad(f"permissions.{place}", f"{name} is only for roles of the MSP's own people.")


def endpoints(pages: RolePages) -> list[AnyEndpoint]:
    """The rows of the table."""
    path, one = "/v1/admin/roles", "/v1/admin/roles/{role_id}"
    return [
        Endpoint(
            method="GET",
            path=path,
            summary="Roles: the default ones and those somebody made",
            handler=pages.page,
            reply=RolePage,
            query=RoleQuery,
            body=NoBody,
            needs=SEE_ROLES.needs,
            refusals=(404,),
        ),
        Endpoint(
            method="POST",
            path=path,
            summary="Make a role",
            handler=pages.make,
            reply=RoleDocument,
            query=NoQuery,
            body=RoleWish,
            needs=CHANGE_ROLES.needs,
            status=201,
            refusals=(404, 409),
        ),
        Endpoint(
            method="GET",
            path=path + "/compare",
            summary="Roles side by side",
            handler=pages.compare,
            reply=Comparison,
            query=ComparisonQuery,
            body=NoBody,
            needs=SEE_ROLES.needs,
            refusals=(404,),
        ),
        Endpoint(
            method="GET",
            path=one,
            summary="One role",
            handler=pages.read,
            reply=RoleDocument,
            query=NoQuery,
            body=NoBody,
            needs=SEE_ROLES.needs,
        ),
        Endpoint(
            method="PATCH",
            path=one,
            summary="Change a role",
            handler=pages.change,
            reply=RoleDocument,
            query=NoQuery,
            body=RoleChange,
            needs=CHANGE_ROLES.needs,
            refusals=(409,),
        ),
        Endpoint(
            method="DELETE",
            path=one,
            summary="Delete a role that nobody has",
            handler=pages.delete,
            reply=Deleted,
            query=NoQuery,
            body=NoBody,
            needs=CHANGE_ROLES.needs,
            refusals=(409,),
        ),
        Endpoint(
            method="GET",
            path="/v1/admin/permissions",
            summary="What roles may allow",
            handler=pages.permissions,
            reply=PermissionList,
            query=NoQuery,
            body=NoBody,
            needs=SEE_ROLES.needs,
        ),
    ]

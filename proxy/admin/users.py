"""`/v1/admin/users`: people are shown, changed, moved to another tenant and deleted.

A tenant's administrators see and change the people of their tenant, the MSP's people all. That only
Primary Admins touch Primary Admins, and nobody themselves, is why the last of them stays.
"""

from typing import Annotated, Any, Final, Literal

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
from proxy.admin.newcomers import PersonName, RoleName, role_of
from proxy.admin.scope import (
    Reach,
    check_not_oneself,
    check_role_grant,
    check_touch,
    present,
)
from proxy.admin.stores import RoleStore, TenantStore, UserStore
from proxy.domain.people import User
from proxy.domain.permissions import MANAGE_USERS, MSP_USERS, MSP_VIEW
from proxy.ledger.support_record import moment

SEE: Final = Reach(own=(MANAGE_USERS,), msp=(MSP_VIEW, MSP_USERS))
CHANGE: Final = Reach(own=(MANAGE_USERS,), msp=(MSP_USERS,))


class UserDocument(msgspec.Struct, frozen=True):
    """A user; `role` is a slug."""

    id: str
    email: str
    first_name: str
    last_name: str
    role: str
    role_id: str
    status: str
    tenant_id: str
    tenant_name: str
    created_at: str


class UserPage(msgspec.Struct, frozen=True):
    """Users by address."""

    data: list[UserDocument]
    total_count: int


class UserQuery(msgspec.Struct, frozen=True):
    """`email` finds the users of exactly this address, letters' case aside."""

    email: str | None = None
    tenant_id: str | None = None
    limit: Limit = 100
    offset: Offset = 0


class UserChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is given changes, at once. `role` and `custom_role_name` are slugs."""

    first_name: PersonName | UnsetType = UNSET
    last_name: PersonName | UnsetType = UNSET
    role: RoleName | UnsetType = UNSET
    custom_role_name: RoleName | UnsetType = UNSET
    status: Literal["Active", "Suspended"] | UnsetType = UNSET


class Transfer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where somebody goes, and what they are there; without a role a general_user."""

    tenant_id: Annotated[str, Meta(min_length=1)]
    role: RoleName | None = None


class UserPages:
    """The handlers."""

    def __init__(self, users: UserStore, roles: RoleStore, tenants: TenantStore) -> None:
        self._users = users
        self._roles = roles
        self._tenants = tenants

    async def page(self, asked: Asked[UserQuery, None]) -> UserPage:
        """`GET`: those of a tenant, of an address, or of all tenants."""
        query = asked.query
        tenant_id = SEE.narrowed(asked.caller, query.tenant_id)
        if tenant_id is not None:
            present(await self._tenants.get(tenant_id), tenant_id)
        return await self.listed(tenant_id, query.email, query.limit, query.offset)

    async def listed(
        self, tenant_id: str | None, email: str | None, limit: int, offset: int
    ) -> UserPage:
        """A page of users; who may see them is asked before."""
        if email is not None:
            found = await self._users.search(email, tenant_id)
            return UserPage([document(user) for user in found[offset : offset + limit]], len(found))
        users = await self._users.page(tenant_id, limit, offset)
        return UserPage([document(user) for user in users], await self._users.count(tenant_id))

    async def counts(self, tenant_id: str) -> tuple[int, int]:
        """How many users a tenant has, and how many there are in all."""
        return await self._users.count(tenant_id), await self._users.count()

    async def read(self, asked: Asked[NoQuery, None]) -> UserDocument:
        """`GET /{user_id}`: one."""
        return document(await self._user(asked, SEE))

    async def change(self, asked: Asked[NoQuery, UserChange]) -> UserDocument:
        """`PATCH /{user_id}`: what is given changes."""
        user = await self.to_touch(asked)
        wish = asked.body
        slug, field = wish.role, "role"
        if wish.custom_role_name is not UNSET:
            if slug is not UNSET:
                raise bad("custom_role_name", "Give a role or a custom role, not both.")
            slug, field = wish.custom_role_name, "custom_role_name"
        if slug is not UNSET:
            role = role_of(await self._roles.by_slug(slug, user.tenant_id), slug, field)
            # By id: a tenant's own role may be called like one that is there for all.
            if role.id != user.role_id:
                check_not_oneself(asked.caller, user, "change the role of")
                check_role_grant(asked.caller, role, user.tenant_id, field)
        if wish.status is not UNSET and wish.status != user.status:
            check_not_oneself(asked.caller, user, "change the status of")
        changed = await self._users.change(
            user.id,
            asked.actor,
            role=slug,
            status=wish.status,
            first_name=wish.first_name,
            last_name=wish.last_name,
        )
        return document(changed)

    async def delete(self, asked: Asked[NoQuery, None]) -> Deleted:
        """`DELETE /{user_id}`: their keys end with them."""
        user = await self.to_touch(asked)
        check_not_oneself(asked.caller, user, "delete")
        await self._users.delete(user.id, asked.actor)
        return Deleted(user.id)

    async def transfer(self, asked: Asked[NoQuery, Transfer]) -> UserDocument:
        """`POST /{user_id}/transfer`: to another tenant, keys and all."""
        user = await self.to_touch(asked)
        check_not_oneself(asked.caller, user, "move")
        tenant_id = asked.body.tenant_id
        if await self._tenants.get(tenant_id) is None:
            raise bad("tenant_id", f"There is no tenant {tenant_id[:200]!r}.")
        if tenant_id == user.tenant_id:
            raise bad("tenant_id", "They are there already.")
        if asked.body.role is not None:
            slug = asked.body.role
            role = role_of(await self._roles.by_slug(slug, tenant_id), slug, "role")
            check_role_grant(asked.caller, role, tenant_id, "role")
        moved = await self._users.move(user.id, tenant_id, asked.actor, role=asked.body.role or "")
        return document(moved)

    async def _user(self, asked: Asked[Any, Any], reach: Reach) -> User:
        """The user of the path, if they are there for this caller. Raises Fault."""
        user_id = asked.path["user_id"]
        confined = reach.confined(asked.caller)
        user = await self._users.get(user_id)
        if user is None or user.status == "Deleted" or confined not in (None, user.tenant_id):
            raise not_there("user", user_id)
        return user

    async def to_touch(self, asked: Asked[Any, Any]) -> User:
        """The user of the path, where this caller may change them. Raises Fault."""
        user = await self._user(asked, CHANGE)
        role = await self._roles.get(user.role_id)
        assert role is not None, "a role that somebody has cannot be deleted"
        check_touch(asked.caller, role)
        return user


def document(user: User) -> UserDocument:
    """A user as pages show them."""
    return UserDocument(
        id=user.id,
        email=user.email,
        first_name=user.first_name,
        last_name=user.last_name,
        role=user.role,
        role_id=user.role_id,
        status=user.status,
        tenant_id=user.tenant_id,
        tenant_name=user.tenant,
        created_at=moment(user.created_at),
    )


def endpoints(pages: UserPages) -> list[AnyEndpoint]:
    """The rows of the table."""
    path, one = "/v1/admin/users", "/v1/admin/users/{user_id}"
    return [
        Endpoint(
            method="GET",
            path=path,
            summary="Users",
            handler=pages.page,
            reply=UserPage,
            query=UserQuery,
            body=NoBody,
            needs=SEE.needs,
            refusals=(404,),
        ),
        Endpoint(
            method="GET",
            path=one,
            summary="One user",
            handler=pages.read,
            reply=UserDocument,
            query=NoQuery,
            body=NoBody,
            needs=SEE.needs,
        ),
        Endpoint(
            method="PATCH",
            path=one,
            summary="Change a user's name, role or status",
            handler=pages.change,
            reply=UserDocument,
            query=NoQuery,
            body=UserChange,
            needs=CHANGE.needs,
            refusals=(409,),
        ),
        Endpoint(
            method="DELETE",
            path=one,
            summary="Delete a user; their keys end with them",
            handler=pages.delete,
            reply=Deleted,
            query=NoQuery,
            body=NoBody,
            needs=CHANGE.needs,
            refusals=(409,),
        ),
        Endpoint(
            method="POST",
            path=one + "/transfer",
            summary="Move a user to another tenant",
            handler=pages.transfer,
            reply=UserDocument,
            query=NoQuery,
            body=Transfer,
            needs=(MSP_USERS,),
            refusals=(409,),
        ),
    ]

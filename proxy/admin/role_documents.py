"""Roles as documents: what the API of roles reads and writes."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from proxy.admin.endpoint import Offset
from proxy.domain.people import Role
from proxy.domain.permissions import MEANINGS

PREVIEWED: Final = 5
CreditLimit = Annotated[float, Meta(ge=0, le=9_000_000_000)]
Description = Annotated[str, Meta(max_length=1_000)]
DisplayName = Annotated[str, Meta(min_length=1, max_length=200)]
Permissions = Annotated[list[str], Meta(max_length=100)]
ModelNames = Annotated[list[str], Meta(max_length=1_000)]


class RoleSummary(msgspec.Struct, frozen=True):
    """A role in a list. `scope` is null for what is there for all tenants; `user_credit_limit` is
    in credits a month for each of its users; users are counted in the tenant asked for."""

    id: str
    name: str
    display_name: str
    description: str
    user_credit_limit: float | None
    role_source: Literal["default", "custom"]
    scope: Literal["tenant"] | None
    permissions_count: int
    permissions_preview: list[str]
    assigned_users_count: int


class RolePage(msgspec.Struct, frozen=True):
    """Default roles first. `limit` and `offset` count per source."""

    roles: list[RoleSummary]
    total_count: int


class RoleDocument(RoleSummary, frozen=True):
    """A whole role."""

    tenant_id: str | None
    permissions: list[str]
    disabled_model_names: list[str]


class RoleQuery(msgspec.Struct, frozen=True):
    """With a tenant: the default roles and that tenant's; without: all custom ones."""

    tenant_id: str | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 10
    offset: Offset = 0


class RoleWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A role to make. Without a tenant: for one's own, or as the MSP's people for all."""

    name: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,63}$")]
    display_name: DisplayName | None = None
    description: Description = ""
    permissions: Permissions = []
    user_credit_limit: CreditLimit | None = None
    disabled_model_names: ModelNames = []
    tenant_id: str | None = None


class RoleChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is given changes, at once and for all who have the role."""

    display_name: DisplayName | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    permissions: Permissions | UnsetType = UNSET
    user_credit_limit: CreditLimit | UnsetType | None = UNSET
    disabled_model_names: ModelNames | UnsetType = UNSET


class ComparisonQuery(msgspec.Struct, frozen=True):
    """`ids`: two to ten, with commas between them."""

    ids: Annotated[str, Meta(min_length=1, max_length=2_000)]


class ComparedPermission(msgspec.Struct, frozen=True):
    """One permission: which of the roles have it."""

    name: str
    description: str
    role_ids: list[str]
    differs: bool


class Comparison(msgspec.Struct, frozen=True):
    """Roles side by side."""

    roles: list[RoleSummary]
    permissions: list[ComparedPermission]


class Permission(msgspec.Struct, frozen=True):
    """Something a role may allow."""

    name: str
    description: str
    msp_only: bool
    grantable: bool


class PermissionList(msgspec.Struct, frozen=True):
    """The catalogue. `grantable`: may the caller give it?"""

    permissions: list[Permission]


def summary(role: Role, counts: Counter[str] | None) -> RoleSummary:
    """A role in a list. `counts` are its users in the tenant meant; None: in all of them."""
    permissions = sorted(role.permissions)
    return RoleSummary(
        id=role.id,
        name=role.slug,
        display_name=role.display_name,
        description=role.description,
        user_credit_limit=role.user_credit_limit,
        role_source="default" if role.is_default else "custom",
        scope=None if role.tenant_id is None else "tenant",
        permissions_count=len(permissions),
        permissions_preview=permissions[:PREVIEWED],
        assigned_users_count=role.assigned_users if counts is None else counts[role.id],
    )


def compared(name: str, roles: Sequence[Role]) -> ComparedPermission:
    """Which of these roles have a permission."""
    having = [role.id for role in roles if name in role.permissions]
    return ComparedPermission(name, MEANINGS[name], having, len(having) < len(roles))

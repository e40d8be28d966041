"""Tenants as documents: what the API of tenants reads and writes (domain.md 2.1, 12)."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from proxy.admin.allowance import Standing
from proxy.admin.endpoint import Limit, Offset
from proxy.admin.invitations import Mailed
from proxy.admin.newcomers import Newcomer, Outcome
from proxy.domain.people import Tenant, TenantConfig
from proxy.domain.terms import Burst, Ladder
from proxy.ledger.support_record import moment

TENANTS_AT_ONCE_MAX = 100

TenantName = Annotated[str, Meta(min_length=1, max_length=200)]
ModelName = Annotated[str, Meta(min_length=1, max_length=200)]
ModelNames = Annotated[list[ModelName], Meta(max_length=1_000)]


class TenantDocument(msgspec.Struct, frozen=True):
    """A tenant. Credits are those of this calendar month; no limit: null. What is null of ladder
    and burst is as the package and the installation have it."""

    id: str
    name: str
    primary_package_name: str | None
    additional_package_names: list[str]
    user_count: int
    status: str
    created_at: str
    total_credits_used: float
    total_credit_limit: float | None
    tenant_config: TenantConfig
    disabled_model_names: list[str]
    package_id: str | None
    next_package_id: str | None
    next_package_name: str | None
    next_package_from: str | None
    ladder: Ladder | None
    burst: Burst | None


class TenantChanged(TenantDocument, frozen=True):
    """A tenant as it is now, and what to think of."""

    warnings: list[str]


class TenantQuery(msgspec.Struct, frozen=True):
    """With `name` the tenant of exactly this name."""

    limit: Limit = 100
    offset: Offset = 0
    name: str | None = None


class UsersQuery(msgspec.Struct, frozen=True):
    """A page of users."""

    limit: Limit = 100
    offset: Offset = 0


class ConfigChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is given of a tenant's configuration changes."""

    beta_features: bool | UnsetType = UNSET
    mfa_required: bool | UnsetType = UNSET
    default_model_name: ModelName | UnsetType | None = UNSET
    web_search: bool | UnsetType = UNSET


class TenantChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is given changes, at once. A package given here is in force now, whatever was agreed
    for later; null takes it away, and with it the limit."""

    name: TenantName | UnsetType = UNSET
    status: Literal["Active", "Suspended", "Archived"] | UnsetType = UNSET
    package_id: str | UnsetType | None = UNSET
    disabled_model_names: ModelNames | UnsetType = UNSET
    ladder: Ladder | UnsetType | None = UNSET
    burst: Burst | UnsetType | None = UNSET
    tenant_config: ConfigChange | UnsetType = UNSET


class NewTenant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tenant to make. Of package and template the package given here wins."""

    tenant_name: TenantName
    package_id: str | None = None
    template_id: str | None = None
    users: Annotated[list[Newcomer], Meta(max_length=100)] = []


class NewTenants(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Up to a hundred tenants."""

    tenants: Annotated[list[NewTenant], Meta(min_length=1, max_length=TENANTS_AT_ONCE_MAX)]


class TenantOutcome(msgspec.Struct, frozen=True):
    """What became of one of them; `id` is null and `error` says why where it was not made. `email`
    is what became of its people's invitations by mail."""

    tenant_name: str
    status: Literal["created", "failed"]
    id: str | None
    error: str | None
    users: list[Outcome]
    email: Mailed = "not_wanted"


class TenantsMade(msgspec.Struct, frozen=True):
    """What became of all."""

    message: str
    total_tenants_created: int
    total_tenants_failed: int
    tenants: list[TenantOutcome]


class MspDocument(msgspec.Struct, frozen=True):
    """The MSP itself, by its own tenant. `packages` tells how many tenants have which package. What
    counts sign-ins is null: this gateway has none to count."""

    name: str
    created_at: str
    primary_package_name: str | None
    additional_package_names: list[str]
    packages: dict[str, int]
    total_credits_used: float
    total_credit_limit: float | None
    admin_user_count: int
    tenant_user_count: int
    admin_recent_signin_count: int | None = None
    admin_login_rate: float | None = None
    tenant_recent_signin_count: int | None = None
    tenant_login_rate: float | None = None


class PackageWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The package a tenant is to have; null: none, so no limit."""

    package_id: str | None


class PackageState(msgspec.Struct, frozen=True):
    """The package of now, and the one agreed on for later."""

    package_id: str | None
    package_name: str | None
    next_package_id: str | None
    next_package_name: str | None
    next_package_from: str | None
    total_credit_limit: float | None


def tenant_document(tenant: Tenant, standing: Standing) -> TenantDocument:
    """A tenant as pages show it."""
    return TenantDocument(
        id=tenant.id,
        name=tenant.name,
        primary_package_name=tenant.package,
        additional_package_names=[pack.name for pack in standing.packs],
        user_count=tenant.user_count,
        status=tenant.status,
        created_at=moment(tenant.created_at),
        total_credits_used=standing.used,
        total_credit_limit=standing.limit,
        tenant_config=tenant.config,
        disabled_model_names=list(tenant.disabled_models),
        package_id=tenant.package_id,
        next_package_id=tenant.next_package_id,
        next_package_name=tenant.next_package,
        next_package_from=_moment_or_none(tenant.next_package_from),
        ladder=tenant.ladder,
        burst=tenant.burst,
    )


def tenant_changed(tenant: Tenant, standing: Standing, warnings: list[str]) -> TenantChanged:
    """A tenant after a change."""
    document = tenant_document(tenant, standing)
    fields = {name: getattr(document, name) for name in document.__struct_fields__}
    return TenantChanged(**fields, warnings=warnings)


def package_state(tenant: Tenant, standing: Standing) -> PackageState:
    """Of a tenant only what concerns its package."""
    return PackageState(
        package_id=tenant.package_id,
        package_name=tenant.package,
        next_package_id=tenant.next_package_id,
        next_package_name=tenant.next_package,
        next_package_from=_moment_or_none(tenant.next_package_from),
        total_credit_limit=standing.limit,
    )


def _moment_or_none(at_ms: int | None) -> str | None:
    return None if at_ms is None else moment(at_ms)

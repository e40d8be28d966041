"""People and what was agreed with them, as storage keeps it and the admin API shows it: tenants,
users, roles, packages, keys; and who changed what.

Times are Unix milliseconds. Credits are micro-credits (10^-6 credit), but for a role's
`user_credit_limit`, which is in credits, as the API has it. What of this decides a request is on
the `Caller`; knows nothing of SQL or HTTP.
"""

from typing import Any, Literal, Self

import msgspec

from proxy.domain.model import Rates
from proxy.domain.terms import Burst, Ladder, Pack, TenantTerms

TenantStatus = Literal["Active", "Suspended", "Archived"]
UserStatus = Literal["Active", "Invited", "Suspended", "Deleted"]
"""Whoever is not Active may not come in (domain.md 2.4)."""

ACTIVE: Literal["Active"] = "Active"
CREDIT = 1_000_000
"""Micro-credits in a credit."""


class Actor(msgspec.Struct, frozen=True):
    """Who changes something, when, and in the course of which request: every change of the stores
    takes one, dates itself by it and leaves a line of the audit under its name."""

    id: str
    name: str
    """What people know them by: an email address."""
    at: int
    request_id: str = ""

    @classmethod
    def operator(cls, at: int) -> Self:
        """Somebody with a shell on the machine of the gateway."""
        return cls("operator", "operator", at)


class TenantConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a tenant may set for itself."""

    beta_features: bool = False
    mfa_required: bool = False
    default_model_name: str | None = None
    web_search: bool = True
    """May its people search the web, where the installation can?"""


class CreditPack(msgspec.Struct, frozen=True):
    """Further credits for a tenant, for each month it is valid in, even for a part of it."""

    id: str
    tenant_id: str
    name: str
    credits: int
    valid_from: int
    valid_until: int | None
    created_at: int

    @property
    def terms(self) -> Pack:
        """The part of it that limits go by."""
        return Pack(self.credits, self.valid_from, self.valid_until)


class Package(msgspec.Struct, frozen=True):
    """What a tenant gets each month. No credits: no limit; no list of models: all of them; no
    ladder: the installation's."""

    id: str
    name: str
    monthly_credits: int | None
    allowed_models: tuple[str, ...] | None
    ladder: Ladder | None
    created_at: int
    tenant_count: int = 0


class Tenant(msgspec.Struct, frozen=True):
    """A workspace. `package_id` is the package of now, `next_package_id` the one agreed on from
    `next_package_from` on. What is None of ladder and burst is as package and installation have
    it. `disabled_models` are those this tenant switched off, by id."""

    id: str
    name: str
    status: str
    created_at: int
    package_id: str | None = None
    package: str | None = None
    next_package_id: str | None = None
    next_package: str | None = None
    next_package_from: int | None = None
    packs: tuple[CreditPack, ...] = ()
    ladder: Ladder | None = None
    burst: Burst | None = None
    config: TenantConfig = TenantConfig()
    disabled_models: tuple[str, ...] = ()
    user_count: int = 0


def terms_of(tenant: Tenant, package: Package | None) -> TenantTerms:
    """What was agreed with a tenant, as it is on each of its callers."""
    ladder = tenant.ladder
    if ladder is None and package is not None:
        ladder = package.ladder
    return TenantTerms(
        credits=None if package is None else package.monthly_credits,
        packs=tuple([pack.terms for pack in tenant.packs]),
        ladder=ladder,
        burst=tenant.burst,
    )


class Template(msgspec.Struct, frozen=True):
    """What a tenant may be made from. Later edits of it touch no tenant (domain.md 2.1)."""

    id: str
    name: str
    package_id: str | None
    package: str | None
    default_model_name: str | None
    beta_features: bool
    mfa_required: bool
    created_at: int
    updated_at: int

    @property
    def config(self) -> TenantConfig:
        """The configuration of a tenant made from it."""
        return TenantConfig(self.beta_features, self.mfa_required, self.default_model_name)


class Role(msgspec.Struct, frozen=True):
    """What its users may do. Without a tenant it is there for all of them; a default one was there
    from the start. `user_credit_limit` is in credits a month for each user, None: no cap."""

    id: str
    tenant_id: str | None
    slug: str
    display_name: str
    description: str
    permissions: frozenset[str]
    user_credit_limit: float | None
    disabled_models: tuple[str, ...]
    is_default: bool
    assigned_users: int = 0


class User(msgspec.Struct, frozen=True):
    """A user, with the slug of their role and the standing of their tenant."""

    id: str
    tenant_id: str
    tenant: str
    tenant_status: str
    email: str
    first_name: str
    last_name: str
    role: str
    role_id: str
    status: str
    created_at: int

    @property
    def active(self) -> bool:
        """May this user's keys be used (domain.md 2.4)?"""
        return self.status == ACTIVE and self.tenant_status == ACTIVE


class Account(msgspec.Struct, frozen=True):
    """Who may sign in to the console by an address, in one tenant. Without a hash they have not
    chosen a password yet."""

    user_id: str
    email: str
    status: str
    tenant_id: str
    tenant: str
    tenant_status: str
    password_hash: str | None

    @property
    def active(self) -> bool:
        """May they come in (domain.md 2.4)?"""
        return self.status == ACTIVE and self.tenant_status == ACTIVE

    def __repr__(self) -> str:
        return f"Account({self.user_id!r}, {self.tenant!r})"


class ApiKey(msgspec.Struct, frozen=True):
    """A key as its owner and the operator see it, never the key itself."""

    id: str
    name: str
    prefix: str
    user_id: str
    email: str
    tenant_id: str
    tenant: str
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    last_used_at: int | None


class DatedRates(msgspec.Struct, frozen=True):
    """Rates of a model from a moment on, until later ones take their place."""

    model_id: str
    effective_from: int
    rates: Rates
    created_at: int


class AuditLine(msgspec.Struct, frozen=True):
    """One change: by whom, to what, from what to what. `tenant_id` is the tenant it concerns, empty
    where it concerns the installation; `action` is `noun.verb`, `target` an id."""

    id: str
    at: int
    actor_id: str
    actor: str
    tenant_id: str
    action: str
    target: str
    before: Any
    after: Any
    request_id: str

    @property
    def cursor(self) -> str:
        """Where the next page begins, when this line is the last of one."""
        return f"{self.at}.{self.id}"

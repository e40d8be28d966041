"""What the office asks of storage: tenants, people, roles, packages, switches. Every change takes
the `Actor` it is made by and leaves its line of the audit in the same transaction.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, Protocol

from msgspec import UNSET, UnsetType

from proxy.domain.people import (
    Actor,
    Package,
    Role,
    Template,
    Tenant,
    TenantConfig,
    TenantStatus,
    User,
)
from proxy.domain.terms import Burst, Ladder


class TenantStore(Protocol):
    """Implemented by `storage/tenants.py`."""

    async def page(
        self, limit: int = 100, offset: int = 0, *, name: str | None = None
    ) -> list[Tenant]:
        """Tenants by name; with `name` the one of exactly this name."""

    async def get(self, tenant_id: str) -> Tenant | None:
        """One tenant."""

    async def by_name(self, name: str) -> Tenant | None:
        """The tenant of exactly this name."""

    async def create(
        self,
        name: str,
        by: Actor,
        *,
        package_id: str | None = None,
        config: TenantConfig | None = None,
    ) -> Tenant:
        """A new tenant. CONFLICT where one of this name is there."""

    async def change(
        self,
        tenant_id: str,
        by: Actor,
        *,
        name: str | UnsetType = UNSET,
        status: TenantStatus | UnsetType = UNSET,
        package_id: str | UnsetType | None = UNSET,
        ladder: Ladder | UnsetType | None = UNSET,
        burst: Burst | UnsetType | None = UNSET,
        config: TenantConfig | UnsetType = UNSET,
        disabled_models: Collection[str] | UnsetType = UNSET,
    ) -> Tenant:
        """Change what is given, at once."""

    async def schedule_package(
        self, tenant_id: str, package_id: str | None, from_ms: int, by: Actor
    ) -> Tenant:
        """Agree on a package from a later moment on."""

    async def cancel_scheduled_package(self, tenant_id: str, by: Actor) -> Tenant:
        """Stay with the package of now."""


class UserStore(Protocol):
    """Implemented by `storage/users.py`. Deleted users are found by `get` only."""

    async def page(
        self, tenant_id: str | None = None, limit: int = 100, offset: int = 0
    ) -> list[User]:
        """Users of a tenant, or of all, by address."""

    async def count(self, tenant_id: str | None = None) -> int:
        """How many users `page` has in all."""

    async def get(self, user_id: str) -> User | None:
        """One user, deleted or not."""

    async def search(self, email: str, tenant_id: str | None = None) -> list[User]:
        """The users of this address."""

    async def create(
        self,
        email: str,
        tenant_id: str,
        by: Actor,
        *,
        role: str = ...,
        first_name: str = "",
        last_name: str = "",
        status: Literal["Active", "Invited"] = "Invited",
    ) -> User:
        """A new user with the role of this slug. CONFLICT where the address is taken."""

    async def change(
        self,
        user_id: str,
        by: Actor,
        *,
        role: str | UnsetType = UNSET,
        status: Literal["Active", "Suspended"] | UnsetType = UNSET,
        first_name: str | UnsetType = UNSET,
        last_name: str | UnsetType = UNSET,
    ) -> User:
        """Change what is given."""

    async def move(self, user_id: str, tenant_id: str, by: Actor, *, role: str = "") -> User:
        """Move a user to another tenant."""

    async def delete(self, user_id: str, by: Actor) -> None:
        """Delete a user and end their keys for good."""


class RoleStore(Protocol):
    """Implemented by `storage/roles.py`."""

    async def defaults(self, limit: int = 100, offset: int = 0) -> list[Role]:
        """The roles that were there from the start."""

    async def custom(
        self, tenant_id: str | None = None, limit: int = 100, offset: int = 0
    ) -> list[Role]:
        """Roles somebody made: those a tenant's users can have, or every one."""

    async def count(self, tenant_id: str | None = None) -> int:
        """How many roles `custom` has in all."""

    async def get(self, role_id: str) -> Role | None:
        """One role."""

    async def by_slug(self, slug: str, tenant_id: str) -> Role | None:
        """The role of this slug that users of a tenant can have."""

    async def create(
        self,
        slug: str,
        by: Actor,
        *,
        tenant_id: str | None = None,
        display_name: str = "",
        description: str = "",
        permissions: Collection[str] = (),
        user_credit_limit: float | None = None,
        disabled_models: Collection[str] = (),
    ) -> Role:
        """A new role. CONFLICT where one of this slug is there."""

    async def change(
        self,
        role_id: str,
        by: Actor,
        *,
        slug: str | UnsetType = UNSET,
        display_name: str | UnsetType = UNSET,
        description: str | UnsetType = UNSET,
        permissions: Collection[str] | UnsetType = UNSET,
        user_credit_limit: float | UnsetType | None = UNSET,
        disabled_models: Collection[str] | UnsetType = UNSET,
    ) -> Role:
        """Change what is given."""

    async def delete(self, role_id: str, by: Actor) -> None:
        """Delete a role. CONFLICT for a default one, and while somebody has it."""


class PackageStore(Protocol):
    """Implemented by `storage/packages.py`."""

    async def page(self, limit: int = 100, offset: int = 0) -> list[Package]:
        """Packages, by name."""

    async def get(self, package_id: str) -> Package | None:
        """One package."""


class TemplateStore(Protocol):
    """Implemented by `storage/templates.py`."""

    async def page(self, limit: int = 50, *, cursor: int | None = None) -> list[Template]:
        """Templates, newest first; `cursor` is `created_at` of the last one of the page before."""

    async def get(self, template_id: str) -> Template | None:
        """One template."""

    async def create(
        self,
        name: str,
        by: Actor,
        *,
        package_id: str | None = None,
        default_model_name: str | None = None,
        beta_features: bool = False,
        mfa_required: bool = False,
    ) -> Template:
        """A new template."""

    async def delete(self, template_id: str, by: Actor) -> None:
        """Delete a template; tenants made from it stay as they are."""


class SwitchStore(Protocol):
    """Implemented by `storage/models.py`."""

    async def set(
        self,
        model_id: str,
        *,
        enabled: bool,
        scope: Literal["msp", "tenant", "role"] = "msp",
        scope_id: str = "",
        by: Actor | None = None,
    ) -> None:
        """Switch a model on or off for a tenant or role."""


class UseStore(Protocol):
    """Implemented by `storage/month_use.py`."""

    async def used(
        self, period: str, tenants: Sequence[str], users: Sequence[str], /
    ) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """Micro-credits used in a month ('2026-11') by tenant and by user; who used none may be
        left out."""

"""`POST /v1/admin/tenants`: up to a hundred tenants at once, each with its people.

What is wrong with the request refuses it whole; a tenant that cannot be made for what is there
already does not keep the others from being made.
"""

from collections.abc import Sequence

import msgspec

from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, NoQuery, bad, check_permission
from proxy.admin.invitations import Mail, Mailed, written
from proxy.admin.newcomers import Outcome, add, check_newcomers
from proxy.admin.stores import PackageStore, RoleStore, TemplateStore, TenantStore, UserStore
from proxy.admin.tenant_documents import NewTenant, NewTenants, TenantOutcome, TenantsMade
from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor, Template, TenantConfig
from proxy.domain.permissions import MSP_BILLING, MSP_TENANTS, MSP_USERS


class _Plan(msgspec.Struct, frozen=True):
    """A tenant as it is to be made."""

    wish: NewTenant
    package_id: str | None
    config: TenantConfig


class TenantMaking:
    """The handler."""

    def __init__(
        self,
        tenants: TenantStore,
        users: UserStore,
        roles: RoleStore,
        packages: PackageStore,
        templates: TemplateStore,
        mail: Mail | None,
    ) -> None:
        self._tenants = tenants
        self._users = users
        self._roles = roles
        self._packages = packages
        self._templates = templates
        self._mail = mail

    async def make(self, asked: Asked[NoQuery, NewTenants]) -> TenantsMade:
        """`POST`: all of them, or as many as can be made."""
        wishes = asked.body.tenants
        _check_names(wishes)
        plans = [await self._plan(asked, wish, f"tenants.{n}") for n, wish in enumerate(wishes)]
        outcomes = [await self._made(plan, asked.actor) for plan in plans]
        failed = [outcome for outcome in outcomes if outcome.status == "failed"]
        if len(failed) == len(outcomes):
            # Nothing happened at all: that is no partial success.
            raise bad("tenants.0.tenant_name", failed[0].error or "")
        created = len(outcomes) - len(failed)
        return TenantsMade(
            f"{created} tenants were created, {len(failed)} were not.",
            created,
            len(failed),
            outcomes,
        )

    async def _plan(self, asked: Asked[NoQuery, NewTenants], wish: NewTenant, place: str) -> _Plan:
        """Everything looked at before anything is done. Raises Fault."""
        if wish.users:
            check_permission(asked.caller, (MSP_USERS,))
            await check_newcomers(asked.caller, wish.users, self._roles, "", f"{place}.users")
        template: Template | None = None
        if wish.template_id is not None:
            template = await self._templates.get(wish.template_id)
            if template is None:
                raise bad(f"{place}.template_id", "There is no such template.")
        package_id = wish.package_id
        if package_id is not None:
            check_permission(asked.caller, (MSP_BILLING,))
            if await self._packages.get(package_id) is None:
                raise bad(f"{place}.package_id", "There is no such package.")
        elif template is not None:
            package_id = template.package_id
        return _Plan(wish, package_id, template.config if template else TenantConfig())

    async def _made(self, plan: _Plan, by: Actor) -> TenantOutcome:
        name = plan.wish.tenant_name
        try:
            tenant = await self._tenants.create(
                name, by, package_id=plan.package_id, config=plan.config
            )
        except Fault as fault:
            if fault.kind not in (Kind.BAD_REQUEST, Kind.CONFLICT, Kind.NOT_FOUND):
                raise
            return TenantOutcome(name, "failed", None, fault.message, [])
        people: list[Outcome] = []
        mailed: Mailed = "not_wanted"
        if plan.wish.users:
            added, people = await add(plan.wish.users, self._users, tenant.id, by, "Invited")
            mailed = await written(self._mail, added, by)
        return TenantOutcome(tenant.name, "created", tenant.id, None, people, mailed)


def _check_names(wishes: Sequence[NewTenant]) -> None:
    """Raises Fault BAD_REQUEST for a name that comes twice in one request."""
    seen: dict[str, int] = {}
    for number, wish in enumerate(wishes):
        name = wish.tenant_name.strip()
        if name in seen:
            raise bad(
                f"tenants.{number}.tenant_name", f"The same as tenants.{seen[name]}.tenant_name."
            )
        seen[name] = number


def endpoints(making: TenantMaking) -> list[AnyEndpoint]:
    """The row of the table."""
    return [
        Endpoint(
            method="POST",
            path="/v1/admin/tenants",
            summary="Make up to a hundred tenants",
            handler=making.make,
            reply=TenantsMade,
            query=NoQuery,
            body=NewTenants,
            needs=(MSP_TENANTS,),
            status=201,
        )
    ]

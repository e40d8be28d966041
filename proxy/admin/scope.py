"""Who may touch whom: the rules all endpoints about tenants, users and roles share.

The MSP's people act on all tenants, a tenant's on their own; another tenant's things do not exist
for them. Nobody gives what they do not have, and nobody touches who has more than they. Pure.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from proxy.admin.endpoint import bad, check_permission, may, not_there
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Role, Tenant, User
from proxy.domain.permissions import (
    CREATE_KEYS,
    MANAGE_ROLES,
    MANAGE_USERS,
    MSP_PERMISSIONS,
    MSP_ROLES,
    MSP_USERS,
    MSP_VIEW,
    USE_GATEWAY,
)

PRIMARY_ADMIN: Final = "msp_primary_admin"
"""The one MSP role that only its own kind may give, take or touch (domain.md 2.2)."""
ORDINARY: Final = frozenset([USE_GATEWAY, CREATE_KEYS])
"""What an ordinary user may do is no power over others: who may add users may give it, although
some of the MSP's people, such as Helpdesk, do not have all of it themselves."""


class Reach(NamedTuple):
    """Which permissions open something: `own` in one's own tenant, `msp` in all of them."""

    own: tuple[str, ...]
    msp: tuple[str, ...]

    @property
    def needs(self) -> tuple[str, ...]:
        """Any of these; what an endpoint asks for first."""
        return (*self.own, *self.msp)

    def confined(self, caller: Caller) -> str | None:
        """The one tenant this caller may act on, None for all. Raises Fault FORBIDDEN."""
        if may(caller, *self.msp):
            return None
        check_permission(caller, self.needs)
        return caller.tenant_id

    def narrowed(self, caller: Caller, tenant_id: str | None) -> str | None:
        """Whose things a list shows: those of the tenant asked for, else of all this caller may act
        on; None for all tenants. Raises Fault FORBIDDEN, or NOT_FOUND for a tenant not theirs."""
        confined = self.confined(caller)
        if confined is None:
            return tenant_id
        if tenant_id not in (None, confined):
            raise not_there("tenant", tenant_id or "")
        return confined

    def check_part(self, caller: Caller, tenant_id: str, part: str) -> None:
        """Raises Fault FORBIDDEN where this part of a tenant they know is not theirs to change."""
        own = self.own if tenant_id == caller.tenant_id else ()
        check_permission(caller, (*own, *self.msp), f"{part}: You may not change this")

    def check(self, caller: Caller, tenant_id: str) -> None:
        """Raises Fault NOT_FOUND for a tenant that is not there for this caller."""
        if self.confined(caller) not in (None, tenant_id):
            raise not_there("tenant", tenant_id)


SEE_ROLES: Final = Reach(own=(MANAGE_ROLES, MANAGE_USERS), msp=(MSP_VIEW, MSP_ROLES, MSP_USERS))
CHANGE_ROLES: Final = Reach(own=(MANAGE_ROLES,), msp=(MSP_ROLES,))


def present(tenant: Tenant | None, tenant_id: str) -> Tenant:
    """The tenant. Raises Fault NOT_FOUND."""
    if tenant is None:
        raise not_there("tenant", tenant_id)
    return tenant


def role_within(caller: Caller, role: Role | None, role_id: str, reach: Reach) -> Role:
    """The role, if it is there for this caller: a tenant's people know their own and those that
    are there for every tenant. Raises Fault NOT_FOUND."""
    confined = reach.confined(caller)
    if role is not None and (confined is None or is_open_to(role, confined)):
        return role
    raise not_there("role", role_id)


def is_open_to(role: Role, tenant_id: str) -> bool:
    """Can a tenant's users have this role? Those of the MSP's own people are not for them."""
    if role.tenant_id is None:
        return not role.permissions & MSP_PERMISSIONS
    return role.tenant_id == tenant_id


def check_role_change(caller: Caller, role: Role) -> None:
    """Raises Fault FORBIDDEN unless this caller may change a role they know."""
    if role.tenant_id is None and CHANGE_ROLES.confined(caller) is not None:
        raise Fault(
            Kind.FORBIDDEN,
            f"The role {role.slug} is there for all tenants: only the MSP's people change it.",
            hint="Make a role of your own.",
            retry=False,
            reason="permission_missing",
        )
    check_grant(caller, role.permissions, "role")


def check_grant(caller: Caller, permissions: Iterable[str], place: str) -> None:
    """Raises Fault FORBIDDEN if this caller cannot give all these permissions; `place` is the field
    that would give them."""
    lacking = sorted(set(permissions) - ORDINARY - caller.permissions)
    if lacking:
        raise Fault(
            Kind.FORBIDDEN,
            f"{place}: Nobody can give what they do not have:"
            f" your role {caller.role} lacks {', '.join(lacking)}.",
            retry=False,
            reason="cannot_grant",
        )


def check_role_grant(caller: Caller, role: Role, tenant_id: str, place: str) -> None:
    """Raises Fault unless this caller may make somebody of this tenant this role."""
    if role.tenant_id not in (None, tenant_id):
        raise bad(place, f"There is no role {role.slug!r} in this tenant.")
    check_grant(caller, role.permissions, place)
    if role.slug == PRIMARY_ADMIN and caller.role != PRIMARY_ADMIN:
        raise _only_primary(place)


def check_touch(caller: Caller, role: Role) -> None:
    """Raises Fault FORBIDDEN where somebody of this role has more than the caller."""
    check_grant(caller, role.permissions, "user")
    if role.slug == PRIMARY_ADMIN and caller.role != PRIMARY_ADMIN:
        raise _only_primary("user")


def check_not_oneself(caller: Caller, user: User, what: str) -> None:
    """Raises Fault CONFLICT: nobody shuts themselves out."""
    if caller.user_id == user.id:
        raise Fault(
            Kind.CONFLICT,
            f"user: You cannot {what} yourself.",
            hint="Ask another administrator.",
            retry=False,
        )


def _only_primary(place: str) -> Fault:
    return Fault(
        Kind.FORBIDDEN,
        f"{place}: Only a Primary Admin may do this to a Primary Admin.",
        retry=False,
        reason="cannot_grant",
    )

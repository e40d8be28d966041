"""People who are added many at a time, with a tenant or later: what may be said of them, and what
must be right about all before any is added.
"""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from proxy.admin.endpoint import bad
from proxy.admin.scope import check_role_grant
from proxy.admin.stores import RoleStore, UserStore
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor, Role, User

GENERAL_USER: Final = "general_user"
NEWCOMERS_MAX: Final = 100

Email = Annotated[str, Meta(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
PersonName = Annotated[str, Meta(max_length=200)]
RoleName = Annotated[str, Meta(min_length=1, max_length=64)]


class Newcomer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody to add. `role` and `custom_role_name` are slugs; without either a general_user."""

    email: Email
    first_name: PersonName = ""
    last_name: PersonName = ""
    role: RoleName | None = None
    custom_role_name: RoleName | None = None

    @property
    def slug(self) -> str:
        """The role they are to have."""
        return self.custom_role_name or self.role or GENERAL_USER


Newcomers = Annotated[list[Newcomer], Meta(min_length=1, max_length=NEWCOMERS_MAX)]


class Outcome(msgspec.Struct, frozen=True):
    """What became of one of them; `id` is null and `error` says why where they were not added."""

    email: str
    status: Literal["created", "failed"]
    id: str | None = None
    error: str | None = None


async def check_newcomers(
    caller: Caller, people: Sequence[Newcomer], roles: RoleStore, tenant_id: str, place: str
) -> None:
    """Raises Fault for an address that is there twice, a role that is not there, or one the caller
    cannot give. `tenant_id` may be empty: that of a tenant to come, which has no roles yet."""
    seen: dict[str, int] = {}
    known: dict[str, Role | None] = {}
    for number, person in enumerate(people):
        field = f"{place}.{number}"
        folded = person.email.strip().casefold()
        if folded in seen:
            raise bad(f"{field}.email", f"The same as {place}.{seen[folded]}.email.")
        seen[folded] = number
        if person.role is not None and person.custom_role_name is not None:
            raise bad(f"{field}.custom_role_name", "Give a role or a custom role, not both.")
        slug = person.slug
        if slug not in known:
            known[slug] = await roles.by_slug(slug, tenant_id)
        role_field = f"{field}.{'role' if person.custom_role_name is None else 'custom_role_name'}"
        check_role_grant(caller, role_of(known[slug], slug, role_field), tenant_id, role_field)


def role_of(role: Role | None, slug: str, field: str) -> Role:
    """The role. Raises Fault BAD_REQUEST where there is none."""
    if role is None:
        raise bad(
            field,
            f"There is no role {slug!r} in this tenant.",
            "GET /v1/admin/roles?tenant_id=… shows them.",
        )
    return role


async def add(
    people: Sequence[Newcomer],
    users: UserStore,
    tenant_id: str,
    by: Actor,
    status: Literal["Active", "Invited"],
) -> tuple[list[User], list[Outcome]]:
    """Add each; who cannot be added does not keep the others out."""
    added: list[User] = []
    outcomes: list[Outcome] = []
    for person in people:
        try:
            user = await users.create(
                person.email,
                tenant_id,
                by,
                role=person.slug,
                first_name=person.first_name,
                last_name=person.last_name,
                status=status,
            )
        except Fault as fault:
            if fault.kind not in (Kind.BAD_REQUEST, Kind.CONFLICT, Kind.NOT_FOUND):
                raise
            outcomes.append(Outcome(person.email, "failed", error=fault.message))
        else:
            added.append(user)
            outcomes.append(Outcome(user.email, "created", user.id))
    return added, outcomes

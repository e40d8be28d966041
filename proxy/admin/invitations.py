"""`/v1/admin/users/invite` and `/v1/admin/users/{user_id}/invite`: people are invited, by mail if
that is wanted and the gateway can, and written to once more. The reply says what became of the
mail.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, NoBody, NoQuery, bad, not_there
from proxy.admin.newcomers import Newcomers, Outcome, add, check_newcomers
from proxy.admin.scope import Reach, check_touch, present
from proxy.admin.stores import RoleStore, TenantStore, UserStore
from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor, User
from proxy.domain.permissions import MANAGE_USERS, MSP_USERS

CHANGE = Reach(own=(MANAGE_USERS,), msp=(MSP_USERS,))

Mailed = Literal["queued", "off", "no_room", "failed", "not_wanted"]
"""What became of invitations by mail: on their way to the mail server; mail is switched off; so
many letters wait already that no more are taken; storage did not take them; nobody asked for any.
"""

SAID: dict[Mailed, str] = {
    "queued": "Invitations go out by mail.",
    "off": "Mail is switched off ([mail] of the configuration): tell them yourself.",
    "no_room": "No mail was sent, too many letters wait already: invite them again later.",
    "failed": "No mail was sent, storage did not answer: invite them again later.",
    "not_wanted": "No mail was asked for: they are active at once.",
}


class Mail(Protocol):
    """Implemented by `notices/invitations.py`."""

    async def invite(
        self, users: Sequence[User], by: Actor
    ) -> Literal["queued", "no_room", "failed"]:
        """Write to all of them."""

    async def invite_again(self, user: User, by: Actor) -> None:
        """Write to one once more. Raises Fault."""


class Invitation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """People to add. Without `send_email` nobody has to accept: they are active at once."""

    tenant_id: str
    users: Newcomers
    send_email: bool = True


class Invited(msgspec.Struct, frozen=True):
    """What became of an invitation. `email` is what became of the mail; `message` says it too."""

    message: str
    total_users_invited: int
    total_users_failed: int
    users: list[Outcome]
    email: Mailed


class InvitedAgain(msgspec.Struct, frozen=True):
    """Somebody was written to once more."""

    id: str
    email_address: str
    message: str
    email: Mailed = "queued"


class InvitationPages:
    """The handlers. `mail` is None while it is switched off."""

    def __init__(
        self, users: UserStore, roles: RoleStore, tenants: TenantStore, mail: Mail | None
    ) -> None:
        self._users = users
        self._roles = roles
        self._tenants = tenants
        self._mail = mail

    async def invite(self, asked: Asked[NoQuery, Invitation]) -> Invited:
        """`POST /invite`: up to a hundred people."""
        wish = asked.body
        CHANGE.check(asked.caller, wish.tenant_id)
        present(await self._tenants.get(wish.tenant_id), wish.tenant_id)
        await check_newcomers(asked.caller, wish.users, self._roles, wish.tenant_id, "users")
        status: Literal["Active", "Invited"] = "Invited" if wish.send_email else "Active"
        added, outcomes = await add(wish.users, self._users, wish.tenant_id, asked.actor, status)
        if not added:
            # Nothing happened at all: that is no partial success.
            raise bad("users.0.email", outcomes[0].error or "")
        failed = len(outcomes) - len(added)
        mailed: Mailed = "not_wanted"
        if wish.send_email:
            mailed = await written(self._mail, added, asked.actor)
        return Invited(
            f"{len(added)} users were invited, {failed} were not. {SAID[mailed]}",
            len(added),
            failed,
            outcomes,
            mailed,
        )

    async def invite_again(self, asked: Asked[NoQuery, None]) -> InvitedAgain:
        """`POST /{user_id}/invite`: the mail once more."""
        user_id = asked.path["user_id"]
        confined = CHANGE.confined(asked.caller)
        user = await self._users.get(user_id)
        if user is None or user.status == "Deleted" or confined not in (None, user.tenant_id):
            raise not_there("user", user_id)
        role = await self._roles.get(user.role_id)
        assert role is not None, "a role that somebody has cannot be deleted"
        check_touch(asked.caller, role)
        if user.status != "Invited":
            raise Fault(
                Kind.CONFLICT,
                f"user: They are {user.status}; only who is Invited is invited again.",
                retry=False,
            )
        if self._mail is None:
            raise Fault(Kind.CONFLICT, f"Nothing was sent. {SAID['off']}", retry=False)
        await self._mail.invite_again(user, asked.actor)
        return InvitedAgain(user.id, user.email, f"The invitation goes to {user.email} by mail.")


async def written(mail: Mail | None, users: Sequence[User], by: Actor) -> Mailed:
    """Invite people who were added by mail, if there is any."""
    if not users:
        return "not_wanted"
    return "off" if mail is None else await mail.invite(users, by)


def endpoints(pages: InvitationPages) -> list[AnyEndpoint]:
    """The rows of the table."""
    return [
        Endpoint(
            method="POST",
            path="/v1/admin/users/invite",
            summary="Invite up to a hundred people",
            handler=pages.invite,
            reply=Invited,
            query=NoQuery,
            body=Invitation,
            needs=CHANGE.needs,
            status=201,
            refusals=(404,),
        ),
        Endpoint(
            method="POST",
            path="/v1/admin/users/{user_id}/invite",
            summary="Send somebody their invitation once more",
            handler=pages.invite_again,
            reply=InvitedAgain,
            query=NoQuery,
            body=NoBody,
            needs=CHANGE.needs,
            refusals=(409, 429),
        ),
    ]

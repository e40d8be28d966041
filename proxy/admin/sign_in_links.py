"""`/v1/admin/users/{user_id}/sign-in-link`: a link by which somebody chooses their password for the
console, once. Whoever may change a user may make one, and hands it over by a way they trust.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, NoBody, NoQuery
from proxy.admin.users import CHANGE, UserPages
from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor
from proxy.ledger.support_record import moment

PATH: Final = "/choose-password"

MakeLink = Callable[[str, str, Actor], Awaitable[tuple[str, int]]]
"""A secret for a user of a tenant, and until when (Unix milliseconds) it is good."""


class SignInLink(msgspec.Struct, frozen=True):
    """Good once, until `expires_at`. `url` is `path` at the gateway's public address. What was made
    for this user before is no longer good."""

    url: str
    path: str
    expires_at: str


class SignInLinks:
    """The handler. `make` is None while the console is off."""

    def __init__(self, pages: UserPages, make: MakeLink | None, address: Callable[[], str]) -> None:
        self._pages = pages
        self._make = make
        self._address = address

    async def make(self, asked: Asked[NoQuery, None]) -> SignInLink:
        """`POST`: for somebody who has no password yet, or has forgotten it."""
        user = await self._pages.to_touch(asked)
        if self._make is None:
            raise Fault(
                Kind.CONFLICT,
                "The console is off.",
                hint="Switch it on in the configuration: `[console] enabled = true`.",
                retry=False,
            )
        secret, expires_at = await self._make(user.id, user.tenant_id, asked.actor)
        # Behind the #: a browser sends it to nobody, and no log holds it.
        path = f"{PATH}#{secret}"
        return SignInLink(self._address() + path, path, moment(expires_at))

    def endpoints(self) -> list[AnyEndpoint]:
        """The rows of the table."""
        return [
            Endpoint(
                method="POST",
                path="/v1/admin/users/{user_id}/sign-in-link",
                summary="A link by which a user chooses their password for the console, once",
                handler=self.make,
                reply=SignInLink,
                query=NoQuery,
                body=NoBody,
                needs=CHANGE.needs,
                status=201,
                refusals=(409,),
            )
        ]

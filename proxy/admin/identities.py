"""`/v1/admin/users/{user_id}/identities`: who a user is at a provider of identities, and that they
are it no longer: the next who signs in there with the user's verified address is.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, NoBody, NoQuery
from proxy.admin.users import CHANGE, UserPages
from proxy.domain.people import Actor
from proxy.ledger.support_record import moment


class IdentityStore(Protocol):
    """Implemented by `storage/identities.py`."""

    async def of_user(self, user_id: str, /) -> Sequence[tuple[str, int]]:
        """Issuers a user is linked at, and since when (Unix milliseconds)."""

    async def unlink(self, user_id: str, tenant_id: str, by: Actor, /) -> int:
        """Remove all links; how many they were."""


class Identity(msgspec.Struct, frozen=True):
    """A link to somebody at `issuer`."""

    issuer: str
    linked_at: str


class IdentityList(msgspec.Struct, frozen=True):
    """All links of a user."""

    data: list[Identity]


class Unlinked(msgspec.Struct, frozen=True):
    """How many links were removed."""

    id: str
    removed: int


class IdentityPages:
    """The handlers."""

    def __init__(self, store: IdentityStore, pages: UserPages) -> None:
        self._store = store
        self._pages = pages

    async def read(self, asked: Asked[NoQuery, None]) -> IdentityList:
        """`GET`: at which providers somebody is known."""
        user = await self._pages.to_touch(asked)
        found = await self._store.of_user(user.id)
        return IdentityList([Identity(issuer, moment(at_ms)) for issuer, at_ms in found])

    async def remove(self, asked: Asked[NoQuery, None]) -> Unlinked:
        """`DELETE`: for somebody who has another account there now."""
        user = await self._pages.to_touch(asked)
        removed = await self._store.unlink(user.id, user.tenant_id, asked.actor)
        return Unlinked(user.id, removed)

    def endpoints(self) -> list[AnyEndpoint]:
        """The rows of the table."""
        path = "/v1/admin/users/{user_id}/identities"
        return [
            Endpoint(
                method="GET",
                path=path,
                summary="Identity providers a user is linked at",
                handler=self.read,
                reply=IdentityList,
                query=NoQuery,
                body=NoBody,
                needs=CHANGE.needs,
            ),
            Endpoint(
                method="DELETE",
                path=path,
                summary="Remove a user's links to identity providers",
                handler=self.remove,
                reply=Unlinked,
                query=NoQuery,
                body=NoBody,
                needs=CHANGE.needs,
            ),
        ]

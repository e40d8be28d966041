"""`/v1/admin/api-keys`: whose keys there are, for whoever manages people (domain.md 12). A key
itself is nowhere. Removing one is what `/v1/api-keys/{key_id}` does, too.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from proxy.admin.api_keys import ApiKeys, Revoked
from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, Limit, NoBody, NoQuery, Offset
from proxy.admin.scope import Reach, present
from proxy.admin.stores import TenantStore
from proxy.domain.people import ApiKey
from proxy.domain.permissions import MANAGE_USERS, MSP_USERS, MSP_VIEW
from proxy.ledger.support_record import moment

SEE: Final = Reach(own=(MANAGE_USERS,), msp=(MSP_VIEW, MSP_USERS))
CHANGE: Final = (MANAGE_USERS, MSP_USERS)


class AllKeyStore(Protocol):
    """Implemented by `storage/keys.py`."""

    async def page(
        self,
        limit: int = 100,
        offset: int = 0,
        *,
        tenant_id: str | None = None,
        user_id: str | None = None,
        live_only: bool = False,
    ) -> Sequence[ApiKey]:
        """Keys of a tenant, of a user, or of all, newest first; revoked ones too, unless
        `live_only`."""


class KeyQuery(msgspec.Struct, frozen=True):
    """Without a tenant those of all the caller may see; `user_id` narrows them to one person,
    `live` to those that are not revoked."""

    tenant_id: str | None = None
    user_id: str | None = None
    live: bool = False
    limit: Limit = 100
    offset: Offset = 0


class KeyDocument(msgspec.Struct, frozen=True):
    """A key and whose it is; `revoked_at` is null while it is good."""

    id: str
    name: str
    prefix: str
    user_id: str
    email: str
    tenant_id: str
    tenant_name: str
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None


class KeyPage(msgspec.Struct, frozen=True):
    """Keys, newest first."""

    data: list[KeyDocument]


class AllKeys:
    """The handlers. `keys` removes them."""

    def __init__(self, store: AllKeyStore, tenants: TenantStore, keys: ApiKeys) -> None:
        self._store = store
        self._tenants = tenants
        self._keys = keys

    async def page(self, asked: Asked[KeyQuery, None]) -> KeyPage:
        """`GET`: a page of them."""
        query = asked.query
        tenant_id = SEE.narrowed(asked.caller, query.tenant_id)
        if tenant_id is not None:
            present(await self._tenants.get(tenant_id), tenant_id)
        found = await self._store.page(
            query.limit,
            query.offset,
            tenant_id=tenant_id,
            user_id=query.user_id,
            live_only=query.live,
        )
        return KeyPage([_document(key) for key in found])

    async def revoke(self, asked: Asked[NoQuery, None]) -> Revoked:
        """`DELETE /{key_id}`: as one's own."""
        return await self._keys.revoke(asked)


def _document(key: ApiKey) -> KeyDocument:
    return KeyDocument(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        user_id=key.user_id,
        email=key.email,
        tenant_id=key.tenant_id,
        tenant_name=key.tenant,
        created_at=moment(key.created_at),
        expires_at=_moment(key.expires_at),
        revoked_at=_moment(key.revoked_at),
        last_used_at=_moment(key.last_used_at),
    )


def _moment(at_ms: int | None) -> str | None:
    return None if at_ms is None else moment(at_ms)


def endpoints(pages: AllKeys) -> list[AnyEndpoint]:
    """The rows of the table."""
    path = "/v1/admin/api-keys"
    return [
        Endpoint(
            method="GET",
            path=path,
            summary="Keys of a tenant's people, or of all",
            handler=pages.page,
            reply=KeyPage,
            query=KeyQuery,
            body=NoBody,
            needs=SEE.needs,
            refusals=(404,),
        ),
        Endpoint(
            method="DELETE",
            path=path + "/{key_id}",
            summary="Revoke anybody's key for good",
            handler=pages.revoke,
            reply=Revoked,
            query=NoQuery,
            body=NoBody,
            needs=CHANGE,
        ),
    ]

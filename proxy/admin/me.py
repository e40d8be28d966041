"""`GET /v1/me`: the caller as the gateway sees them."""

import msgspec

from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, NoBody, NoQuery
from proxy.ledger.support_record import moment


class Myself(msgspec.Struct, frozen=True):
    """Who asks: never a secret, the key is named by its id."""

    user_id: str
    email: str
    tenant_id: str
    tenant: str
    role: str
    permissions: list[str]
    key_id: str
    key_expires_at: str | None


async def _me(asked: Asked[NoQuery, None]) -> Myself:
    caller = asked.caller
    return Myself(
        user_id=caller.user_id,
        email=caller.email,
        tenant_id=caller.tenant_id,
        tenant=caller.tenant,
        role=caller.role,
        permissions=sorted(caller.permissions),
        key_id=caller.key_id,
        key_expires_at=None if caller.expires_at is None else moment(caller.expires_at),
    )


def endpoints() -> list[AnyEndpoint]:
    """The rows of the table."""
    return [
        Endpoint(
            method="GET",
            path="/v1/me",
            summary="Who the key belongs to, and what they may do",
            handler=_me,
            reply=Myself,
            query=NoQuery,
            body=NoBody,
            tag="account",
        )
    ]

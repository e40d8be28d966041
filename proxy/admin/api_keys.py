"""`/v1/api-keys`: a user's own keys. Made here, shown once, revoked for good.

Who may remove keys of others: their workspace's administrators, and the MSP's people. For everybody
else the keys of others do not exist.
"""

import datetime as dt
import os
from collections.abc import Callable, Sequence
from typing import Annotated, Final, Protocol

import msgspec
from msgspec import Meta

from proxy.admin.endpoint import (
    AnyEndpoint,
    Asked,
    Endpoint,
    NoBody,
    NoQuery,
    bad,
    may,
    not_there,
)
from proxy.auth.keys import NOISE_BYTES, digest, mint, shown_prefix
from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor, ApiKey
from proxy.domain.permissions import CREATE_KEYS, MANAGE_USERS, MSP_USERS
from proxy.ledger.support_record import moment

KEYS_PER_USER_MAX: Final = 100
EXPIRES_BEFORE: Final = dt.datetime(9000, 1, 1, tzinfo=dt.UTC)


class KeyStore(Protocol):
    """Where keys live. Implemented by `storage/keys.py`."""

    async def of_user(self, user_id: str, /) -> Sequence[ApiKey]:
        """The keys of a user that are not revoked, newest first."""

    async def record(self, key_id: str, /) -> ApiKey | None:
        """One key, revoked or not."""

    async def insert(
        self,
        user_id: str,
        name: str,
        digest: bytes,
        prefix: str,
        by: Actor,
        /,
        *,
        expires_at: int | None = None,
    ) -> str:
        """Add a key and return its id."""

    async def revoke(self, key_id: str, by: Actor, /) -> None:
        """End a key for good."""


class KeyRow(msgspec.Struct, frozen=True):
    """A key as its owner sees it again: never the key itself."""

    id: str
    name: str
    prefix: str
    created_at: str
    expires_at: str | None
    last_used_at: str | None


class KeyList(msgspec.Struct, frozen=True):
    """All live keys of the caller."""

    data: list[KeyRow]


class NewKey(msgspec.Struct, frozen=True):
    """A key just made. `key` is shown this one time."""

    id: str
    name: str
    prefix: str
    key: str
    created_at: str
    expires_at: str | None


class KeyWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a new key is for, and until when it is good; without an end it is good until revoked."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    expires_at: Annotated[dt.datetime, Meta(tz=True)] | None = None


class Revoked(msgspec.Struct, frozen=True):
    """A key that is no more."""

    id: str
    revoked: bool = True


class ApiKeys:
    """The handlers."""

    def __init__(
        self, store: KeyStore, hash_secret: bytes, noise: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._store = store
        self._hash_secret = hash_secret
        self._noise = noise

    async def read(self, asked: Asked[NoQuery, None]) -> KeyList:
        """`GET`: the caller's own."""
        keys = await self._store.of_user(asked.caller.user_id)
        return KeyList([_row(key) for key in keys])

    async def make(self, asked: Asked[NoQuery, KeyWish]) -> NewKey:
        """`POST`: a new one for the caller."""
        name = asked.body.name.strip()
        if not name or not name.isprintable():
            raise bad("name", "A key's name has 1 to 200 printable characters.")
        expires_at = _expiry(asked.body.expires_at, asked.now_ms)
        user_id = asked.caller.user_id
        if len(await self._store.of_user(user_id)) >= KEYS_PER_USER_MAX:
            raise Fault(
                Kind.CONFLICT,
                f"You have {KEYS_PER_USER_MAX} keys, which is the most one user can have.",
                hint="Delete one that is no longer used.",
                retry=False,
            )
        key = mint(self._noise(NOISE_BYTES))
        key_id = await self._store.insert(
            user_id,
            name,
            digest(key.encode(), self._hash_secret),
            shown_prefix(key),
            asked.actor,
            expires_at=expires_at,
        )
        return NewKey(
            id=key_id,
            name=name,
            prefix=shown_prefix(key),
            key=key,
            created_at=moment(asked.now_ms),
            expires_at=None if expires_at is None else moment(expires_at),
        )

    async def revoke(self, asked: Asked[NoQuery, None]) -> Revoked:
        """`DELETE`: one's own, or as administrator those of others."""
        key_id = asked.path["key_id"]
        key = await self._store.record(key_id)
        caller = asked.caller
        if key is None or key.revoked_at is not None:
            raise not_there("key", key_id)
        is_own = key.user_id == caller.user_id
        in_reach = key.tenant_id == caller.tenant_id and may(caller, MANAGE_USERS)
        if not (is_own or in_reach or may(caller, MSP_USERS)):
            raise not_there("key", key_id)
        await self._store.revoke(key_id, asked.actor)
        return Revoked(key_id)


def _expiry(expires_at: dt.datetime | None, now_ms: int) -> int | None:
    if expires_at is None:
        return None
    if expires_at >= EXPIRES_BEFORE:
        raise bad("expires_at", "It must be before the year 9000.")
    expires_ms = int(expires_at.timestamp() * 1000)
    if expires_ms <= now_ms:
        raise bad("expires_at", "It must be in the future.")
    return expires_ms


def _row(key: ApiKey) -> KeyRow:
    return KeyRow(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        created_at=moment(key.created_at),
        expires_at=None if key.expires_at is None else moment(key.expires_at),
        last_used_at=None if key.last_used_at is None else moment(key.last_used_at),
    )


def endpoints(keys: ApiKeys) -> list[AnyEndpoint]:
    """The rows of the table."""
    path = "/v1/api-keys"
    return [
        Endpoint(
            method="GET",
            path=path,
            summary="The caller's own live keys",
            handler=keys.read,
            reply=KeyList,
            query=NoQuery,
            body=NoBody,
            tag="account",
        ),
        Endpoint(
            method="POST",
            path=path,
            summary="Make a key; it is shown this one time",
            handler=keys.make,
            reply=NewKey,
            query=NoQuery,
            body=KeyWish,
            needs=(CREATE_KEYS,),
            denied="Access to API keys is restricted",
            status=201,
            refusals=(409,),
            tag="account",
        ),
        Endpoint(
            method="DELETE",
            path=path + "/{key_id}",
            summary="Revoke a key for good",
            handler=keys.revoke,
            reply=Revoked,
            query=NoQuery,
            body=NoBody,
            tag="account",
        ),
    ]

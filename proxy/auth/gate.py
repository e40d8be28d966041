"""Who asks: presented keys in, a live Caller or a refusal out.

Owns the memory of callers and of keys known to be unknown, and when each key was last used. Holds
digests only, never a key. Knows no SQL (the store is a protocol) and no clock (`now_ms` is passed).

Two ways in, same answers: `recall` looks only into memory and is a plain call for the warm path;
`lookup` asks the store when memory does not know. What is remembered stays until `forget`: whoever
watches the versions of people, keys, models and preferences calls it when one moved.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b
from typing import Any, Final, NoReturn, Protocol, TypeVar

from proxy.auth.credential import Presented
from proxy.auth.keys import DIGEST_BYTES
from proxy.domain.caller import Caller
from proxy.domain.fault import OVERLOADED, Fault, Kind, Source
from proxy.domain.permissions import USE_GATEWAY

"""The permission without which no gateway call is served (domain.md 2.3)."""

_WHERE_TO_MAKE_ONE: Final = "Make a key with `hatz-gateway key create`, or in Workspace > API Keys."


class KeyStore(Protocol):
    """Where keys live. Implemented by `storage/keys.py`."""

    async def by_digest(self, digest: bytes, /) -> Caller | None:
        """The caller behind a digest; None for unknown and revoked keys and deleted users."""

    async def touch(self, used: Sequence[tuple[str, int]], /) -> None:
        """Record (key id, Unix ms) pairs of last use, in one batch."""


_K = TypeVar("_K", bytes, str)
Furnish = Callable[[Caller], Awaitable[Caller]]


async def _unfurnished(caller: Caller) -> Caller:
    return caller


class Gate:
    """One per process. `furnish` completes a caller after the store answered (the walk adds the
    alias mapping) before it is remembered."""

    def __init__(
        self,
        store: KeyStore,
        hash_secret: bytes,
        *,
        keys_cached_max: int,
        lookups_max: int = 100,
        unknown_ttl_s: float = 2.0,
        furnish: Furnish = _unfurnished,
    ) -> None:
        self._store = store
        self._furnish = furnish
        self._keyed = blake2b(digest_size=DIGEST_BYTES, key=hash_secret)
        self._keys_cached_max = keys_cached_max
        self._lookups_max = lookups_max
        self._unknown_ttl_ms = int(unknown_ttl_s * 1000)
        self._callers: dict[bytes, Caller] = {}
        self._known: set[bytes] = set()
        self._unknown_until: dict[bytes, int] = {}
        self._asking: dict[bytes, asyncio.Future[Caller | None]] = {}
        self._last_used: dict[str, int] = {}
        self._forgotten = 0

    def recall(self, presented: Presented, now_ms: int, needs: str = USE_GATEWAY) -> Caller | None:
        """The caller from memory, or None when the store must be asked. Raises like `lookup`."""
        for digest in presented.digests or self._digests(presented):
            caller = self._callers.get(digest)
            if caller is None:
                unknown_until = self._unknown_until.get(digest)
                if unknown_until is None or unknown_until <= now_ms:
                    return None
            elif caller.expires_at is None or caller.expires_at > now_ms:
                return self._admitted(caller, now_ms, needs)
        _refuse(presented)

    async def lookup(self, presented: Presented, now_ms: int, needs: str = USE_GATEWAY) -> Caller:
        """The caller, from memory or the store. Raises Fault: 401 when no presented key is a live
        one, 403 when its owner is not active or lacks the permission `needs` (empty: none)."""
        for digest in presented.digests or self._digests(presented):
            caller = self._callers.get(digest)
            if caller is None:
                unknown_until = self._unknown_until.get(digest)
                if unknown_until is not None and unknown_until > now_ms:
                    continue
                caller = await self._asked(digest, now_ms)
            if caller is not None and (caller.expires_at is None or caller.expires_at > now_ms):
                return self._admitted(caller, now_ms, needs)
        _refuse(presented)

    def forget(self) -> None:
        """Something about people, keys, models or mappings changed: ask the store again."""
        self._forgotten += 1
        # Whoever was let in up to now is looked up before strangers are.
        self._known.update(self._callers)
        if len(self._known) > self._keys_cached_max:
            self._known = set(self._callers)
        self._callers.clear()
        self._unknown_until.clear()
        # Queries under way may have read the state before the change; nobody new may join them.
        self._asking.clear()

    async def flush_last_used(self) -> None:
        """Write all last uses noted since the last flush in one batch; keep them if that fails."""
        used, self._last_used = self._last_used, {}
        if not used:
            return
        written = False
        try:
            await self._store.touch(list(used.items()))
            written = True
        finally:
            if not written:
                for key_id, used_at in used.items():
                    self._last_used.setdefault(key_id, used_at)

    def _digests(self, presented: Presented) -> tuple[bytes, ...]:
        presented.digests = tuple([self._digest(key) for key in presented.keys])
        return presented.digests

    def _digest(self, key: bytes) -> bytes:
        # As `keys.digest`; copying a keyed hasher is cheaper than keying one per key.
        hasher = self._keyed.copy()
        hasher.update(key)
        return hasher.digest()

    def _admitted(self, caller: Caller, now_ms: int, needs: str) -> Caller:
        if not caller.active or (needs and needs not in caller.permissions):
            _forbid(caller)
        self._last_used[caller.key_id] = now_ms
        return caller

    async def _asked(self, digest: bytes, now_ms: int) -> Caller | None:
        """Ask the store, once for all who want the same digest now."""
        while (asking := self._asking.get(digest)) is not None:
            # `wait` and not `await asking`: our own cancellation must not cancel it for the others.
            await asyncio.wait([asking])
            if not asking.cancelled():
                return asking.result()
            # Whoever asked was cancelled before the answer came: the next in line asks.

        if len(self._asking) >= self._lookups_max and digest not in self._known:
            _come_back()
        asking = asyncio.get_running_loop().create_future()
        self._asking[digest] = asking
        forgotten = self._forgotten
        try:
            caller = await self._store.by_digest(digest)
            if caller is not None:
                caller = await self._furnish(caller)
            asking.set_result(caller)
        except Fault as fault:
            asking.set_exception(fault)
            asking.exception()  # marks it as seen: there may be nobody else waiting for it
            raise
        finally:
            if self._asking.get(digest) is asking:
                del self._asking[digest]
            if not asking.done():
                asking.cancel()
        if forgotten == self._forgotten:
            # Otherwise the answer may be older than the change; it serves this call only.
            self._remember(digest, caller, now_ms)
        return caller

    def _remember(self, digest: bytes, caller: Caller | None, now_ms: int) -> None:
        if caller is None:
            self._unknown_until.pop(digest, None)
            self._unknown_until[digest] = now_ms + self._unknown_ttl_ms
            _drop_oldest(self._unknown_until, self._keys_cached_max)
            return
        self._unknown_until.pop(digest, None)
        self._callers[digest] = caller
        _drop_oldest(self._callers, self._keys_cached_max)
        # Here and not per use: between two look-ups only remembered keys are noted.
        _drop_oldest(self._last_used, self._keys_cached_max)


def _drop_oldest(memory: dict[_K, Any], kept: int) -> None:
    while len(memory) > kept:
        del memory[next(iter(memory))]


def _refuse(presented: Presented) -> NoReturn:
    """401, in words that say which header was read and never what it held."""
    headers = presented.headers_read
    if presented.keys:
        subject = "keys" if len(presented.keys) > 1 else "key"
        verb = "are" if len(presented.keys) > 1 else "is"
        message = f"The API {subject} in {headers} {verb} unknown, revoked or expired."
    else:
        accepted = "`X-Api-Key: <key>`"
        if presented.bearer_allowed:
            accepted = "`Authorization: Bearer <key>` or " + accepted
        if not headers:
            problem = "No API key was sent"
        elif presented.bearer_allowed:
            problem = f"{headers} holds no Bearer key"
        else:
            problem = f"No API key was sent ({headers} is not read on this path)"
        message = f"{problem}: send {accepted}."
    # Without retry=False Claude Code repeats a 401 for three minutes (client-contract.md 2).
    raise Fault(Kind.UNAUTHENTICATED, message, hint=_WHERE_TO_MAKE_ONE, retry=False)


def _come_back() -> NoReturn:
    """529 where somebody tries one key after the other: storage has other work to do."""
    raise Fault(
        Kind.OVERLOADED,
        "Too many unknown keys are being looked up. Try again in a moment.",
        source=Source.HOUSE,
        retry_after_s=1,
        reason=OVERLOADED,
    )


def _forbid(caller: Caller) -> NoReturn:
    if not caller.active:
        message = "Your account or workspace is not active."
    else:
        message = f"Your role {caller.role} may not use the gateway ({USE_GATEWAY} is off)."
    raise Fault(
        Kind.FORBIDDEN,
        message,
        hint="Ask your administrator.",
        detail=f"key {caller.key_id}, user {caller.user_id}, tenant {caller.tenant_id}",
        retry=False,
    )

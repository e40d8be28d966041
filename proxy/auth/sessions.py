"""Who is signed in: a session's token in, a live Caller or a refusal out.

Owns what a browser holds (a random token), what of it is stored (its keyed hash, as of API keys),
how long a session lasts, and the token against forged requests. Asks the store every time: pages
are no hot path, and a session that ended must be over in all processes at once.
"""

from collections.abc import Awaitable, Callable
from hashlib import blake2b
from hmac import compare_digest
from typing import Protocol

from proxy.auth.keys import DIGEST_BYTES, digest
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind

TOKEN_NOISE_BYTES = 32
TOKEN_CHARACTERS_MAX = 200
FORGERY_HEADER = "x-forgery-token"
"""In which a page sends the token against forged requests."""
SEEN_EVERY_MS = 60_000
"""A session that is used is written down as seen this often, and not at every request."""


class SessionStore(Protocol):
    """Where sessions are. Implemented by `storage/sessions.py`. Times are Unix milliseconds."""

    async def caller(self, digest: bytes, now_ms: int, /) -> tuple[Caller, int] | None:
        """Who is signed in by it, and when they were last seen."""

    async def insert(
        self, digest: bytes, user_id: str, *, now_ms: int, expires_at: int, idle_since: int
    ) -> None:
        """Let somebody in; what is over is removed."""

    async def touch(self, digest: bytes, now_ms: int, /) -> None:
        """It was seen now."""

    async def end(self, digest: bytes, /) -> None:
        """Sign out."""

    async def end_all(self, user_id: str, /) -> None:
        """Sign somebody out everywhere."""


Furnish = Callable[[Caller], Awaitable[Caller]]


async def _unfurnished(caller: Caller) -> Caller:
    return caller


class Sessions:
    """One per process. `idle_ms` is how long a session lasts without being used, `lifetime_ms` how
    long at most."""

    def __init__(
        self,
        store: SessionStore,
        hash_secret: bytes,
        noise: Callable[[int], bytes],
        *,
        idle_ms: int,
        lifetime_ms: int,
        furnish: Furnish = _unfurnished,
    ) -> None:
        self._store = store
        self._hash_secret = hash_secret
        self._noise = noise
        self.idle_ms = idle_ms
        self.lifetime_ms = lifetime_ms
        self._furnish = furnish

    async def begin(self, user_id: str, now_ms: int) -> str:
        """Let somebody in; the token their browser will hold, which was never anybody's before."""
        token = self._noise(TOKEN_NOISE_BYTES).hex()
        await self._store.insert(
            self._digest(token),
            user_id,
            now_ms=now_ms,
            expires_at=now_ms + self.lifetime_ms,
            idle_since=now_ms - self.idle_ms,
        )
        return token

    async def caller(self, token: str, now_ms: int, needs: str = "") -> Caller:
        """Who is signed in. Raises Fault: 401 where the session is over or never was, 403 where
        its user is not active or lacks the permission `needs` (empty: none)."""
        digest = self._digest(token)
        found = await self._store.caller(digest, now_ms) if token else None
        if found is None:
            raise over()
        caller, seen_at = found
        if (caller.expires_at or 0) <= now_ms or seen_at + self.idle_ms <= now_ms:
            await self._store.end(digest)
            raise over()
        if not caller.active:
            raise _forbidden("Your account or workspace is not active.")
        if needs and needs not in caller.permissions:
            raise _forbidden(f"Your role {caller.role} may not use the gateway ({needs} is off).")
        if seen_at + SEEN_EVERY_MS <= now_ms:
            await self._store.touch(digest, now_ms)
        return await self._furnish(caller)

    async def end(self, token: str) -> None:
        """Sign out."""
        await self._store.end(self._digest(token))

    async def end_all(self, user_id: str) -> None:
        """Sign somebody out everywhere."""
        await self._store.end_all(user_id)

    def forgery_token(self, token: str) -> str:
        """What a page sends beside the cookie with every write. Only a page of ours can read it,
        and it is good for this session only."""
        keyed = blake2b(token.encode(), digest_size=DIGEST_BYTES, key=self._hash_secret)
        keyed.update(b"\0forgery")
        return keyed.hexdigest()

    def check_forgery(self, token: str, given: str, fetch_site: str) -> None:
        """Raises Fault 403 unless a write comes from a page of ours: with the session's token, and
        not, as far as the browser says (Sec-Fetch-Site), from another site."""
        same = given.isascii() and compare_digest(given, self.forgery_token(token))
        if not same or fetch_site not in ("", "same-origin"):
            raise Fault(
                Kind.FORBIDDEN,
                "This request did not come from the console.",
                hint="Load the page again and repeat it.",
                retry=False,
                reason="forged_request",
            )

    def _digest(self, token: str) -> bytes:
        return digest(b"session:" + token[:TOKEN_CHARACTERS_MAX].encode(), self._hash_secret)


def over() -> Fault:
    """401: nobody is signed in by this session."""
    return Fault(
        Kind.UNAUTHENTICATED,
        "You are not signed in, or your session has ended.",
        hint="Sign in again.",
        retry=False,
        reason="session_over",
    )


def _forbidden(message: str) -> Fault:
    return Fault(Kind.FORBIDDEN, message, hint="Ask your administrator.", retry=False)

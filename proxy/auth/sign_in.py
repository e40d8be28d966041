"""Signing in to the console: address and password in, an account or a refusal out.

Owns how many tries there are and that a refusal tells nobody whether an address is known: same
words, same time. Knows no HTTP and no cookie. Times are Unix milliseconds.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Protocol

from proxy.auth.keys import DIGEST_BYTES, digest
from proxy.auth.passwords import Busy, Passwords, fault_of_chosen
from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Account, Actor

TRIES_WINDOW_MS = 15 * 60_000
TRIES_FROM_ONE_PLACE_MAX = 10
"""Of one address from one place on the net."""
TRIES_FOR_ONE_EMAIL_MAX = 100
"""From everywhere. More than from one place, so that nobody shuts out somebody else so easily."""
TRIES_OF_ONE_PLACE_MAX = 60
"""Of whatever addresses."""
LINK_NOISE_BYTES = 32
LINK_MS = 72 * 3_600_000
EMAIL_CHARACTERS_MAX = 254
_CHECKED_MAX = 5


class AccountStore(Protocol):
    """Implemented by `storage/passwords.py`."""

    async def accounts(self, email: str, /) -> list[Account]:
        """Everybody of this address: one per tenant at most."""

    async def account(self, user_id: str, /) -> Account | None:
        """One of them."""

    async def set(self, user_id: str, password_hash: str, by: Actor, /) -> None:
        """A new password; every session and link of its owner ends."""

    async def add_link(
        self, digest: bytes, user_id: str, expires_at: int, by: Actor, tenant_id: str, /
    ) -> None:
        """A link for somebody, in place of those before."""

    async def add_mail_link(self, digest: bytes, user_id: str, expires_at: int, /) -> None:
        """A link that goes to somebody by mail, beside those before."""

    async def by_link(self, digest: bytes, now_ms: int, /) -> Account | None:
        """Whose link it is, while it is good."""

    async def count_try(self, subject: str, now_ms: int, window_ms: int, /) -> int:
        """One more try; how many it were since the window of this subject began."""

    async def forget_tries(self, subject: str, /) -> None:
        """It was them."""

    async def note_sign_in(self, account: Account, way: str, now_ms: int, /) -> None:
        """A line of the audit: somebody came in, and by which way."""


class SignIn:
    """One per process. Without `passwords_on` nobody comes in by a password, nor chooses one."""

    def __init__(
        self,
        store: AccountStore,
        passwords: Passwords,
        hash_secret: bytes,
        noise: Callable[[int], bytes],
        *,
        passwords_on: bool = True,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self.passwords_on = passwords_on
        self._hash_secret = hash_secret
        self._noise = noise

    async def accounts(self, email: str, password: str, place: str, now_ms: int) -> list[Account]:
        """The accounts this address and password open: one in each tenant where they are the same.
        `place` is where on the net it comes from. Raises Fault: 429 after too many tries, 401 where
        nothing fits."""
        self._need_passwords()
        email = email.strip().casefold()[:EMAIL_CHARACTERS_MAX]
        here = self._subject("here", place, email)
        await self._count(here, TRIES_FROM_ONE_PLACE_MAX, now_ms)
        await self._count(self._subject("place", place), TRIES_OF_ONE_PLACE_MAX, now_ms)
        await self._count(self._subject("email", email), TRIES_FOR_ONE_EMAIL_MAX, now_ms)
        known = [each for each in await self._store.accounts(email) if each.password_hash]
        opened: list[Account] = []
        for hashed in [each.password_hash for each in known[:_CHECKED_MAX]] or [None]:
            if await self._matches(password, hashed):
                opened += [each for each in known if each.password_hash == hashed]
        if not opened:
            raise Fault(
                Kind.UNAUTHENTICATED,
                "Email address or password is not right.",
                hint="An administrator can make you a link to choose a new password.",
                retry=False,
                reason="sign_in_refused",
            )
        await self._store.forget_tries(here)
        active = [each for each in opened if each.active]
        if not active:
            raise Fault(
                Kind.FORBIDDEN,
                "Your account or workspace is not active.",
                hint="Ask your administrator.",
                retry=False,
            )
        return active

    async def change(self, user_id: str, old: str, new: str, by: Actor, place: str) -> None:
        """One's own password, by the one before. Raises Fault for either."""
        self._need_passwords()
        await self._count(self._subject("here", place, user_id), TRIES_FROM_ONE_PLACE_MAX, by.at)
        account = await self._store.account(user_id)
        if account is None or not await self._matches(old, account.password_hash):
            raise Fault(Kind.BAD_REQUEST, "old_password: It is not right.", retry=False)
        await self._set(account, "new_password", new, by)

    async def link(self, user_id: str, tenant_id: str, by: Actor) -> tuple[str, int]:
        """A secret by which somebody chooses a password, once, and until when. Raises Fault."""
        self._need_passwords()
        secret = self._noise(LINK_NOISE_BYTES).hex()
        expires_at = by.at + LINK_MS
        await self._store.add_link(self._link_digest(secret), user_id, expires_at, by, tenant_id)
        return secret, expires_at

    async def mail_link(self, user_id: str, now_ms: int) -> tuple[str, int]:
        """The same for a letter that goes out now; who wrote it is in the audit already. Links made
        before stay good: letters are not the only way they are handed over. Raises Fault."""
        self._need_passwords()
        secret = self._noise(LINK_NOISE_BYTES).hex()
        expires_at = now_ms + LINK_MS
        await self._store.add_mail_link(self._link_digest(secret), user_id, expires_at)
        return secret, expires_at

    async def by_link(self, secret: str, place: str, now_ms: int) -> Account:
        """Whose link it is. Raises Fault 404 for one that is used or over."""
        self._need_passwords()
        await self._count(self._subject("place", place), TRIES_OF_ONE_PLACE_MAX, now_ms)
        account = await self._store.by_link(self._link_digest(secret), now_ms)
        if account is None:
            raise Fault(
                Kind.NOT_FOUND,
                "This link is no longer good.",
                hint="Ask your administrator for a new one.",
                retry=False,
                reason="link_over",
            )
        return account

    async def choose(self, account: Account, password: str, by: Actor) -> None:
        """A first or a new password. Raises Fault for one that cannot be."""
        await self._set(account, "password", password, by)

    async def note(self, account: Account, way: str, now_ms: int) -> None:
        """Somebody came in."""
        await self._store.note_sign_in(account, way, now_ms)

    async def count_arrival(self, place: str, now_ms: int) -> None:
        """One more who comes from `place` by another way than a password. Raises Fault 429."""
        await self._count(self._subject("arrival", place), TRIES_OF_ONE_PLACE_MAX, now_ms)

    async def forget_arrivals(self, place: str) -> None:
        """Somebody came in from there: a place where many people are is not shut out."""
        await self._store.forget_tries(self._subject("arrival", place))

    def _need_passwords(self) -> None:
        if not self.passwords_on:
            raise Fault(
                Kind.FORBIDDEN,
                "Signing in by password is switched off here.",
                hint="Sign in by the identity provider of the sign-in page.",
                retry=False,
                reason="passwords_off",
            )

    async def _set(self, account: Account, field: str, password: str, by: Actor) -> None:
        if fault := fault_of_chosen(password, account.email):
            raise Fault(Kind.BAD_REQUEST, f"{field}: {fault}", retry=False)
        try:
            hashed = await self._passwords.hashed(password)
        except Busy:
            raise _too_many() from None
        await self._store.set(account.user_id, hashed, by)

    async def _matches(self, password: str, hashed: str | None) -> bool:
        try:
            return await self._passwords.matches(password, hashed)
        except Busy:
            raise _too_many() from None

    async def _count(self, subject: str, most: int, now_ms: int) -> None:
        if await self._store.count_try(subject, now_ms, TRIES_WINDOW_MS) > most:
            raise _too_many()

    def _subject(self, *parts: str) -> str:
        # Hashed, so that what people typed by mistake (a password, say) is not kept.
        text = "\0".join(parts).encode("utf-8", "surrogateescape")
        return blake2b(text, digest_size=DIGEST_BYTES, key=self._hash_secret).hexdigest()

    def _link_digest(self, secret: str) -> bytes:
        return digest(b"link:" + secret[:200].encode("utf-8", "replace"), self._hash_secret)


def _too_many() -> Fault:
    return Fault(
        Kind.RATE_LIMITED,
        "Too many tries to sign in.",
        hint=f"Wait {TRIES_WINDOW_MS // 60_000} minutes.",
        retry=False,
        retry_after_s=TRIES_WINDOW_MS // 1000,
        reason="too_many_tries",
    )

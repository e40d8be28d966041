"""Signing in by way of a provider of identities: who it says somebody is in, an account or a
refusal out.

Owns what ties an answer to the browser that asked (`Flight`), whom of ours a person there is, and
how one is linked to the other: by the provider's own name for them (`sub`), and the first time by
an address it vouches for. Knows no HTTP and no cookie; what a browser holds meanwhile comes out
sealed and is worth nothing to anybody else. Times are Unix milliseconds.
"""

import base64
import logging
from collections.abc import Callable, Sequence
from hmac import compare_digest
from typing import Final, Protocol, TypeVar

import msgspec

from proxy.auth.id_token import DistrustedError
from proxy.auth.identity_provider import CodeRefusedError, IdentityProvider, ProviderSilentError
from proxy.auth.keys import digest
from proxy.domain.fault import Fault, Kind
from proxy.domain.identity import Candidate, Person
from proxy.domain.people import Account, Actor

FLIGHT_MS: Final = 10 * 60_000
"""So long one may take at the provider, and so long to choose a workspace."""
NOISE_BYTES: Final = 32
SEALED_CHARACTERS_MAX: Final = 3_000
NEXT_CHARACTERS_MAX: Final = 1_000
CODE_CHARACTERS_MAX: Final = 4_000
_CANDIDATES_MAX: Final = 50
_LOG = logging.getLogger("proxy.auth")

S = TypeVar("S", bound="Flight | Choice")


class NotSignedInError(Exception):
    """Nobody is let in. `trouble` is one of `domain.identity.TROUBLES`."""

    def __init__(self, trouble: str) -> None:
        super().__init__(trouble)
        self.trouble = trouble


class IdentityStore(Protocol):
    """Implemented by `storage/identities.py`."""

    async def candidates(self, issuer: str, subject: str, email: str, /) -> Sequence[Candidate]:
        """Accounts linked to this person, and those of this address (empty: none)."""

    async def link(self, account: Account, issuer: str, subject: str, by: Actor, /) -> None:
        """From now on this account is this person's. Raises Fault CONFLICT where it is another's
        meanwhile."""

    async def newcomer(self, person: Person, by: Actor, /) -> Account:
        """Add somebody. Raises Fault."""


class Flight(msgspec.Struct, frozen=True):
    """A sign-in under way, as the browser that began it holds it. All that goes to the provider is
    made of `secret`, so that its answer is worth something in this browser only."""

    secret: str
    at: int
    next: str


class Choice(msgspec.Struct, frozen=True):
    """Somebody the provider let in, who has yet to choose a workspace."""

    subject: str
    email: str
    at: int
    next: str


class Arrival(msgspec.Struct, frozen=True):
    """Somebody is back: `accounts` has one to let in, or several to choose from, and then `choice`
    is what their browser is to hold. `next` is a path of this site."""

    accounts: list[Account]
    next: str
    choice: str = ""


class SingleSignOn:
    """One per process. `newcomer_domains`: whose verified address is of one of these becomes a user
    if they are none yet; empty: nobody does."""

    def __init__(
        self,
        provider: IdentityProvider,
        store: IdentityStore,
        hash_secret: bytes,
        noise: Callable[[int], bytes],
        *,
        newcomer_domains: frozenset[str] = frozenset(),
    ) -> None:
        self._provider = provider
        self._store = store
        self._hash_secret = hash_secret
        self._noise = noise
        self._newcomer_domains = newcomer_domains

    async def begin(self, wanted: str, now_ms: int) -> tuple[str, str]:
        """Where to send a browser, and what it holds meanwhile. Raises NotSignedInError."""
        flight = Flight(self._noise(NOISE_BYTES).hex(), now_ms, own_path(wanted))
        try:
            address = await self._provider.address(
                state=self._made("state", flight),
                nonce=self._made("nonce", flight),
                verifier=self._made("verifier", flight),
            )
        except ProviderSilentError as problem:
            raise self._refused("silent", str(problem)) from None
        return address, self._sealed(flight)

    async def finish(self, held: str, answer: "Answer", now_ms: int) -> Arrival:
        """Somebody is back from the provider. Raises NotSignedInError."""
        flight = self._opened(held, Flight, now_ms)
        if flight is None or not _same(answer.state, self._made("state", flight)):
            raise self._refused("over", "the answer is not one this browser asked for")
        try:
            await self._provider.check_issuer(answer.issuer)
            if answer.error or not answer.code:
                raise self._refused("denied", f"the provider says {_plain(answer.error)}")
            if len(answer.code) > CODE_CHARACTERS_MAX:
                raise self._refused("distrusted", "its code is too long")
            person = await self._provider.person(
                answer.code,
                verifier=self._made("verifier", flight),
                nonce=self._made("nonce", flight),
            )
        except ProviderSilentError as problem:
            raise self._refused("silent", str(problem)) from None
        except DistrustedError as problem:
            raise self._refused("distrusted", str(problem)) from None
        except CodeRefusedError as problem:
            trouble = "misconfigured" if problem.is_ours else "over"
            raise self._refused(trouble, str(problem)) from None
        accounts = await self._open_to(person, now_ms)
        choice = ""
        if len(accounts) > 1:
            choice = self._sealed(Choice(person.subject, person.email, now_ms, flight.next))
        else:
            await self._linked(accounts[0], person.subject, now_ms)
        return Arrival(accounts, flight.next, choice)

    async def choices(self, held: str, now_ms: int) -> list[Account]:
        """The accounts somebody who is back may choose from. Raises NotSignedInError."""
        choice = self._opened(held, Choice, now_ms)
        if choice is None:
            raise NotSignedInError("over")
        return await self._open_to(Person(choice.subject, choice.email), now_ms)

    async def choose(self, held: str, tenant_id: str, now_ms: int) -> Arrival:
        """The account of this workspace. Raises NotSignedInError."""
        choice = self._opened(held, Choice, now_ms)
        if choice is None:
            raise NotSignedInError("over")
        found = await self._open_to(Person(choice.subject, choice.email), now_ms)
        chosen = [each for each in found if each.tenant_id == tenant_id]
        if not chosen:
            raise NotSignedInError("not_active")
        await self._linked(chosen[0], choice.subject, now_ms)
        return Arrival(chosen, choice.next)

    # ------------------------------------------------------------ who it is

    @property
    def _issuer(self) -> str:
        return self._provider.registration.issuer

    async def _open_to(self, person: Person, now_ms: int) -> list[Account]:
        """The accounts a person may come in by; at least one. Raises NotSignedInError."""
        found = await self._store.candidates(self._issuer, person.subject, person.email)
        theirs = [each for each in found if _is_theirs(each, person)]
        accounts = [each.account for each in theirs if _may_come(each.account)]
        if accounts:
            return accounts[:_CANDIDATES_MAX]
        if theirs:
            raise self._refused("not_active", "the account is not active")
        if found:
            # An address that was somebody else's before must not open what was theirs.
            raise self._refused("linked", "the address belongs to another subject")
        if not person.email:
            raise self._refused("no_email", "the provider vouches for no address")
        domain = person.email.rpartition("@")[2].lower()
        if not person.email.isascii() or domain not in self._newcomer_domains:
            raise self._refused("not_known", "nobody has the address")
        by = Actor("oidc", self._issuer, now_ms)
        try:
            return [await self._store.newcomer(person, by)]
        except Fault as fault:
            raise self._refused("misconfigured", fault.message) from None

    async def _linked(self, account: Account, subject: str, now_ms: int) -> None:
        by = Actor(account.user_id, account.email, now_ms)
        try:
            await self._store.link(account, self._issuer, subject, by)
        except Fault as fault:
            if fault.kind is not Kind.CONFLICT:
                raise
            raise self._refused("linked", fault.message) from None

    def _refused(self, trouble: str, why: str) -> NotSignedInError:
        _LOG.warning("nobody is signed in by %s: %s", self._issuer, why)
        return NotSignedInError(trouble)

    # ------------------------------------------------------------ what browsers hold

    def _made(self, purpose: str, flight: Flight) -> str:
        return digest(f"oidc-{purpose}:{flight.secret}".encode(), self._hash_secret).hex()

    def _sealed(self, held: Flight | Choice) -> str:
        packed = base64.urlsafe_b64encode(msgspec.json.encode(held)).rstrip(b"=")
        return f"{packed.decode()}.{self._seal(type(held).__name__, packed)}"

    def _opened(self, held: str, kind: type[S], now_ms: int) -> S | None:
        """What was sealed, while it is good; None for anything else."""
        if len(held) > SEALED_CHARACTERS_MAX or not held.isascii():
            return None
        text, _, seal = held.partition(".")
        packed = text.encode()
        if not _same(seal, self._seal(kind.__name__, packed)):
            return None
        padded = packed + b"=" * (-len(packed) % 4)
        found = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=kind)
        return found if found.at <= now_ms < found.at + FLIGHT_MS else None

    def _seal(self, kind: str, packed: bytes) -> str:
        return digest(f"oidc-{kind}:".encode() + packed, self._hash_secret).hex()


class Answer(msgspec.Struct, frozen=True):
    """What came back in the address: nothing of it is trusted."""

    state: str
    code: str = ""
    error: str = ""
    issuer: str | None = None

    def __repr__(self) -> str:
        return "Answer(…)"


def own_path(wanted: str) -> str:
    """A path of this site, or `/`: nobody is sent elsewhere from here."""
    is_own = (
        wanted.startswith("/")
        and wanted[1:2] not in ("/", "\\")
        and wanted.isascii()
        and wanted.isprintable()
        and not set(wanted) & set(" \\")
        and len(wanted) <= NEXT_CHARACTERS_MAX
    )
    return wanted if is_own else "/"


def _is_theirs(found: Candidate, person: Person) -> bool:
    """Linked to them, or to nobody and of their address. Letters that only look like others (the
    Kelvin sign folds to k) make no address the same."""
    if found.subject is not None:
        return found.subject == person.subject
    address = found.account.email
    return address == person.email or (address + person.email).isascii()


def _may_come(account: Account) -> bool:
    """Who was only invited accepts the invitation by coming."""
    return account.status in ("Active", "Invited") and account.tenant_status == "Active"


def _same(given: str, wanted: str) -> bool:
    return given.isascii() and compare_digest(given, wanted)


def _plain(error: str) -> str:
    """An error's short name as OAuth has it; anything else is not repeated."""
    short = error[:60]
    return short if short.isascii() and short.replace("_", "").isalnum() else "nothing"

"""A credential that expires, kept fresh: fetched ahead of its end, by one task at a time.

Owns: when to fetch, who waits for it, what is said when it cannot be had. Refuses to know: what the
credential is and where it comes from; its owner gives a function that fetches one.

What is at hand is used until it has expired, however often fetching the next fails before.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import msgspec

from proxy.domain.fault import Fault, Kind, Source
from proxy.providers.credential import Waiter
from proxy.upstream.pool import StartTask

AHEAD_S = 600.0
"""So long before its end a credential is exchanged (translation.md 5.6)."""
AHEAD_SHARE = 0.25
"""Of a short-lived one, but the last quarter of its life."""
RETRY_S = 30.0
"""After a failure, while the old one still holds."""
FAILED_FOR_S = 2.0
"""After a failure with nothing at hand requests are turned away at once for so long."""
REFUSED_AGAIN_S = 10.0
"""One that is refused so soon after it was fetched is not fetched again for it."""

_LOG = logging.getLogger("proxy.credentials")

T = TypeVar("T")


class CredentialTrouble(Exception):
    """No credential can be had: why, in words for the operator, and the remedy. No secrets."""

    def __init__(self, said: str, remedy: str) -> None:
        super().__init__(f"{said}: {remedy}")
        self.said = said
        self.remedy = remedy


class Fetched(msgspec.Struct, Generic[T], frozen=True):
    """A credential, and when it ends in Unix seconds; None: never."""

    value: T
    expires_s: float | None


class FreshCredential(Generic[T]):
    """One credential of one provider. Watched by the wheel, which makes it fetch in time."""

    def __init__(
        self,
        provider: str,
        fetch: Callable[[], Awaitable[Fetched[T]]],
        *,
        start_task: StartTask,
        wall: Callable[[], float],
    ) -> None:
        """`fetch` raises CredentialTrouble; it must not block the loop. `wall` gives Unix
        seconds."""
        self._provider = provider
        self._fetch = fetch
        self._start_task = start_task
        self._wall = wall
        self._current: Fetched[T] | None = None
        self._usable_until_s = 0.0
        self._fetch_at_s = 0.0
        self._fetched_s = 0.0
        self._fetching = False
        self._waiting: list[Waiter] = []
        self._trouble: CredentialTrouble | None = None

    def __repr__(self) -> str:
        return f"FreshCredential({self._provider!r})"

    @property
    def value(self) -> T:
        """The current one; only after `ready` has said so."""
        assert self._current is not None, "asked for before it was ready"
        return self._current.value

    def ready(self, waiter: Waiter) -> bool:
        """See `providers/credential.py`."""
        now_s = self._wall()
        if now_s < self._usable_until_s:
            return True
        if self._trouble is not None and not self._fetching and now_s < self._fetch_at_s:
            raise self._fault(self._trouble)
        self._waiting.append(waiter)
        self._begin()
        return False

    def forget(self, waiter: Waiter) -> None:
        """See `providers/credential.py`."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)

    def refused(self) -> None:
        """The provider does not take the current one: fetch another before anything is asked
        again, unless it has only just been fetched."""
        if self._wall() - self._fetched_s > REFUSED_AGAIN_S:
            self._usable_until_s = self._fetch_at_s = 0.0

    def tick(self, now_s: float) -> None:
        """About once a second (the wheel): fetch ahead of the end."""
        if self._wall() >= self._fetch_at_s:
            self._begin()

    def _begin(self) -> None:
        if not self._fetching:
            self._fetching = True
            self._start_task(self._renewal(), f"credential of {self._provider}")

    async def _renewal(self) -> None:
        trouble: CredentialTrouble | None = None
        try:
            self._take(await self._fetch())
        except CredentialTrouble as caught:
            trouble = caught
        except Exception as bug:  # noqa: BLE001 - whoever waits has to be told
            _LOG.error("provider %s: fetching a credential failed", self._provider, exc_info=bug)
            trouble = CredentialTrouble(f"fetching it failed ({type(bug).__name__})", "see the log")
        self._fetching = False
        self._trouble = trouble
        waiting, self._waiting = self._waiting, []
        if trouble is not None:
            self._failed(trouble, waiting)
            return
        for waiter in waiting:
            waiter.credential_ready()

    def _take(self, fetched: Fetched[T]) -> None:
        now_s = self._wall()
        self._current = fetched
        self._fetched_s = now_s
        if fetched.expires_s is None:
            self._usable_until_s = self._fetch_at_s = float("inf")
            return
        life_s = max(0.0, fetched.expires_s - now_s)
        self._usable_until_s = fetched.expires_s
        self._fetch_at_s = fetched.expires_s - min(AHEAD_S, life_s * AHEAD_SHARE)

    def _failed(self, trouble: CredentialTrouble, waiting: list[Waiter]) -> None:
        now_s = self._wall()
        has_one = now_s < self._usable_until_s
        self._fetch_at_s = now_s + (RETRY_S if has_one else FAILED_FOR_S)
        _LOG.log(
            logging.WARNING if has_one else logging.ERROR,
            "provider %s: no new credential: %s",
            self._provider,
            trouble,
        )
        for waiter in waiting:
            waiter.lease_failed(self._fault(trouble))

    def _fault(self, trouble: CredentialTrouble) -> Fault:
        return Fault(
            Kind.UPSTREAM_BROKEN,
            "The gateway has no credential for the model provider at the moment.",
            hint="Please tell the gateway's operator.",
            detail=f"provider {self._provider}: no credential: {trouble}",
            source=Source.HOUSE,
            reason="upstream_unavailable",
        )

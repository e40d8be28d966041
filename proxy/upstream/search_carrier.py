"""Carries searches to the search service: how many at a time, how long, how often, and not at all
where the answer is at hand.

Owns the retry rules (translation.md 9.5: one more try where that may help and time is left), the
queue, and the sharing of answers: one kept from a moment ago, or one that is just being asked for,
serves everybody who asks the same. Refuses to know what a search looks like on the wire; that is
the `SearchCall`'s. A failure is an outcome here, never an exception: the model goes on without.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Mapping
from enum import Enum
from typing import NamedTuple, Protocol

import msgspec

from proxy.upstream.side_calls import CallFailed, NotPublic, SideReply, TooLarge
from proxy.web_search.firecrawl_reply import REPLY_BYTES_MAX
from proxy.web_search.hit import Failed, Found, Outcome

RETRY_WAIT_MAX_S = 5.0
"""Whoever has to wait longer hears `too_many_requests` instead."""
RETRY_NEEDS_S = 2.0
"""With less time left behind the wait, another try would only be cut off."""

_REFUSED = {
    401: "it does not know the key (web_search.api_key)",
    402: "its credits are used up",
    403: "the key may not search",
    404: "there is no search at that address (web_search.base_url)",
}
_LOG = logging.getLogger("proxy.search")


class SearchCall(Protocol):
    """One search, ready to be sent, and how its reply is read. Pure."""

    @property
    def key(self) -> Hashable:
        """Equal for searches whose outcomes would be the same: query and all options."""
        ...

    @property
    def url(self) -> str:
        """Where it is posted to."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """All of them but the length; the key of the service is among them."""
        ...

    @property
    def body(self) -> bytes:
        """The request as JSON."""
        ...

    def read(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> Outcome:
        """What a whole reply says, whatever it is. Names of headers are in lower case."""
        ...


class Poster(Protocol):
    """Who makes the call: `SideCalls`."""

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        timeout_s: float,
        bytes_max: int,
    ) -> SideReply:
        """The whole reply, or CallFailed."""
        ...


class Memory(Protocol):
    """Where outcomes are kept for a while, bounded in number and age: a `Cupboard`."""

    async def get(self, key: Hashable) -> Found | None:
        """What is kept, if it is."""
        ...

    async def put(self, key: Hashable, value: Found) -> None:
        """Keep it."""
        ...


class SearchLimits(msgspec.Struct, frozen=True):
    """How much of the search service one process may take."""

    concurrent_max: int = 32
    """Searches under way at a time; more wait, each within its own time."""
    per_request_max: int = 4
    """Of these, for one request (translation.md 9.3)."""
    timeout_s: float = 20.0
    """One try; a little more than the search service gives itself."""
    reply_bytes_max: int = REPLY_BYTES_MAX
    """Largest reply; with whole pages in it, it is some hundred kilobytes."""


class Way(Enum):
    """How an outcome was come by."""

    CALLED = "called"
    CACHED = "cached"
    SHARED = "shared"
    """Somebody else was asking the same just then."""


class Searched(NamedTuple):
    """How a search went."""

    outcome: Outcome
    way: Way = Way.CALLED

    @property
    def credits(self) -> int:
        """What it has cost at the search service; nothing where another search has paid."""
        if self.way is Way.CALLED and isinstance(self.outcome, Found):
            return self.outcome.credits
        return 0


class SearchCounts(msgspec.Struct):
    """What has happened since the start, for metrics."""

    outcomes: dict[str, int] = {}
    """Searches by how they ended: `found` or the code of the error."""
    cached: int = 0
    shared: int = 0
    """Of these, the ones nobody called for."""
    retried: int = 0
    """Second tries."""
    credits: int = 0
    """The search service's own."""


class SearchCarrier:
    """All searches of one process. `clock` counts seconds, of whatever beginning."""

    def __init__(
        self,
        poster: Poster,
        limits: SearchLimits,
        *,
        memory: Memory | None,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.counts = SearchCounts()
        self.trouble = ""
        """What the operator has to mend, until a search works again; empty: nothing."""
        self.limits = limits
        self._poster = poster
        self._memory = memory
        self._clock = clock
        self._sleep = sleep
        self._free = asyncio.Semaphore(limits.concurrent_max)
        self._under_way: dict[Hashable, asyncio.Future[Outcome | None]] = {}

    def for_request(self) -> "RequestSearches":
        """The searches of one request."""
        return RequestSearches(self)

    @property
    def under_way(self) -> int:
        """Different searches that are being asked for, or wait for their turn."""
        return len(self._under_way)

    async def search(self, call: SearchCall, within_s: float, turn: asyncio.Semaphore) -> Searched:
        """The outcome after `within_s` seconds at most, the wait for `turn` included. Cancelling
        closes the connection; of others who wait for the same one begins anew."""
        deadline_s = self._clock() + within_s
        try:
            async with asyncio.timeout(within_s), turn:
                searched = await self._outcome(call, deadline_s)
        except TimeoutError:
            searched = Searched(Failed("unavailable"))
        self._count(searched)
        return searched

    async def _outcome(self, call: SearchCall, deadline_s: float) -> Searched:
        key = call.key
        while True:
            if self._memory is not None:
                kept = await self._memory.get(key)
                if kept is not None:
                    return Searched(kept, Way.CACHED)
            asked = self._under_way.get(key)
            if asked is None:
                return Searched(await self._lead(key, call, deadline_s))
            # Shielded: whoever leaves must not take the answer from the others.
            outcome = await asyncio.shield(asked)
            if outcome is not None:
                return Searched(outcome, Way.SHARED)

    async def _lead(self, key: Hashable, call: SearchCall, deadline_s: float) -> Outcome:
        """Ask, for everybody who comes meanwhile. They hear None if this one has to leave early."""
        answer: asyncio.Future[Outcome | None] = asyncio.get_running_loop().create_future()
        self._under_way[key] = answer
        outcome: Outcome | None = None
        try:
            async with self._free:  # also between two tries: a service that asks to wait is busy
                outcome = await self._ask(call, deadline_s)
            if self._memory is not None and isinstance(outcome, Found):
                # Before the entry above goes: else somebody would find neither and ask again.
                await self._memory.put(key, outcome)
            return outcome
        finally:
            del self._under_way[key]
            answer.set_result(outcome)

    async def _ask(self, call: SearchCall, deadline_s: float) -> Outcome:
        outcome = await self._try(call)
        if isinstance(outcome, Found):
            return outcome
        wait_s = wait_before_retry(outcome, deadline_s - self._clock())
        if wait_s is None:
            return outcome
        self.counts.retried += 1
        if wait_s:
            await self._sleep(wait_s)
        return await self._try(call)

    async def _try(self, call: SearchCall) -> Outcome:
        try:
            reply = await self._poster.post(
                call.url,
                call.headers,
                call.body,
                timeout_s=self.limits.timeout_s,
                bytes_max=self.limits.reply_bytes_max,
            )
        except CallFailed as failed:
            _LOG.warning("a search failed: %s", failed)
            outcome = outcome_of(failed)
            if outcome.alert:
                self._troubled(f"the search service cannot be asked: {failed}")
            return outcome
        read = call.read(reply.status, reply.headers, reply.body)
        if isinstance(read, Found):
            self.trouble = ""
            self.counts.credits += read.credits
        elif read.alert:
            why = _REFUSED.get(reply.status, "it has to be looked after")
            self._troubled(f"the search service answers {reply.status}: {why}")
        else:
            # Bodies may quote the query: the status has to do.
            _LOG.warning("a search failed: status %d, %s", reply.status, read.code)
        return read

    def _troubled(self, words: str) -> None:
        if words != self.trouble:  # once, not with every search
            _LOG.error("%s", words)
        self.trouble = words

    def _count(self, searched: Searched) -> None:
        outcome, counts = searched.outcome, self.counts
        name = "found" if isinstance(outcome, Found) else outcome.code
        counts.outcomes[name] = counts.outcomes.get(name, 0) + 1
        counts.cached += searched.way is Way.CACHED
        counts.shared += searched.way is Way.SHARED


class RequestSearches:
    """The searches of one request: no more than its share at a time."""

    def __init__(self, service: SearchCarrier) -> None:
        self._service = service
        self._turn = asyncio.Semaphore(service.limits.per_request_max)

    async def search(self, call: SearchCall, within_s: float) -> Searched:
        """How it went, after `within_s` seconds at most."""
        return await self._service.search(call, within_s, self._turn)


def outcome_of(failed: CallFailed) -> Failed:
    """What it means for a search that no whole reply came (the network's rows of 9.5)."""
    if isinstance(failed, TooLarge):
        return Failed("unavailable")  # it would be as large again
    if isinstance(failed, NotPublic):
        return Failed("unavailable", alert=True)
    return Failed("unavailable", retry_after_s=0.0)


def wait_before_retry(failed: Failed, left_s: float) -> float | None:
    """Seconds to wait before the one other try; None: there is none."""
    wait_s = failed.retry_after_s
    if wait_s is None or wait_s > RETRY_WAIT_MAX_S or wait_s + RETRY_NEEDS_S > left_s:
        return None
    return max(wait_s, 0.0)

"""What every call needs at hand: one set per process, made in `assembly.py`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from proxy.domain.call import Call
from proxy.domain.caller import Caller
from proxy.domain.entry import Entry
from proxy.domain.model import Model
from proxy.domain.refusal import Refusal
from proxy.domain.tally import Tally
from proxy.gateway.counting import Counting
from proxy.gateway.drain import Drains
from proxy.gateway.wheel import Wheel
from proxy.ledger.credits import SEARCH_FEE_CREDITS
from proxy.observe.metrics import Metrics
from proxy.providers.provider import Provider
from proxy.upstream.choice import Standing
from proxy.upstream.connection import Listener
from proxy.upstream.pool import Taker
from proxy.upstream.retry import RetryBudget
from proxy.wire.body import Body
from proxy.wire.http import Piece


class Exchange(Protocol):
    """A connection to a provider while it is lent to one call. Implemented by
    `upstream/connection.py`, where each of these is told in full."""

    def ask(self, request: Sequence[Piece], listener: Listener) -> None:
        """Send a whole request; the answer goes to `listener`."""
        ...

    def forward(self, write: Callable[[bytes], object], plain: bytes, tally: Tally) -> None:
        """From now on plain events go to `write` in the frames they came in."""
        ...

    def forward_rewritten(
        self,
        write: Callable[[bytes], object],
        rewrite: Callable[[bytes], bytes | None],
        *,
        binary: bool = False,
    ) -> None:
        """From now on what `rewrite` makes of an event goes to `write`."""
        ...

    def hear(self, listener: Listener) -> None:
        """From now on somebody else listens, to everything."""
        ...

    def pause(self) -> None:
        """Read no more."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    def give_back(self) -> None:
        """It was not used."""
        ...

    def leave(self) -> None:
        """The rest of the answer is not wanted."""
        ...

    def abort(self) -> None:
        """Drop the exchange and the connection with it."""
        ...


class Lender(Protocol):
    """Of connections to one origin. Implemented by `upstream/pool.py`."""

    def lease(self, taker: Taker) -> Exchange | None:
        """One at once, or None and a call of the taker later. Raises Fault 503."""
        ...

    def forget(self, taker: Taker) -> None:
        """The taker left."""
        ...

    def distrust(self) -> None:
        """A connection turned out to be dead; the others are as old."""
        ...


class Books(Protocol):
    """Where ended calls are written down. Implemented by `ledger/journal.py`."""

    def record(self, entry: Entry, written: Callable[[], None]) -> None:
        """Keep `entry`; `written` is called, within a loop turn, once it is on disk."""
        ...

    def record_refusal(self, refusal: Refusal) -> None:
        """Keep a request that was refused."""
        ...


class Ticket(Protocol):
    """What a call holds of its limits until it is known what it took."""

    def settle(self, credits: int, tokens: int) -> None:
        """It took so many micro-credits and tokens. Only the first call counts."""
        ...


class Desk(Protocol):
    """Who may go on, and how much of what they may have is left. Implemented by
    `limits/desk.py`. Estimates are micro-credits and input tokens, times Unix milliseconds."""

    def admit(
        self,
        caller: Caller,
        model: Model,
        *,
        estimate_credits: int,
        estimate_tokens: int,
        now_ms: int,
        asked: str,
    ) -> Ticket | None:
        """A ticket, or None where others must be asked first. Raises Fault 429."""
        ...

    async def ask(
        self,
        caller: Caller,
        model: Model,
        *,
        estimate_credits: int,
        estimate_tokens: int,
        now_ms: int,
        asked: str,
    ) -> Ticket:
        """As `admit`, after the others have been asked."""
        ...

    def admit_free(self, caller: Caller, *, estimate_tokens: int, now_ms: int) -> Ticket:
        """For a request that costs nothing: bursts only (domain.md 14.4). Raises Fault 429."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for what, in seconds, and how much is held, in bytes."""

    first_byte_timeout_s: float
    idle_timeout_s: float
    ping_after_s: float
    commit_after_s: float
    finish_grace_s: float
    """After the model has finished, for its usage and the stream's own end."""
    count_timeout_s: float
    reply_bytes_max: int


@dataclass(frozen=True, slots=True)
class Route:
    """One deployment of a model, ready to be called. `counted_by` is where its tokens are counted,
    if that is another place."""

    provider: Provider
    pool: Lender
    upstream_model: str
    counted_by: "Route | None" = None
    standing: Standing = field(default_factory=Standing)
    retries: RetryBudget = field(default_factory=RetryBudget)
    """Of all deployments of the model together."""
    secret: bytes = b""
    """The key it is asked with. Some servers quote what they refuse; nobody is to read it there."""
    drains: Drains | None = None
    """Where the answer is read on when its client left."""

    def __repr__(self) -> str:
        return f"Route({self.provider!r}, {self.upstream_model!r})"


class Sessions(Protocol):
    """Who served which session last. Implemented by `gateway/sessions.py`."""

    def ordered(self, call: Call, body: Body, routes: Sequence[Route]) -> Sequence[Route]:
        """`routes` in the order in which to try them: the one that served the session first, as
        long as it is well."""
        ...

    def served(self, call: Call, route: Route) -> None:
        """`route` answers."""
        ...


@dataclass(slots=True)
class Means:
    """Held by every relay; nothing in it belongs to one call."""

    books: Books
    desk: Desk
    metrics: Metrics
    wheel: Wheel
    patience: Patience
    monotonic: Callable[[], float]
    wall: Callable[[], float]
    new_event_id: Callable[[], str]
    new_message_id: Callable[[], str]
    counting: Counting
    sessions: Sessions
    search_fee_credits: int = SEARCH_FEE_CREDITS
    """Of the settings; changes with them."""
    books_trouble: str = ""
    """Why no new generation may begin: what it costs could not be written down. Empty: they may.
    Looked at by the house a few times a second, so that requests need only read it."""

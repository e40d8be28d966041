"""What every call needs at hand: one set per process, made in `assembly.py`."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from proxy.domain.entry import Entry
from proxy.domain.refusal import Refusal
from proxy.gateway.wheel import Wheel
from proxy.observe.metrics import Metrics
from proxy.providers.provider import Provider
from proxy.upstream.pool import Pool


class Books(Protocol):
    """Where ended calls are written down. Implemented by `ledger/journal.py`."""

    def record(self, entry: Entry, written: Callable[[], None]) -> None:
        """Keep `entry`; `written` is called, within a loop turn, once it is on disk."""
        ...

    def record_refusal(self, refusal: Refusal) -> None:
        """Keep a request that was refused."""
        ...


class Patience(msgspec.Struct, frozen=True):
    """How long is waited for what, in seconds, and how much is held, in bytes."""

    first_byte_timeout_s: float
    idle_timeout_s: float
    ping_after_s: float
    commit_after_s: float
    reply_bytes_max: int


class Route(msgspec.Struct, frozen=True):
    """One deployment of a model, ready to be called."""

    provider: Provider
    pool: Pool
    upstream_model: str


class Means(msgspec.Struct):
    """Held by every relay; nothing in it belongs to one call."""

    books: Books
    metrics: Metrics
    wheel: Wheel
    patience: Patience
    monotonic: Callable[[], float]
    wall: Callable[[], float]
    new_event_id: Callable[[], str]

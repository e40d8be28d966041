"""Rows to write, and a store to write them to."""

from collections.abc import Callable

import pytest

from proxy.domain.entry import Entry, Outcome
from proxy.domain.fault import Fault, Kind
from proxy.domain.refusal import Refusal


class Shelf:
    """A store in memory that keeps the promises of storage and can be told to break down."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.refusals: list[Refusal] = []
        self.batches: list[int] = []
        self.away: Fault | None = None
        self.never: set[str] = set()

    def break_down(self) -> None:
        self.away = Fault(Kind.UNAVAILABLE, "storage is away", detail="disk on fire")

    def mend(self) -> None:
        self.away = None

    async def insert(self, entries: list[Entry]) -> None:
        if self.away is not None:
            raise self.away
        if self.never & {entry.event_id for entry in entries}:
            raise Fault(Kind.CONFLICT, "a constraint says no")
        self.batches.append(len(entries))
        for entry in entries:
            self.entries.setdefault(entry.event_id, entry)

    async def insert_refusals(self, refusals: list[Refusal]) -> None:
        if self.away is not None:
            raise self.away
        self.refusals += refusals


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def entry() -> Callable[..., Entry]:
    """Makes a small row; keywords override fields."""

    def make(event_id: str, **fields: object) -> Entry:
        row = Entry(
            event_id,
            f"req_{event_id}",
            1_790_000_000_000,
            1_790_000_001_000,
            "tenant_1",
            "user_1",
            "general_user",
            "key_1",
            "sonnet",
            "claude-sonnet-5",
            "alias",
            Outcome.COMPLETED,
            200,
            input_tokens=7,
        )
        for name, value in fields.items():
            setattr(row, name, value)
        return row

    return make


@pytest.fixture
def refusal() -> Callable[..., Refusal]:
    """Makes a support record of a refused request."""

    def make(request_id: str, at: int = 1_790_000_000_000, reason: str = "no_model") -> Refusal:
        return Refusal(
            request_id,
            at,
            "tenant_1",
            "user_1",
            "key_1",
            "gpt-9",
            404,
            "not_found_error",
            reason,
            "curl",
            "/v1/anthropic/messages",
        )

    return make

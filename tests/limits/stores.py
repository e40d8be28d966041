"""Stores and people for tests of limits: in memory, with a clock turned by hand."""

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence

from proxy.config.settings import Limits
from proxy.domain.caller import Caller
from proxy.domain.entry import Entry, Outcome
from proxy.domain.fault import Fault, Kind
from proxy.domain.model import Model, Rates
from proxy.domain.terms import TenantTerms
from proxy.limits.counters import Counters, HeldRow, SharedCounters
from proxy.limits.desk import Desk

CREDIT = 1_000_000
NOW_MS = 1_795_420_800_000  # 2026-11-23T08:00:00Z
DECEMBER_MS = 1_796_083_200_000

FLAGSHIP = Rates(input=3000, output=15000)
DEAR = Model("dear", "Dear", "A", dt.date(2026, 1, 1), 1, 1, rates=FLAGSHIP)
HALF = Model("half", "Half", "A", dt.date(2026, 1, 1), 1, 1, rates=Rates(1500, 7500))
CHEAP = Model("cheap", "Cheap", "A", dt.date(2026, 1, 1), 1, 1, rates=Rates(900, 4500))
BASE = Model("base", "Base", "A", dt.date(2026, 1, 1), 1, 1, base_level=True, rates=FLAGSHIP)


def lost() -> Fault:
    return Fault(Kind.UNAVAILABLE, "It does not answer.")


class Clock:
    """Both clocks, turned by hand."""

    def __init__(self) -> None:
        self.s = 1_000.0
        self.ms = NOW_MS

    def __call__(self) -> float:
        return self.s

    def wall_ms(self) -> int:
        return self.ms

    def turn(self, seconds: float) -> None:
        self.s += seconds
        self.ms += round(seconds * 1000)


class Ledger:
    """The stored sums, as `storage/month_use.py` keeps them; `away` makes it fail."""

    def __init__(self) -> None:
        self.sums: dict[tuple[str, str, str], int] = {}
        self.readings = 0
        self.away = False
        self.held_up: asyncio.Event | None = None

    def add(self, entries: Sequence[Entry], period: str) -> None:
        for entry in entries:
            for user in ("", entry.user_id):
                key = (period, entry.tenant_id, user)
                self.sums[key] = self.sums.get(key, 0) + entry.credits_out

    async def used(
        self, period: str, tenants: Sequence[str], users: Sequence[str], /
    ) -> tuple[Mapping[str, int], Mapping[str, int]]:
        self.readings += 1
        if self.away:
            raise lost()
        of_tenants = {t: c for (p, t, u), c in self.sums.items() if p == period and not u}
        of_users: dict[str, int] = {}
        for (p, _, u), credits in self.sums.items():
            if p == period and u in users:
                of_users[u] = of_users.get(u, 0) + credits
        if self.held_up is not None:
            await self.held_up.wait()
        return {t: c for t, c in of_tenants.items() if t in tenants}, of_users


class Wall:
    """What workers hold, as `storage/held.py` keeps it; `away` makes it fail."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[int, dict[str, int]]] = {}
        self.writes = 0
        self.away = False

    async def tell(
        self, worker: str, beat: int, changed: Sequence[tuple[str, int]], gone: Sequence[str], /
    ) -> None:
        self._check()
        self.writes += 1
        held = {**self.held.get(worker, (0, {}))[1], **dict(changed)}
        self.held[worker] = (beat, {n: a for n, a in held.items() if n not in gone})

    async def tell_anew(self, worker: str, beat: int, held: Sequence[tuple[str, int]], /) -> None:
        self._check()
        self.writes += 1
        self.held[worker] = (beat, dict(held))

    async def rows(self) -> Sequence[HeldRow]:
        self._check()
        return [
            (worker, beat, name, amount)
            for worker, (beat, held) in self.held.items()
            for name, amount in (held or {"": 0}).items()
        ]

    async def forget(self, dead: Sequence[tuple[str, int]], /) -> None:
        self._check()
        for worker, beat in dead:
            if worker in self.held and self.held[worker][0] == beat:
                del self.held[worker]

    def _check(self) -> None:
        if self.away:
            raise lost()


def make_caller(
    user: str = "user_1",
    *,
    tenant: str = "tenant_1",
    key: str = "",
    credits: int | None = None,
    role_credits: int | None = None,
    terms: TenantTerms | None = None,
) -> Caller:
    return Caller(
        key_id=key or f"key_of_{user}",
        user_id=user,
        email=f"{user}@example.com",
        tenant_id=tenant,
        tenant="Tenant",
        role="general_user",
        role_credits=role_credits,
        terms=terms or TenantTerms(credits=credits),
    )


def make_entry(
    credits: int, *, user: str = "user_1", tenant: str = "tenant_1", started_at: int = NOW_MS
) -> Entry:
    return Entry(
        event_id="event",
        request_id="request",
        started_at=started_at,
        ended_at=started_at,
        tenant_id=tenant,
        user_id=user,
        role="general_user",
        key_id="key",
        requested_model="dear",
        model="dear",
        resolved_via="exact",
        outcome=Outcome.COMPLETED,
        status=200,
        credits_out=credits,
    )


def make_desk(
    ledger: Ledger,
    clock: Clock,
    counters: Counters,
    *,
    settings: Limits | None = None,
    models: Sequence[Model] = (),
) -> Desk:
    return Desk(
        settings or Limits(),
        ledger,
        counters,
        clock=clock,
        wall_ms=clock.wall_ms,
        visible=lambda _: models,
    )


def make_counters(wall: Wall, clock: Clock, worker: str) -> SharedCounters:
    return SharedCounters(wall, worker, clock=clock, wall_ms=clock.wall_ms)

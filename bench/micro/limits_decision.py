"""What does it cost to let a request in and to book what it cost, from memory?"""

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence

from bench.micro.step import Step
from proxy.config.settings import Limits
from proxy.domain.caller import Caller
from proxy.domain.model import Model, Rates
from proxy.domain.terms import Burst, TenantTerms
from proxy.limits.counters import MemoryCounters
from proxy.limits.desk import Desk

NOW_MS = 1_795_420_800_000
ALLOWANCE = 10**15
ESTIMATE = 5_000
BURST = Burst(requests_per_minute=10**9, tokens_per_minute=10**12, streams=10**6)


class _NothingUsed:
    """Storage at the beginning of a month."""

    async def used(
        self, period: str, tenants: Sequence[str], users: Sequence[str], /
    ) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """No sums yet."""
        return {}, {}


def _desk(settings: Limits) -> Desk:
    return Desk(
        settings, _NothingUsed(), MemoryCounters(), clock=lambda: 1_000.0, wall_ms=lambda: NOW_MS
    )


def steps() -> list[Step]:
    """A tenant with a monthly allowance; then with burst limits of key, user and tenant too."""
    model = Model("m", "M", "A", dt.date(2026, 1, 1), 200_000, 64_000, rates=Rates(1000, 5000))
    caller = Caller(
        "key_1",
        "user_1",
        "a@example.com",
        "tenant_1",
        "Default",
        "general_user",
        terms=TenantTerms(credits=ALLOWANCE),
    )
    made = []
    for words, settings in (
        ("allowance of the month", Limits()),
        ("… and bursts of key, user, tenant", Limits(key=BURST, user=BURST, tenant=BURST)),
    ):
        desk = _desk(settings)
        asyncio.run(desk.load(caller, NOW_MS))

        def decide(desk: Desk = desk) -> object:
            ticket = desk.admit(
                caller, model, estimate_credits=ESTIMATE, estimate_tokens=10, now_ms=NOW_MS
            )
            if ticket is not None:
                ticket.release()
            return ticket

        def check(result: object, desk: Desk = desk) -> None:
            assert result is not None, "storage was asked"
            assert desk.open_tickets == 0
            assert desk.asked == 0

        made.append(Step(words, decide, check))
    return made

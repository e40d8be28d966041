"""The desk every request passes: may it begin, what does it hold, what is left.

Owns the order of limits (role cap, tenant restriction, burst; domain.md 7) and the decision. It is
made here and at once, from memory; only within `limits.margin` of a limit, or for a tenant not seen
lately, `admit` says None, and `ask` waits for one round with storage and the other workers.

A request is let in while what is used and held before it is below the limit; its own estimate is
not counted against it. So how far a limit can be passed is bounded by what is let in unseen. With
E the largest estimate, C what running requests cost beyond their estimates, L the limit, and A what
all workers together let in during one exchange (`exchange_ms` and its way there and back):

    memory     less than E + C: everything is seen
    shared     less than E + C, where 2A <= margin * L; else less than E + C + 2A

Proof for shared. Near a limit a request is written down first, then the others' amounts are read,
then it is decided; so of two such requests in different workers at least one sees the other, and
of what is decided so, only the last may pass L, by less than E. Unseen is only what another worker
let in without asking, since its last exchange, and it did so because it saw less than
(1 - margin) * L. What it did not see was let in during its last exchange and that of the one
before: at most 2A. With 2A within the margin, the truth was then still below L: such a request is
not beyond the limit, and is seen one exchange later. Otherwise 2A is what can be unseen.

A worker that died takes along what it had under way; its rows count when they are stored.

Burst limits are not asked for: they can be passed by what other workers let in during one exchange.

While the others cannot be asked, `when_counters_lost` decides for whoever is near a limit: closed
refuses them, and A is then what is let in until rows are stored and read again, some two seconds;
open lets them in by what is stored and what this worker holds, so the bound is that much of all
that the workers let in meanwhile, without any margin.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, NoReturn

from proxy.config.settings import Limits
from proxy.domain.caller import Caller
from proxy.domain.entry import Entry
from proxy.domain.fault import Fault
from proxy.domain.model import Model
from proxy.limits import rules
from proxy.limits.book import READ_EVERY_S, Books
from proxy.limits.burst import Meter, Meters
from proxy.limits.counters import Counters
from proxy.limits.refusal import blind_refusal, burst_refusal
from proxy.limits.rounds import Rounds, UseStore
from proxy.limits.seat import CLEAR, NEAR, UNSEEN, Restriction, Seat, Seats
from proxy.limits.ticket import EXPIRES_S, Ticket
from proxy.limits.window import Months, Period

SWEEP_EVERY_S: Final = 60.0
"""Who asked nothing between two sweeps is forgotten, and read anew when they come back."""


class Standing(NamedTuple):
    """Where a caller stands this month, in micro-credits; None: no limit."""

    period: Period
    used: int
    limit: int | None
    remaining: int | None
    state: str
    role_used: int
    role_limit: int | None
    role_state: str


def _nothing_visible(_: Caller) -> Sequence[Model]:
    return ()


class Desk:
    """One per worker; made and used on one loop.

    `visible` names the models a caller may choose from instead of a restricted one. `clock` is the
    monotonic clock in seconds, `wall_ms` the other in Unix milliseconds. The counts only grow.
    """

    def __init__(
        self,
        settings: Limits,
        uses: UseStore,
        counters: Counters,
        *,
        clock: Callable[[], float],
        wall_ms: Callable[[], int],
        visible: Callable[[Caller], Sequence[Model]] = _nothing_visible,
    ) -> None:
        self.asked = 0
        """Requests that waited for a round."""
        self.blind = 0
        """Decisions near a limit while somebody who had to be asked could not be."""
        self.expired = 0
        """Tickets nobody settled."""
        self.months = Months(settings.time_zone)
        self._uses = uses
        self._wall_ms = wall_ms
        self._books = Books(self.months, shared=not counters.alone)
        self._meters = Meters()
        self.rounds = Rounds(self._books, self._meters, uses, counters, clock=clock)
        self._seats = Seats(
            settings,
            self.months,
            self._books,
            self._meters,
            alone=counters.alone,
            visible=visible,
        )
        # A lone worker has nobody to exchange with: only its own rows move the sums.
        self._round_every_s = READ_EVERY_S if counters.alone else settings.exchange_ms / 1000
        self._by_key = self._seats.by_key
        self._open: dict[Ticket, float] = {}
        self._now_s = clock()
        self._swept_s = self._now_s

    # ------------------------------------------------------------------ the hot side

    def admit(
        self,
        caller: Caller,
        model: Model,
        *,
        estimate_credits: int,
        estimate_tokens: int,
        now_ms: int,
        asked: str = "",
    ) -> Ticket | None:
        """Let a request in, or raise the Fault that says why not. None: `ask` first.

        `estimate_credits` are micro-credits held until it is settled; `estimate_tokens` its input.
        `now_ms` is when it began, however long it was on its way in: it decides the month and must
        be the `started_at` of its row. How fast things come is told by the desk's own clock.
        """
        seat = self._by_key.get(caller.key_id)
        if seat is None or seat.caller is not caller or not seat.start_ms <= now_ms < seat.end_ms:
            seat = self._seats.get(caller, now_ms)
        seat.used = True
        tenant = seat.tenant
        user = seat.user
        if (
            tenant.total >= seat.tenant_quiet or user.total >= seat.user_quiet
        ) and not self._may_go_on(seat, model, asked, now_ms):
            return None
        if seat.meters:
            self._pass_meters(seat.meters, estimate_tokens)
        credits = estimate_credits or 1  # somebody is under way: the books must not be forgotten
        tenant.reserved += credits
        tenant.total += credits
        user.reserved += credits
        user.total += credits
        ticket = Ticket(seat, credits, estimate_tokens, self._open, self._wall_ms)
        self._open[ticket] = self._now_s
        return ticket

    async def ask(
        self,
        caller: Caller,
        model: Model,
        *,
        estimate_credits: int,
        estimate_tokens: int,
        now_ms: int,
        asked: str = "",
    ) -> Ticket:
        """As `admit`, after a round with storage and the other workers; within two seconds."""
        self.asked += 1
        seat = self._seats.get(caller, now_ms)
        credits = estimate_credits or 1
        books = (seat.tenant, seat.user)
        for book in books:
            book.reserved += credits
            book.total += credits
            book.pending += credits
            book.wanted = True
        admitted = False
        try:
            await self.rounds.agree()
            # What waits to be decided, this request included, is not held against it.
            doubt = self._judge(seat, model, asked, now_ms)
            lost = self.rounds.storage.lost or self.rounds.others.lost
            if doubt == UNSEEN or (doubt == NEAR and lost):
                self._go_blind()
            if seat.meters:
                self._pass_meters(seat.meters, estimate_tokens)
            admitted = True
        finally:
            for book in books:
                book.pending -= credits
                if not admitted:
                    book.reserved -= credits
                    book.total -= credits
        ticket = Ticket(seat, credits, estimate_tokens, self._open, self._wall_ms)
        self._open[ticket] = self._now_s
        return ticket

    def admit_free(self, caller: Caller, *, estimate_tokens: int, now_ms: int) -> Ticket:
        """A request that costs nothing (count_tokens): burst limits only. Settle or release it."""
        seat = self._by_key.get(caller.key_id)
        if seat is None or seat.caller is not caller or not seat.start_ms <= now_ms < seat.end_ms:
            seat = self._seats.get(caller, now_ms)
        seat.used = True
        if seat.meters:
            self._pass_meters(seat.meters, estimate_tokens)
        ticket = Ticket(seat, 0, estimate_tokens, self._open, self._wall_ms)
        self._open[ticket] = self._now_s
        return ticket

    def stored(self, entries: Sequence[Entry], *, own: bool = True) -> None:
        """Rows were committed to storage just now, or set aside because it can never take them:
        the next reading shows which. Not `own`: found in a dead worker's journal."""
        self._books.stored(entries, own=own)

    # ------------------------------------------------------------------ looking

    async def standing(self, caller: Caller, now_ms: int) -> Standing:
        """Where the caller stands. Raises the store's Fault if that is not known."""
        seat = self._seats.get(caller, now_ms)
        await self.load(caller, now_ms)
        used, role_used = await self._spent(seat)
        limit, role_limit = seat.limit, seat.role_limit
        return Standing(
            seat.period,
            used,
            limit,
            None if limit is None else max(0, limit - used),
            rules.tenant_state(seat.ladder, used, limit, self._seats.settings.hard_stop),
            role_used,
            role_limit,
            rules.role_state(role_used, role_limit),
        )

    async def load(self, caller: Caller, now_ms: int) -> None:
        """Read what `preview` and `explain` need, if it was not read yet."""
        seat = self._seats.get(caller, now_ms)
        if any(book.limited and not book.loaded for book in (seat.tenant, seat.user)):
            await self.rounds.agree()

    def preview(self, caller: Caller, model: Model, now_ms: int) -> Restriction | None:
        """The monthly limit that restricts a model now, as far as is known (see `load`)."""
        found = self._seats.look(self._seats.get(caller, now_ms), model)
        return found if isinstance(found, Restriction) else None

    def explain(
        self,
        caller: Caller,
        model: Model,
        now_ms: int,
        *,
        estimate_tokens: int = 0,
        asked: str = "",
    ) -> Fault | None:
        """The refusal a request would meet now; None: none. Nothing is taken or held."""
        seat = self._seats.get(caller, now_ms)
        found = self._seats.look(seat, model)
        if isinstance(found, Restriction):
            return self._seats.refusal(seat, found, model, asked, now_ms)
        wall_ms = self._wall_ms()
        for meter in seat.meters:
            if excess := meter.excess(estimate_tokens, wall_ms):
                return burst_refusal(meter.scope, excess, wall_ms)
        return None

    @property
    def trouble(self) -> str:
        """What keeps limits from being exact at the moment; empty: nothing does."""
        return self.rounds.stopped or self.rounds.storage.trouble or self.rounds.others.trouble

    @property
    def open_tickets(self) -> int:
        """Requests under way."""
        return len(self._open)

    # ------------------------------------------------------------------ keeping house

    async def run(self, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> NoReturn:
        """Exchange with the others and read what was stored, for ever."""
        await self.rounds.run(self._round_every_s, sleep, self.tick)

    def tick(self, now_s: float) -> None:
        """Time went by (monotonic): let old tickets expire, now and then forget who is gone."""
        self._now_s = now_s
        if self._open:
            self._expire(now_s - EXPIRES_S)
        if now_s - self._swept_s >= SWEEP_EVERY_S:
            self._swept_s = now_s
            self._seats.sweep(self._wall_ms())

    def change(self, settings: Limits) -> None:
        """Other limits from the next request on. The zone stays until a restart."""
        self._seats.change(settings)

    async def close(self) -> None:
        """Tell the others that nothing is held here any more."""
        await self.rounds.close()

    # ------------------------------------------------------------------ deciding

    def _may_go_on(self, seat: Seat, model: Model, asked: str, now_ms: int) -> bool:
        """True: yes; False: ask first. Raises the refusal that is certain."""
        doubt = self._judge(seat, model, asked, now_ms)
        if doubt == CLEAR:
            return True
        rounds = self.rounds
        if not rounds.storage.lost and (doubt == UNSEEN or not rounds.others.lost):
            return False
        self._go_blind()
        return True

    def _judge(self, seat: Seat, model: Model, asked: str, now_ms: int) -> int:
        found = self._seats.look(seat, model)
        if isinstance(found, Restriction):
            raise self._seats.refusal(seat, found, model, asked, now_ms)
        return found

    def _go_blind(self) -> None:
        self.blind += 1
        if self._seats.settings.when_counters_lost == "closed":
            raise blind_refusal()

    def _pass_meters(self, meters: tuple[Meter, ...], tokens: int) -> None:
        # Not when it began: a body that took minutes to arrive would turn the meters back.
        now_ms = self._wall_ms()
        for number, meter in enumerate(meters):
            if excess := meter.take(tokens, now_ms):
                for passed in meters[:number]:
                    passed.untake(tokens)
                raise burst_refusal(meter.scope, excess, now_ms)

    def _expire(self, before_s: float) -> None:
        old = []
        for ticket, born_s in self._open.items():
            if born_s > before_s:
                break  # they stand in the order they came
            old.append(ticket)
        for ticket in old:
            ticket.expire()
        self.expired += len(old)

    async def _spent(self, seat: Seat) -> tuple[int, int]:
        """What tenant and user used, settled; books without a limit are not kept read."""
        tenant, user = seat.tenant, seat.user
        if tenant.loaded and user.loaded:
            return tenant.spent, user.spent
        of_tenants, of_users = await self._uses.used(seat.period.key, [tenant.id], [user.id])
        used = of_tenants.get(tenant.id, 0) + tenant.unstored
        role_used = of_users.get(user.id, 0) + user.unstored
        return (
            tenant.spent if tenant.loaded else used,
            user.spent if user.loaded else role_used,
        )

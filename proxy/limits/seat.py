"""All that decides about one caller in one month, worked out once and looked at per request.

Owns which limits bind a caller, and how near a model's limit is: reached, near, clear or unseen.
Decides nothing and waits for nobody. Credits are micro-credits.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from proxy.config.settings import Limits
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault
from proxy.domain.model import Model
from proxy.domain.terms import NO_BURST_LIMIT, Ladder
from proxy.limits import refusal, rules
from proxy.limits.book import TENANT, USER, Book, Books
from proxy.limits.burst import Meter, Meters
from proxy.limits.window import Months, Period

CLEAR: Final = 0
"""No limit is near."""
NEAR: Final = 1
"""Within the margin of a limit: what the others hold may matter."""
UNSEEN: Final = 2
"""What was used is not known yet."""

_NEVER: Final = 1 << 100


class Seat:
    """One caller in one month. None: no limit.

    Below `tenant_quiet` and `user_quiet` nothing can be restricted and nobody need be asked.
    """

    __slots__ = (
        "caller",
        "end_ms",
        "ladder",
        "limit",
        "meters",
        "period",
        "role_limit",
        "start_ms",
        "tenant",
        "tenant_quiet",
        "used",
        "user",
        "user_quiet",
    )

    caller: Caller
    period: Period
    start_ms: int
    end_ms: int
    tenant: Book
    user: Book
    limit: int | None
    role_limit: int | None
    ladder: Ladder
    tenant_quiet: int
    user_quiet: int
    meters: tuple[Meter, ...]
    used: bool


class Restriction(NamedTuple):
    """Why a model is restricted: `scope` is 'tenant' or 'role', `reason` as in X-Hatz-Reason,
    `threshold` the credits from which on it is."""

    scope: str
    reason: str
    threshold: int
    reached: refusal.Reached

    @property
    def resets_at_ms(self) -> int:
        """When it ends, unless terms change before."""
        return self.reached.period.end_ms


class Seats:
    """The seats of all callers seen lately. `alone`: there are no other workers, and no margin.

    `visible` names the models a caller may choose from instead of a restricted one.
    """

    def __init__(
        self,
        settings: Limits,
        months: Months,
        books: Books,
        meters: Meters,
        *,
        alone: bool,
        visible: Callable[[Caller], Sequence[Model]],
    ) -> None:
        self.settings = settings
        self.by_key: dict[str, Seat] = {}
        self._months = months
        self._books = books
        self._meters = meters
        self._alone = alone
        self._visible = visible

    def get(self, caller: Caller, at_ms: int) -> Seat:
        """The caller's seat in the month of a moment; worked out anew when either is another."""
        seat = self.by_key.get(caller.key_id)
        if seat is None or seat.caller is not caller or not seat.start_ms <= at_ms < seat.end_ms:
            self.by_key[caller.key_id] = seat = self._work_out(caller, at_ms)
        seat.used = True
        return seat

    def change(self, settings: Limits) -> None:
        """Other limits: every seat is worked out anew."""
        self.settings = settings
        self.by_key.clear()

    def sweep(self, now_ms: int) -> None:
        """Forget who was not here since the last sweep, and what hung on them."""
        for key_id in [key_id for key_id, seat in self.by_key.items() if not seat.used]:
            del self.by_key[key_id]
        books: set[Book] = set()
        meters: set[Meter] = set()
        for seat in self.by_key.values():
            seat.used = False
            books.update((seat.tenant, seat.user))
            meters.update(seat.meters)
        self._books.sweep(books)
        self._meters.sweep(meters, now_ms)

    def look(self, seat: Seat, model: Model) -> Restriction | int:
        """The monthly limit that is reached for this model, the role's before the tenant's; or how
        sure it is that none is. Requests that wait to be decided do not count."""
        doubt = CLEAR
        limit = seat.role_limit
        if limit is not None:
            user = seat.user
            if user.known >= limit:
                return Restriction("role", refusal.ROLE_LIMIT, limit, _reached(user, limit))
            if not user.loaded:
                doubt = UNSEEN
            elif user.known >= seat.user_quiet:
                doubt = NEAR
        limit = seat.limit
        bound = None if limit is None else self._bound(seat, limit, model)
        if limit is not None and bound is not None:
            tenant = seat.tenant
            if tenant.known >= bound:
                return Restriction("tenant", refusal.TENANT_LIMIT, bound, _reached(tenant, limit))
            if not tenant.loaded:
                doubt = UNSEEN
            elif doubt == CLEAR and tenant.known >= bound - self._margin(limit):
                doubt = NEAR
        return doubt

    def refusal(
        self, seat: Seat, found: Restriction, model: Model, asked: str, now_ms: int
    ) -> Fault:
        """A restriction as the caller is told of it."""
        reached = found.reached
        if found.scope == "role":
            return refusal.role_refusal(
                reached, now_ms, role=seat.caller.role, model_id=model.id, asked=asked
            )
        return refusal.tenant_refusal(
            reached,
            found.threshold,
            now_ms,
            model_id=model.id,
            asked=asked,
            working=self._working(seat, reached.limit),
            otherwise=rules.what_still_works(
                seat.ladder,
                max(reached.used, found.threshold),
                reached.limit,
                self.settings.hard_stop,
            ),
        )

    def _work_out(self, caller: Caller, at_ms: int) -> Seat:
        settings, terms = self.settings, caller.terms
        seat = Seat()
        seat.caller = caller
        seat.period = period = self._months.of(at_ms)
        seat.start_ms, seat.end_ms = period.start_ms, period.end_ms
        seat.limit = limit = rules.allowance(terms, period)
        seat.role_limit = role_limit = caller.role_credits
        seat.ladder = settings.ladder if terms.ladder is None else terms.ladder
        seat.tenant = self._books.get(period, TENANT, caller.tenant_id, limited=limit is not None)
        seat.user = self._books.get(period, USER, caller.user_id, limited=role_limit is not None)
        first = rules.first_restriction(seat.ladder, limit, settings.hard_stop)
        seat.tenant_quiet = _NEVER if first is None else first - self._margin(limit)
        seat.user_quiet = _NEVER if role_limit is None else role_limit - self._margin(role_limit)
        scopes = (
            ("key", caller.key_id, settings.key),
            ("user", caller.user_id, settings.user),
            ("tenant", caller.tenant_id, settings.tenant if terms.burst is None else terms.burst),
        )
        seat.meters = tuple(
            [
                self._meters.get(scope, id_, limits)
                for scope, id_, limits in scopes
                if limits != NO_BURST_LIMIT
            ]
        )
        return seat

    def _margin(self, limit: int | None) -> int:
        """Credits before a limit within which the others are asked."""
        return 0 if self._alone or limit is None else rules.share(self.settings.margin, limit)

    def _bound(self, seat: Seat, limit: int, model: Model) -> int | None:
        return rules.restricting_credits(
            seat.ladder,
            limit,
            model.multiplier(self.settings.reference_rates),
            base_level=model.base_level,
            hard_stop=self.settings.hard_stop,
        )

    def _working(self, seat: Seat, limit: int) -> list[str]:
        """Ids of models that are not restricted, the dearest first: they are the nearest to what
        was asked for."""
        rates = self.settings.reference_rates
        free = []
        for model in self._visible(seat.caller):
            bound = self._bound(seat, limit, model)
            if bound is None or seat.tenant.known < bound:
                free.append(model)
        free.sort(key=lambda model: model.multiplier(rates), reverse=True)
        return [model.id for model in free[: refusal.WORKING_MAX]]


def _reached(book: Book, limit: int) -> refusal.Reached:
    return refusal.Reached(book.spent, max(0, book.known - book.spent), limit, book.period)

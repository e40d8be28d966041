"""How fast: requests and tokens per minute, and calls at a time, of one key, user or tenant.

A sliding minute made of two fixed ones: what the minute before had, less the part of it that is
over by now, and what this one has. It forgets within two minutes, needs a handful of numbers
whatever the traffic, and can be added up over workers, because all cut the same minutes.

Several workers: each knows what the others had a moment ago (one exchange); beyond the limit can be
what they let in since. Knows no clock: moments are Unix milliseconds. A clock set back by more than
a minute begins anew.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Final, Literal, NamedTuple

from proxy.domain.terms import Burst

REQUESTS: Final = "requests"
TOKENS: Final = "tokens"
STREAMS: Final = "streams"
What = Literal["requests", "tokens", "streams"]

MINUTE_MS: Final = 60_000
STREAM_WAIT_MS: Final = 1_000
"""Nobody knows when a call ends; this is a fair time to ask again."""

_NOTHING: Final[Mapping[str, int]] = {}
_NEVER: Final = 1 << 62


class Excess(NamedTuple):
    """A limit that is reached: `wait_ms` until there is room again."""

    what: What
    limit: int
    remaining: int
    wait_ms: int


class Meter:
    """What one scope (key, user, tenant) had lately. `name` is its name between workers, such as
    'k:key_1'."""

    __slots__ = (
        "calls_most",
        "limits",
        "minute",
        "name",
        "others",
        "requests",
        "requests_before",
        "scope",
        "streams",
        "tokens",
        "tokens_before",
        "tokens_most",
    )

    def __init__(self, name: str, scope: str, limits: Burst) -> None:
        self.name = name
        self.scope = scope
        self.limit_to(limits)
        self.minute = 0
        self.requests = self.requests_before = 0
        self.tokens = self.tokens_before = 0
        self.streams = 0
        self.others = _NOTHING
        """What other workers have, by name."""

    def limit_to(self, limits: Burst) -> None:
        """The limits as they are from now on."""
        self.limits = limits
        calls = [each for each in (limits.streams, limits.requests_per_minute) if each is not None]
        self.calls_most = min(calls, default=_NEVER)
        tokens = limits.tokens_per_minute
        self.tokens_most = _NEVER if tokens is None else tokens

    def excess(self, tokens: int, now_ms: int) -> Excess | None:
        """The limit that one more call with so many tokens would break; None: it may come."""
        minute = now_ms // MINUTE_MS
        if minute != self.minute:
            self._turn(minute)
        # Most often far from every limit: two fixed minutes hold at least what the sliding one has.
        if (
            not self.others
            and self.streams + self.requests + self.requests_before < self.calls_most
            and self.tokens + self.tokens_before + tokens < self.tokens_most
        ):
            return None
        return self._excess(tokens, now_ms)

    def _excess(self, tokens: int, now_ms: int) -> Excess | None:
        limits = self.limits
        limit = limits.streams
        if limit is not None and self.streams + self.others.get(f"s|{self.name}", 0) >= limit:
            return Excess(STREAMS, limit, 0, STREAM_WAIT_MS)
        gone_ms = now_ms - self.minute * MINUTE_MS
        limit = limits.requests_per_minute
        if limit is not None:
            before, now = self._with_others("r", self.requests_before, self.requests)
            if excess := _excess(REQUESTS, limit, 1, before, now, gone_ms):
                return excess
        limit = limits.tokens_per_minute
        if limit is not None:
            before, now = self._with_others("t", self.tokens_before, self.tokens)
            # One call larger than the whole limit may come when nothing else did for a minute.
            if excess := _excess(TOKENS, limit, min(tokens, limit), before, now, gone_ms):
                return excess
        return None

    def take(self, tokens: int, now_ms: int) -> Excess | None:
        """One call with so many tokens begins; or the limit it would break, and it does not."""
        minute = now_ms // MINUTE_MS
        if minute != self.minute:
            self._turn(minute)
        streams, requests, taken = self.streams, self.requests, self.tokens
        # Most often far from every limit: two fixed minutes hold at least what the sliding one has.
        if (
            self.others
            or streams + requests + self.requests_before >= self.calls_most
            or taken + self.tokens_before + tokens >= self.tokens_most
        ) and (excess := self._excess(tokens, now_ms)):
            return excess
        self.streams = streams + 1
        self.requests = requests + 1
        self.tokens = taken + tokens
        return None

    def untake(self, tokens: int) -> None:
        """The call that `take` just let in does not begin after all."""
        self.requests -= 1
        self.tokens -= tokens
        self.streams -= 1

    def give_back(self, more_tokens: int, taken_in: int, now_ms: int) -> None:
        """A call ended; the rest as for `correct`."""
        self.streams -= 1
        if more_tokens:
            self.correct(more_tokens, taken_in, now_ms)

    def correct(self, more_tokens: int, taken_in: int, now_ms: int) -> None:
        """A call that began in the minute `taken_in` used so many tokens more than was said, or
        fewer: what it did not use is taken off the minute it was put to."""
        minute = now_ms // MINUTE_MS
        if minute != self.minute:
            self._turn(minute)
        if more_tokens > 0 or taken_in == self.minute:
            self.tokens = max(0, self.tokens + more_tokens)
        elif taken_in == self.minute - 1:
            self.tokens_before = max(0, self.tokens_before + more_tokens)

    def amounts(self) -> Iterator[tuple[str, int]]:
        """What other workers need to know of, by name; zeros are left out."""
        if self.limits.streams is not None and self.streams:
            yield f"s|{self.name}", self.streams
        counts = []
        if self.limits.requests_per_minute is not None:
            counts.append(("r", self.requests_before, self.requests))
        if self.limits.tokens_per_minute is not None:
            counts.append(("t", self.tokens_before, self.tokens))
        for kind, before, now in counts:
            if before:
                yield f"{kind}{self.minute - 1}|{self.name}", before
            if now:
                yield f"{kind}{self.minute}|{self.name}", now

    def idle(self, now_ms: int) -> bool:
        """Nothing of it matters any more."""
        return self.streams == 0 and not -1 <= now_ms // MINUTE_MS - self.minute <= 1

    def _with_others(self, kind: str, before: int, now: int) -> tuple[int, int]:
        others = self.others
        if others:
            before += others.get(f"{kind}{self.minute - 1}|{self.name}", 0)
            now += others.get(f"{kind}{self.minute}|{self.name}", 0)
        return before, now

    def _turn(self, minute: int) -> None:
        ahead = minute - self.minute
        if ahead == -1:
            return  # the clock was set back a little, or a worker is a little behind
        next_door = ahead == 1
        self.requests_before = self.requests if next_door else 0
        self.tokens_before = self.tokens if next_door else 0
        self.requests = self.tokens = 0
        self.minute = minute


class Meters:
    """All meters of a worker; only scopes with a limit have one."""

    def __init__(self) -> None:
        self._meters: dict[str, Meter] = {}
        self._heard: list[Meter] = []

    def __len__(self) -> int:
        return len(self._meters)

    def get(self, scope: str, id_: str, limits: Burst) -> Meter:
        """The meter of one key, user or tenant, with the limits it has now."""
        name = f"{scope[0]}:{id_}"
        meter = self._meters.get(name)
        if meter is None:
            self._meters[name] = meter = Meter(name, scope, limits)
        elif meter.limits != limits:
            meter.limit_to(limits)
        return meter

    def told(self) -> dict[str, int]:
        """What to tell the other workers, by name."""
        return dict(chain.from_iterable([meter.amounts() for meter in self._meters.values()]))

    def heard(self, others: Mapping[str, int]) -> None:
        """What all other workers have, by name; what is not named is nothing."""
        by_meter: dict[str, dict[str, int]] = {}
        for name, amount in others.items():
            by_meter.setdefault(name.partition("|")[2], {})[name] = amount
        for meter in self._heard:
            meter.others = _NOTHING
        self._heard = []
        for name, amounts in by_meter.items():
            meter_of = self._meters.get(name)
            if meter_of is not None:
                meter_of.others = amounts
                self._heard.append(meter_of)

    def sweep(self, in_use: set[Meter], now_ms: int) -> None:
        """Forget what nobody uses."""
        idle = [m for m in self._meters.values() if m not in in_use and m.idle(now_ms)]
        for meter in idle:
            del self._meters[meter.name]


def _excess(
    what: What, limit: int, need: int, before: int, now: int, gone_ms: int
) -> Excess | None:
    if limit <= 0:
        return Excess(what, limit, 0, MINUTE_MS)
    # Behind the minute's start (see `_turn`) the minute before counts in full.
    left_ms = MINUTE_MS - min(max(gone_ms, 0), MINUTE_MS)
    room = (limit - now) * MINUTE_MS - before * left_ms
    if room >= need * MINUTE_MS:
        return None
    free = limit - need
    if now <= free:
        # Some of the minute before must be over: before * left <= (free - now) * minute.
        wait_ms = left_ms - (free - now) * MINUTE_MS // before
    else:
        # In the next minute this one is the one before.
        wait_ms = left_ms + MINUTE_MS - free * MINUTE_MS // now
    return Excess(what, limit, max(0, room // MINUTE_MS), max(1, wait_ms))

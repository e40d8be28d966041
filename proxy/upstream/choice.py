"""Which deployment of a model is asked, and which next: of those that are well the one with the
fewest calls under way. What is thought of each is learned in passing, from the calls themselves.

Pure: times are arguments, in monotonic seconds. Whoever carries a call tells a `Standing` when it
begins, is answered, fails and ends. A deployment that failed several times in a row is out for a
while, and so is one that said when to come back. When that time is over, one call at a time tries
it: an answer brings it back, a failure doubles the time. Being out means to be asked last, never
not to be asked: the only deployment of a model is always tried, and so are all when all are out.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from proxy.domain.deployment import State
from proxy.domain.fault import Fault, Kind, Source

_DOUBLINGS_MAX = 16
REST_S = 1.0
"""How long a deployment rests that refused for its rate and did not say until when."""


class Ejection(msgspec.Struct, frozen=True):
    """After how many failures in a row a deployment is out, and for how many seconds."""

    failures_max: int = 5
    first_s: float = 5.0
    most_s: float = 300.0


class LastTrouble(NamedTuple):
    """What a call came to, and when. Not the `Fault`: it holds on to where it was raised."""

    status: int
    error_type: str
    reason: str
    at_s: float


class Standing:
    """What is known of one deployment. `outstanding` calls are under way, `failures` were the last
    ones in a row. `asked`, `failed_ever`, `rate_limited` and `ejections` happened ever."""

    __slots__ = (
        "_ejection",
        "_out_until_s",
        "_rest_until_s",
        "_rounds",
        "_trial_until_s",
        "asked",
        "ejections",
        "failed_ever",
        "failures",
        "last_trouble",
        "outstanding",
        "rate_limited",
    )

    def __init__(self, ejection: Ejection | None = None) -> None:
        self._ejection = Ejection() if ejection is None else ejection
        self.outstanding = 0
        self.failures = 0
        self.ejections = 0
        self.asked = 0
        self.failed_ever = 0
        self.rate_limited = 0
        self.last_trouble: LastTrouble | None = None
        self._rounds = 0
        self._out_until_s = 0.0
        self._trial_until_s = 0.0
        self._rest_until_s = 0.0

    def is_out(self, now_s: float) -> bool:
        """Should others be asked before this one?"""
        return now_s < self.back_s

    def is_away(self, now_s: float) -> bool:
        """Should even who has a prompt cached here go elsewhere? Not for a refusal that may be over
        at the next call."""
        return now_s < self._out_until_s or now_s < self._trial_until_s

    def state(self, now_s: float) -> State:
        """All of that in a word."""
        if now_s < self._out_until_s:
            return "out"
        if now_s < self._trial_until_s:
            return "on_trial"
        return "resting" if now_s < self._rest_until_s else "well"

    @property
    def back_s(self) -> float:
        """When it may be tried again."""
        return max(self._out_until_s, self._trial_until_s, self._rest_until_s)

    def begun(self, now_s: float) -> None:
        """A call was given to it."""
        self.outstanding += 1
        self.asked += 1
        if self.failures >= self._ejection.failures_max and not self.is_away(now_s):
            self._trial_until_s = now_s + self._ejection.first_s

    def answered(self) -> None:
        """It began to answer a call as it should."""
        self.failures = 0
        self._rounds = 0
        self._out_until_s = self._trial_until_s = self._rest_until_s = 0.0

    def failed(self, fault: Fault, now_s: float) -> None:
        """A call given to it came to this. What is not the provider's trouble says nothing."""
        if fault.source is not Source.UPSTREAM:
            return
        if fault.status >= 500 or fault.kind is Kind.RATE_LIMITED:
            self.last_trouble = LastTrouble(fault.status, fault.error_type, fault.reason, now_s)
        if fault.kind is Kind.RATE_LIMITED:
            self.rate_limited += 1
            if fault.retry_after_s is None:
                self._rest_until_s = now_s + REST_S
                return
            until_s = now_s + min(fault.retry_after_s, self._ejection.most_s)
            self._out_until_s = max(self._out_until_s, until_s)
        elif fault.status < 500:
            self.answered()
        else:
            self.failed_ever += 1
            if now_s < self._out_until_s:
                return  # old news: of calls begun before it was out
            self.failures += 1
            if self.failures >= self._ejection.failures_max:
                self._eject(now_s)

    def _eject(self, now_s: float) -> None:
        ejection = self._ejection
        out_s = ejection.first_s * 2 ** min(self._rounds, _DOUBLINGS_MAX)
        self._rounds += 1
        self.ejections += 1
        self._out_until_s = now_s + min(out_s, ejection.most_s)
        self._trial_until_s = 0.0

    def ended(self) -> None:
        """A call given to it is over, however it ended."""
        self.outstanding -= 1


class Deployed(Protocol):
    """Something that stands for a deployment."""

    @property
    def standing(self) -> Standing:
        """What is known of it."""
        ...


_D = TypeVar("_D", bound=Deployed)


def in_order(deployments: Sequence[_D], now_s: float, *, prefer: _D | None = None) -> list[_D]:
    """In the order in which one call should try them: those that are in, the least busy first; then
    those that are out, the next to be back first. Equals keep the order of the configuration. What
    is to `prefer`, because it has the prompt cached, comes first unless it is away."""

    def rank(each: _D) -> tuple[bool, float]:
        standing = each.standing
        if each is prefer and not standing.is_away(now_s):
            return False, -1.0
        if standing.is_out(now_s):
            return True, standing.back_s
        return False, standing.outstanding

    return sorted(deployments, key=rank)

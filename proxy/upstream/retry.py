"""May a failed attempt be tried again, and where: only before the first byte, only the same model.

Pure. The order of deployments is the configuration's.
"""

from enum import Enum

from proxy.domain.fault import Fault, Kind
from proxy.upstream.connection import Broken

UPSTREAM_UNAVAILABLE = "upstream_unavailable"
"""Reason of a Fault: this deployment does not serve the model, be it for now or for good."""


class Next(Enum):
    """What to do after a failed attempt."""

    SAME = "same"
    """The same deployment again, at once: only the pooled connection was dead."""
    OTHER = "other"
    """The next deployment of the same model, if there is one."""
    GIVE_UP = "give up"
    """Tell the client."""


def after_break(why: Broken, *, already_repeated: bool) -> Next:
    """No answer came. A stale connection earns one silent repeat."""
    if why is Broken.STALE and not already_repeated:
        return Next.SAME
    return Next.OTHER


def after_fault(fault: Fault) -> Next:
    """The provider answered with a refusal: 429 and everything that is its own trouble moves on,
    whatever its status."""
    if (
        fault.kind is Kind.RATE_LIMITED
        or fault.status >= 500
        or fault.reason == UPSTREAM_UNAVAILABLE
    ):
        return Next.OTHER
    return Next.GIVE_UP


RETRIES_SAVED_MAX = 50.0


class RetryBudget:
    """How many calls to one model may go on to another deployment: a share of those that come, and
    a few a second. Where everything fails, all that is tried again is load on top of load.

    `share` of each call is saved up; times are monotonic seconds.
    """

    __slots__ = ("_floor_per_s", "_saved", "_share", "_since_s", "withheld")

    def __init__(self, share: float = 0.2, floor_per_s: float = 10.0) -> None:
        self._share = share
        self._floor_per_s = floor_per_s
        self._saved = floor_per_s
        self._since_s = 0.0
        self.withheld = 0

    def asked(self) -> None:
        """A call came."""
        self._saved = min(self._saved + self._share, RETRIES_SAVED_MAX)

    def spend(self, now_s: float) -> bool:
        """May a call go on to another deployment? If so, that is counted."""
        earned = max(0.0, now_s - self._since_s) * self._floor_per_s
        self._since_s = now_s
        self._saved = min(self._saved + earned, RETRIES_SAVED_MAX)
        if self._saved < 1.0:
            self.withheld += 1
            return False
        self._saved -= 1.0
        return True

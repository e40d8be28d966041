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

"""How a deployment did lately: what its `Standing` counts now, less what it counted minutes ago.

Pure: times are arguments, in monotonic seconds. Calls pay nothing for it; somebody with a timer
says `note` now and then.
"""

from collections import deque
from typing import Final, NamedTuple

from proxy.domain.deployment import DeploymentHealth, Trouble
from proxy.upstream.choice import Standing

RECENT_S: Final = 300.0
STEP_S: Final = 15.0


class _Counts(NamedTuple):
    at_s: float
    ended: int
    failed: int
    rate_limited: int


class Health:
    """Of one deployment, from `now_s` on."""

    def __init__(self, standing: Standing, now_s: float) -> None:
        self._standing = standing
        self._noted = deque([self._counts(now_s)])

    def note(self, now_s: float) -> None:
        """Remember how things stand; asking more often than each `STEP_S` is nothing."""
        noted = self._noted
        if now_s - noted[-1].at_s < STEP_S:
            return
        noted.append(self._counts(now_s))
        while len(noted) > 1 and now_s - noted[1].at_s >= RECENT_S:
            noted.popleft()

    def seen(self, provider: str, model: str, now_s: float) -> DeploymentHealth:
        """As it is told; `model` is its name at the provider."""
        standing, now, then = self._standing, self._counts(now_s), self._noted[0]
        last = standing.last_trouble
        return DeploymentHealth(
            provider=provider,
            model=model,
            state=standing.state(now_s),
            back_in_s=round(max(0.0, standing.back_s - now_s), 3),
            in_flight=standing.outstanding,
            recent_s=round(now_s - then.at_s, 3),
            ended=now.ended - then.ended,
            failed=now.failed - then.failed,
            rate_limited=now.rate_limited - then.rate_limited,
            failures_in_a_row=standing.failures,
            ejections=standing.ejections,
            last_trouble=None
            if last is None
            else Trouble(
                last.status, last.error_type, last.reason, round(max(0.0, now_s - last.at_s), 3)
            ),
        )

    def _counts(self, now_s: float) -> _Counts:
        standing = self._standing
        # A call that failed may still be counted as under way for a moment.
        ended = standing.asked - standing.outstanding
        return _Counts(now_s, ended, standing.failed_ever, standing.rate_limited)

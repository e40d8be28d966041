"""What a page shows above everything else: an allowance or a cap that is nearly used, or is used
(domain.md 8.1, 17). Said to whoever asks, as far as it concerns them; nothing to say: no banner.
"""

from typing import Literal

import msgspec

from proxy.domain.terms import Ladder
from proxy.limits.rules import APPROACHING, NORMAL, what_still_works


class Banner(msgspec.Struct, frozen=True, kw_only=True):
    """`scope` is what is used: the allowance the tenant shares, or the caller's own cap. `level`:
    `warning` while nothing is restricted, `limited` while something still works, `blocked` where
    nothing does. `ratio` is the used share; `message` is ready to be shown."""

    scope: Literal["tenant", "role"]
    level: Literal["warning", "limited", "blocked"]
    state: str
    ratio: float | None
    resets_at: str
    message: str


class Reset(msgspec.Struct, frozen=True):
    """When a month ends: as a moment, and in words people read (`2026-12-01 00:00 (UTC)`)."""

    at: str
    words: str


def tenant_banner(
    state: str, used: int, limit: int | None, rules: tuple[Ladder, bool], reset: Reset
) -> list[Banner]:
    """Of the allowance. Micro-credits; `rules` are the ladder that binds and the hard stop."""
    if limit is None or state == NORMAL:
        return []
    if state == APPROACHING:
        message = (
            f"Your workspace has used {_percent(used, limit)} % of its credits for this month. It"
            f" begins anew on {reset.words}."
        )
        return [_banner("tenant", "warning", state, (used, limit), reset, message)]
    ladder, hard_stop = rules
    works = what_still_works(ladder, used, limit, hard_stop)
    share = "has no credits"
    if limit:
        # A ladder may begin before everything is used.
        share = f"has used {_percent(used, limit)} % of its credits"
    message = (
        f"Your workspace {share} for this month. What still works: {works or 'nothing'}. It"
        f" begins anew on {reset.words}; an administrator can have the package upgraded or a"
        " credit pack added before."
    )
    level: Literal["limited", "blocked"] = "limited" if works else "blocked"
    return [_banner("tenant", level, state, (used, limit), reset, message)]


def role_banner(state: str, used: int, limit: int | None, reset: Reset) -> list[Banner]:
    """Of the caller's own cap."""
    if limit is None or state == NORMAL:
        return []
    if state == APPROACHING:
        message = (
            f"You have used {_percent(used, limit)} % of your own monthly limit. It begins anew on"
            f" {reset.words}."
        )
        return [_banner("role", "warning", state, (used, limit), reset, message)]
    message = (
        f"Your own monthly limit is used: requests are refused until {reset.words}. Ask your"
        " administrator if you need more."
    )
    return [_banner("role", "blocked", state, (used, limit), reset, message)]


def _banner(
    scope: Literal["tenant", "role"],
    level: Literal["warning", "limited", "blocked"],
    state: str,
    used_of: tuple[int, int],
    reset: Reset,
    message: str,
) -> Banner:
    used, limit = used_of
    return Banner(
        scope=scope,
        level=level,
        state=state,
        ratio=round(used / limit, 6) if limit else 1.0,
        resets_at=reset.at,
        message=message,
    )


def _percent(used: int, limit: int) -> int:
    return 100 * used // limit

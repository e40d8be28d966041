"""What binds: allowances, ladders and caps as plain arithmetic (domain.md 8.2).

Owns the order of states and which models are restricted in each. Knows no counters and no clock.
Credits are micro-credits throughout.
"""

from typing import Final

from proxy.domain.terms import APPROACHING_RATIO, Ladder, TenantTerms
from proxy.limits.window import Period

NORMAL: Final = "normal"
APPROACHING: Final = "approaching"
LIMITED: Final = "limited"
BASE_ONLY: Final = "base-only"
HARD_STOP: Final = "hard-stop"

USED_UP_RATIO: Final = 1.0
_RATIO_UNIT: Final = 1_000_000


def allowance(terms: TenantTerms, period: Period) -> int | None:
    """A tenant's credits for a month: the package's and those of all packs that are valid in it,
    even for a part of it. None: no limit; 0: nothing is allowed."""
    if terms.credits is None:
        return None
    packs = [
        pack.credits
        for pack in terms.packs
        if pack.from_ms < period.end_ms
        and (pack.until_ms is None or pack.until_ms > period.start_ms)
    ]
    return terms.credits + sum(packs)


def share(ratio: float, limit: int) -> int:
    """The credits from which on `ratio` of a limit is reached; exact to six decimals of a ratio."""
    return -(-round(ratio * _RATIO_UNIT) * limit // _RATIO_UNIT)


def restricting_ratio(
    ladder: Ladder, multiplier: float, base_level: bool, hard_stop: bool
) -> float | None:
    """The ratio from which on a model is restricted; None: at no ratio.

    A model of the base level is restricted by the hard stop only: it stays when all others went.
    """
    ratios = [USED_UP_RATIO] if hard_stop else []
    if not base_level:
        ratios += [
            step.ratio
            for step in ladder
            if step.multiplier is None or multiplier >= step.multiplier
        ]
    return min(ratios, default=None)


def restricts(
    ladder: Ladder, ratio: float, multiplier: float, base_level: bool, hard_stop: bool
) -> bool:
    """Is a model restricted for a tenant that used this ratio of its allowance?"""
    from_ratio = restricting_ratio(ladder, multiplier, base_level, hard_stop)
    return from_ratio is not None and ratio >= from_ratio


def restricting_credits(
    ladder: Ladder, limit: int, multiplier: float, *, base_level: bool, hard_stop: bool
) -> int | None:
    """As `restricting_ratio`, in credits. A limit of 0 allows nothing, the base level included."""
    if limit <= 0:
        return 0
    ratio = restricting_ratio(ladder, multiplier, base_level, hard_stop)
    return None if ratio is None else share(ratio, limit)


def first_restriction(ladder: Ladder, limit: int | None, hard_stop: bool) -> int | None:
    """The credits below which no model whatever is restricted; None: none ever is."""
    if limit is None:
        return None
    if limit <= 0:
        return 0
    ratios = [step.ratio for step in ladder]
    if hard_stop:
        ratios.append(USED_UP_RATIO)
    return share(min(ratios), limit) if ratios else None


def tenant_state(ladder: Ladder, used: int, limit: int | None, hard_stop: bool) -> str:
    """`normal`, `approaching`, `limited-1` … by the steps reached, `base-only` or `hard-stop`."""
    if limit is None:
        return NORMAL
    if limit <= 0 or (hard_stop and used >= limit):
        return HARD_STOP
    reached = [step for step in ladder if used >= share(step.ratio, limit)]
    if any(step.multiplier is None for step in reached):
        return BASE_ONLY
    if reached:
        return f"{LIMITED}-{len(reached)}"
    return APPROACHING if used >= share(APPROACHING_RATIO, limit) else NORMAL


def role_state(used: int, limit: int | None) -> str:
    """`normal`, `approaching` or, with the cap reached, `hard-stop`: it blocks everything."""
    if limit is None:
        return NORMAL
    if used >= limit:
        return HARD_STOP
    return APPROACHING if used >= share(APPROACHING_RATIO, limit) else NORMAL


EVERYTHING: Final = "all models"


def what_still_works(ladder: Ladder, used: int, limit: int, hard_stop: bool) -> str:
    """The models a tenant may still use, in words; empty: none."""
    if limit <= 0 or (hard_stop and used >= limit):
        return ""
    reached = [step.multiplier for step in ladder if used >= share(step.ratio, limit)]
    multipliers = [multiplier for multiplier in reached if multiplier is not None]
    if len(multipliers) < len(reached):
        return "models of the base level"
    if not multipliers:
        return EVERYTHING
    return f"models with a multiplier below {min(multipliers):g}, and those of the base level"

"""What was agreed with a tenant, a role and a key: credits per month, what happens beyond them,
and how fast they may be used (domain.md 8). Credits are micro-credits, times Unix milliseconds.
"""

import msgspec


class Pack(msgspec.Struct, frozen=True):
    """Further credits for every calendar month it is valid in, even for a part of it.

    Valid from `from_ms` up to before `until_ms`; without an end it is a standing increase.
    """

    credits: int
    from_ms: int
    until_ms: int | None = None


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rung of a ladder: from this share of the allowance on, models of at least this multiplier
    are restricted; without a multiplier everything that is not of the base level."""

    ratio: float
    multiplier: float | None = None


Ladder = tuple[Step, ...]

DEFAULT_LADDER: Ladder = (Step(1.0, 1.0), Step(1.1, 0.5), Step(1.25, 0.2), Step(1.5, None))
APPROACHING_RATIO = 0.8
"""From here on people are warned; nothing is restricted."""


class Burst(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How fast something may be used. None: as fast as it likes."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    streams: int | None = None
    """Calls at a time, streamed or not."""


NO_BURST_LIMIT = Burst()


class TenantTerms(msgspec.Struct, frozen=True):
    """`credits` is the package's monthly allowance; None: no limit, 0: nothing is allowed.
    What is None beside it is as the installation has it."""

    credits: int | None = None
    packs: tuple[Pack, ...] = ()
    ladder: Ladder | None = None
    burst: Burst | None = None

"""Requests that are under way, as whoever looks on sees them: never content."""

import msgspec


class InFlight(msgspec.Struct, frozen=True):
    """`stage` is where it stands, in the words of the walk; `provider` is empty before one was
    asked. `age_s` is since it came in; `worker` is the process that carries it."""

    request_id: str
    errand: str
    tenant_id: str
    tenant: str
    user_id: str
    email: str
    key_id: str
    asked: str
    model: str
    via: str
    streamed: bool
    client: str
    stage: str
    provider: str
    attempts: int
    age_s: float
    worker: str = ""


class UnderWay(msgspec.Struct, frozen=True):
    """What one worker carries: the oldest requests, and how many there are."""

    rows: list[InFlight]
    count: int


ROWS_MAX = 500
"""So many are shown; more help nobody, and each costs whoever carries it a few microseconds."""

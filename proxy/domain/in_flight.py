"""A request that is under way, as whoever looks on sees it: never content."""

import msgspec


class InFlight(msgspec.Struct, frozen=True):
    """`stage` is where it stands, in the words of the walk; `provider` is empty before one was
    asked. `age_s` is since it came in."""

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

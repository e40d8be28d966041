"""How a deployment of a model does, as one worker sees it."""

from typing import Literal

import msgspec

State = Literal["well", "resting", "on_trial", "out"]
"""`resting`: it refused a call for its rate and is asked last for a moment. `out`: it failed again
and again, or said when to come back. `on_trial`: its time is over and one call tries it."""


class Trouble(msgspec.Struct, frozen=True):
    """The last failure: HTTP status and type as a client would be told, the reason where there is a
    name for it, and how many seconds ago it was."""

    status: int
    type: str
    reason: str
    ago_s: float


class DeploymentHealth(msgspec.Struct, frozen=True):
    """`model` is its name at the provider. Calls that ended, failed and were refused for their rate
    are those of the last `recent_s` seconds; `failures_in_a_row` and `ejections` since the start.
    `back_in_s`: so long it is asked last."""

    provider: str
    model: str
    state: State
    back_in_s: float
    in_flight: int
    recent_s: float
    ended: int
    failed: int
    rate_limited: int
    failures_in_a_row: int
    ejections: int
    last_trouble: Trouble | None


class ConnectionHealth(msgspec.Struct, frozen=True):
    """Connections to one origin, of one worker: `opened` and `failed` since the start."""

    origin: str
    busy: int
    idle: int
    connecting: int
    waiting: int
    opened: int
    failed: int


class WorkerHealth(msgspec.Struct, frozen=True):
    """Everything one worker knows of where models run."""

    deployments: list[DeploymentHealth]
    connections: list[ConnectionHealth]

"""`/v1/admin/providers/health`: how each deployment does at this moment, over all workers.

Each worker learns of deployments by its own calls, so they may differ: shown is the worst of what
they think, and how many think it.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, NoBody, NoQuery
from proxy.admin.worker_answers import AskWorkers, OfWorkers, told
from proxy.config.settings import Settings
from proxy.domain.deployment import ConnectionHealth, DeploymentHealth, WorkerHealth
from proxy.domain.permissions import MSP_MODELS, MSP_SETTINGS, MSP_VIEW
from proxy.ledger.support_record import moment
from proxy.observe.roll_call import Question

HEALTH: Final = "health"
"""What workers are asked for: a `WorkerHealth`."""
_WORST_FIRST: Final = ("out", "on_trial", "resting", "well")


class LastTrouble(msgspec.Struct, frozen=True):
    """`status` and `type` as a client would be told; `reason` is null where there is no name for
    it."""

    status: int
    type: str
    reason: str | None
    at: str


class DeploymentRow(msgspec.Struct, frozen=True):
    """`upstream_model` is its name at the provider, `models` are those of ours it serves. `state`:
    `well`; `resting` and `on_trial` are asked last for a moment; `out` failed again and again;
    `not_called` cannot be, for its provider's settings are wrong. `back_at` is when all workers ask
    it again as any other. Of the last `recent_s` seconds: calls that ended, that failed at the
    provider, that it refused for their rate, and the share that went well (null: there were none).
    """

    provider: str
    upstream_model: str
    models: list[str]
    state: str
    workers_in_state: int
    back_at: str | None
    in_flight: int
    recent_s: float
    recent_calls: int
    recent_failures: int
    recent_rate_limited: int
    success_rate: float | None
    failures_in_a_row: int
    ejections: int
    last_trouble: LastTrouble | None


class ProviderHealth(OfWorkers, frozen=True, kw_only=True):
    """Deployments in the order of the configuration; connections of all workers by origin."""

    deployments: list[DeploymentRow]
    connections: list[ConnectionHealth]


class ProviderHealthPage:
    """The handler. `settings` gives those of now."""

    def __init__(self, ask: AskWorkers, settings: Callable[[], Settings]) -> None:
        self._ask = ask
        self._settings = settings

    def endpoints(self) -> list[AnyEndpoint]:
        """The row of the table."""
        return [
            Endpoint(
                method="GET",
                path="/v1/admin/providers/health",
                summary="How deployments do at this moment, over all workers",
                handler=self._read,
                reply=ProviderHealth,
                query=NoQuery,
                body=NoBody,
                needs=(MSP_VIEW, MSP_MODELS, MSP_SETTINGS),
            )
        ]

    async def _read(self, asked: Asked[NoQuery, None]) -> ProviderHealth:
        of, said = await told(self._ask, Question(HEALTH), WorkerHealth)
        seen: defaultdict[tuple[str, str], list[DeploymentHealth]] = defaultdict(list)
        for each in said:
            for deployment in each.deployments:
                seen[deployment.provider, deployment.model].append(deployment)
        return ProviderHealth(
            **of,
            deployments=[
                _row(provider, model, ours, seen[provider, model], asked.now_ms)
                for (provider, model), ours in _deployments(self._settings()).items()
            ],
            connections=_together([each.connections for each in said]),
        )


def _deployments(settings: Settings) -> dict[tuple[str, str], list[str]]:
    """Provider and name there to our models."""
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for model in settings.models:
        for each in model.deployments:
            found[each.provider, each.model].append(model.id)
    return found


def _row(
    provider: str, model: str, ours: list[str], seen: Sequence[DeploymentHealth], now_ms: int
) -> DeploymentRow:
    states = [each.state for each in seen]
    state = next((each for each in _WORST_FIRST if each in states), "not_called")
    ended = sum([each.ended for each in seen])
    failed = sum([each.failed for each in seen])
    limited = sum([each.rate_limited for each in seen])
    back_in_s = max([each.back_in_s for each in seen], default=0.0)
    return DeploymentRow(
        provider=provider,
        upstream_model=model,
        models=ours,
        state=state,
        workers_in_state=len([each for each in states if each == state]),
        back_at=moment(now_ms + round(back_in_s * 1000)) if back_in_s else None,
        in_flight=sum([each.in_flight for each in seen]),
        recent_s=max([each.recent_s for each in seen], default=0.0),
        recent_calls=ended,
        recent_failures=failed,
        recent_rate_limited=limited,
        # What failed a moment ago may still be counted as under way.
        success_rate=round(max(0, ended - failed - limited) / ended, 4) if ended else None,
        failures_in_a_row=max([each.failures_in_a_row for each in seen], default=0),
        ejections=sum([each.ejections for each in seen]),
        last_trouble=_last(seen, now_ms),
    )


def _last(seen: Sequence[DeploymentHealth], now_ms: int) -> LastTrouble | None:
    troubles = [each.last_trouble for each in seen if each.last_trouble is not None]
    if not troubles:
        return None
    last = min(troubles, key=lambda trouble: trouble.ago_s)
    at = moment(now_ms - round(last.ago_s * 1000))
    return LastTrouble(last.status, last.type, last.reason or None, at)


def _together(of_workers: Sequence[Sequence[ConnectionHealth]]) -> list[ConnectionHealth]:
    sums: dict[str, list[int]] = {}
    for each in of_workers:
        for origin, *counts in map(msgspec.structs.astuple, each):
            there = sums.setdefault(origin, [0] * len(counts))
            sums[origin] = [one + other for one, other in zip(there, counts, strict=True)]
    return [ConnectionHealth(origin, *sums[origin]) for origin in sorted(sums)]

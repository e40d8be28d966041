"""The worst of what workers think of a deployment is shown, and their counts together."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from proxy.admin.provider_health import ProviderHealthPage
from proxy.config.settings import Provider, Settings
from proxy.domain.deployment import ConnectionHealth, DeploymentHealth, Trouble, WorkerHealth
from proxy.domain.model import Deployment
from proxy.observe.roll_call import Answer, Heard, Question
from tests.admin.office_floor import Visit
from tests.admin.usage_floor import NOW_MS, ledger
from tests.catalog.shop import make_model

PATH = "/v1/admin/providers/health"
SETTINGS = Settings(
    providers=(Provider(name="here", wire="anthropic", base_url="https://models.example"),),
    models=tuple(
        [
            msgspec.structs.replace(make_model(name), deployments=(Deployment("here", there),))
            for name, there in (("a", "one"), ("b", "one"), ("c", "never"))
        ]
    ),
)
WELL = DeploymentHealth("here", "one", "well", 0.0, 2, 60.0, 10, 1, 1, 0, 0, None)
ORIGIN = "https://models.example"


async def shown(
    place: Path, visit: Visit, said: Sequence[object], *, silent: int = 0
) -> dict[str, object]:
    asked: list[Question] = []

    async def ask(question: Question) -> Heard:
        asked.append(question)
        answers = [Answer(f"w{n}", msgspec.json.encode(each)) for n, each in enumerate(said)]
        return Heard(answers, silent)

    async with ledger(place) as books:
        await books.open(ProviderHealthPage(ask, lambda: SETTINGS).endpoints(), visit)
        found: dict[str, object] = await books.get(PATH)
    assert asked == [Question("health")]
    return found


async def test_counts_are_of_all_workers(tmp_path: Path, aiohttp_client: Visit) -> None:
    said = [
        WorkerHealth([WELL], [ConnectionHealth(ORIGIN, 1, 2, 3, 4, 5, 6)]),
        WorkerHealth([WELL], [ConnectionHealth(ORIGIN, 10, 20, 30, 40, 50, 60)]),
    ]
    found = await shown(tmp_path, aiohttp_client, said, silent=1)
    assert (found["workers"], found["silent_workers"]) == (["w0", "w1"], 1)
    one, never = found["deployments"]  # type: ignore[misc]
    assert one == {
        "provider": "here",
        "upstream_model": "one",
        "models": ["a", "b"],
        "state": "well",
        "workers_in_state": 2,
        "back_at": None,
        "in_flight": 4,
        "recent_s": 60.0,
        "recent_calls": 20,
        "recent_failures": 2,
        "recent_rate_limited": 2,
        "success_rate": 0.8,
        "failures_in_a_row": 0,
        "ejections": 0,
        "last_trouble": None,
    }
    assert (never["state"], never["success_rate"], never["workers_in_state"]) == (
        *("not_called", None),
        0,
    )
    summed = ConnectionHealth(ORIGIN, 11, 22, 33, 44, 55, 66)
    assert found["connections"] == [msgspec.structs.asdict(summed)]


async def test_the_worst_state_is_shown_with_the_latest_trouble(
    tmp_path: Path, aiohttp_client: Visit
) -> None:
    sick = msgspec.structs.replace(
        WELL,
        state="out",
        back_in_s=30.0,
        failures_in_a_row=5,
        ejections=1,
        last_trouble=Trouble(502, "api_error", "", 2.0),
    )
    tired = msgspec.structs.replace(
        WELL, state="resting", back_in_s=0.5, last_trouble=Trouble(429, "rate_limit_error", "", 9.0)
    )
    found = await shown(
        tmp_path, aiohttp_client, [WorkerHealth([each], []) for each in (WELL, sick, tired)]
    )
    one, _ = found["deployments"]  # type: ignore[misc]
    assert (one["state"], one["workers_in_state"], one["ejections"]) == ("out", 1, 1)
    assert NOW_MS == 1795334950000
    assert one["back_at"] == "2026-11-22T08:09:40.000Z"
    assert one["last_trouble"] == {
        "status": 502,
        "type": "api_error",
        "reason": None,
        "at": "2026-11-22T08:09:08.000Z",
    }


async def test_a_worker_of_another_release_counts_as_silent(
    tmp_path: Path, aiohttp_client: Visit
) -> None:
    found = await shown(tmp_path, aiohttp_client, [WorkerHealth([WELL], []), {"deployments": 3}])
    assert (found["workers"], found["silent_workers"]) == (["w0"], 1)

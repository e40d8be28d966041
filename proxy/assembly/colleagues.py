"""The other workers of the gateway, asked and answered: over Redis where the counters lie there, so
that those of other machines are heard, else between the processes of this machine."""

import socket
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import msgspec

from proxy.assembly.limits import counters_url
from proxy.config.settings import Settings
from proxy.observe.roll_call import RollCall
from proxy.observe.roll_call_local import LocalRoad
from proxy.observe.workers import worker_names


class Colleagues:
    """One worker's view of them; `subjects` are what it can be asked about: given a tenant or None
    for all, something msgspec can encode."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        worker: str,
        subjects: Mapping[str, Callable[[str | None], Any]],
    ) -> None:
        url = counters_url(settings, environ)
        over_redis = url.startswith("redis")
        self.worker = f"{socket.gethostname()}/{worker}" if over_redis else worker
        self.roll_call = RollCall(
            self.worker,
            {name: _encoded(told) for name, told in subjects.items()},
            time.monotonic,
        )
        self._local: LocalRoad | None = None
        self._redis: Any = None
        answer = self.roll_call.answer
        if over_redis:
            # Its client costs 8 MB and 0.2 s, which nobody else should pay.
            from proxy.observe.roll_call_redis import RedisRoad  # noqa: PLC0415

            self.roll_call.road = self._redis = RedisRoad.open(url, self.worker, answer)
        elif settings.server.workers > 1:
            others = [each for each in worker_names(settings.server.workers) if each != worker]
            folder = Path(settings.ledger.folder) / "workers"
            self.roll_call.road = self._local = LocalRoad(folder, worker, others, answer)

    async def open(self) -> None:
        """Be there for them."""
        if self._local is not None:
            await self._local.open()

    def standing_work(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        """What goes on as long as the house stands."""
        return [] if self._redis is None else [("answer other workers", self._redis.run())]

    async def close(self) -> None:
        """Hang up."""
        if self._local is not None:
            self._local.close()
        if self._redis is not None:
            await self._redis.close()


def _encoded(told: Callable[[str | None], Any]) -> Callable[[str | None], bytes]:
    return lambda tenant_id: msgspec.json.encode(told(tenant_id))

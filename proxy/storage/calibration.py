"""Queries: what models count per token of our estimate, one mean for all workers.

Workers add what they saw, each in one statement that also forms the new mean, so none overwrites
what another one learned. A weight stops at its maximum: nothing here grows for ever.
"""

from collections.abc import Sequence

from proxy.storage.database import Database, unix_ms

MODELS_KEPT_MAX = 2_000
ADDITIONS_BETWEEN_PRUNINGS = 100

_READ = (
    "SELECT model_id, ratio, weight FROM calibration"
    " ORDER BY updated_at DESC, model_id DESC LIMIT ?"
)
# What stands to the right of SET are the values from before.
_ADD = (
    "INSERT INTO calibration (model_id, ratio, weight, updated_at) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (model_id) DO UPDATE SET"
    " ratio = (calibration.ratio * calibration.weight + excluded.ratio * excluded.weight)"
    " / (calibration.weight + excluded.weight),"
    " weight = CASE WHEN calibration.weight + excluded.weight > CAST(? AS DOUBLE PRECISION)"
    " THEN CAST(? AS DOUBLE PRECISION) ELSE calibration.weight + excluded.weight END,"
    " updated_at = excluded.updated_at"
)
_PRUNE = (
    "DELETE FROM calibration WHERE (updated_at, model_id) <="
    " (SELECT updated_at, model_id FROM calibration"
    " ORDER BY updated_at DESC, model_id DESC LIMIT 1 OFFSET ?)"
)


class StoredCalibration:
    """Implements `catalog.calibration.CalibrationStore`."""

    def __init__(self, database: Database, *, models_kept_max: int = MODELS_KEPT_MAX) -> None:
        self._database = database
        self._models_kept_max = models_kept_max
        # The first addition of a process prunes: it may be one of many short-lived processes.
        self._additions_until_pruning = 0

    async def read(self, models_max: int, /) -> list[tuple[str, float, float]]:
        """Model id, ratio and weight, the newest first."""
        rows = await self._database.fetch(_READ, (models_max,))
        return [(model_id, float(ratio), float(weight)) for model_id, ratio, weight in rows]

    async def add(self, seen: Sequence[tuple[str, float, float]], weight_max: float, /) -> None:
        """Add observations to the means, all or none. Weights are greater than zero."""
        now_ms = unix_ms()
        # In one order for all, so that two workers never wait for each other in turn.
        rows = [
            (model_id, ratio, min(weight, weight_max), now_ms, weight_max, weight_max)
            for model_id, ratio, weight in sorted(seen)
        ]
        await self._database.run_many(_ADD, rows, commutes=True)
        self._additions_until_pruning -= 1
        if self._additions_until_pruning < 0:
            self._additions_until_pruning = ADDITIONS_BETWEEN_PRUNINGS
            await self._database.run([(_PRUNE, (self._models_kept_max,))], commutes=True)

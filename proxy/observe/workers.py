"""The counts of all workers behind one port, whichever of them is asked.

Each worker lays its counts in a folder about once a second; the one that is scraped adds up what
lies there. A worker that is started again takes the place of the one it replaces.
"""

import os
from collections.abc import Callable
from pathlib import Path

from proxy.observe.metrics import Metrics, export, merged

STALE_S = 10.0
"""Counts this old are of a worker that was killed and never came back."""


def worker_names(count: int) -> list[str]:
    """What the workers of one gateway are called."""
    return [f"w{number}" for number in range(count)]


class WorkerBoard:
    """One worker's view. `folder` is shared by the workers of one gateway and by nobody else."""

    def __init__(
        self, folder: Path, worker: str, metrics: Metrics, wall: Callable[[], float]
    ) -> None:
        self._own = folder / f"{worker}.json"
        self._folder = folder
        self._metrics = metrics
        self._wall = wall

    def publish(self) -> None:
        """Lay down the own counts; readers see the old or the new file, never half of one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        fresh = self._own.with_suffix(".new")
        fresh.write_bytes(export(self._metrics))
        os.replace(fresh, self._own)

    def total(self) -> Metrics:
        """The own counts, up to date, and those of all others."""
        others: list[bytes] = []
        oldest_s = self._wall() - STALE_S
        for path in self._folder.glob("*.json"):
            if path != self._own:
                try:
                    if path.stat().st_mtime >= oldest_s:
                        others.append(path.read_bytes())
                except OSError:
                    continue  # its worker is just laying down the next one
        return merged(self._metrics, others)

    def withdraw(self) -> None:
        """The worker ends."""
        self._own.unlink(missing_ok=True)

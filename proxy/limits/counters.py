"""How workers tell each other what they hold: one exchange of named amounts.

A worker only ever states its own amounts, whole: telling the same twice, or late, counts nothing
twice, and what a dead worker held ends by itself after `SILENT_S`. It states them before it
reads those of others, so of two workers that tell at the same time at least one sees the other.

Owns the rule who is alive and what must be told again. Where amounts lie is `HeldStore`'s matter.
Everything here raises Fault where the others cannot be asked.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

SILENT_S: Final = 5.0
"""A worker not heard of for so long is dead; its amounts no longer count."""
BEAT_S: Final = 1.0
"""How often a worker with nothing new to tell says that it is there."""


class Counters(Protocol):
    """One worker's line to the others. `alone`: there are none, and nothing need be told."""

    @property
    def alone(self) -> bool: ...

    async def exchange(self, mine: Mapping[str, int], /) -> Mapping[str, int]:
        """Tell what this worker holds, all of it; get what all others hold, added up by name."""

    async def close(self) -> None:
        """This worker ends and holds nothing."""


class MemoryCounters:
    """One process: whatever is held is held here."""

    alone = True

    async def exchange(self, mine: Mapping[str, int], /) -> Mapping[str, int]:
        """There are no others."""
        return {}

    async def close(self) -> None:
        """Nothing to take back."""


HeldRow = tuple[str, int, str, int]
"""Worker, its beat, a name, its amount; a worker that holds nothing has one row without a name."""


class HeldStore(Protocol):
    """Where amounts lie. Implemented by `storage/held.py`."""

    async def tell(
        self, worker: str, beat: int, changed: Sequence[tuple[str, int]], gone: Sequence[str], /
    ) -> None:
        """In one transaction: note the beat, write the changed amounts, remove those gone."""

    async def tell_anew(self, worker: str, beat: int, held: Sequence[tuple[str, int]], /) -> None:
        """The same, but this is all the worker holds, whatever is written there."""

    async def rows(self) -> Sequence[HeldRow]:
        """All amounts of all workers."""

    async def forget(self, dead: Sequence[tuple[str, int]], /) -> None:
        """Remove workers, given with the beat they were last seen with, unless they beat since."""


class SharedCounters:
    """Several workers over one storage. `worker` is a name no other worker, on whatever machine,
    has or will have; `clock` is the monotonic one in seconds, `wall_ms` the other."""

    alone = False

    def __init__(
        self,
        store: HeldStore,
        worker: str,
        *,
        clock: Callable[[], float],
        wall_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._worker = worker
        self._clock = clock
        self._wall_ms = wall_ms
        self._beat = 0
        self._beaten_s = 0.0
        self._written: dict[str, int] | None = None  # None: what is written there is not known
        self._seen: dict[str, tuple[int, float]] = {}

    async def exchange(self, mine: Mapping[str, int], /) -> Mapping[str, int]:
        """Write what changed, read what is there. Raises the store's Fault."""
        await self._tell(mine)
        rows = await self._store.rows()
        now_s = self._clock()
        self._look(rows, now_s)
        found: dict[str, int] = {}
        others: dict[str, int] = {}
        for worker, _, name, amount in rows:
            if worker == self._worker:
                if name:
                    found[name] = amount
            elif name and now_s - self._seen[worker][1] <= SILENT_S:
                others[name] = others.get(name, 0) + amount
        if found != self._written:
            self._written = None  # we were thought dead, or somebody tidied up
        if dead := self._dead(now_s):
            await self._store.forget(dead)
        return others

    async def close(self) -> None:
        """Take back everything."""
        self._written = None
        # Which beat is written there is not known, if an exchange was cancelled just now.
        await self._store.tell_anew(self._worker, self._next_beat(), [])
        await self._store.forget([(self._worker, self._beat)])

    async def _tell(self, mine: Mapping[str, int]) -> None:
        now_s = self._clock()
        written, self._written = self._written, None
        if written is None:
            await self._store.tell_anew(self._worker, self._next_beat(), list(mine.items()))
        else:
            changed = [(name, held) for name, held in mine.items() if written.get(name) != held]
            gone = [name for name in written if name not in mine]
            if not (changed or gone or now_s - self._beaten_s >= BEAT_S):
                self._written = written
                return
            await self._store.tell(self._worker, self._next_beat(), changed, gone)
        self._written = dict(mine)
        self._beaten_s = now_s

    def _next_beat(self) -> int:
        # Only has to differ from the one before; as a time it is good to read.
        self._beat = max(self._wall_ms(), self._beat + 1)
        return self._beat

    def _look(self, rows: Sequence[HeldRow], now_s: float) -> None:
        """Who moved since we last looked, by our clock: other machines' may show another time."""
        before = self._seen
        self._seen = {}
        for worker, beat, *_ in rows:
            known = before.get(worker)
            same = known is not None and known[0] == beat
            self._seen[worker] = known if known is not None and same else (beat, now_s)

    def _dead(self, now_s: float) -> list[tuple[str, int]]:
        return [
            (worker, beat)
            for worker, (beat, since_s) in self._seen.items()
            if worker != self._worker and now_s - since_s > SILENT_S
        ]

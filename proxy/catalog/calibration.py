"""What models really count, per token of our estimate: learned from every completed request.

Tokenizers differ by model, so the raw estimate (wire/token_estimate.py) is off by a factor that is
about the same for one model. Here is one running mean of it for each model. It moves fast at first
and slowly later, and it is shared: a worker keeps what it saw since the last `flush`, storage adds
that to the mean of all workers, and everybody reads the result. How requests are counted is not
known here, nor when to flush.
"""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple, Protocol

from proxy.domain.fault import Fault, Kind

RATIO_MIN: Final = 0.7
RATIO_MAX: Final = 2.0
"""Beyond these it was no tokenizer but a provider that counts otherwise (translation.md 8)."""
CLAUDE_PRIOR: Final = 1.3
"""For Claude models while nothing is known: their tokenizers are finer than o200k_base."""
WEIGHT_MAX: Final = 100.0
"""A mean stands for so many requests at most: until then each counts 1/n, after that 1/100."""
WEIGHT_ENOUGH: Final = 3.0
"""From here on the prior is forgotten; until then it fades."""
RAW_MIN: Final = 50
"""Of smaller prompts most is what a template puts around them."""
RAW_FULL: Final = 1_000
"""Smaller prompts than this weigh less, in proportion."""
MODELS_MAX: Final = 1_000

CALIBRATED: Final = "calibrated"
ESTIMATE: Final = "estimate"
Source = Literal["calibrated", "estimate"]

_log = logging.getLogger(__name__)


class CalibrationStore(Protocol):
    """The means of all workers. Implemented by `storage/calibration.py`. Both raise Fault."""

    async def read(self, models_max: int, /) -> Sequence[tuple[str, float, float]]:
        """Model id, ratio and weight; of the newest models, where there are more."""

    async def add(self, seen: Sequence[tuple[str, float, float]], weight_max: float, /) -> None:
        """Add what was seen to each model's mean, by weight; a weight stops at `weight_max`."""


class _Mean(NamedTuple):
    ratio: float
    weight: float

    def and_also(self, other: "_Mean") -> "_Mean":
        """The mean of both; as heavy as both, up to the most."""
        weight = self.weight + other.weight
        ratio = (self.ratio * self.weight + other.ratio * other.weight) / weight
        return _Mean(ratio, min(weight, WEIGHT_MAX))


class Calibration:
    """One per process, on one loop. Nothing in it waits for storage but `load` and `flush`."""

    def __init__(self, store: CalibrationStore, *, models_max: int = MODELS_MAX) -> None:
        self._store = store
        self._models_max = models_max
        self._means: dict[str, _Mean] = {}
        """All that is known, the model seen longest ago first."""
        self._unsaved: dict[str, _Mean] = {}
        self._is_in_trouble = False

    def estimate(self, model_id: str, raw: int, *, prior: float = 1.0) -> tuple[int, Source]:
        """Tokens the model will probably count where the raw estimate is `raw`, rounded up.

        `prior` is the ratio to believe in while little is known about the model.
        """
        mean = self._means.get(model_id)
        if mean is None:
            return _times(raw, prior), ESTIMATE
        if mean.weight >= WEIGHT_ENOUGH:
            return _times(raw, mean.ratio), CALIBRATED
        share = mean.weight / WEIGHT_ENOUGH
        return _times(raw, prior + (mean.ratio - prior) * share), ESTIMATE

    def observe(self, model_id: str, raw: int, actual: int) -> None:
        """A request was estimated at `raw`, and its provider counted `actual`: all input tokens,
        those read from or written to a cache among them."""
        if raw < RAW_MIN or actual <= 0:
            return
        seen = _Mean(_clamped(actual / raw), min(raw / RAW_FULL, 1.0))
        self._add(self._unsaved, model_id, seen)
        self._add(self._means, model_id, seen)

    async def load(self) -> bool:
        """Take over what is stored; False: storage is away, and what is known here stays."""
        try:
            rows = await self._store.read(self._models_max)
        except Fault as fault:
            self._trouble(fault)
            return False
        # What was seen while storage was asked is not in its answer.
        means = dict(_sane(rows))
        for model_id, seen in self._unsaved.items():
            self._add(means, model_id, seen)
        self._means = means
        self._is_in_trouble = False
        return True

    async def flush(self) -> bool:
        """Add what was seen here to what is stored, and learn what others saw. False: storage is
        away; nothing is forgotten and the next flush brings it."""
        if self._unsaved and not await self._save():
            return False
        return await self.load()

    async def _save(self) -> bool:
        sent, self._unsaved = self._unsaved, {}
        is_done = False
        try:
            rows = [(model_id, *mean) for model_id, mean in sent.items()]
            await self._store.add(rows, WEIGHT_MAX)
            is_done = True
        except Fault as fault:
            self._trouble(fault)
            # What can never be stored must not stand in the way of the rest.
            is_done = fault.kind is Kind.CONFLICT
            return is_done
        finally:
            if not is_done:
                self._take_back(sent)
        return True

    def _take_back(self, sent: Mapping[str, _Mean]) -> None:
        meanwhile, self._unsaved = self._unsaved, dict(sent)
        for model_id, seen in meanwhile.items():
            self._add(self._unsaved, model_id, seen)

    def _add(self, means: dict[str, _Mean], model_id: str, seen: _Mean) -> None:
        known = means.pop(model_id, None)
        means[model_id] = seen if known is None else known.and_also(seen)
        if len(means) > self._models_max:
            del means[next(iter(means))]

    def _trouble(self, fault: Fault) -> None:
        if not self._is_in_trouble:
            _log.warning("calibration: storage does not answer: %s", fault.detail or fault.message)
        self._is_in_trouble = True


def _times(raw: int, ratio: float) -> int:
    # Less a trifle: 1.1 * 10 is a little more than 11 in floating point.
    return max(math.ceil(raw * ratio - 1e-6), 0)


def _clamped(ratio: float) -> float:
    return min(max(ratio, RATIO_MIN), RATIO_MAX)


def _sane(rows: Sequence[tuple[str, float, float]]) -> Iterable[tuple[str, _Mean]]:
    """Rows that can be true, the newest last; whoever wrote them may have been of another mind."""
    for model_id, ratio, weight in reversed(rows):
        if math.isfinite(ratio) and 0 < weight < math.inf:
            yield model_id, _Mean(_clamped(ratio), min(weight, WEIGHT_MAX))

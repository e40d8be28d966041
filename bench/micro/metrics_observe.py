"""What does it cost to measure a duration, and to sort what was measured into buckets?"""

from bench.micro.step import Step
from proxy.observe.histogram import StageSeconds

MANY = 1_000


def steps() -> list[Step]:
    """As the hot path notes them, and as the timer counts them four times a second."""
    noted = StageSeconds()
    values = [(number % 97) / 1000 for number in range(MANY)]

    def fold() -> StageSeconds:
        counted = StageSeconds()
        counted.fresh = values.copy()
        counted.fold()
        return counted

    def observe() -> int:
        for value in values:
            noted.observe(value)
        seen = len(noted.fresh)
        noted.fresh.clear()
        return seen

    def check_noted(result: object) -> None:
        assert result == MANY

    def check_counted(result: object) -> None:
        assert isinstance(result, StageSeconds)
        assert result.count == MANY
        assert result.fresh == []
        assert result.counts[0] == sum(value <= StageSeconds.bounds[0] for value in values)

    return [
        Step("a measurement noted", observe, check_noted, MANY),
        Step(f"a measurement counted, {MANY} at once", fold, check_counted, MANY),
    ]

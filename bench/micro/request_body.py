"""What does it cost to read what we need of a body, by its size?"""

from collections.abc import Callable

from bench import bodies
from bench.micro.step import Step
from proxy.wire.body import Body, read_body

MODEL = "anthropic.bench-message"


def steps() -> list[Step]:
    """The bodies of the workloads."""

    def reading(raw: bytes) -> Callable[[], object]:
        return lambda: read_body(raw, needs_max_tokens=True)

    def check(result: object) -> None:
        assert isinstance(result, Body)
        assert result.model == MODEL

    return [
        Step(f"a body of {size}", reading(bodies.body(size, model=MODEL, streamed=True)), check)
        for size in ("1k", "60k", "200k")
    ]

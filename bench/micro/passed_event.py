"""What does it cost to pass on an event of a provider that speaks Anthropic's wire?"""

from bench import altered
from bench import score as scores
from bench.micro.step import Step
from bench.score import Score
from proxy.stream.passthrough import Passthrough

EVENT_BYTES_MAX = 1 << 20
MANY = 100


def steps() -> list[Step]:
    """Deltas of a stream that is well under way."""
    score = Score(MANY)
    pipe = Passthrough(b"anthropic.bench", "req_bench", EVENT_BYTES_MAX)
    opening = altered.played(score, score.name).partition(scores.DELTA_HEAD)[0]
    assert b"anthropic.bench" in pipe.feed(opening)
    alone = scores.DELTA % (7, 0)
    many = b"".join(scores.DELTA % (number, 0) for number in range(MANY))

    def check_alone(result: object) -> None:
        assert result == alone

    def check_many(result: object) -> None:
        assert result == many

    return [
        Step("a read of one event", lambda: pipe.feed(alone), check_alone),
        Step(f"an event in a read of {MANY}", lambda: pipe.feed(many), check_many, MANY),
    ]

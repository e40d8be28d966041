"""What does it cost to part a provider's bytes into events, alone and many in one read?"""

from collections.abc import Callable
from typing import cast

from bench import chat_score
from bench.micro.step import Step
from bench.score import Score
from proxy.wire.sse import EventReader

EVENT_BYTES_MAX = 1 << 20
MANY = 100


def _event(number: int) -> bytes:
    chunk = chat_score.delta_chunk(Score(MANY)) % (number, 0)
    return chunk.partition(b"\r\n")[2].removesuffix(b"\r\n")


def steps() -> list[Step]:
    """Chunks of chat completions, of which there are hundreds in a reply."""
    alone, many = _event(0), b"".join(_event(number) for number in range(MANY))
    reader = EventReader(EVENT_BYTES_MAX)

    def feeding(read: bytes) -> Callable[[], object]:
        return lambda: reader.feed(read)

    def checking(count: int) -> Callable[[object], None]:
        def check(result: object) -> None:
            events = cast(list[bytes], result)
            assert len(events) == count
            assert events[0] == alone.removeprefix(b"data: ").rstrip(b"\n")

        return check

    return [
        Step("a read of one event", feeding(alone), checking(1)),
        Step(f"an event in a read of {MANY}", feeding(many), checking(MANY), MANY),
    ]

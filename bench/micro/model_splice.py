"""What does it cost to put the upstream's name of the model into the client's bytes?"""

from collections.abc import Callable
from typing import cast

from bench import bodies
from bench.micro.step import Step
from proxy.wire.body import Body, read_body

MODEL = "anthropic.bench-message"
NAME = b'"bench-message"'


def steps() -> list[Step]:
    """Pieces that are written one after the other, never joined."""

    def splicing(body: Body) -> Callable[[], object]:
        return lambda: body.with_model(NAME)

    def checking(raw: bytes) -> Callable[[object], None]:
        def check(result: object) -> None:
            joined = b"".join(cast(list[bytes], result))
            assert joined == raw.replace(b'"%s"' % MODEL.encode(), NAME, 1)

        return check

    made = []
    for size in ("1k", "200k"):
        raw = bodies.body(size, model=MODEL, streamed=True)
        body = read_body(raw, needs_max_tokens=True)
        made.append(Step(f"into a body of {size}", splicing(body), checking(raw)))
    return made

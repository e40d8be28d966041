"""One step to be measured: what is done, how many operations that is, and what must come of it."""

import dataclasses
from collections.abc import Callable


def _nothing() -> None:
    return None


@dataclasses.dataclass(frozen=True)
class Step:
    """`run` does `operations` of what `words` say; `check` asserts that its result is right, and is
    asked before anything is timed: a wrong step has no speed. `close` comes last, once or more."""

    words: str
    run: Callable[[], object]
    check: Callable[[object], None]
    operations: int = 1
    close: Callable[[], None] = _nothing

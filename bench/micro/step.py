"""One step to be measured: what is done, how many operations that is, and what must come of it."""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Step:
    """`run` does `operations` of what `words` say; `check` asserts that its result is right, and is
    asked before anything is timed: a wrong step has no speed."""

    words: str
    run: Callable[[], object]
    check: Callable[[object], None]
    operations: int = 1

"""One question to all workers, whichever of them is asked: what is under way, how providers do.

Nothing is told until somebody asks and nothing is kept for it: a worker answers at once out of what
it has in memory anyway, so requests pay nothing. Owns what a question is, and that all who ask the
same at about the same time ask once. How a question gets to the others is the `Road`'s matter.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

FRESH_S: Final = 0.5
"""Who asks the same again so soon hears the same: pages that look on cost a worker two answers a
second at most, however many they are."""
ANSWER_BYTES_MAX: Final = 2 << 20

Subjects = Mapping[str, Callable[[str | None], bytes]]
"""By the name of a question what is answered to it, about a tenant or all of them."""


class Question(msgspec.Struct, frozen=True):
    """`tenant_id`: only what is a tenant's."""

    subject: str
    tenant_id: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """What one worker says."""

    worker: str
    body: bytes


class Heard(msgspec.Struct, frozen=True):
    """Who answered, the worker that was asked first; and how many others did not."""

    answers: Sequence[Answer]
    silent: int = 0


class Road(Protocol):
    """The way to the other workers."""

    async def ask(self, question: bytes, /) -> Heard:
        """The answers of all others that come in time. Whoever cannot be asked is silent; raises
        nothing."""


class _Turn:
    """A question that is asked, or was."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.heard: Heard | None = None
        self.heard_s = 0.0


class RollCall:
    """One worker's. `worker` is what it is called; without a `road` there are no others."""

    def __init__(self, worker: str, subjects: Subjects, clock: Callable[[], float]) -> None:
        self.worker = worker
        self.road: Road | None = None
        self._subjects = subjects
        self._clock = clock
        self._turns: dict[Question, _Turn] = {}

    def answer(self, question: bytes) -> bytes:
        """What this worker says to a question of another; empty to one it does not know, which
        that of a later release may be."""
        try:
            asked = msgspec.json.decode(question, type=Question)
        except msgspec.DecodeError:
            return b""
        about = self._subjects.get(asked.subject)
        said = b"" if about is None else about(asked.tenant_id)
        return said if len(said) <= ANSWER_BYTES_MAX else b""

    async def ask(self, question: Question) -> Heard:
        """What all workers say."""
        turn = self._turn(question)
        async with turn.lock:
            if turn.heard is None or self._clock() - turn.heard_s > FRESH_S:
                turn.heard = await self._asked(question)
                turn.heard_s = self._clock()
            return turn.heard

    async def _asked(self, question: Question) -> Heard:
        raw = msgspec.json.encode(question)
        others = Heard(()) if self.road is None else await self.road.ask(raw)
        answers = [Answer(self.worker, self.answer(raw)), *others.answers]
        spoken = [each for each in answers if each.body]
        return Heard(spoken, others.silent + len(answers) - len(spoken))

    def _turn(self, question: Question) -> _Turn:
        oldest_s = self._clock() - FRESH_S
        for stale in [
            each
            for each, turn in self._turns.items()
            if turn.heard_s < oldest_s and not turn.lock.locked()
        ]:
            del self._turns[stale]
        return self._turns.setdefault(question, _Turn())

"""What all workers say to one question, as an endpoint reads it."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from proxy.observe.roll_call import Heard, Question

AskWorkers = Callable[[Question], Awaitable[Heard]]
"""All workers are asked at once; those that do not answer soon are silent."""

_T = TypeVar("_T")


class OfWorkers(msgspec.Struct, frozen=True, kw_only=True):
    """`workers` are the processes that this answer is of, the one that was asked first; with
    counters in Redis they are those of all machines. `silent_workers` did not answer in time."""

    workers: list[str]
    silent_workers: int


async def told(
    ask: AskWorkers, question: Question, kind: type[_T]
) -> tuple[dict[str, Any], list[_T]]:
    """The fields of `OfWorkers`, and what each of them said. One that says something else, as that
    of another release may, counts as silent."""
    heard = await ask(question)
    workers: list[str] = []
    said: list[_T] = []
    for answer in heard.answers:
        try:
            said.append(msgspec.json.decode(answer.body, type=kind))
        except msgspec.DecodeError:
            continue
        workers.append(answer.worker)
    silent = heard.silent + len(heard.answers) - len(workers)
    return {"workers": workers, "silent_workers": silent}, said

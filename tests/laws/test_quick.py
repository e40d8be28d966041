"""What grows with the square of what comes stops everybody who shares the process."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from proxy.domain.dialect import Dialect
from proxy.stream.pipe import At
from tests.kit.chat_stream import DONE, Document, call, calls, chunk, make_pipe, text
from tests.providers.openai_chat.asking import ask

MANY = 20_000
ENOUGH_S = 4.0
"""Many times what each of these takes, a fraction of what the square of it would."""
BEGIN, ARGUMENTS = "<|tool_call_begin|>", "<|tool_call_argument_begin|>"
FINISH = chunk({}, "stop") + DONE


def _all_with(index: int | None) -> Iterator[Document]:
    return (call(index, str(at), "t", "{}") for at in range(MANY))


STREAMS = {
    "calls without an index": calls(*_all_with(None)),
    "calls all at index 0": calls(*_all_with(0)),
    "calls of one id": calls(*[call(at, "call_0", "t", "{}") for at in range(MANY)]),
    "space in a leaked call": text(BEGIN + " " * 10 * MANY),
    "leaked calls that never end": text((BEGIN + "a" + ARGUMENTS) * MANY),
    "leaked calls of one id": text((BEGIN + "a" + ARGUMENTS + "{}<|tool_call_end|>") * MANY),
    "the beginning of a tag": text("<think>") + text("<") * MANY,
    "halves of characters": b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n' * MANY,
}

CALLS = [{"type": "tool_use", "id": str(at), "name": "t", "input": {}} for at in range(MANY)]
RESULTS = [{"type": "tool_result", "tool_use_id": str(at), "content": "x"} for at in range(MANY)]
STATES = [
    {"type": "tool_result", "tool_use_id": "0", "content": [{"type": "browser_state"}] * MANY}
]
SERVED = [{"type": "code_execution_tool_result", "tool_use_id": "0"}] * MANY
USER = {"role": "user", "content": "x"}
CONVERSATIONS: dict[str, list[Any]] = {
    "calls in one message": [{"role": "assistant", "content": CALLS}, RESULTS],
    "states of browsers": [{"role": "assistant", "content": CALLS[:1]}, STATES],
    "results of another's server": [{"role": "assistant", "content": SERVED}, "x"],
    "answers in a row": [*[{"role": "assistant", "content": "x"}] * MANY, "x"],
    "reminders": [*[{"role": "system", "content": "x"}, USER] * MANY, "x"],
}


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("row", ["openai", "vllm"])
def test_no_request_takes_the_square_of_its_length(name: str, row: str) -> None:
    *before, last = CONVERSATIONS[name]
    messages = [USER, *before, {"role": "user", "content": last}]
    request = json.dumps({"model": "m", "max_tokens": 9, "messages": messages}).encode()
    began_s = time.process_time()
    ask(request, row)
    assert time.process_time() - began_s < ENOUGH_S


@pytest.mark.parametrize("name", STREAMS)
def test_no_stream_takes_the_square_of_its_length(name: str) -> None:
    dialect = Dialect(kimi_tool_repair=True, think_tags=("think",))
    pipe = make_pipe(dialect, 16 << 20, stop_sequences=("a" * 999 + "b", "b"))
    began_s = time.process_time()
    pipe.feed(STREAMS[name])
    pipe.feed(FINISH)
    assert time.process_time() - began_s < ENOUGH_S
    assert pipe.at in (At.WHOLE, At.FAILED, At.REFUSED)

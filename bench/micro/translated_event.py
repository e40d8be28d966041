"""What does it cost to translate an event of a provider that speaks chat completions?"""

import datetime as dt
from typing import cast

from bench import chat_score
from bench import score as scores
from bench.micro.step import Step
from bench.score import Score
from proxy.domain.call import Arrival, Call, Errand, Headers
from proxy.domain.caller import Caller
from proxy.domain.dialect import Dialect
from proxy.domain.model import Model
from proxy.stream.chat_to_messages import ChatToMessages
from proxy.wire.seal import ThinkingSeal

EVENT_BYTES_MAX = 1 << 20
MANY = 100
LEARNT_FROM = 8
"""Chunks after which the pipe knows their shape."""


def _event(number: int) -> bytes:
    chunk = chat_score.delta_chunk(Score(MANY)) % (number, 0)
    return chunk.partition(b"\r\n")[2].removesuffix(b"\r\n")


def _pipe() -> ChatToMessages:
    arrival = Arrival(Errand.MESSAGE, "req_1", b"/v1/messages", b"", Headers(), b"{}", 1_000, 0.0)
    caller = Caller("key_1", "user_1", "a@example.com", "tenant_1", "Default", "general_user")
    model = Model("openai.bench", "Bench", "Bench", dt.date(2026, 1, 1), 200_000, 64_000)
    call = Call(arrival, caller, model, "bench", "exact", True)
    call.message_id = "msg_gw_0123"
    call.input_tokens = 7
    pipe = ChatToMessages(call, Dialect(), ThinkingSeal([b"secret"]), EVENT_BYTES_MAX)
    for number in range(LEARNT_FROM):
        pipe.feed(_event(number))
    return pipe


def steps() -> list[Step]:
    """Deltas of a stream that is well under way: what comes out is Anthropic's event."""
    pipe = _pipe()
    alone, many = _event(7), b"".join(_event(number) for number in range(MANY))

    def check_alone(result: object) -> None:
        assert cast(bytes, result) == scores.DELTA % (7, 0)

    def check_many(result: object) -> None:
        text = cast(bytes, result)
        assert text.count(scores.DELTA_HEAD) == MANY
        assert text.endswith(scores.DELTA % (MANY - 1, 0))

    return [
        Step("a read of one event", lambda: pipe.feed(alone), check_alone),
        Step(f"an event in a read of {MANY}", lambda: pipe.feed(many), check_many, MANY),
    ]

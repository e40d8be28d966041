"""The messages that a round of searches adds to the conversation before the model is asked again
(translation.md 9.3): what it said, what it was answered.
"""

from collections.abc import Sequence

from proxy.web_search.citing import Citing
from proxy.web_search.orders import Answered
from proxy.web_search.result_blocks import answer_block, call_block
from proxy.web_search.search_ids import CallIds


def follow_up(
    said: Sequence[bytes],
    answered: Sequence[Answered],
    call_ids: CallIds,
    *,
    citing: Citing,
    off: bool = False,
) -> bytes:
    """An assistant's and a user's message, in JSON, with a comma between. `said` are the blocks of
    the round but for its searches: thinking with its signature, text with its marks. `citing` and
    `off` as in `answer_block`."""
    calls = [call_block(call_ids.of(call.id), call.query.arguments) for call in answered]
    answers = [
        answer_block(call_ids.of(call.id), call.query.text, call.answer, citing=citing, off=off)
        for call in answered
    ]
    return b'{"role":"assistant","content":[%b]},{"role":"user","content":[%b]}' % (
        b",".join([*said, *calls]),
        b",".join(answers),
    )


def with_follow_up(messages: bytes, more: bytes) -> bytes:
    """A JSON list of messages with these behind its last."""
    return messages.rstrip()[:-1] + b"," + more + b"]"

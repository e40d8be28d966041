"""Models that Bedrock serves by nothing better: Converse and ConverseStream.

Joins the translation to chat completions with Converse's form of it (`converse_request.py`,
`wire/converse.py`). One instance for each deployment, because each learns for itself.
"""

from collections.abc import Mapping

import msgspec

from proxy.domain.call import COUNT, Call
from proxy.domain.dialect import Dialect
from proxy.domain.fault import Fault
from proxy.providers.bedrock.account import EVENTS, JSON, Account, asked
from proxy.providers.bedrock.checkpoints import Checkpoints
from proxy.providers.bedrock.converse_request import converse_count, converse_request
from proxy.providers.bedrock.counting import count_of, counting, counts_never
from proxy.providers.bedrock.faults import bedrock_fault
from proxy.providers.bedrock.surfaces import is_claude
from proxy.providers.openai_chat.lessons import Lessons
from proxy.providers.openai_chat.request import chat_request, counting_request
from proxy.stream.broken import broken
from proxy.stream.chat_reply import whole_reply
from proxy.stream.converse_to_messages import ConverseMessages
from proxy.stream.whole_reply import WholeReply
from proxy.wire.body import Body
from proxy.wire.converse import completion_of
from proxy.wire.http import Piece
from proxy.wire.seal import ThinkingSeal

_IN_CHAT_WORDS = (
    (b"toolConfig.toolChoice.any", b"tool_choice"),
    (b"toolConfig.toolChoice.tool", b"tool_choice"),
    (b"toolConfig.toolChoice", b"tool_choice"),
    (b"inferenceConfig.temperature", b"temperature"),
    (b"inferenceConfig.topP", b"top_p"),
)
"""What a refusal calls the fields of which we learn."""
_NO_CACHE = b"did not allow prompt caching"


class BedrockConverse:
    """One deployment."""

    translates = True
    cites = False

    def __init__(self, account: Account, dialect: Dialect, seal: ThinkingSeal) -> None:
        place = account.place
        self.name = account.name
        self.origin = place.origin
        self.credential = account.credential
        self.counts = bool(account.counted_as)
        """Until it turns out that it does not."""
        self._model = place.model
        self._terms = place.terms
        self._takes_hour = "claude" in place.known_as and is_claude(place.known_as, at_least=(4, 5))
        self._lessons = Lessons(dialect)
        self._seal = seal
        self._event_bytes_max = account.event_bytes_max
        self._whole_head = account.head(place.model, "converse")
        self._stream_head = account.head(place.model, "converse-stream")
        self._count_head = account.head(account.counted_as, "count-tokens")

    def __repr__(self) -> str:
        return f"BedrockConverse({self.name!r}, {self._model!r})"

    def request(self, call: Call, body: Body, upstream_model: str) -> list[Piece]:
        """A Converse request, without what this deployment has refused before; `upstream_model` is
        the one this deployment was made for."""
        dialect = self._lessons.dialect(call.arrival.received_ms / 1000)
        if call.arrival.errand is COUNT:
            chat = counting_request(call, body, self._model, dialect, self._seal)
            return asked(call, self._count_head, JSON, counting("converse", converse_count(chat)))
        made = chat_request(call, body, self._model, dialect, self._seal)
        call.expected = made.expected
        call.notes = made.notes
        call.dropped = made.dropped
        points = Checkpoints(hour=self._takes_hour, behind_results=dialect.cache_marks_beyond_text)
        written = converse_request(made.body, points, self._terms)
        if call.streamed:
            return asked(call, self._stream_head, EVENTS, written)
        return asked(call, self._whole_head, JSON, written)

    def pipe(self, call: Call) -> ConverseMessages:
        """Frames in, Anthropic's events out."""
        dialect = self._lessons.dialect(call.arrival.received_ms / 1000)
        return ConverseMessages(call, dialect, self._seal, self._event_bytes_max)

    def reply(self, call: Call, body: bytes) -> WholeReply:
        """A whole reply as an Anthropic message; a count as Anthropic says it."""
        if call.arrival.errand is COUNT:
            return count_of(body)
        dialect = self._lessons.dialect(call.arrival.received_ms / 1000)
        try:
            completion = completion_of(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise broken("sent a reply that cannot be read", repeat=True) from None
        return whole_reply(call, dialect, self._seal, completion)

    def fault(
        self, call: Call, status: int, headers: Mapping[bytes, bytes], body: bytes, now_s: float
    ) -> Fault:
        """Bedrock's refusal in Anthropic's words."""
        if call.arrival.errand is COUNT and counts_never(status, headers, body):
            self.counts = False  # it will not learn to: the next count is estimated at once
        return bedrock_fault(self.name, status, headers, body, call=call, now_s=now_s)

    def learn(self, status: int, body: bytes, now_s: float) -> str:
        """A field this deployment does not know is left out from now on."""
        for theirs, ours in _IN_CHAT_WORDS:
            body = body.replace(theirs, ours)
        if status == 403 and _NO_CACHE in body:
            status = 400  # it is the request that is refused, not we
        return self._lessons.learn(status, body, now_s)

    def learned(self, now_s: float) -> tuple[str, ...]:
        """The fields that are left out."""
        return self._lessons.learned(now_s)

"""Claude on Bedrock's runtime: InvokeModel and InvokeModelWithResponseStream.

The body is Anthropic's but for what `invoke_body.py` knows, the model stands in the path, the
stream is one of AWS's. One instance for each deployment, because each learns for itself.
"""

from collections.abc import Callable, Mapping

from proxy.domain.call import COUNT, Call
from proxy.domain.fault import Fault
from proxy.providers.bedrock.account import EVENTS, JSON, Account, asked, term_lines
from proxy.providers.bedrock.counting import count_of, counts_never
from proxy.providers.bedrock.faults import bedrock_fault
from proxy.providers.bedrock.invoke_body import counting_body, invoke_body
from proxy.providers.bedrock.lessons import BedrockLessons
from proxy.providers.compat_lessons import without_fields
from proxy.stream.bedrock_reply import bedrock_reply
from proxy.stream.bedrock_to_messages import BedrockMessages
from proxy.stream.whole_reply import WholeReply
from proxy.wire.artefacts import bears_artefacts, without_artefacts
from proxy.wire.body import Body
from proxy.wire.http import Piece


class BedrockInvoke:
    """One deployment of Claude."""

    cites = True
    translates = True
    """Bedrock has neither Anthropic's search nor, for most models, its counts."""

    def __init__(self, account: Account, without_searches: Callable[[Call, Body], Body]) -> None:
        """`without_searches` as for `providers/anthropic.py`."""
        place = account.place
        self.name = account.name
        self.origin = place.origin
        self.credential = account.credential
        self.counts = bool(account.counted_as)
        """Until it turns out that it does not."""
        self._model = place.model
        self._known_as = place.known_as
        self._guarded = bool(place.terms.guardrail)
        self._event_bytes_max = account.event_bytes_max
        self._without_searches = without_searches
        self._lessons = BedrockLessons()
        lines = term_lines(place.terms)
        self._whole_head = account.head(place.model, "invoke", lines)
        self._stream_head = account.head(place.model, "invoke-with-response-stream", lines)
        self._count_head = account.head(account.counted_as, "count-tokens")

    def __repr__(self) -> str:
        return f"BedrockInvoke({self.name!r}, {self._model!r})"

    def request(self, call: Call, body: Body, upstream_model: str) -> list[Piece]:
        """The client's body as Bedrock takes it, without what this deployment has refused before;
        `upstream_model` is the one this deployment was made for."""
        if bears_artefacts(body):
            body = self._without_searches(call, without_artefacts(body))
        left_out = self._lessons.left_out(call.arrival.received_ms / 1000)
        wanted = without_fields(body, left_out) if left_out else body
        written = invoke_body(wanted, call.arrival.headers, self._known_as, left_out)
        call.dropped = written.dropped
        if call.arrival.errand is COUNT:
            return asked(call, self._count_head, JSON, counting_body(written.body))
        if call.streamed:
            return asked(call, self._stream_head, EVENTS, written.body)
        return asked(call, self._whole_head, JSON, written.body)

    def pipe(self, call: Call) -> BedrockMessages:
        """Frames in, Anthropic's events out."""
        return BedrockMessages(call, self._event_bytes_max, guarded=self._guarded)

    def reply(self, call: Call, body: bytes) -> WholeReply:
        """The message with the resolved model's name; a count as Anthropic says it."""
        return count_of(body) if call.arrival.errand is COUNT else bedrock_reply(call, body)

    def fault(
        self, call: Call, status: int, headers: Mapping[bytes, bytes], body: bytes, now_s: float
    ) -> Fault:
        """Bedrock's refusal in Anthropic's words."""
        if call.arrival.errand is COUNT and counts_never(status, headers, body):
            self.counts = False  # it will not learn to: the next count is estimated at once
        return bedrock_fault(self.name, status, headers, body, call=call, now_s=now_s)

    def learn(self, status: int, body: bytes, now_s: float) -> str:
        """A beta or a field that the deployment does not know, left out from now on."""
        return self._lessons.learn(status, body, now_s)

    def learned(self, now_s: float) -> tuple[str, ...]:
        """What is left out at present."""
        return self._lessons.learned(now_s)

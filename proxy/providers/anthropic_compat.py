"""Endpoints that call themselves Anthropic-compatible: Moonshot's, DeepSeek's, vLLM's, and so on.

The request is the client's own, as to Anthropic, but for what the endpoint has refused before; the
answer is repaired (`stream/repair.py`). Refusals are told as those of any other foreign server:
their wording is not Anthropic's, so what clients must recognise is worded anew.
"""

from collections.abc import Mapping

import msgspec

from proxy.domain.call import COUNT, Call
from proxy.domain.fault import Fault
from proxy.domain.usage import Usage
from proxy.providers.anthropic_request import RequestWriter, forwarded_lines
from proxy.providers.compat_lessons import CompatLessons, without_betas, without_fields
from proxy.providers.openai_chat.faults import chat_fault
from proxy.stream.broken import broken
from proxy.stream.repair import RepairedMessages
from proxy.stream.repaired_reply import repaired_reply
from proxy.stream.whole_reply import WholeReply
from proxy.wire.body import Body
from proxy.wire.http import Origin, Piece
from proxy.wire.messages import read_count
from proxy.wire.seal import ThinkingSeal


class AnthropicCompat:
    """A provider on almost Anthropic's wire. `credential` is the one header sent, name and value:
    some of these endpoints refuse two (translation.md trap 50). `cites`: its model is a Claude."""

    counts = True
    translates = True
    """The message is made anew: it needs an estimate where the endpoint does not count."""
    credential = None

    def __init__(
        self,
        name: str,
        origin: Origin,
        prefix: str,
        *,
        credential: tuple[str, str] | None,
        event_bytes_max: int,
        seal: ThinkingSeal,
        cites: bool = False,
    ) -> None:
        self.name = name
        self.cites = cites
        self.origin = origin
        self._writer = RequestWriter(origin, prefix, credential)
        self._event_bytes_max = event_bytes_max
        self._seal = seal
        self._lessons = CompatLessons()

    def __repr__(self) -> str:
        return f"AnthropicCompat({self.name!r}, {self.origin.authority!r})"

    def request(self, call: Call, body: Body, upstream_model: str) -> list[Piece]:
        """The client's body and betas, without what was refused within the hour."""
        forwarded = forwarded_lines(call.arrival.headers)
        left_out = self._lessons.left_out(call.arrival.received_ms / 1000)
        if left_out:
            body = without_fields(body, left_out)
            forwarded = without_betas(forwarded, left_out)
        return self._writer.written(call, body, upstream_model, forwarded)

    def pipe(self, call: Call) -> RepairedMessages:
        """Events are made legal, whatever the endpoint forgot."""
        return RepairedMessages(call, self._seal, self._event_bytes_max)

    def reply(self, call: Call, body: bytes) -> WholeReply:
        """The message made legal; the count of tokens as it is."""
        if call.arrival.errand is not COUNT:
            return repaired_reply(call, self._seal, body)
        try:
            read_count(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise broken("sent a count that cannot be read") from None
        return WholeReply(body, Usage(), "")

    def fault(
        self, call: Call, status: int, headers: Mapping[bytes, bytes], body: bytes, now_s: float
    ) -> Fault:
        """The endpoint's refusal, told to the client (translation.md 7)."""
        return chat_fault(self.name, status, headers, body, call=call, now_s=now_s)

    def learn(self, status: int, body: bytes, now_s: float) -> str:
        """A beta or a field that the endpoint does not know, left out from now on."""
        return self._lessons.learn(status, body, now_s)

    def learned(self, now_s: float) -> tuple[str, ...]:
        """What is left out at present."""
        return self._lessons.learned(now_s)

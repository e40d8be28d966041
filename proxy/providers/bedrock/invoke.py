"""Claude on Bedrock's runtime: InvokeModel and InvokeModelWithResponseStream.

The body is Anthropic's but for what `invoke_body.py` knows, the model stands in the path, the
stream is one of AWS's. One instance for each deployment, because each learns for itself.
"""

from collections.abc import Callable, Mapping

import msgspec

from proxy.domain.call import COUNT, Call
from proxy.domain.fault import Fault
from proxy.domain.usage import Usage
from proxy.providers.bedrock.faults import NO_COUNT, bedrock_fault
from proxy.providers.bedrock.invoke_body import counting_body, invoke_body
from proxy.providers.bedrock.lessons import BedrockLessons
from proxy.providers.bedrock.surfaces import Deployment, base_id
from proxy.providers.compat_lessons import without_fields
from proxy.providers.credential import Credential
from proxy.stream.bedrock_to_messages import BedrockMessages
from proxy.stream.broken import broken
from proxy.stream.chat_usage import COUNT_MAX
from proxy.stream.passed_reply import passed_reply
from proxy.stream.pipe import WholeReply
from proxy.wire.artefacts import bears_artefacts, without_artefacts
from proxy.wire.body import Body
from proxy.wire.http import Piece
from proxy.wire.messages import count_body
from proxy.wire.sigv4 import path_label

_STREAM_ACCEPT = b"application/vnd.amazon.eventstream"
_JSON_ACCEPT = b"application/json"


class _Counted(msgspec.Struct, rename="camel"):
    input_tokens: int


class BedrockInvoke:
    """One deployment of Claude. Requests carry `api_key` (a Bedrock API key) or are signed by
    `credential`."""

    cites = True
    translates = True
    """Bedrock has neither Anthropic's search nor, for most models, its counts."""

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        api_key: str,
        credential: Credential | None,
        event_bytes_max: int,
        without_searches: Callable[[Call, Body], Body],
    ) -> None:
        """`without_searches` as for `providers/anthropic.py`."""
        self.name = name
        self.origin = deployment.origin
        self.credential = credential
        base = base_id(deployment.model)
        self.counts = bool(base)
        """Until it turns out that it does not."""
        self._model = deployment.model
        self._event_bytes_max = event_bytes_max
        self._without_searches = without_searches
        self._lessons = BedrockLessons()
        secret = f"authorization: Bearer {api_key}\r\n" if api_key else ""
        fixed = (
            f" HTTP/1.1\r\nhost: {deployment.origin.authority}\r\n{secret}"
            "content-type: application/json\r\naccept-encoding: identity\r\n"
        )
        place = f"POST {deployment.prefix}/model/{path_label(deployment.model)}"
        self._whole_head = f"{place}/invoke{fixed}".encode("latin-1")
        self._stream_head = f"{place}/invoke-with-response-stream{fixed}".encode("latin-1")
        counting = f"POST {deployment.prefix}/model/{path_label(base)}/count-tokens{fixed}"
        self._count_head = counting.encode("latin-1")

    def __repr__(self) -> str:
        return f"BedrockInvoke({self.name!r}, {self._model!r})"

    def request(self, call: Call, body: Body, upstream_model: str) -> list[Piece]:
        """The client's body as Bedrock takes it, without what this deployment has refused before;
        `upstream_model` is the one this deployment was made for."""
        if bears_artefacts(body):
            body = self._without_searches(call, without_artefacts(body))
        left_out = self._lessons.left_out(call.arrival.received_ms / 1000)
        asked = without_fields(body, left_out) if left_out else body
        written = invoke_body(asked, call.arrival.headers, self._model, left_out)
        call.dropped = written.dropped
        if call.arrival.errand is COUNT:
            return self._asked(call, self._count_head, _JSON_ACCEPT, counting_body(written.body))
        head, accept = self._whole_head, _JSON_ACCEPT
        if call.streamed:
            head, accept = self._stream_head, _STREAM_ACCEPT
        return self._asked(call, head, accept, written.body)

    def _asked(self, call: Call, head: bytes, accept: bytes, written: bytes) -> list[Piece]:
        rest = b"accept: %b\r\n%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n" % (
            accept,
            call.onward,
            call.arrival.request_id.encode(),
            len(written),
        )
        return [head + rest, written]

    def pipe(self, call: Call) -> BedrockMessages:
        """Frames in, Anthropic's events out."""
        return BedrockMessages(call, self._event_bytes_max)

    def reply(self, call: Call, body: bytes) -> WholeReply:
        """The message with the resolved model's name; a count as Anthropic says it."""
        if call.arrival.errand is not COUNT:
            return passed_reply(call, body)
        try:
            tokens = msgspec.json.decode(body, type=_Counted).input_tokens
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            tokens = -1
        if not 0 <= tokens <= COUNT_MAX:
            raise broken("sent a count that cannot be read")
        return WholeReply(count_body(tokens), Usage(), "")

    def fault(
        self, call: Call, status: int, headers: Mapping[bytes, bytes], body: bytes, now_s: float
    ) -> Fault:
        """Bedrock's refusal in Anthropic's words."""
        if call.arrival.errand is COUNT and status == 400 and NO_COUNT.encode() in body:
            self.counts = False  # it will not learn to: the next count is estimated at once
        return bedrock_fault(self.name, status, headers, body, call=call, now_s=now_s)

    def learn(self, status: int, body: bytes, now_s: float) -> str:
        """A beta or a field that the deployment does not know, left out from now on."""
        return self._lessons.learn(status, body, now_s)

    def learned(self, now_s: float) -> tuple[str, ...]:
        """What is left out at present."""
        return self._lessons.learned(now_s)

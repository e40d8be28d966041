"""Models that Bedrock serves by nothing better: Converse and ConverseStream.

Joins the translation to chat completions with Converse's form of it (`converse_request.py`,
`wire/converse.py`). One instance for each deployment, because each learns for itself.
"""

from collections.abc import Mapping

import msgspec

from proxy.domain.call import Call
from proxy.domain.dialect import Dialect
from proxy.domain.fault import Fault
from proxy.providers.bedrock.converse_request import converse_request
from proxy.providers.bedrock.faults import bedrock_fault
from proxy.providers.bedrock.surfaces import Deployment
from proxy.providers.credential import Credential
from proxy.providers.openai_chat.lessons import Lessons
from proxy.providers.openai_chat.request import chat_request
from proxy.stream.broken import broken
from proxy.stream.chat_reply import whole_reply
from proxy.stream.converse_to_messages import ConverseMessages
from proxy.stream.pipe import WholeReply
from proxy.wire.body import Body
from proxy.wire.converse import completion_of
from proxy.wire.http import Piece
from proxy.wire.seal import ThinkingSeal
from proxy.wire.sigv4 import path_label

_IN_CHAT_WORDS = (
    (b"toolConfig.toolChoice.any", b"tool_choice"),
    (b"toolConfig.toolChoice.tool", b"tool_choice"),
    (b"toolConfig.toolChoice", b"tool_choice"),
    (b"inferenceConfig.temperature", b"temperature"),
    (b"inferenceConfig.topP", b"top_p"),
)
"""What a refusal calls the fields of which we learn."""


class BedrockConverse:
    """One deployment. Requests carry `api_key` (a Bedrock API key) or are signed by
    `credential`."""

    translates = True
    cites = False
    counts = False

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        api_key: str,
        credential: Credential | None,
        dialect: Dialect,
        seal: ThinkingSeal,
        event_bytes_max: int,
    ) -> None:
        self.name = name
        self.origin = deployment.origin
        self.credential = credential
        self._model = deployment.model
        self._lessons = Lessons(dialect)
        self._seal = seal
        self._event_bytes_max = event_bytes_max
        secret = f"authorization: Bearer {api_key}\r\n" if api_key else ""
        fixed = (
            f" HTTP/1.1\r\nhost: {deployment.origin.authority}\r\n{secret}"
            "content-type: application/json\r\naccept-encoding: identity\r\n"
        )
        place = f"POST {deployment.prefix}/model/{path_label(deployment.model)}"
        self._whole_head = f"{place}/converse{fixed}".encode("latin-1")
        self._stream_head = f"{place}/converse-stream{fixed}".encode("latin-1")

    def __repr__(self) -> str:
        return f"BedrockConverse({self.name!r}, {self._model!r})"

    def request(self, call: Call, body: Body, upstream_model: str) -> list[Piece]:
        """A Converse request, without what this deployment has refused before; `upstream_model` is
        the one this deployment was made for."""
        dialect = self._lessons.dialect(call.arrival.received_ms / 1000)
        made = chat_request(call, body, self._model, dialect, self._seal)
        call.expected = made.expected
        call.notes = made.notes
        call.dropped = made.dropped
        written = converse_request(made.body)
        head, accept = self._whole_head, b"application/json"
        if call.streamed:
            head, accept = self._stream_head, b"application/vnd.amazon.eventstream"
        rest = b"accept: %b\r\n%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n" % (
            accept,
            call.onward,
            call.arrival.request_id.encode(),
            len(written),
        )
        return [head + rest, written]

    def pipe(self, call: Call) -> ConverseMessages:
        """Frames in, Anthropic's events out."""
        dialect = self._lessons.dialect(call.arrival.received_ms / 1000)
        return ConverseMessages(call, dialect, self._seal, self._event_bytes_max)

    def reply(self, call: Call, body: bytes) -> WholeReply:
        """A whole reply as an Anthropic message."""
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
        return bedrock_fault(self.name, status, headers, body, call=call, now_s=now_s)

    def learn(self, status: int, body: bytes, now_s: float) -> str:
        """A field this deployment does not know is left out from now on."""
        for theirs, ours in _IN_CHAT_WORDS:
            body = body.replace(theirs, ours)
        return self._lessons.learn(status, body, now_s)

    def learned(self, now_s: float) -> tuple[str, ...]:
        """The fields that are left out."""
        return self._lessons.learned(now_s)

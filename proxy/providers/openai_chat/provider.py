"""One deployment on a server that speaks chat completions: translated there, translated back.

Joins what its neighbours know: `request` writes the chat request, `stream/chat_to_messages` reads
the streamed reply, `stream/chat_reply` the whole one, `faults` the refusals, `lessons` what to
leave out the next time. One instance for each deployment, because each learns for itself.
"""

from collections.abc import Mapping

import msgspec

from proxy.domain.call import COUNT, Call
from proxy.domain.dialect import Dialect
from proxy.domain.fault import Fault
from proxy.domain.usage import Usage
from proxy.providers.credential import Credential
from proxy.providers.openai_chat.faults import chat_fault
from proxy.providers.openai_chat.lessons import Lessons
from proxy.providers.openai_chat.request import chat_request, counting_request
from proxy.stream.broken import broken
from proxy.stream.chat_reply import whole_reply
from proxy.stream.chat_to_messages import ChatToMessages
from proxy.stream.chat_usage import COUNT_MAX
from proxy.stream.pipe import Pipe
from proxy.stream.whole_reply import WholeReply
from proxy.wire.body import Body
from proxy.wire.http import Origin, Piece
from proxy.wire.messages import count_body
from proxy.wire.seal import ThinkingSeal


class _MoonshotCount(msgspec.Struct):
    total_tokens: int


class _Count(msgspec.Struct):
    """Of whichever server: Moonshot says `data.total_tokens`, vLLM `count`."""

    data: _MoonshotCount | None = None
    count: int | None = None


_read_count = msgspec.json.Decoder(_Count).decode


class OpenAIChat:
    """A provider on the OpenAI wire. `key` is its secret, empty where it wants none."""

    translates = True
    cites = False

    def __init__(
        self,
        name: str,
        origin: Origin,
        prefix: str,
        *,
        key: str,
        dialect: Dialect,
        seal: ThinkingSeal,
        event_bytes_max: int,
        credential: Credential | None = None,
    ) -> None:
        self.name = name
        self.credential = credential
        self.origin = origin
        self.counts = dialect.count != "local"
        self._lessons = Lessons(dialect)
        self._seal = seal
        self._event_bytes_max = event_bytes_max
        counting = {
            "local": "",
            "moonshot": prefix + "/tokenizers/estimate-token-count",
            # Beside its OpenAI paths, not among them.
            "vllm": prefix.removesuffix("/v1") + "/tokenize",
        }[dialect.count]
        secret = ""
        if key:
            bearer = "Bearer " if dialect.key_header == "authorization" else ""
            secret = f"{dialect.key_header}: {bearer}{key}\r\n"
        fixed = (
            f" HTTP/1.1\r\nhost: {origin.authority}\r\n{secret}"
            "content-type: application/json\r\naccept-encoding: identity\r\n"
        )
        self._message_head = f"POST {prefix}{dialect.path}{fixed}".encode("latin-1")
        self._count_head = f"POST {counting}{fixed}".encode("latin-1")

    def __repr__(self) -> str:
        return f"OpenAIChat({self.name!r}, {self.origin.authority!r})"

    def request(self, call: Call, body: Body, upstream_model: str) -> list[Piece]:
        """A chat request, without what this deployment has refused before."""
        arrival = call.arrival
        dialect = self._lessons.dialect(arrival.received_ms / 1000)
        if arrival.errand is COUNT:
            head, accepted = self._count_head, b"application/json"
            written = counting_request(call, body, upstream_model, dialect, self._seal)
        else:
            head = self._message_head
            accepted = b"text/event-stream" if call.streamed else b"application/json"
            made = chat_request(call, body, upstream_model, dialect, self._seal)
            call.expected = made.expected
            call.notes = made.notes
            call.dropped = made.dropped
            written = made.body
        rest = b"%baccept: %b\r\nx-request-id: %b\r\ncontent-length: %d\r\n\r\n" % (
            call.onward,
            accepted,
            arrival.request_id.encode(),
            len(written),
        )
        return [head + rest, written]

    def pipe(self, call: Call) -> Pipe:
        """Chunks in, Anthropic's events out."""
        dialect = self._lessons.dialect(call.arrival.received_ms / 1000)
        return ChatToMessages(call, dialect, self._seal, self._event_bytes_max)

    def reply(self, call: Call, body: bytes) -> WholeReply:
        """A completion as an Anthropic message; a count as Anthropic says it."""
        if call.arrival.errand is COUNT:
            return WholeReply(count_body(_counted(body)), Usage(), "")
        dialect = self._lessons.dialect(call.arrival.received_ms / 1000)
        return whole_reply(call, dialect, self._seal, body)

    def fault(
        self, call: Call, status: int, headers: Mapping[bytes, bytes], body: bytes, now_s: float
    ) -> Fault:
        """The provider's refusal in Anthropic's words (translation.md 7)."""
        return chat_fault(self.name, status, headers, body, call=call, now_s=now_s)

    def learn(self, status: int, body: bytes, now_s: float) -> str:
        """A field this deployment does not know is left out from now on."""
        return self._lessons.learn(status, body, now_s)

    def learned(self, now_s: float) -> tuple[str, ...]:
        """The fields that are left out."""
        return self._lessons.learned(now_s)


def _counted(body: bytes) -> int:
    tokens: int | None
    try:
        read = _read_count(body)
        tokens = read.data.total_tokens if read.data is not None else read.count
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        tokens = None
    if tokens is None or not 0 <= tokens <= COUNT_MAX:
        raise broken("sent a count that cannot be read")
    return tokens

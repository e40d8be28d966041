"""Anthropic itself: the client's bytes with the model exchanged, the answer's with it put back.

What is sent is `anthropic_request.py`'s. A refusal keeps the provider's wording, because clients
match on it; what is about *our* credential becomes a 502.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from proxy.domain.call import Call
from proxy.domain.fault import Fault, Kind, Source
from proxy.providers.anthropic_request import RequestWriter, forwarded_lines
from proxy.providers.credential import Credential
from proxy.providers.provider import Provider
from proxy.stream.passed_reply import passed_reply
from proxy.stream.passthrough import Passthrough
from proxy.stream.whole_reply import WholeReply
from proxy.wire.artefacts import bears_artefacts, without_artefacts
from proxy.wire.body import Body
from proxy.wire.fault_body import read_error_body
from proxy.wire.http import Origin, Piece
from proxy.wire.retry_after import read_retry_after

_RETRIABLE: Final = {b"true": True, b"false": False}


class Anthropic(Provider):
    """A provider that speaks Anthropic's own wire. `credential` is a header, name and value."""

    counts = True
    translates = False
    cites = True
    credential: Credential | None = None

    def __init__(
        self,
        name: str,
        origin: Origin,
        prefix: str,
        *,
        credential: tuple[str, str] | None,
        event_bytes_max: int,
        without_searches: Callable[[Call, Body], Body],
    ) -> None:
        """`without_searches` takes searches that the gateway made out of a conversation: their
        tokens are ours, and Anthropic refuses them. Raises Fault 400 for altered ones."""
        self.name = name
        self.origin = origin
        self._event_bytes_max = event_bytes_max
        self._without_searches = without_searches
        self._writer = RequestWriter(origin, prefix, credential)

    def __repr__(self) -> str:
        return f"Anthropic({self.name!r}, {self.origin.authority!r})"

    def request(self, call: Call, body: Body, upstream_model: str) -> list[Piece]:
        """The client's body with the upstream's name of the model, under a head of ours; without
        thinking of other models and searches of ours, whose seals Anthropic cannot know
        (translation.md 4.1)."""
        if bears_artefacts(body):
            body = self._without_searches(call, without_artefacts(body))
        return self._writer.written(
            call, body, upstream_model, forwarded_lines(call.arrival.headers)
        )

    def pipe(self, call: Call) -> Passthrough:
        """Events go through; `message_start` gets the resolved model's name."""
        return Passthrough(
            msgspec.json.encode(call.model.id), call.arrival.request_id, self._event_bytes_max
        )

    def reply(self, call: Call, body: bytes) -> WholeReply:
        """The provider's bytes with the resolved model's name; the count of tokens as it is."""
        return passed_reply(call, body)

    def fault(
        self, call: Call, status: int, headers: Mapping[bytes, bytes], body: bytes, now_s: float
    ) -> Fault:
        """The provider's refusal, told to the client (translation.md 7, contract 9.2)."""
        return anthropic_fault(self.name, status, headers, body, now_s)

    def learn(self, status: int, body: bytes, now_s: float) -> str:
        """Nothing: the client's request is not ours to change."""
        return ""

    def learned(self, now_s: float) -> tuple[str, ...]:
        """Nothing ever is."""
        return ()


def anthropic_fault(
    provider: str, status: int, headers: Mapping[bytes, bytes], body: bytes, now_s: float
) -> Fault:
    """A refusal on Anthropic's wire, its wording kept. Header names are lower-case; `now_s` is
    Unix seconds."""
    read = read_error_body(body)
    if status in (401, 402, 403):
        said = f"{read[0].type}: {read[0].message}" if read else ""
        return Fault(
            Kind.UPSTREAM_BROKEN,
            "The model provider refused the gateway's own credential.",
            hint="Please tell the gateway's operator.",
            detail=f"provider {provider} answered {status} {said}",
            source=Source.UPSTREAM,
            retry=False,
        )
    retry = _RETRIABLE.get(headers.get(b"x-should-retry", b""))
    wait = read_retry_after(headers.get(b"retry-after"), now_s)
    if read is not None and 400 <= status < 600:
        return Fault(
            _KINDS.get(status, Kind.UPSTREAM_BROKEN),
            read[0].message,
            detail=f"provider {provider} answered {status} {read[0].type}",
            source=Source.UPSTREAM,
            retry=retry,
            retry_after_s=wait,
            status=status,
            error_type=read[0].type,
            error_body=read[1],
        )
    kind = _KINDS.get(status, Kind.UPSTREAM_BROKEN)
    return Fault(
        kind,
        _WORDS.get(kind, f"The model provider answered with status {status}. Try again."),
        detail=f"provider {provider} answered {status} without an Anthropic error body",
        source=Source.UPSTREAM,
        retry=retry,
        retry_after_s=wait,
    )


_KINDS = {
    400: Kind.BAD_REQUEST,
    404: Kind.NOT_FOUND,
    408: Kind.UPSTREAM_TIMEOUT,
    409: Kind.CONFLICT,
    413: Kind.TOO_LARGE,
    422: Kind.BAD_REQUEST,
    429: Kind.RATE_LIMITED,
    503: Kind.OVERLOADED,
    504: Kind.UPSTREAM_TIMEOUT,
    529: Kind.OVERLOADED,
}

_WORDS: Final = {
    Kind.BAD_REQUEST: "The model provider refused the request without saying why.",
    Kind.NOT_FOUND: "The model provider does not know this model or path.",
    Kind.TOO_LARGE: "The request is too large for the model provider.",
    Kind.RATE_LIMITED: "The model provider limits the rate of requests. Try again later.",
    Kind.OVERLOADED: "The model provider is overloaded. Try again later.",
    Kind.UPSTREAM_TIMEOUT: "The model provider took too long to answer. Try again.",
}

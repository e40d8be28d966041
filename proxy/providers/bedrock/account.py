"""What is the same for all surfaces of Bedrock's: whose account pays, and the heads of requests to
its runtime.

The runtime wants what its service model calls the terms (a guardrail, a tier) in headers from
InvokeModel and in the body from Converse; here are the headers.
"""

import msgspec

from proxy.domain.call import Call
from proxy.domain.model import BedrockTerms
from proxy.providers.bedrock.surfaces import Deployment, base_id
from proxy.providers.credential import Credential
from proxy.wire.http import Piece
from proxy.wire.sigv4 import path_label

EVENTS = b"application/vnd.amazon.eventstream"
JSON = b"application/json"


class Account(msgspec.Struct, frozen=True):
    """One deployment as its provider's table in the configuration has it. Requests carry `api_key`
    (a Bedrock API key) or are signed by `credential`."""

    name: str
    place: Deployment
    api_key: str
    credential: Credential | None
    event_bytes_max: int

    @property
    def counted_as(self) -> str:
        """The id that CountTokens takes, empty where none is known."""
        base = base_id(self.place.known_as)
        return base if "." in base else ""

    def head(self, model: str, operation: str, lines: str = "") -> bytes:
        """How a request to the runtime begins; `lines` are headers beside the usual ones."""
        place = self.place
        secret = f"authorization: Bearer {self.api_key}\r\n" if self.api_key else ""
        return (
            f"POST {place.prefix}/model/{path_label(model)}/{operation} HTTP/1.1\r\n"
            f"host: {place.origin.authority}\r\n{secret}"
            f"content-type: application/json\r\naccept-encoding: identity\r\n{lines}"
        ).encode("latin-1")


def term_lines(terms: BedrockTerms) -> str:
    """The headers of InvokeModel that ask for them."""
    named = (
        ("guardrailidentifier", terms.guardrail),
        ("guardrailversion", terms.guardrail_version),
        ("trace", terms.guardrail_trace.upper()),
        ("performanceconfig-latency", terms.latency),
        ("service-tier", terms.service_tier),
    )
    return "".join([f"x-amzn-bedrock-{name}: {value}\r\n" for name, value in named if value])


def asked(call: Call, head: bytes, accept: bytes, written: bytes) -> list[Piece]:
    """The request in pieces: `head` went before, `written` is its body."""
    rest = b"accept: %b\r\n%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n" % (
        accept,
        call.onward,
        call.arrival.request_id.encode(),
        len(written),
    )
    return [head + rest, written]

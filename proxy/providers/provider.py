"""What every upstream can do for a call, as pure functions of bytes.

A provider knows a wire format and nothing of sockets: it writes the request, reads the reply, and
says what a refusal means. One instance serves all calls of one configured provider.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from proxy.domain.call import Call
from proxy.domain.fault import Fault
from proxy.domain.usage import Usage
from proxy.stream.passthrough import Passthrough
from proxy.wire.body import Body
from proxy.wire.http import Origin, Piece


class WholeReply(msgspec.Struct, gc=False):
    """A reply that was not streamed, ready for the client."""

    body: bytes
    usage: Usage
    stop_reason: str


class Provider(Protocol):
    """One configured upstream."""

    name: str
    origin: Origin

    def request(self, call: Call, body: Body, upstream_model: str) -> list[Piece]:
        """The whole HTTP request for this call, in pieces."""
        ...

    def pipe(self, call: Call) -> Passthrough:
        """The pipe that a streamed reply runs through."""
        ...

    def reply(self, call: Call, body: bytes) -> WholeReply:
        """A reply with status 2xx that is not streamed. Raises Fault when it cannot be read."""
        ...

    def fault(
        self, status: int, headers: Mapping[bytes, bytes], body: bytes, now_s: float
    ) -> Fault:
        """What a reply with another status means to the client. `now_s` is Unix seconds."""
        ...

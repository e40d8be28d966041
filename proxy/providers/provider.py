"""What every upstream can do for a call, as pure functions of bytes.

A provider knows a wire format and nothing of sockets: it writes the request, reads the reply, and
says what a refusal means. One instance serves all calls of one configured provider.
"""

from collections.abc import Mapping
from typing import Protocol

from proxy.domain.call import Call
from proxy.domain.fault import Fault
from proxy.providers.credential import Credential
from proxy.stream.pipe import Pipe
from proxy.stream.whole_reply import WholeReply
from proxy.wire.body import Body
from proxy.wire.http import Origin, Piece


class Provider(Protocol):
    """One configured upstream."""

    __slots__ = ()

    name: str
    origin: Origin
    counts: bool
    """Has it an endpoint that counts tokens?"""
    translates: bool
    """Is the message made by us from another wire? Then it needs an id and an estimate of its
    input from us."""
    cites: bool
    """Does its model cite `search_result` blocks by itself (translation.md 9.10)?"""

    @property
    def credential(self) -> Credential | None:
        """What must be at hand before this is asked, and signs what `request` made. None where
        requests carry all they need."""
        ...

    def request(self, call: Call, body: Body, upstream_model: str) -> list[Piece]:
        """The whole HTTP request for this call, in pieces. What its reply must know of it is noted
        in `call.expected`, what the client is told of it in `call.notes`. Raises Fault for what
        this wire cannot carry."""
        ...

    def pipe(self, call: Call) -> Pipe:
        """The pipe that a streamed reply runs through."""
        ...

    def reply(self, call: Call, body: bytes) -> WholeReply:
        """A reply with status 2xx that is not streamed. Raises Fault when it cannot be read."""
        ...

    def fault(
        self, call: Call, status: int, headers: Mapping[bytes, bytes], body: bytes, now_s: float
    ) -> Fault:
        """What a reply with another status means to the client. `now_s` is Unix seconds."""
        ...

    def learn(self, status: int, body: bytes, now_s: float) -> str:
        """A refusal that is about a field this deployment does not know: the field, which the next
        `request` leaves out; empty when there is nothing to learn."""
        ...

    def learned(self, now_s: float) -> tuple[str, ...]:
        """The fields that are left out."""
        ...

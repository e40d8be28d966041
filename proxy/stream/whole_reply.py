"""What a reply that was not streamed becomes, whatever the wire."""

import msgspec

from proxy.domain.usage import Usage


class WholeReply(msgspec.Struct, gc=False):
    """A reply that was not streamed, ready for the client."""

    body: bytes
    usage: Usage
    stop_reason: str
    usage_estimated: bool = False

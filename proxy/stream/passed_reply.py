"""A whole reply on Anthropic's wire, passed on: the provider's bytes but for the model's name."""

import msgspec

from proxy.domain.call import COUNT, Call
from proxy.domain.fault import Fault, Kind, Source
from proxy.domain.usage import Usage
from proxy.stream.whole_reply import WholeReply
from proxy.wire.messages import read_count, read_reply
from proxy.wire.reported import merge_usage, with_reply_model


def passed_reply(call: Call, body: bytes) -> WholeReply:
    """A message with the resolved model's name; a count of tokens as it is. Raises Fault 502 for
    what is neither."""
    try:
        if call.arrival.errand is COUNT:
            read_count(body)
            return WholeReply(body, Usage(), "")
        reply = read_reply(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Fault(
            Kind.UPSTREAM_BROKEN,
            "The model provider sent a reply that cannot be read. Try again.",
            source=Source.UPSTREAM,
        ) from None
    usage = Usage()
    if reply.usage is not None:
        merge_usage(reply.usage, usage)
    named = with_reply_model(body, reply, msgspec.json.encode(call.model.id))
    return WholeReply(named, usage, reply.stop_reason or "")

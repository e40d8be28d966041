"""A whole reply of InvokeModel: Claude's message without what is Amazon's in it."""

import msgspec

from proxy.domain.call import Call
from proxy.stream.passed_reply import passed_reply
from proxy.stream.whole_reply import WholeReply
from proxy.wire.bedrock_chunk import UNREADABLE, read_fields
from proxy.wire.bedrock_extras import PREFIX, part, refused


def bedrock_reply(call: Call, body: bytes) -> WholeReply:
    """As `passed_reply`; where a guardrail intervened, the message ends as a refusal."""
    if PREFIX in body:
        try:
            kept, intervened = part(read_fields(body))
        except UNREADABLE:
            return passed_reply(call, body)  # which says what is wrong with it
        body = msgspec.json.encode(refused(kept) if intervened else kept)
    return passed_reply(call, body)

"""A chat completion that was not streamed, as a whole Anthropic message (translation.md 2).

It goes through the same machine as a stream, as if it were one chunk. What differs: nothing goes
out before the end, so a call that cannot be run makes the whole reply a Fault that says the same
deployment may be asked again, and one that was cut off is left out (2.5).
"""

from proxy.domain.call import Call
from proxy.domain.dialect import Dialect
from proxy.domain.usage import Usage
from proxy.stream.broken import broken
from proxy.stream.chat_turn import ChatTurn
from proxy.stream.finish import Finish
from proxy.stream.message_document import MessageDocument
from proxy.stream.whole_reply import WholeReply
from proxy.wire.chat import read_chunk
from proxy.wire.seal import ThinkingSeal
from proxy.wire.sse import BOM


def whole_reply(call: Call, dialect: Dialect, seal: ThinkingSeal, body: bytes) -> WholeReply:
    """The message. Raises Fault where the reply is an error, no completion, or not to be used."""
    # DeepSeek keeps the connection alive with empty lines before the JSON.
    text = body.removeprefix(BOM).strip()
    chunk = read_chunk(text)
    if chunk is None:
        raise broken("did not answer with JSON", repeat=True)
    usage = Usage()
    document = MessageDocument(call.message_id, call.model.id)
    turn = ChatTurn(call, dialect, seal, document, usage, streams=False)
    turn.take(chunk, text)
    if turn.finish is None and not turn.is_cut:
        if not turn.is_mere_text:
            raise broken("answered without a whole message", repeat=True)
        turn.conclude(Finish.DONE)
    turn.end()
    return WholeReply(document.body, usage, turn.stop_reason, turn.count.estimated)

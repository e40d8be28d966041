"""A whole message of a server that only almost speaks Anthropic's wire, made legal.

What is there stays the bytes it is; what a client relies on and does not find is put in.
"""

import msgspec

from proxy.domain.call import Call
from proxy.stream.broken import broken
from proxy.stream.repaired_parts import (
    ABSENT,
    CALLS,
    UNREADABLE,
    Counts,
    TheirBlock,
    given,
    object_of,
    read_block,
    read_fields,
    read_list,
    signed,
    stop_reason,
    text_of,
    words_of,
)
from proxy.stream.repaired_writer import FAMILY
from proxy.stream.thinking_signer import ThinkingSigner
from proxy.stream.tool_ids import made_id
from proxy.stream.whole_reply import WholeReply
from proxy.wire.chat_fault import read_chat_error
from proxy.wire.seal import ThinkingSeal


def repaired_reply(call: Call, seal: ThinkingSeal, body: bytes) -> WholeReply:
    """The message for the client. Raises Fault where there is none, or an error instead."""
    try:
        message = read_fields(body)
        if given(message.get("error", ABSENT)) or text_of(message.get("type", ABSENT)) == "error":
            raise read_chat_error(body, status=None, call=call)
        blocks = _Blocks(call, seal)
        content = blocks.repaired(message.get("content", ABSENT))
    except UNREADABLE:
        raise broken("sent a reply that cannot be read") from None
    counts = Counts()
    counts.merge(message.pop("usage", ABSENT))
    usage = counts.document(
        input_tokens=call.input_tokens, output_bytes=blocks.text_bytes, is_final=True
    )
    reason = stop_reason(text_of(message.get("stop_reason", ABSENT)), calls=blocks.calls)
    theirs = message.get("id", ABSENT)
    told = {
        "id": theirs if words_of(theirs) else _raw(call.message_id),
        "type": _raw("message"),
        "role": _raw("assistant"),
        "model": _raw(call.model.id),
        "content": msgspec.Raw(content),
        "stop_reason": _raw(reason),
        "stop_sequence": message.get("stop_sequence", msgspec.Raw(b"null")),
    }
    others = {key: raw for key, raw in message.items() if key not in told}
    document = object_of({**told, **others, "usage": msgspec.Raw(usage)})
    return WholeReply(document, counts.usage, reason, counts.estimated)


class _Blocks:
    """The content of one message, block by block."""

    def __init__(self, call: Call, seal: ThinkingSeal) -> None:
        self._call = call
        self._signer = ThinkingSigner(seal, call.caller.tenant_id, FAMILY, shown=True)
        self._ids: set[str] = set()
        self.calls = 0
        self.text_bytes = 0

    def repaired(self, content: msgspec.Raw) -> bytes:
        """`content` as a JSON array of legal blocks; text alone stands for a block of it."""
        if words_of(content):
            text = object_of({"type": _raw("text"), "text": content})
            self.text_bytes = len(text)
            return b"[" + text + b"]"
        blocks = read_list(content) if given(content) and bytes(content) != b'""' else []
        return b"[" + b",".join(filter(None, map(self._repaired, blocks))) + b"]"

    def _repaired(self, raw: msgspec.Raw) -> bytes:
        """One block; nothing for an empty text, which clients cannot send back (trap 13)."""
        block = read_block(raw)
        words = words_of(block.text) + words_of(block.thinking) + bytes(block.input)
        self.text_bytes += len(words)
        if block.type == "text":
            return bytes(raw) if words_of(block.text) else b""
        if block.type == "thinking" and not words_of(block.signature):
            self._signer.add(words_of(block.thinking))
            signature = msgspec.Raw(b'"%b"' % signed(self._signer))
            return object_of(read_fields(raw) | {"signature": signature})
        if block.type in CALLS:
            return self._call_of(raw, block)
        return bytes(raw)

    def _call_of(self, raw: msgspec.Raw, block: TheirBlock) -> bytes:
        if not block.name:
            raise broken("sent a call of a tool without its name", repeat=True)
        self.calls += block.type == "tool_use"
        fields = read_fields(raw)
        if not block.id or block.id in self._ids:
            fields["id"] = _raw(made_id(self._call.message_id, len(self._ids)))
        self._ids.add(text_of(fields["id"]))
        if not given(block.input):
            fields["input"] = msgspec.Raw(b"{}")
        return object_of(fields)


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(text))

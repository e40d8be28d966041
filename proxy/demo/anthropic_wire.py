"""The demo model's answers in the shapes of Anthropic's Messages API.

Pure: a reply and its envelope in, bytes out. The order of events is that of the real API: start,
ping, blocks one at a time, delta with the whole usage, stop.
"""

from collections.abc import Iterator

import msgspec

from proxy.demo.envelope import Envelope, Frame
from proxy.demo.refusal import Refusal
from proxy.demo.script import Block, Page, Reply, TextBlock, ThinkingBlock, ToolBlock


def frames(reply: Reply, envelope: Envelope) -> Iterator[Frame]:
    """The reply as a stream, from `message_start` to `message_stop`."""
    opening = _message(envelope) | {"usage": _usage(envelope, min(1, reply.output_tokens))}
    yield _event("message_start", message=opening)
    yield _event("ping")
    for index, block in enumerate(reply.blocks):
        start = _start(block, _tool_id(envelope, index))
        yield _event("content_block_start", index=index, content_block=start)
        for delta in _deltas(block):
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    yield _event(
        "message_delta",
        delta={"stop_reason": reply.stop.value, "stop_sequence": reply.stop_sequence},
        usage=_final_usage(reply, envelope),
    )
    yield _event("message_stop")


def error_frame(refusal: Refusal, request_id: str) -> bytes:
    """The event that ends a stream which failed after it began."""
    return b"event: error\ndata: " + error_body(refusal, request_id) + b"\n\n"


def whole(reply: Reply, envelope: Envelope) -> bytes:
    """The reply as one JSON message."""
    message = _message(envelope) | {
        "content": [
            _finished(block, _tool_id(envelope, index)) for index, block in enumerate(reply.blocks)
        ],
        "stop_reason": reply.stop.value,
        "stop_sequence": reply.stop_sequence,
        "usage": _usage(envelope, reply.output_tokens)
        | {"output_tokens_details": _details(reply), "server_tool_use": None},
    }
    return msgspec.json.encode(message)


def error_body(refusal: Refusal, request_id: str) -> bytes:
    """The error envelope."""
    error = {"type": refusal.error_type, "message": refusal.words}
    return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id})


def _event(name: str, **content: object) -> Frame:
    data = msgspec.json.encode({"type": name} | content)
    return Frame(
        b"event: " + name.encode() + b"\ndata: " + data + b"\n\n",
        is_delta=name == "content_block_delta",
    )


def _message(envelope: Envelope) -> dict[str, object]:
    return {
        "id": f"msg_01{envelope.serial}",
        "type": "message",
        "role": "assistant",
        "model": envelope.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "container": None,
    }


def _usage(envelope: Envelope, output_tokens: int) -> dict[str, object]:
    return {
        "input_tokens": envelope.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }


def _final_usage(reply: Reply, envelope: Envelope) -> dict[str, object]:
    """Cumulative and final, as clients bill from it."""
    usage: dict[str, object] = {
        "input_tokens": envelope.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": reply.output_tokens,
    }
    details = _details(reply)
    return usage | {"output_tokens_details": details} if details else usage


def _details(reply: Reply) -> dict[str, int] | None:
    return {"thinking_tokens": reply.thinking_tokens} if reply.thinking_tokens else None


def _tool_id(envelope: Envelope, index: int) -> str:
    """Unique over a whole conversation, as clients need it."""
    return f"toolu_01{envelope.serial}{index:02d}"


def _start(block: Block, tool_id: str) -> dict[str, object]:
    match block:
        case ThinkingBlock():
            return {"type": "thinking", "thinking": "", "signature": ""}
        case TextBlock():
            return {"type": "text", "text": ""}
        case ToolBlock(name=name):
            return {"type": "tool_use", "id": tool_id, "name": name, "input": {}}


def _deltas(block: Block) -> Iterator[dict[str, object]]:
    match block:
        case ThinkingBlock(pieces=pieces, signature=signature):
            for piece in pieces:
                yield {"type": "thinking_delta", "thinking": piece}
            yield {"type": "signature_delta", "signature": signature}
        case TextBlock(pieces=pieces, citations=pages):
            for page in pages:  # in front of the words, as the real API has them
                yield {"type": "citations_delta", "citation": _citation(page)}
            for piece in pieces:
                yield {"type": "text_delta", "text": piece}
        case ToolBlock(pieces=pieces):
            for piece in pieces:
                yield {"type": "input_json_delta", "partial_json": piece}


def _citation(page: Page) -> dict[str, object]:
    return {
        "type": "search_result_location",
        "source": page.source,
        "title": page.title,
        "cited_text": page.text,
        "search_result_index": page.number,
        "start_block_index": 0,
        "end_block_index": 1,
    }


def _finished(block: Block, tool_id: str) -> dict[str, object]:
    said = "".join(block.pieces)
    match block:
        case ThinkingBlock(signature=signature):
            return {"type": "thinking", "thinking": said, "signature": signature}
        case TextBlock(citations=()):
            return {"type": "text", "text": said}
        case TextBlock(citations=pages):
            cited = [_citation(page) for page in pages]
            return {"type": "text", "text": said, "citations": cited}
        case ToolBlock(name=name):
            # Raw: the arguments go out as they were written, big integers and key order too.
            arguments = msgspec.Raw(said.encode())
            return {"type": "tool_use", "id": tool_id, "name": name, "input": arguments}

"""The demo model's answers in the shapes of OpenAI's chat completions.

Pure: a reply and its envelope in, bytes out. Thinking is `reasoning_content`, as Kimi and
DeepSeek say it; a stream ends with `[DONE]`.
"""

from collections.abc import Iterator

import msgspec

from proxy.demo.envelope import Envelope, Frame
from proxy.demo.refusal import Refusal
from proxy.demo.script import Reply, Stop, TextBlock, ThinkingBlock, ToolBlock

_FINISH = {
    Stop.END_TURN: "stop",
    Stop.STOP_SEQUENCE: "stop",
    Stop.MAX_TOKENS: "length",
    Stop.TOOL_USE: "tool_calls",
}
_ERROR_TYPES = {429: "rate_limit_exceeded", 404: "not_found_error"}


def frames(reply: Reply, envelope: Envelope, *, include_usage: bool) -> Iterator[Frame]:
    """The reply as a stream, from the role to `[DONE]`."""
    # The real API says `usage: null` on every other chunk when usage is asked for.
    usage: dict[str, object] = {"usage": None} if include_usage else {}

    def chunk(delta: dict[str, object], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _event(_completion(envelope, "chat.completion.chunk", [choice]) | usage)

    yield Frame(chunk({"role": "assistant", "content": ""}))
    for delta in _deltas(reply, envelope):
        yield Frame(chunk(delta), is_delta=True)
    yield Frame(chunk({}, _FINISH[reply.stop]))
    if include_usage:
        last = _completion(envelope, "chat.completion.chunk", [])
        yield Frame(_event(last | {"usage": _usage(reply, envelope)}))
    yield Frame(b"data: [DONE]\n\n")


def error_frame(refusal: Refusal) -> bytes:
    """The chunk that ends a stream which failed after it began."""
    return b"data: " + error_body(refusal) + b"\n\n"


def whole(reply: Reply, envelope: Envelope) -> bytes:
    """The reply as one completion."""
    message: dict[str, object] = {"role": "assistant", "content": None, "refusal": None}
    calls: list[dict[str, object]] = []
    for index, block in enumerate(reply.blocks):
        said = "".join(block.pieces)
        match block:
            case ThinkingBlock():
                message["reasoning_content"] = said
            case TextBlock():
                message["content"] = said
            case ToolBlock(name=name):
                calls.append(_call(_call_id(envelope, index), name, said))
    if calls:
        message["tool_calls"] = calls
    elif message["content"] is None:
        message["content"] = ""
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": _FINISH[reply.stop],
    }
    completion = _completion(envelope, "chat.completion", [choice])
    return msgspec.json.encode(completion | {"usage": _usage(reply, envelope)})


def error_body(refusal: Refusal) -> bytes:
    """The error envelope."""
    kind = "server_error" if refusal.status >= 500 else "invalid_request_error"
    error = {
        "message": refusal.words,
        "type": _ERROR_TYPES.get(refusal.status, kind),
        "param": None,
        "code": "invalid_api_key" if refusal.status == 401 else None,
    }
    return msgspec.json.encode({"error": error})


def _deltas(reply: Reply, envelope: Envelope) -> Iterator[dict[str, object]]:
    calls_seen = 0
    for index, block in enumerate(reply.blocks):
        match block:
            case ThinkingBlock(pieces=pieces):
                for piece in pieces:
                    yield {"reasoning_content": piece}
            case TextBlock(pieces=pieces):
                for piece in pieces:
                    yield {"content": piece}
            case ToolBlock(name=name, pieces=pieces):
                opening = _call(_call_id(envelope, index), name, pieces[0])
                yield {"tool_calls": [{"index": calls_seen} | opening]}
                for piece in pieces[1:]:
                    arguments = {"index": calls_seen, "function": {"arguments": piece}}
                    yield {"tool_calls": [arguments]}
                calls_seen += 1


def _call(call_id: str, name: str, arguments: str) -> dict[str, object]:
    function = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def _call_id(envelope: Envelope, index: int) -> str:
    return f"call_{envelope.serial}{index:02d}"


def _completion(
    envelope: Envelope, kind: str, choices: list[dict[str, object]]
) -> dict[str, object]:
    return {
        "id": f"chatcmpl-{envelope.serial}",
        "object": kind,
        "created": envelope.created_s,
        "model": envelope.model,
        "system_fingerprint": "fp_demo",
        "choices": choices,
    }


def _usage(reply: Reply, envelope: Envelope) -> dict[str, object]:
    return {
        "prompt_tokens": envelope.input_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": envelope.input_tokens + reply.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reply.thinking_tokens},
    }


def _event(value: object) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"

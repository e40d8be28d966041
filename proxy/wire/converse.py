"""Replies of Bedrock's Converse, whole or in events, as those of chat completions.

What Converse says is what chat servers say, in other words: so it is put into theirs, and all that
is known about them holds for it too (calls that leak into text, usage that comes last, names that
come late). Opaque values stay bytes. Refuses to know what any of it means.
"""

import msgspec

_NONE = msgspec.Raw()
_FINISHES = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
}
DONE = b"data: [DONE]\n\n"


class _Reasoning(msgspec.Struct):
    text: str | None = None


class _ReasoningText(msgspec.Struct, rename="camel"):
    reasoning_text: _Reasoning | None = None


class _ToolUse(msgspec.Struct, rename="camel"):
    tool_use_id: str = ""
    name: str = ""
    input: msgspec.Raw = _NONE


class _Start(msgspec.Struct, rename="camel"):
    tool_use: _ToolUse | None = None


class _Delta(msgspec.Struct, rename="camel"):
    text: msgspec.Raw = _NONE
    tool_use: _ToolUse | None = None
    reasoning_content: _Reasoning | None = None


class _CacheDetail(msgspec.Struct, rename="camel"):
    ttl: str = ""
    input_tokens: int = 0


class _Usage(msgspec.Struct, rename="camel"):
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    cache_details: list[_CacheDetail] | None = None


class _Event(msgspec.Struct, rename="camel"):
    """Any event of the stream."""

    content_block_index: int = 0
    start: _Start | None = None
    delta: _Delta | None = None
    stop_reason: str = ""
    usage: _Usage | None = None


class _Block(msgspec.Struct, rename="camel"):
    text: str | None = None
    tool_use: _ToolUse | None = None
    reasoning_content: _ReasoningText | None = None


class _Message(msgspec.Struct):
    content: list[_Block] = []


class _Output(msgspec.Struct):
    message: _Message | None = None


class _Reply(msgspec.Struct, rename="camel"):
    output: _Output | None = None
    stop_reason: str = ""
    usage: _Usage | None = None


_read_event = msgspec.json.Decoder(_Event).decode
_read_reply = msgspec.json.Decoder(_Reply).decode
_encode = msgspec.json.encode


class ConverseEvents:
    """The events of one stream as chunks. Calls are numbered in the order in which they begin."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: dict[int, int] = {}

    def chunks(self, kind: str, payload: bytes) -> bytes:
        """What an event of this type comes to, as server-sent events; nothing for others. Raises
        msgspec.DecodeError or UnicodeDecodeError for what cannot be read."""
        if kind == "messageStart":
            return _chunk({"role": "assistant", "content": ""})
        if kind == "contentBlockStart":
            event = _read_event(payload)
            begun = event.start.tool_use if event.start is not None else None
            return b"" if begun is None else self._call_begins(event.content_block_index, begun)
        if kind == "contentBlockDelta":
            return self._delta(_read_event(payload))
        if kind == "messageStop":
            return _chunk({}, _finish(_read_event(payload).stop_reason))
        if kind == "metadata":
            usage = _read_event(payload).usage
            told = b"" if usage is None else _sse({"choices": [], "usage": _usage(usage)})
            return told + DONE
        return b""

    def _call_begins(self, block: int, begun: _ToolUse) -> bytes:
        number = self._calls[block] = len(self._calls)
        function = {"name": begun.name, "arguments": ""}
        call = {"index": number, "id": begun.tool_use_id, "type": "function", "function": function}
        return _chunk({"tool_calls": [call]})

    def _delta(self, event: _Event) -> bytes:
        delta = event.delta
        if delta is None:
            return b""
        if delta.text:
            return _chunk({"content": delta.text})
        if delta.tool_use is not None:
            number = self._calls.get(event.content_block_index, len(self._calls))
            arguments = {"arguments": delta.tool_use.input or msgspec.Raw(b'""')}
            return _chunk({"tool_calls": [{"index": number, "function": arguments}]})
        if delta.reasoning_content is not None and delta.reasoning_content.text:
            return _chunk({"reasoning_content": delta.reasoning_content.text})
        return b""


def completion_of(body: bytes) -> bytes:
    """A whole reply as a completion. Raises as `ConverseEvents.chunks`."""
    reply = _read_reply(body)
    blocks = reply.output.message.content if reply.output and reply.output.message else []
    message: dict[str, object] = {"role": "assistant"}
    message["content"] = "".join([block.text for block in blocks if block.text])
    thoughts = [
        block.reasoning_content.reasoning_text.text or ""
        for block in blocks
        if block.reasoning_content is not None
        and block.reasoning_content.reasoning_text is not None
    ]
    if any(thoughts):
        message["reasoning_content"] = "".join(thoughts)
    calls = [block.tool_use for block in blocks if block.tool_use is not None]
    if calls:
        message["tool_calls"] = [
            {
                "index": number,
                "id": call.tool_use_id,
                "type": "function",
                "function": {"name": call.name, "arguments": bytes(call.input or b"{}").decode()},
            }
            for number, call in enumerate(calls)
        ]
    choice = {"index": 0, "message": message, "finish_reason": _finish(reply.stop_reason)}
    usage = None if reply.usage is None else _usage(reply.usage)
    return _encode({"choices": [choice], "usage": usage})


def _finish(reason: str) -> str:
    return _FINISHES.get(reason, "stop")


def _usage(usage: _Usage) -> dict[str, object]:
    """Converse counts what it took from the cache beside the input, chat servers within it."""
    read, written = usage.cache_read_input_tokens or 0, usage.cache_write_input_tokens or 0
    hour = sum([part.input_tokens for part in usage.cache_details or () if part.ttl == "1h"])
    details = {"cached_tokens": read, "cache_write_tokens": written, "cache_write_1h_tokens": hour}
    return {
        "prompt_tokens": usage.input_tokens + read + written,
        "completion_tokens": usage.output_tokens,
        "prompt_tokens_details": details,
    }


def _chunk(delta: dict[str, object], finish: str | None = None) -> bytes:
    return _sse({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def _sse(chunk: dict[str, object]) -> bytes:
    return b"data: %b\n\n" % _encode(chunk)

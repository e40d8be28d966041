"""The demo model's answers in the shapes of OpenAI's chat completions and its many relatives.

Pure: a reply and its envelope in, bytes out. `Manner` says whose relative: all differences are
fields of its vendor's row.
"""

import hashlib
from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

import msgspec

from proxy.demo.envelope import Envelope, Frame
from proxy.demo.openai_errors import error_body, error_object, overloaded
from proxy.demo.openai_usage import Counted, usage
from proxy.demo.refusal import Refusal
from proxy.demo.script import Reply, Stop, TextBlock, ThinkingBlock, ToolBlock
from proxy.demo.vendor import Vendor
from proxy.demo.vendors import GENERIC

_FINISH = {
    Stop.END_TURN: "stop",
    Stop.STOP_SEQUENCE: "stop",
    Stop.MAX_TOKENS: "length",
    Stop.TOOL_USE: "tool_calls",
}
_DONE = b"data: [DONE]\n\n"

Delta = dict[str, object]


class Manner(NamedTuple):
    """How a reply is told, beside what is told."""

    vendor: Vendor = GENERIC
    continuous_usage: bool = False
    padded: bool = False
    calls_before: int = 0


PLAIN = Manner()


def frames(
    reply: Reply, envelope: Envelope, *, include_usage: bool, manner: Manner = PLAIN
) -> Iterator[Frame]:
    """The reply as a stream, from the role to `[DONE]`."""
    vendor = manner.vendor
    places = vendor.usage_places
    final = usage(_counted(reply, envelope), vendor)
    chunks = _Chunks(envelope, manner)
    # The real API says `usage: null` on every other chunk when usage is asked for.
    silent: Delta = {"usage": None} if include_usage else {}

    for opening in vendor.opening:
        yield Frame(opening.encode())
    nothing = dict.fromkeys(vendor.nulls)
    yield Frame(chunks.encode({"role": "assistant", "content": ""} | nothing, {}, silent))
    for sent, delta in enumerate(_deltas(reply, envelope, manner), 1):
        beside = silent
        if include_usage and manner.continuous_usage:
            so_far = Counted(envelope.input_tokens, sent, 0, reply.cached_tokens)
            beside = {"usage": usage(so_far, vendor)}
        yield Frame(chunks.encode(nothing | delta, {}, beside), is_delta=True)
    end: Delta = {"finish_reason": _FINISH[reply.stop]}
    if vendor.stop_reason:
        end["stop_reason"] = reply.stop_sequence
    if "choice" in places:
        end["usage"] = final
    at_finish: Delta = silent
    if include_usage and ("finish" in places or manner.continuous_usage):
        at_finish = {"usage": final}
    yield Frame(chunks.encode(nothing, end, at_finish))
    if include_usage and "chunk" in places:
        last = _completion(envelope, "chat.completion.chunk", [])
        yield Frame(_event(last | {"usage": final}))
    if vendor.done:
        yield Frame(_DONE)


def error_frame(refusal: Refusal) -> bytes:
    """The frame of an error that comes after the stream began."""
    return b"data: " + error_body(refusal) + b"\n\n"


def failure(envelope: Envelope, manner: Manner) -> bytes:
    """The end of a stream that fails midway, as this vendor says it."""
    vendor = manner.vendor
    refusal = overloaded(vendor)
    chunks = _Chunks(envelope, manner)
    match vendor.failing:
        case "error":
            return b"data: " + error_body(refusal, vendor) + b"\n\n"
        case "error_done":
            return b"data: " + error_body(refusal, vendor) + b"\n\n" + _DONE
        case "finish":
            return chunks.encode({}, {"finish_reason": "insufficient_system_resource"}, {}) + _DONE
        case "chunk":
            error: Delta = {"error": error_object(refusal, vendor)}
            return chunks.encode({"content": ""}, {"finish_reason": "error"}, error) + _DONE


def whole(reply: Reply, envelope: Envelope, manner: Manner = PLAIN) -> bytes:
    """The reply as one completion."""
    vendor = manner.vendor
    message: Delta = {"role": "assistant", "content": None}
    if vendor.usage_details == "openai":
        message["refusal"] = None
    calls: list[Delta] = []
    for index, block in enumerate(reply.blocks):
        said = "".join(block.pieces)
        match block:
            case ThinkingBlock():
                if vendor.reasoning_field:
                    message[vendor.reasoning_field] = said
            case TextBlock():
                message["content"] = said
            case ToolBlock(name=name):
                call_id = _call_id(envelope, manner, name, (index, len(calls)))
                calls.append(_call(call_id, name, _arguments(said, vendor)))
    if calls:
        message["tool_calls"] = calls
    elif message["content"] is None:
        message["content"] = ""
    choice: Delta = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": _FINISH[reply.stop],
    }
    if vendor.stop_reason:
        choice["stop_reason"] = reply.stop_sequence
    completion = _completion(envelope, "chat.completion", [choice])
    told = {"usage": usage(_counted(reply, envelope), vendor)}
    return vendor.body_before_json.encode() + msgspec.json.encode(completion | told)


class _Chunks:
    """Writes the chunks of one reply."""

    def __init__(self, envelope: Envelope, manner: Manner) -> None:
        self._envelope = envelope
        self._padded = manner.padded
        self._written = 0

    def encode(self, delta: Delta, end: Delta, beside: Delta) -> bytes:
        """One chunk with one choice; `end` goes into the choice, `beside` stands next to it."""
        self._written += 1
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None} | end
        chunk = _completion(self._envelope, "chat.completion.chunk", [choice]) | beside
        if self._padded:
            # Real padding hides how long the pieces are; this one only has to be there and vary.
            noise = hashlib.sha256(f"{self._envelope.serial}{self._written}".encode()).hexdigest()
            chunk["obfuscation"] = noise[: self._written % 16 + 1]
        return _event(chunk)


def _deltas(reply: Reply, envelope: Envelope, manner: Manner) -> Iterator[Delta]:
    vendor = manner.vendor
    calls: list[list[Delta]] = []
    for index, block in enumerate(reply.blocks):
        match block:
            case ThinkingBlock(pieces=pieces):
                for piece in pieces if vendor.reasoning_field else ():
                    yield {vendor.reasoning_field: piece}
            case TextBlock(pieces=pieces):
                for piece in pieces:
                    yield {"content": piece}
            case ToolBlock():
                place = (index, len(calls))
                calls.append(list(_call_parts(block, envelope, manner, place)))
    if vendor.interleaves or reply.interleaved:
        turns = zip_longest(*calls)
        parts = [part for turn in turns for part in turn if part is not None]
    else:
        parts = [part for call in calls for part in call]
    for part in parts:
        yield {"tool_calls": [part]}


def _call_parts(
    block: ToolBlock, envelope: Envelope, manner: Manner, place: tuple[int, int]
) -> Iterator[Delta]:
    call_id = _call_id(envelope, manner, block.name, place)
    index = {"index": place[1]}
    if manner.vendor.arguments == "object":
        yield index | _call(call_id, block.name, _arguments("".join(block.pieces), manner.vendor))
        return
    yield index | _call(call_id, block.name, block.pieces[0])
    for piece in block.pieces[1:]:
        yield index | {"function": {"arguments": piece}}


def _arguments(said: str, vendor: Vendor) -> object:
    return msgspec.Raw(said.encode()) if vendor.arguments == "object" else said


def _call(call_id: str, name: str, arguments: object) -> Delta:
    function = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def _call_id(envelope: Envelope, manner: Manner, name: str, place: tuple[int, int]) -> str:
    block, number = place
    return manner.vendor.call_id.format(
        serial=envelope.serial,
        block=block,
        name=name,
        number=number,
        asked=manner.calls_before + number,
    )


def _completion(envelope: Envelope, kind: str, choices: list[Delta]) -> Delta:
    return {
        "id": f"chatcmpl-{envelope.serial}",
        "object": kind,
        "created": envelope.created_s,
        "model": envelope.model,
        "system_fingerprint": "fp_demo",
        "choices": choices,
    }


def _counted(reply: Reply, envelope: Envelope) -> Counted:
    return Counted(
        envelope.input_tokens, reply.output_tokens, reply.thinking_tokens, reply.cached_tokens
    )


def _event(value: object) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"

"""Chat completions for tests: calls to translate, chunks, whole replies, what became of them."""

import datetime as dt
import json
from collections.abc import Iterable
from typing import Any

import orjson

from proxy.domain.call import Arrival, Call, Errand
from proxy.domain.caller import Caller
from proxy.domain.dialect import Dialect
from proxy.domain.expected import Expected
from proxy.domain.headers import Headers
from proxy.domain.model import Model
from proxy.stream.chat_to_messages import ChatToMessages
from proxy.wire.seal import ThinkingSeal
from tests.kit.grammar import check_sentence, events_of

CAP = 1 << 20
SEAL = ThinkingSeal([b"secret"])
CALLER = Caller("key_1", "user_1", "a@example.com", "tenant_1", "Default", "general_user")
MODEL = Model("moonshot.kimi-k2-thinking", "Kimi", "Moonshot", dt.date(2026, 1, 1), 262_144, 16_384)
KIMI = Dialect(reasoning="thinking_always", reasoning_family="kimi")
DONE = b"data: [DONE]\n\n"
Document = dict[str, Any]


def make_call(*, streamed: bool = True, **expected: Any) -> Call:
    """A call as the gateway admits it; thinking is shown unless said otherwise."""
    arrival = Arrival(Errand.MESSAGE, "req_1", b"/v1/messages", b"", Headers(), b"{}", 1_000, 0.0)
    call = Call(arrival, CALLER, MODEL, "haiku", "alias", streamed)
    call.message_id = "msg_gw_0123456789abcdefABCDEF"
    call.input_tokens = 77
    call.expected = Expected(**({"thinking": "shown"} | expected))
    return call


def make_pipe(
    dialect: Dialect = KIMI, event_bytes_max: int = CAP, **expected: Any
) -> ChatToMessages:
    """A pipe that has heard nothing yet."""
    return ChatToMessages(make_call(**expected), dialect, SEAL, event_bytes_max)


def chunk(delta: Document | None = None, finish: str | None = None, /, **more: object) -> bytes:
    """One chunk as an event."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "kimi"}
    return b"data: " + orjson.dumps(head | {"choices": [choice]} | more) + b"\n\n"


def text(words: str) -> bytes:
    """A bit of text."""
    return chunk({"content": words})


def thought(words: str) -> bytes:
    """A bit of thinking."""
    return chunk({"reasoning_content": words})


def call(
    index: int | None, call_id: str | None = None, name: str | None = None, arguments: str = ""
) -> Document:
    """An element of `tool_calls`; what is None is left out."""
    element: Document = {"function": {"arguments": arguments}}
    if index is not None:
        element["index"] = index
    if call_id is not None:
        element["id"] = call_id
    if name is not None:
        element["function"]["name"] = name
    return element


def calls(*elements: Document) -> bytes:
    """A chunk of fragments of calls."""
    return chunk({"tool_calls": list(elements)})


def usage(prompt: int = 900, output: int = 40, **more: object) -> bytes:
    """The chunk that reports usage."""
    said = {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}
    return b"data: " + orjson.dumps({"id": "1", "choices": [], "usage": said | more}) + b"\n\n"


def whole(message: Document, finish: str | None = "stop", **more: object) -> bytes:
    """A completion that was not streamed."""
    said = {"prompt_tokens": 900, "completion_tokens": 40, "total_tokens": 940}
    choice = {"index": 0, "message": {"role": "assistant"} | message, "finish_reason": finish}
    return orjson.dumps({"id": "chatcmpl-1", "choices": [choice], "usage": said} | more)


def said(pipe: ChatToMessages, *chunks: bytes) -> bytes:
    """All that goes on, with the provider's end behind the last chunk."""
    return b"".join(map(pipe.feed, chunks)) + pipe.finish()


def message_of(stream: bytes) -> Document:
    """What a client makes of a stream that must be legal. `error` holds what ended it early."""
    events = events_of(stream)
    check_sentence(events)
    return folded(events)


def folded(events: Iterable[Document]) -> Document:
    """Events as one message, folded the way the official SDK does it."""
    message: Document = {"content": []}
    for event in events:
        kind = event["type"]
        if kind == "message_start":
            message = event["message"]
        elif kind == "content_block_start":
            message["content"].append(dict(event["content_block"]))
        elif kind == "content_block_delta":
            _add(message["content"][-1], event["delta"])
        elif kind == "content_block_stop":
            block = message["content"][-1]
            if "partial" in block:
                try:
                    block["input"] = json.loads(block["partial"])  # orjson rounds large integers
                    del block["partial"]
                except json.JSONDecodeError:
                    pass  # half a call stays as it came
        elif kind == "message_delta":
            message.update(event["delta"])
            message["usage"].update(event["usage"])
        elif kind == "error":
            message["error"] = event["error"]
    return message


def _add(block: Document, delta: Document) -> None:
    """More of an open block; the text of a call's input gathers as `partial`."""
    kind = delta["type"]
    if kind == "input_json_delta":
        block["partial"] = block.get("partial", "") + delta["partial_json"]
    elif kind == "signature_delta":
        block["signature"] = delta["signature"]
    elif kind == "citations_delta":
        block.setdefault("citations", []).append(delta["citation"])
    else:
        field = kind.removesuffix("_delta")
        block[field] += delta[field]

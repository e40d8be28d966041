"""Checks a stream against the grammar of translation.md 3.1, as a strict client would read it."""

import json
from typing import Any

DELTAS = {
    "text": ["text_delta", "citations_delta"],
    "thinking": ["thinking_delta", "signature_delta"],
    "tool_use": ["input_json_delta"],
}
STARTS = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}


def events_of(raw: bytes) -> list[dict[str, Any]]:
    """Split the bytes into events; each must be named as its data says."""
    assert raw.endswith(b"\n\n"), raw[-80:]
    events = []
    for written in raw.decode().removesuffix("\n\n").split("\n\n"):
        name, data = written.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        events.append(event)
    return events


def check(events: list[dict[str, Any]], *, estimated: bool = False) -> dict[str, Any]:
    """Assert the grammar and fold the stream to a message; `error` holds a midway failure.

    `estimated`: the input tokens at the start are a guess, which those at the end replace.
    """
    first, *rest = events
    assert first["type"] == "message_start"
    message = first["message"]
    assert message["content"] == []
    assert message["stop_reason"] is None
    assert message["usage"]["input_tokens"] > 0
    assert "output_tokens" in message["usage"]
    blocks: list[dict[str, Any]] = []
    open_block: dict[str, Any] | None = None
    ended = False
    for at, event in enumerate(rest):
        last = at == len(rest) - 1
        match event["type"]:
            case "ping":
                pass
            case "error":
                assert last
                assert event["error"]["type"]
                return message | {"content": blocks, "error": event["error"]}
            case "content_block_start":
                assert open_block is None
                assert not ended
                assert event["index"] == len(blocks)
                open_block = start(event["content_block"])
                blocks.append(open_block)
            case "content_block_delta":
                assert open_block is not None
                assert event["index"] == len(blocks) - 1
                add(open_block, event["delta"])
            case "content_block_stop":
                assert open_block is not None
                assert event["index"] == len(blocks) - 1
                close(open_block)
                open_block = None
            case "message_delta":
                assert open_block is None
                assert not ended
                ended = True
                assert set(event["delta"]) >= {"stop_reason", "stop_sequence"}
                assert event["delta"]["stop_reason"] is not None
                assert event["usage"]["output_tokens"] >= message["usage"]["output_tokens"]
                counted = event["usage"]["input_tokens"]
                assert estimated or counted == message["usage"]["input_tokens"]
                message |= event["delta"]
                message["usage"] |= event["usage"]
            case "message_stop":
                assert ended
                assert last
                return message | {"content": blocks}
            case other:
                raise AssertionError(f"unknown event {other}")
    raise AssertionError("the stream has no end")


def start(block: dict[str, Any]) -> dict[str, Any]:
    kind = block["type"]
    if kind == "tool_use":
        assert block["input"] == {}
        assert set(block) == {"type", "id", "name", "input"}
    else:
        assert block == STARTS[kind]
    return {**block, "_parts": [], "_kinds": []}


def add(block: dict[str, Any], delta: dict[str, Any]) -> None:
    kind, part = delta.values()
    assert kind in DELTAS[block["type"]]
    # The seal is the last delta of a thought.
    assert "signature_delta" not in block["_kinds"]
    block["_kinds"].append(kind)
    if kind == "signature_delta":
        block["signature"] = part
    elif kind == "citations_delta":
        block.setdefault("citations", []).append(part)
    else:
        block["_parts"].append(part)


def close(block: dict[str, Any]) -> None:
    whole = "".join(block.pop("_parts"))
    kinds = block.pop("_kinds")
    match block["type"]:
        case "text":
            assert whole
            block["text"] = whole
        case "thinking":
            assert kinds[-1] == "signature_delta"
            assert block["signature"]
            block["thinking"] = whole
        case "tool_use":
            block["input"] = json.loads(whole)
            assert isinstance(block["input"], dict)

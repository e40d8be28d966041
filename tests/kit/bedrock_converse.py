"""Converse as Bedrock plays it: what it refuses beyond the shapes of the service model, and the
demo model's Anthropic answers in its own form. Written from Amazon's documents of Converse.
"""

import json
import re
from typing import Any

from tests.kit.bedrock_checks import Refused, invalid
from tests.kit.event_stream import event

_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NAME = re.compile(r"[A-Za-z0-9 ()\[\]-]{1,200}")


def check_converse(body: dict[str, Any], model: str = "amazon.nova-pro-v1:0") -> None:
    """Refuse what Converse refuses."""
    _check_checkpoints(body, model)
    waiting: set[str] = set()
    before = "assistant"
    has_calls = False
    for number, message in enumerate(body["messages"]):
        place = f"messages.{number}"
        if message["role"] == before:
            raise invalid(f"{place}: roles must alternate between user and assistant")
        before = message["role"]
        results = {
            block["toolResult"]["toolUseId"]
            for block in message["content"]
            if "toolResult" in block
        }
        if results != waiting:
            raise invalid(f"{place}: Expected toolResult blocks for the following Ids: {waiting}")
        waiting = {
            block["toolUse"]["toolUseId"] for block in message["content"] if "toolUse" in block
        }
        has_calls = has_calls or bool(waiting)
        if not message["content"]:
            raise invalid(f"{place}: content is empty")
        _check_blocks(message["content"], place)
    if has_calls and "toolConfig" not in body:
        raise invalid("The toolConfig field must be defined when using toolUse blocks")
    if body["messages"][0]["role"] != "user":
        raise invalid("A conversation must start with a user message")


def _check_checkpoints(body: dict[str, Any], model: str) -> None:
    """Who takes them where, as users of live endpoints report it."""
    tools = body.get("toolConfig", {}).get("tools", [])
    system = body.get("system", [])
    contents = [message["content"] for message in body["messages"]]
    points = points_of(body)
    if not points:
        return
    if not re.search("claude|nova", model):
        raise Refused(
            403,
            "AccessDeniedException",
            "You invoked an unsupported model or your request did not allow prompt caching. See "
            "the documentation for more information.",
        )
    if len(points) > 4:
        raise invalid(f"A maximum of 4 cache points is allowed, found {len(points)}")
    for place, blocks in (("toolConfig/tools", tools), ("system", system)):
        _check_neighbours(blocks, place)
    for number, blocks in enumerate(contents):
        _check_neighbours(blocks, f"messages/{number}/content")
    if "claude" not in model:
        if any("ttl" in point for point in points):
            raise invalid("ttl is not supported by this model")
        _check_novas(tools, contents)


def _check_novas(tools: list[dict[str, Any]], contents: list[list[dict[str, Any]]]) -> None:
    for at, block in enumerate(tools):
        if "cachePoint" in block:
            raise _extraneous(f"toolConfig/tools/{at}")
    for number, blocks in enumerate(contents):
        for at in range(1, len(blocks)):
            if "cachePoint" in blocks[at] and "toolResult" in blocks[at - 1]:
                raise _extraneous(f"messages/{number}/content/{at}")


def _check_neighbours(blocks: list[dict[str, Any]], place: str) -> None:
    for at, block in enumerate(blocks):
        if "cachePoint" in block and (at == 0 or "cachePoint" in blocks[at - 1]):
            raise _extraneous(f"{place}/{at}")


def _extraneous(place: str) -> Refused:
    return invalid(
        f"Malformed input request: #/{place}: extraneous key [cachePoint] is not permitted, please "
        "reformat your input and try again."
    )


def _check_blocks(content: list[dict[str, Any]], place: str) -> None:
    for block in content:
        if "text" in block and not block["text"].strip():
            raise invalid(f"{place}: The text field in the ContentBlock object is blank")
        if "toolUse" in block and not _ID.fullmatch(block["toolUse"]["toolUseId"]):
            raise invalid(f"{place}: toolUseId does not match [a-zA-Z0-9_-]+")
        if "document" in block:
            if not _NAME.fullmatch(block["document"]["name"]):
                raise invalid(f"{place}: the name of a document has other characters")
            if not any("text" in other for other in content):
                raise invalid(f"{place}: a document needs a text beside it")


def as_messages(body: dict[str, Any]) -> dict[str, Any]:
    """The same conversation as the demo model is asked."""
    inference = body.get("inferenceConfig", {})
    asked: dict[str, Any] = {
        "model": "claude-sonnet-4-5",
        "max_tokens": inference.get("maxTokens", 1000),
        "messages": [
            {
                "role": message["role"],
                "content": [
                    _block(each) for each in message["content"] if "cachePoint" not in each
                ],
            }
            for message in body["messages"]
        ],
    }
    if body.get("system"):
        asked["system"] = [
            {"type": "text", "text": each["text"]} for each in body["system"] if "text" in each
        ]
    config = body.get("toolConfig")
    if config:
        asked["tools"] = [
            {
                "name": tool["toolSpec"]["name"],
                "description": tool["toolSpec"]["description"],
                "input_schema": tool["toolSpec"]["inputSchema"]["json"],
            }
            for tool in config["tools"]
            if "toolSpec" in tool
        ]
        choice = config.get("toolChoice", {})
        if "any" in choice:
            asked["tool_choice"] = {"type": "any"}
        if "tool" in choice:
            asked["tool_choice"] = {"type": "tool", "name": choice["tool"]["name"]}
    return asked


def _block(block: dict[str, Any]) -> dict[str, Any]:
    match block:
        case {"text": text}:
            return {"type": "text", "text": text}
        case {"toolUse": use}:
            return {
                "type": "tool_use",
                "id": use["toolUseId"],
                "name": use["name"],
                "input": use["input"],
            }
        case {"toolResult": result}:
            return {
                "type": "tool_result",
                "tool_use_id": result["toolUseId"],
                "is_error": result["status"] == "error",
                "content": [_block(inner) for inner in result["content"]],
            }
        case {"image": image}:
            return _file("image", f"image/{image['format']}", image)
        case {"document": document}:
            return _file("document", f"application/{document['format']}", document)
    raise AssertionError(f"a block of no kind we write: {block}")


def _file(kind: str, media_type: str, given: dict[str, Any]) -> dict[str, Any]:
    data = given["source"]["bytes"]
    return {
        "type": kind,
        "source": {"type": "base64", "media_type": media_type, "data": data},
    }


def whole_of(message: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """A whole message as Converse says it."""
    content: list[dict[str, Any]] = []
    for block in message["content"]:
        if block["type"] == "text":
            content.append({"text": block["text"]})
        elif block["type"] == "tool_use":
            use = {"toolUseId": block["id"], "name": block["name"], "input": block["input"]}
            content.append({"toolUse": use})
        else:
            text = {"text": block["thinking"], "signature": block["signature"]}
            content.append({"reasoningContent": {"reasoningText": text}})
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": message["stop_reason"],
        "usage": usage_of(message["usage"], points_of(body)),
        "metrics": {"latencyMs": 5},
    }


def usage_of(usage: dict[str, int], points: list[dict[str, str]]) -> dict[str, Any]:
    """Ten tokens are written for each checkpoint of the request."""
    told = {"inputTokens": usage["input_tokens"], "outputTokens": usage["output_tokens"]}
    hours = sum(point.get("ttl") == "1h" for point in points)
    written = [("1h", 10 * hours), ("5m", 10 * (len(points) - hours))]
    return {
        **told,
        "totalTokens": sum(told.values()),
        "cacheReadInputTokens": 3,
        "cacheWriteInputTokens": 10 * len(points),
        "cacheDetails": [{"ttl": ttl, "inputTokens": tokens} for ttl, tokens in written if tokens],
    }


def points_of(body: dict[str, Any]) -> list[dict[str, str]]:
    """The checkpoints of a request, in the order of the prompt."""
    places = (
        body.get("toolConfig", {}).get("tools", []),
        body.get("system", []),
        *[message["content"] for message in body["messages"]],
    )
    return [block["cachePoint"] for blocks in places for block in blocks if "cachePoint" in block]


class Retold:
    """Events of Anthropic's as those of ConverseStream; usage comes last, behind the stop."""

    def __init__(self, body: dict[str, Any]) -> None:
        self._usage: dict[str, int] = {}
        self._points = points_of(body)

    def frames(self, said: dict[str, Any]) -> list[bytes]:
        """What an event comes to."""
        match said["type"]:
            case "message_start":
                self._usage = dict(said["message"]["usage"])
                return [_event("messageStart", role="assistant")]
            case "content_block_start":
                block = said["content_block"]
                if block["type"] != "tool_use":
                    return []  # only calls are announced
                start = {"toolUse": {"toolUseId": block["id"], "name": block["name"]}}
                return [_event("contentBlockStart", contentBlockIndex=said["index"], start=start)]
            case "content_block_delta":
                delta = _delta(said["delta"])
                if delta is None:
                    return []
                return [_event("contentBlockDelta", contentBlockIndex=said["index"], delta=delta)]
            case "content_block_stop":
                return [_event("contentBlockStop", contentBlockIndex=said["index"])]
            case "message_delta":
                self._usage |= said["usage"]
                return [_event("messageStop", stopReason=said["delta"]["stop_reason"])]
            case "message_stop":
                return [
                    _event(
                        "metadata",
                        usage=usage_of(self._usage, self._points),
                        metrics={"latencyMs": 5},
                    )
                ]
        return []


def _delta(delta: dict[str, Any]) -> dict[str, Any] | None:
    match delta:
        case {"type": "text_delta", "text": text}:
            return {"text": text}
        case {"type": "input_json_delta", "partial_json": text}:
            return {"toolUse": {"input": text}}
        case {"type": "thinking_delta", "thinking": text}:
            return {"reasoningContent": {"text": text}}
        case {"type": "signature_delta", "signature": text}:
            return {"reasoningContent": {"signature": text}}
    return None


def _event(kind: str, **fields: Any) -> bytes:
    return event(kind, json.dumps({**fields, "p": "abcdefg"}, ensure_ascii=False).encode())

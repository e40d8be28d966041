"""Requests on the chat wire, right by default; a test varies one thing."""

import json
from typing import Any

import pytest

from proxy.demo.openai_request import ChatRequest, read_request
from proxy.demo.refusal import Refusal, RefusedError

TITLE = {"type": "object", "properties": {"title": {"type": "string"}}}


def body(model: str = "m", **changes: Any) -> dict[str, Any]:
    """A small request."""
    return {"model": model, "messages": [user("hi")]} | changes


def read(model: str = "m", **changes: Any) -> ChatRequest:
    """What the upstream makes of it."""
    return read_request(json.dumps(body(model, **changes)).encode())


def refused(model: str, **changes: Any) -> Refusal:
    """How it is refused; fails when it is not."""
    with pytest.raises(RefusedError) as caught:
        read(model, **changes)
    return caught.value.refusal


def user(content: Any) -> dict[str, Any]:
    """A user's message."""
    return {"role": "user", "content": content}


def tool(name: str = "weather", **fields: Any) -> dict[str, Any]:
    """A function."""
    return {"type": "function", "function": {"name": name, "parameters": TITLE} | fields}


def calls(*ids: str, **fields: Any) -> dict[str, Any]:
    """An assistant's message that calls."""
    made = [
        {"id": each, "type": "function", "function": {"name": "weather", "arguments": "{}"}}
        for each in ids
    ]
    return {"role": "assistant", "content": None, "tool_calls": made} | fields


def result(call_id: str, content: Any = "18C") -> dict[str, Any]:
    """A tool's message."""
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def picture(url: str) -> dict[str, Any]:
    """A user's message with an image."""
    return user([{"type": "image_url", "image_url": {"url": url}}])

"""A chat request as one of Converse (translation.md 5.8).

What a Messages request means to models of other vendors is worked out for chat completions
(`openai_chat/request.py`); here its messages and tools only get the form that Converse wants: turns
that alternate, all results of a turn together, calls and results as objects, checkpoints of the
cache as blocks of their own. Opaque values keep their bytes.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from proxy.domain.fault import Fault, Kind
from proxy.domain.model import NO_TERMS, BedrockTerms
from proxy.providers.bedrock.checkpoints import Block, Checkpoints, thinned

_NONE = msgspec.Raw()
_DATA = re.compile(r"data:(?:image|application)/([a-z]+);base64,(.*)", re.DOTALL)
_IMAGES = ("jpeg", "png", "gif", "webp")
_SYSTEM = ("system", "developer")
_NO_POINTS = Checkpoints()
_FILE_NAME = re.compile(r"[^A-Za-z0-9 ()\[\]-]+")


class _Function(msgspec.Struct):
    name: str = ""
    description: str = ""
    parameters: msgspec.Raw = _NONE
    arguments: str = ""


class _Call(msgspec.Struct):
    id: str = ""
    function: _Function = msgspec.field(default_factory=_Function)


class _Tool(msgspec.Struct):
    function: _Function
    cache_control: msgspec.Raw = _NONE


class _Url(msgspec.Struct):
    url: str = ""


class _File(msgspec.Struct):
    filename: str = ""
    file_data: str = ""


class _Part(msgspec.Struct):
    type: str
    text: str = ""
    image_url: _Url | None = None
    file: _File | None = None
    cache_control: msgspec.Raw = _NONE


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None
    tool_calls: list[_Call] = []
    tool_call_id: str = ""
    cache_control: msgspec.Raw = _NONE


class _Named(msgspec.Struct):
    function: _Function


class _Chat(msgspec.Struct):
    messages: list[_Message]
    tools: list[_Tool] = []
    tool_choice: str | _Named | None = None
    max_tokens: int = 0
    temperature: msgspec.Raw = _NONE
    top_p: msgspec.Raw = _NONE


_read = msgspec.json.Decoder(_Chat).decode


def converse_request(
    chat: bytes, points: Checkpoints = _NO_POINTS, terms: BedrockTerms = NO_TERMS
) -> bytes:
    """The body of Converse and ConverseStream out of that of chat completions. Raises Fault 400 for
    a file that Converse does not take."""
    asked = _read(chat)
    body = _prompt(asked, points)
    inference: dict[str, object] = {"maxTokens": asked.max_tokens} if asked.max_tokens else {}
    if asked.temperature:
        inference["temperature"] = asked.temperature
    if asked.top_p:
        inference["topP"] = asked.top_p
    if inference:
        body["inferenceConfig"] = inference
    return msgspec.json.encode(body | on_terms(terms))


def converse_count(chat: bytes) -> dict[str, object]:
    """What CountTokens takes of it: no wishes, and nothing for the cache."""
    body = _prompt(_read(chat), _NO_POINTS)
    for blocks in _places(body):
        blocks[:] = [block for block in blocks if "cachePoint" not in block]
    return body


def _prompt(asked: _Chat, points: Checkpoints) -> dict[str, Any]:
    body: dict[str, Any] = {}
    system = [message for message in asked.messages if message.role in _SYSTEM]
    words = [block for message in system for block in _words(message, points)]
    if words:
        body["system"] = words
    spoken = [message for message in asked.messages if message.role not in _SYSTEM]
    body["messages"] = list(_turns(spoken, points))
    tools = [
        block
        for each in asked.tools
        for block in (_tool(each.function), *points.behind(each.cache_control))
    ]
    tools = tools or _tools_of(asked.messages)
    if tools:
        body["toolConfig"] = {"tools": tools, **_choice(asked.tool_choice)}
    thinned(_places(body))
    return body


def _places(body: dict[str, Any]) -> list[list[Block]]:
    """The lists that may hold checkpoints, in the order of the prompt."""
    return [
        body.get("toolConfig", {}).get("tools", []),
        body.get("system", []),
        *[message["content"] for message in body["messages"]],
    ]


def on_terms(terms: BedrockTerms) -> dict[str, object]:
    """The fields of the body that ask for them."""
    body: dict[str, object] = {}
    if terms.guardrail:
        body["guardrailConfig"] = {
            "guardrailIdentifier": terms.guardrail,
            "guardrailVersion": terms.guardrail_version,
            **({"trace": terms.guardrail_trace} if terms.guardrail_trace else {}),
        }
    if terms.latency:
        body["performanceConfig"] = {"latency": terms.latency}
    if terms.service_tier:
        body["serviceTier"] = {"type": terms.service_tier}
    return body


def _words(message: _Message, points: Checkpoints) -> Iterator[Block]:
    """The system's. One text, but where checkpoints stand between its parts."""
    parts = message.content if isinstance(message.content, list) else []
    if not any(part.cache_control for part in parts):
        if (text := _text(message)).strip():
            yield {"text": text}
        return
    for part in parts:
        if part.text.strip():
            yield {"text": part.text}
            yield from points.behind(part.cache_control)


def _turns(messages: list[_Message], points: Checkpoints) -> Iterator[dict[str, object]]:
    """Neighbours of one role together, the user first."""
    role, content = "user", list[Block]()
    for message in messages:
        speaker = "assistant" if message.role == "assistant" else "user"
        if speaker != role:
            yield {"role": role, "content": content or _nothing()}
            role, content = speaker, []
        content += _blocks(message, points)
        content += points.behind(message.cache_control)
    if content or role == "user":
        yield {"role": role, "content": content or _nothing()}


def _nothing() -> list[Block]:
    """Stands where Converse wants a word and there is none."""
    return [{"text": "."}]


def _blocks(message: _Message, points: Checkpoints) -> Iterator[Block]:
    if message.role == "tool":
        text = _text(message)
        status = "error" if text[:6].lower() == "error:" else "success"
        yield {
            "toolResult": {
                "toolUseId": message.tool_call_id,
                "status": status,
                "content": [{"text": text if text.strip() else " "}],
            }
        }
        if points.behind_results and isinstance(message.content, list):
            for part in message.content:
                yield from points.behind(part.cache_control)
        return
    if isinstance(message.content, str):
        if message.content.strip():
            yield {"text": message.content}
    else:
        yield from _parts(message.content or [], points)
    for call in message.tool_calls:
        given = msgspec.Raw(call.function.arguments.encode() or b"{}")
        yield {"toolUse": {"toolUseId": call.id, "name": call.function.name, "input": given}}


def _parts(parts: list[_Part], points: Checkpoints) -> Iterator[Block]:
    has_words = False
    has_file = False
    for number, part in enumerate(parts):
        if part.type == "text" and part.text.strip():
            has_words = True
            yield {"text": part.text}
        elif part.image_url is not None:
            yield {"image": _source(part.image_url.url, _IMAGES)}
        elif part.file is not None:
            has_file = True
            name = _FILE_NAME.sub(" ", part.file.filename.removesuffix(".pdf"))
            shown = " ".join(name.split())[:200] or "document"
            # Two of one name are refused.
            source = _source(part.file.file_data, ("pdf",))
            yield {"document": {**source, "name": f"{shown} {number}"}}
        yield from points.behind(part.cache_control)
    if has_file and not has_words:
        yield from _nothing()


def _source(url: str, kinds: tuple[str, ...]) -> dict[str, object]:
    data = _DATA.fullmatch(url)
    if data is None or data[1] not in kinds:
        raise Fault(
            Kind.BAD_REQUEST,
            "This model's provider, Amazon Bedrock, takes images and PDF files as base64 only.",
        )
    return {"format": data[1], "source": {"bytes": data[2]}}


def _text(message: _Message) -> str:
    if isinstance(message.content, list):
        return "\n".join([part.text for part in message.content if part.text])
    return message.content or ""


def _tool(function: _Function) -> dict[str, object]:
    schema = function.parameters or msgspec.Raw(b'{"type":"object","properties":{}}')
    return {
        "toolSpec": {
            "name": function.name,
            "description": function.description or function.name,
            "inputSchema": {"json": schema},
        }
    }


def _tools_of(messages: list[_Message]) -> list[dict[str, object]]:
    """A conversation with calls is refused without tools: those it called stand for them."""
    names = dict.fromkeys(call.function.name for each in messages for call in each.tool_calls)
    return [_tool(_Function(name)) for name in names]


def _choice(asked: str | _Named | None) -> dict[str, object]:
    if isinstance(asked, _Named):
        return {"toolChoice": {"tool": {"name": asked.function.name}}}
    if asked == "required":
        return {"toolChoice": {"any": {}}}
    return {"toolChoice": {"auto": {}}} if asked == "auto" else {}

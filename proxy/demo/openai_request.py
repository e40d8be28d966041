"""Reads a chat completions request: what is wrong with it, and what it asks.

Pure. The script is the same as on the Anthropic wire; only the places differ where text, tool
results and wishes are found. Who is played, and so what is refused, is chosen by the model's id.
"""

import re
from dataclasses import dataclass

from proxy.demo.counting import count_tokens
from proxy.demo.loose_json import listing, mapping, mappings, parsed, text, texts
from proxy.demo.markers import object_end
from proxy.demo.openai_history import check_messages
from proxy.demo.openai_rules import check_parameters
from proxy.demo.openai_schemas import check_response_format, check_tools
from proxy.demo.openai_thinking import thinking_is_on
from proxy.demo.refusal import bad_request
from proxy.demo.script import Ask, ForcedTool, Thinking
from proxy.demo.vendor import Vendor
from proxy.demo.vendors import vendor_of

# What a model says that is only told to answer in JSON, not in which.
_ANY_JSON: dict[str, object] = {"type": "object", "properties": {"answer": {"type": "string"}}}
_OBJECT_BEGINS_MAX = 2_000

_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
_LIFTED = re.compile(r"Image from tool result \d+:")
# How a gateway says "any" or "that tool" where a vendor takes no such tool_choice.
_HINT = re.compile(r"You must call [^\n]*\bnow\b\.?")


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request found right. `calls_before` counts the calls of the conversation so far."""

    model: str
    vendor: Vendor
    stream: bool
    include_usage: bool
    continuous_usage: bool
    padded: bool
    calls_before: int
    ask: Ask
    input_tokens: int


def read_body(raw: bytes) -> tuple[dict[str, object], str]:
    """The body in `raw` and the model it names; RefusedError if there is none."""
    try:
        body = parsed(raw)
    except ValueError as wrong:
        raise bad_request(f"We could not parse the JSON body of your request: {wrong}") from wrong
    if not isinstance(body, dict):
        raise bad_request("The request body must be a JSON object.")
    model = text(body.get("model"))
    if not model:
        raise bad_request("you must provide a model parameter", param="model")
    return body, model


def read_request(raw: bytes) -> ChatRequest:
    """The request in `raw`; RefusedError if there is none."""
    return judged(*read_body(raw))


def judged(body: dict[str, object], model: str) -> ChatRequest:
    """The request a body makes; RefusedError for what the model's vendor refuses."""
    vendor = vendor_of(model)
    check_messages(body, vendor)
    check_parameters(body, vendor)
    check_tools(body, vendor)
    check_response_format(body, vendor)
    options = mapping(body.get("stream_options"))
    messages = list(mappings(body.get("messages")))
    return ChatRequest(
        model=model,
        vendor=vendor,
        stream=body.get("stream") is True,
        include_usage=options.get("include_usage") is True,
        continuous_usage=options.get("continuous_usage_stats") is True,
        padded=vendor.padding and options.get("include_obfuscation") is not False,
        calls_before=sum(len(listing(message.get("tool_calls"))) for message in messages),
        ask=_ask(body, vendor),
        input_tokens=count_tokens(body),
    )


def _ask(body: dict[str, object], vendor: Vendor) -> Ask:
    tools = [
        mapping(tool.get("function"))
        for tool in mappings(body.get("tools"))
        if tool.get("type") == "function"
    ]
    stop = body.get("stop")
    written, results, hint = _last_turn(body)
    return Ask(
        text=written,
        tool_results=results,
        thinking=_thinking(body, vendor),
        tokens_max=_tokens_max(body),
        stop_sequences=tuple(
            sequence
            for sequence in ([stop] if isinstance(stop, str) else listing(stop))
            if isinstance(sequence, str) and sequence
        ),
        schema=_schema(body),
        has_tools=bool(tools),
        only_tool=text(tools[0].get("name")) if len(tools) == 1 else "",
        tools_allowed=body.get("tool_choice") != "none",
        parallel_tools=body.get("parallel_tool_calls") is not False,
        forced_tool=_forced_tool(body.get("tool_choice"), hint, tools),
        thinks_unasked=vendor.thinks_unasked,
    )


def _last_turn(body: dict[str, object]) -> tuple[str, tuple[str, ...], str]:
    """What came since the assistant last spoke: user texts, tool results, a hint to call a tool.

    Hints, reminders and the captions of pictures out of tool results were put there by software:
    a text of nothing else is none.
    """
    written: list[str] = []
    results: list[str] = []
    hint = ""
    for message in reversed(listing(body.get("messages"))):
        role = mapping(message).get("role")
        said = "\n".join(texts(mapping(message).get("content")))
        if role == "tool":
            results.append(said)
        elif results and role == "user":
            break  # before the assistant that made the calls
        elif role == "user":
            found = _HINT.search(said)
            hint = hint or (found[0] if found else "")
            said = _HINT.sub("", said)
            if _LIFTED.sub("", _REMINDER.sub("", said)).strip():
                written.append(said)
        elif role == "assistant" and (written or results):  # else the client began the answer
            break
    return "\n".join(reversed(written)), tuple(reversed(results)), hint


def _tokens_max(body: dict[str, object]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        limit = body.get(name)
        if limit is None:
            continue
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise bad_request(f"Invalid '{name}': integer above 0 expected.", param=name)
        return limit
    return None


def _thinking(body: dict[str, object], vendor: Vendor) -> Thinking:
    if not thinking_is_on(body, vendor):
        return Thinking.OFF
    return Thinking.SHOWN if vendor.reasoning_field else Thinking.OMITTED


def _schema(body: dict[str, object]) -> object:
    wanted = mapping(body.get("response_format"))
    match wanted.get("type"):
        case "json_schema":
            return mapping(wanted.get("json_schema")).get("schema")
        case "json_object":
            return _schema_in_words(body) or _ANY_JSON
        case _:
            return None


def _schema_in_words(body: dict[str, object]) -> dict[str, object]:
    """The schema written into a system message, where the wire has no place for it."""
    for message in mappings(body.get("messages")):
        if message.get("role") not in ("system", "developer"):
            continue
        said = "\n".join(texts(message.get("content")))
        at = said.find("{")
        for _ in range(_OBJECT_BEGINS_MAX):
            if at < 0:
                break
            schema = _object_at(said, at)
            if schema.get("type") == "object" or "properties" in schema:
                return schema
            at = said.find("{", at + 1)
    return {}


def _object_at(said: str, at: int) -> dict[str, object]:
    try:
        return mapping(parsed(said[at : object_end(said, at)]))
    except ValueError:
        return {}


def _forced_tool(choice: object, hint: str, tools: list[dict[str, object]]) -> ForcedTool | None:
    name = mapping(mapping(choice).get("function")).get("name")
    wanted = [tool for tool in tools if tool.get("name") == name]
    if choice == "required":
        wanted = tools[:1]
    elif hint and not name:
        named = [tool for tool in tools if text(tool.get("name")) in hint]
        wanted = sorted(named, key=lambda tool: -len(text(tool.get("name")))) or tools[:1]
    if not wanted:
        return None
    return ForcedTool(text(wanted[0].get("name")), wanted[0].get("parameters") or {})

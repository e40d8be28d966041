"""Reads a chat completions request: what is wrong with it, and what it asks.

Pure. The script is the same as on the Anthropic wire; only the places differ where text, tool
results and wishes are found. Thinking is shown unless switched off, as open reasoning models do.
"""

from dataclasses import dataclass

from proxy.demo.counting import count_tokens
from proxy.demo.loose_json import listing, mapping, mappings, parsed, text, texts
from proxy.demo.refusal import bad_request
from proxy.demo.script import Ask, ForcedTool, Thinking

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
# What a model says that is only told to answer in JSON, not in which.
_ANY_JSON: dict[str, object] = {"type": "object", "properties": {"answer": {"type": "string"}}}


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request found right."""

    model: str
    stream: bool
    include_usage: bool
    ask: Ask
    input_tokens: int


def read_request(raw: bytes) -> ChatRequest:
    """The request in `raw`; RefusedError if there is none."""
    try:
        body = parsed(raw)
    except ValueError as wrong:
        raise bad_request(f"We could not parse the JSON body of your request: {wrong}") from wrong
    if not isinstance(body, dict):
        raise bad_request("The request body must be a JSON object.")
    model = text(body.get("model"))
    if not model:
        raise bad_request("you must provide a model parameter")
    _check_messages(body.get("messages"))
    return ChatRequest(
        model=model,
        stream=body.get("stream") is True,
        include_usage=mapping(body.get("stream_options")).get("include_usage") is True,
        ask=_ask(body),
        input_tokens=count_tokens(body),
    )


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list):
        raise bad_request("Missing required parameter: 'messages'.")
    if not messages:
        raise bad_request("Invalid 'messages': empty array.")
    for at, message in enumerate(messages):
        role = mapping(message).get("role")
        if role not in _ROLES:
            raise bad_request(f"Invalid value for 'messages[{at}].role'.")


def _ask(body: dict[str, object]) -> Ask:
    tools = [
        mapping(tool.get("function"))
        for tool in mappings(body.get("tools"))
        if tool.get("type") == "function"
    ]
    stop = body.get("stop")
    written, results = _last_turn(body)
    return Ask(
        text=written,
        tool_results=results,
        thinking=_thinking(body),
        tokens_max=_tokens_max(body),
        stop_sequences=tuple(
            sequence
            for sequence in ([stop] if isinstance(stop, str) else listing(stop))
            if isinstance(sequence, str) and sequence
        ),
        schema=_schema(mapping(body.get("response_format"))),
        has_tools=bool(tools),
        tools_allowed=body.get("tool_choice") != "none",
        parallel_tools=body.get("parallel_tool_calls") is not False,
        forced_tool=_forced_tool(body.get("tool_choice"), tools),
    )


def _last_turn(body: dict[str, object]) -> tuple[str, tuple[str, ...]]:
    """The last user text, or the tool results that came after it.

    Pictures out of tool results travel as a user message behind them; such a message without
    text does not hide the results.
    """
    results: list[str] = []
    for message in reversed(listing(body.get("messages"))):
        role = mapping(message).get("role")
        written = "\n".join(texts(mapping(message).get("content")))
        if role == "tool":
            results.append(written)
        elif role == "user" and not results and written:
            return written, ()
        elif role == "assistant" and results:
            break
    return "", tuple(reversed(results))


def _tokens_max(body: dict[str, object]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        limit = body.get(name)
        if limit is None:
            continue
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise bad_request(f"Invalid '{name}': integer above 0 expected.")
        return limit
    return None


def _thinking(body: dict[str, object]) -> Thinking:
    switched_off = (
        body.get("reasoning_effort") == "none"
        or mapping(body.get("thinking")).get("type") == "disabled"
    )
    return Thinking.OFF if switched_off else Thinking.SHOWN


def _schema(wanted: dict[str, object]) -> object:
    match wanted.get("type"):
        case "json_schema":
            return mapping(wanted.get("json_schema")).get("schema")
        case "json_object":
            return _ANY_JSON
        case _:
            return None


def _forced_tool(choice: object, tools: list[dict[str, object]]) -> ForcedTool | None:
    if choice == "required":
        wanted = tools[:1]
    else:
        name = mapping(mapping(choice).get("function")).get("name")
        wanted = [tool for tool in tools if tool.get("name") == name]
    if not wanted:
        return None
    return ForcedTool(text(wanted[0].get("name")), wanted[0].get("parameters") or {})

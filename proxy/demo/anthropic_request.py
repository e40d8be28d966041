"""Reads a Messages request as the real API would: what is wrong with it, and what it asks.

Pure. Checks what clients and gateways are known to get wrong, with the real wording; unknown
fields, betas, tools and blocks are let pass, since this model takes none of them amiss.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from proxy.demo.counting import count_tokens
from proxy.demo.loose_json import listing, mapping, mappings, parsed, text, texts
from proxy.demo.refusal import bad_request
from proxy.demo.script import Ask, ForcedTool, Page, Thinking

FIRST_VERSION = "2023-06-01"
OCTOBER_VERSION = "2026-10-21"

_ROLES = frozenset({"user", "assistant", "system"})
_SAMPLING = ("temperature", "top_p", "top_k")
_THINKING_BUDGET_MIN = 1024


@dataclass(frozen=True, slots=True)
class MessagesRequest:
    """A request found right."""

    model: str
    stream: bool
    ask: Ask
    input_tokens: int


def check_version(version: str | None) -> str:
    """The API version, which must be sent and be one of the two that exist."""
    if not version:
        raise bad_request("anthropic-version: header is required")
    if version not in (FIRST_VERSION, OCTOBER_VERSION):
        raise bad_request(f'anthropic-version: "{version}" is not a valid version')
    return version


def read_request(raw: bytes, version: str, *, counting: bool = False) -> MessagesRequest:
    """The request in `raw`; RefusedError with the provider's wording if there is none.

    `counting` is for count_tokens, which needs no `max_tokens`.
    """
    try:
        body = parsed(raw)
    except ValueError as wrong:
        raise bad_request(f"The request body is not valid JSON: {wrong}") from wrong
    if not isinstance(body, dict):
        raise bad_request("The request body must be a JSON object.")
    tokens_max = None if counting and "max_tokens" not in body else _tokens_max(body)
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise bad_request("model: " + ("Field required" if model is None else "Invalid value"))
    _check_messages(body.get("messages"))
    _check_citations(body)
    _check_thinking(mapping(body.get("thinking")), tokens_max)
    if version == OCTOBER_VERSION:
        _check_october(body)
    return MessagesRequest(
        model=model,
        stream=body.get("stream") is True,
        ask=_ask(body, tokens_max),
        input_tokens=count_tokens(body),
    )


def _tokens_max(body: dict[str, object]) -> int:
    limit = body.get("max_tokens")
    if limit is None:
        raise bad_request("max_tokens: Field required")
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise bad_request("max_tokens: Input should be a valid integer")
    if limit < 0:
        raise bad_request("max_tokens: Input should be greater than or equal to 0")
    return limit


def _check_messages(messages: object) -> None:
    if messages is None:
        raise bad_request("messages: Field required")
    if not isinstance(messages, list):
        raise bad_request("messages: Input should be a valid list")
    if not messages:
        raise bad_request("messages: at least one message is required")
    for at, message in enumerate(messages):
        if mapping(message).get("role") not in _ROLES:
            raise bad_request(
                f"messages.{at}.role: Input should be 'user', 'assistant' or 'system'"
            )
        content = mapping(message).get("content")
        if not isinstance(content, str | list):
            raise bad_request(f"messages.{at}.content: Field required")
        for block in mappings(content):
            if block.get("type") == "text" and not block.get("text"):
                raise bad_request("messages: text content blocks must be non-empty")


def _check_thinking(thinking: dict[str, object], tokens_max: int | None) -> None:
    if thinking.get("type") != "enabled":
        return
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int):
        raise bad_request("thinking.enabled.budget_tokens: Field required")
    if budget < _THINKING_BUDGET_MIN:
        raise bad_request(
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
        )
    if tokens_max is not None and budget >= tokens_max:
        raise bad_request("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _check_citations(body: dict[str, object]) -> None:
    """Citations are on for all that can be cited or for none of it, and never beside a format."""
    every = [
        each for message in mappings(body.get("messages")) for each in _citable(message["content"])
    ]
    wanted = {mapping(each.get("citations")).get("enabled") is True for each in every}
    if len(wanted) > 1:
        raise bad_request("messages: citations must be enabled on all or none of the sources")
    if wanted == {True} and _schema(body) is not None:
        raise bad_request("output_config.format: cannot be used together with citations")


def _citable(content: object) -> Iterator[dict[str, object]]:
    """Documents and search results, also those that a tool found."""
    for block in mappings(content):
        inside = mappings(block.get("content")) if block.get("type") == "tool_result" else ()
        for each in (block, *inside):
            if each.get("type") in ("document", "search_result"):
                yield each


def _check_october(body: dict[str, object]) -> None:
    """What the newer API version no longer takes."""
    for name in _SAMPLING:
        if name in body:
            raise bad_request(f"{name}: Extra inputs are not permitted")
    for at, message in enumerate(mappings(body.get("messages"))):
        for number, block in enumerate(mappings(message.get("content"))):
            place = f"messages.{at}.content.{number}"
            if message["role"] == "assistant" and block.get("type") == "document":
                raise bad_request(f"{place}: Input tag 'document' is not permitted here")
            if message["role"] == "user" and block.get("type") == "text" and block.get("citations"):
                raise bad_request(f"{place}.text.citations: Extra inputs are not permitted")


def _ask(body: dict[str, object], tokens_max: int | None) -> Ask:
    content = _last_user_content(body)
    choice = mapping(body.get("tool_choice"))
    tools = [tool for tool in mappings(body.get("tools")) if "input_schema" in tool]
    return Ask(
        text="\n".join(texts(content)),
        tool_results=tuple(_tool_results(content)),
        pages=tuple(_pages(body)),
        thinking=_thinking(mapping(body.get("thinking"))),
        tokens_max=tokens_max,
        stop_sequences=tuple(
            stop for stop in listing(body.get("stop_sequences")) if isinstance(stop, str) and stop
        ),
        schema=_schema(body),
        has_tools=bool(tools),
        only_tool=text(tools[0].get("name")) if len(tools) == 1 else "",
        tools_allowed=choice.get("type") != "none",
        parallel_tools=choice.get("disable_parallel_tool_use") is not True,
        forced_tool=_forced_tool(choice, tools),
    )


def _last_user_content(body: dict[str, object]) -> object:
    """Clients put `system` messages behind the user's, so the last message need not be it."""
    for message in reversed(listing(body.get("messages"))):
        if mapping(message).get("role") == "user":
            return mapping(message).get("content")
    return ""


def _tool_results(content: object) -> Iterator[str]:
    for block in mappings(content):
        if block.get("type") == "tool_result":
            inside = block.get("content")
            found = [_page_text(each) for each in mappings(inside)]
            yield "\n".join((*texts(inside), *filter(None, found)))


def _pages(body: dict[str, object]) -> Iterator[Page]:
    """Search results of the user's last message, if they are to be cited."""
    last = _last_user_content(body)
    number = 0
    for message in mappings(body.get("messages")):
        for each in _citable(message["content"]):
            if each["type"] != "search_result":
                continue
            if message["content"] is last and each.get("citations"):
                yield Page(
                    number, text(each.get("source")), text(each.get("title")), _page_text(each)
                )
            number += 1


def _page_text(block: dict[str, object]) -> str:
    is_page = block.get("type") == "search_result"
    return "\n".join(texts(block.get("content"))) if is_page else ""


def _thinking(asked: dict[str, object]) -> Thinking:
    if asked.get("type") not in ("enabled", "adaptive"):
        return Thinking.OFF
    return Thinking.OMITTED if asked.get("display") == "omitted" else Thinking.SHOWN


def _schema(body: dict[str, object]) -> object:
    wanted = mapping(mapping(body.get("output_config")).get("format"))
    wanted = wanted or mapping(body.get("output_format"))
    return wanted.get("schema") if wanted.get("type") == "json_schema" else None


def _forced_tool(choice: dict[str, object], tools: list[dict[str, object]]) -> ForcedTool | None:
    match choice.get("type"):
        case "any":
            wanted = tools[:1]
        case "tool":
            wanted = [tool for tool in tools if tool.get("name") == choice.get("name")]
        case _:
            return None
    return ForcedTool(text(wanted[0].get("name")), wanted[0]["input_schema"]) if wanted else None

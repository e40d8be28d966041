"""What a dialect becomes when its server refuses a field (translation.md 1.1): all that can be done
without, or done another way.

Only hints are ever left out, never messages and never tools. Refuses to know: how long a lesson
holds, and which refusals are believed.
"""

import re
from collections.abc import Callable, Iterator, Mapping

from proxy.domain.dialect import Dialect
from proxy.providers.openai_chat.reasoning import EFFORTS
from proxy.wire.refused_fields import IN_MESSAGES, IN_TOOLS, SOMEWHERE, TOP

_OUTPUT_TOKENS_MIN = 256

Changes = dict[str, object]
"""Fields of `Dialect` and what they become."""
Change = Callable[[Dialect, str], Changes]


def concession(place: str, field: str, dialect: Dialect, said: str) -> Changes:
    """What `dialect` must change where `field` was refused in `place`, with the words `said` (lower
    case); nothing where it cannot do without."""
    change = _TABLES[place].get(field)
    return change(dialect, said) if change is not None else {}


# ---------------------------------------------------------------- what each field becomes


def _without_effort(dialect: Dialect, said: str) -> Changes:
    if _EFFORT_WITH_TOOLS.lower() in said:
        return {}  # it is the tools beside it
    listed = _listed_efforts(said)
    efforts = tuple([e for e in EFFORTS if e in listed and (e != "none" or e in dialect.efforts)])
    if efforts and efforts != dialect.efforts:
        return {"efforts": efforts}
    if dialect.reasoning in ("effort", "effort_always"):
        return {"reasoning": "none", "none_with_tools": False}
    return {"reasoning": "thinking_toggle"} if dialect.reasoning == "thinking_effort" else {}


def _listed_efforts(said: str) -> set[str]:
    _, _, supported = said.partition("supported values are")
    return set(re.findall(r"[a-z]+", supported))


def _without_stream_options(dialect: Dialect, said: str) -> Changes:
    if "include_obfuscation" in said:
        return {"no_obfuscation": False}
    if "continuous_usage_stats" in said:
        return {"usage": "include"} if dialect.usage == "continuous" else {}
    return {"usage": "unasked", "no_obfuscation": False}


def _without_tool_choice(dialect: Dialect, said: str) -> Changes:
    if "thinking" in said and dialect.forced_while_thinking:
        return {"forced_while_thinking": False}
    if re.search(r"tool_choice\W{1,3}specified|tool_choice.{0,20}function", said):
        return {"tool_choice_named": False}
    for value in ("required", "none"):
        if re.search(rf"tool_choice.{{0,40}}\b{value}\b", said):
            return {f"tool_choice_{value}": False}
    return {
        "tool_choice_required": False,
        "tool_choice_named": False,
        "tool_choice_none": "thinking" in said and dialect.tool_choice_none,
    }


def _without_response_format(dialect: Dialect, said: str) -> Changes:
    return {"structured": "json_object" if dialect.structured == "json_schema" else "text"}


def _without_max_tokens(dialect: Dialect, said: str) -> Changes:
    other = "max_completion_tokens" if dialect.max_tokens_field == "max_tokens" else "max_tokens"
    return {"max_tokens_field": other}


def _without_reasoning(dialect: Dialect, said: str) -> Changes:
    if dialect.reasoning == "openrouter" and "messages" not in said:
        return {"reasoning": "none"}
    if dialect.replay_field == "both":
        return {"replay_field": "reasoning_content"}
    return {"reasoning_replay": "never"} if dialect.replay_field == "reasoning" else {}


def _without_reasoning_content(dialect: Dialect, said: str) -> Changes:
    if dialect.replay_field == "both":
        return {"replay_field": "reasoning"}
    return {"reasoning_replay": "never"} if dialect.replay_field == "reasoning_content" else {}


def _without_thinking(dialect: Dialect, said: str) -> Changes:
    if dialect.reasoning == "thinking_effort":
        return {"reasoning": "effort"}
    return {"reasoning": "none"} if dialect.reasoning == "thinking_toggle" else {}


def _without_template_words(dialect: Dialect, said: str) -> Changes:
    return {"reasoning": "none"} if dialect.reasoning.startswith("template_") else {}


def _always(**changes: object) -> Change:
    return lambda dialect, said: changes


def _for_user(name: str) -> Change:
    return lambda dialect, said: {"user_field": ""} if dialect.user_field == name else {}


def _for_max_tokens(name: str) -> Change:
    return lambda dialect, said: (
        _without_max_tokens(dialect, said) if dialect.max_tokens_field == name else {}
    )


def _for_prefill(style: str) -> Change:
    return lambda dialect, said: {"prefill": "plain"} if dialect.prefill == style else {}


_TOP: Mapping[str, Change] = {
    "stream_options": _without_stream_options,
    "parallel_tool_calls": _always(parallel_flag=False),
    "tool_choice": _without_tool_choice,
    "reasoning_effort": _without_effort,
    "reasoning": _without_reasoning,
    "thinking": _without_thinking,
    "chat_template_kwargs": _without_template_words,
    "response_format": _without_response_format,
    "temperature": _always(sampling="drop"),
    "top_p": _always(sampling="drop"),
    "top_k": _always(top_k=False),
    "max_tokens": _for_max_tokens("max_tokens"),
    "max_completion_tokens": _for_max_tokens("max_completion_tokens"),
    "stop": _always(stop="local"),
    "service_tier": _always(service_tier=False),
    "safety_identifier": _for_user("safety_identifier"),
    "user": _for_user("user"),
    "prompt_cache_key": _always(prompt_cache_key=False),
    "continue_final_message": _for_prefill("continue"),
    "add_generation_prompt": _for_prefill("continue"),
}
"""Fields at the top of a request."""
_IN_MESSAGES: Mapping[str, Change] = {
    "reasoning_content": _without_reasoning_content,
    "reasoning": _without_reasoning,
    "reasoning_details": _always(replay_details=False),
    "cache_control": _always(cache_marks=False),
    "partial": _for_prefill("partial"),
    "prefix": _for_prefill("prefix"),
}
"""Fields inside messages."""
_IN_TOOLS: Mapping[str, Change] = {
    "strict": _always(strict_tools=False),
    "cache_control": _always(cache_marks=False),
}
"""Fields of tools, outside the user's own schemas."""
_TABLES = {
    TOP: _TOP,
    IN_MESSAGES: _IN_MESSAGES,
    IN_TOOLS: _IN_TOOLS,
    SOMEWHERE: {**_IN_TOOLS, **_IN_MESSAGES, **_TOP},
}


# ---------------------------------------------------------------- what is refused in other words

_NOT = r"(?:not (?:supported|allowed|permitted)|unsupported)"
_EFFORT_WITH_TOOLS = "Function tools with reasoning_effort are not supported"
_NULL = re.compile(
    r"content\b.{0,60}(?:none is not an allowed value|got null|null is not|not be null"
    r"|should be a valid string.{0,40}\b(?:none|null)\b)",
    re.IGNORECASE | re.DOTALL,
)
_DEVELOPER = re.compile(
    r"(?:role|not one of)\b.{0,80}\bdeveloper\b"
    rf"|\bdeveloper\b.{{0,40}}(?:not one of|\bis {_NOT}|not a valid role)",
    re.IGNORECASE | re.DOTALL,
)
_NO_POINT_THERE = re.compile(r"extraneous key \[cachePoint\]")
"""Bedrock's Converse, of models that take checkpoints of a cache behind some things only."""
_NO_POINTS = re.compile(r"did not allow prompt caching", re.IGNORECASE)
"""The same, of those that take none."""
_SYSTEM_FIRST = re.compile(
    r"system message(?:s)? (?:must|should|can only) be (?:at the beginning|the first|first)",
    re.IGNORECASE,
)
_OUTPUT_MAX = re.compile(
    r"max(?:_completion)?_tokens\W.{0,80}?(?:less than or equal to|supports at most"
    r"|maximum (?:value )?(?:of|is)|valid range of max_tokens is \[1,) ?[`'\"]?(\d{3,7})\b",
    re.IGNORECASE | re.DOTALL,
)


def concessions_in_words(text: str, dialect: Dialect) -> Iterator[tuple[str, Changes]]:
    """What is refused without being named as OpenAI names it."""
    if _EFFORT_WITH_TOOLS in text:
        # Newer models think unless they are told not to.
        must_say_none = not dialect.effort_with_tools or "to 'none'" in text
        yield (
            "reasoning_effort",
            {
                "effort_with_tools": False,
                "none_with_tools": dialect.none_with_tools or must_say_none,
            },
        )
    if _NULL.search(text) is not None:
        yield "content", {"null_content": False}
    if _DEVELOPER.search(text) is not None:
        yield "role", {"system_role": "system"}
    if _SYSTEM_FIRST.search(text) is not None:
        yield "system", {"mid_system": "fold"}
    if _NO_POINTS.search(text) is not None:
        yield "cache_control", {"cache_marks": False, "cache_marks_beyond_text": False}
    if _NO_POINT_THERE.search(text) is not None:
        fewer = "cache_marks_beyond_text" if dialect.cache_marks_beyond_text else "cache_marks"
        yield "cache_control", {fewer: False}
    if (most := _OUTPUT_MAX.search(text)) is not None:
        tokens = int(most[1])
        is_less = not dialect.max_output_tokens or tokens < dialect.max_output_tokens
        if is_less and tokens >= _OUTPUT_TOKENS_MIN:
            yield "max_tokens", {"max_output_tokens": tokens}

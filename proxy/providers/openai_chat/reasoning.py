"""How much the model is to think (translation.md 1.8), told the way its server understands it.

Effort wins over a budget; `disabled` wins over both. Sampling is decided here as well, because
models that think refuse it.
"""

from typing import Literal

import msgspec

from proxy.domain.dialect import Dialect
from proxy.wire.messages_request import OutputConfig, Thinking, bad

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""All there are, weakest first."""
_ON = ("enabled", "adaptive", "between_tools")
_BUDGET_MIN = 1024
_BUDGETS = ((4096, "low"), (16384, "medium"), (32768, "high"))
_UNASKED_EFFORT = "medium"


class Wish(msgspec.Struct, frozen=True, gc=False):
    """What the client asked for. `effort` is empty where nothing says how much, `budget_tokens` is
    0 unless it alone says so."""

    state: Literal["on", "off", "unsaid"]
    effort: str
    budget_tokens: int
    omitted: bool


def read_wish(
    thinking: Thinking | None, output: OutputConfig | None, max_tokens: int, *, counting: bool
) -> Wish:
    """The wish; Fault 400 with Anthropic's wording for a budget that cannot be."""
    effort = (output.effort if output is not None else None) or ""
    if effort not in EFFORTS:
        effort = ""  # a hint that is not known yet
    if thinking is None or thinking.type not in (*_ON, "disabled"):
        return Wish("unsaid", effort, 0, False)
    if thinking.type == "disabled":
        return Wish("off", "", 0, False)
    budget = 0
    if thinking.type == "enabled" and not counting:
        budget = _budget(thinking.budget_tokens, max_tokens)
        if effort:
            budget = 0
        else:
            effort = _effort_of(budget)
    return Wish("on", effort or _UNASKED_EFFORT, budget, thinking.display == "omitted")


def without_thinking(wish: Wish, dialect: Dialect) -> Wish:
    """The wish where a call is forced, which some models take only while they do not think: they
    are switched off unless the client wants them to think."""
    switchable = dialect.reasoning in ("thinking_toggle", "thinking_effort")
    if wish.state == "unsaid" and switchable and not dialect.forced_while_thinking:
        return Wish("off", "", 0, False)
    return wish


def _budget(asked: int | None, max_tokens: int) -> int:
    where = "thinking.enabled.budget_tokens"
    if asked is None:
        raise bad(f"{where}: Field required")
    if asked < _BUDGET_MIN:
        raise bad(f"{where}: Input should be greater than or equal to {_BUDGET_MIN}")
    if asked >= max_tokens:
        raise bad("`max_tokens` must be greater than `thinking.budget_tokens`.")
    return asked


def _effort_of(budget_tokens: int) -> str:
    for below, effort in _BUDGETS:
        if budget_tokens < below:
            return effort
    return "xhigh"


def nearest(effort: str, supported: tuple[str, ...]) -> str:
    """The supported effort nearest to `effort`, the stronger of two; empty without any."""
    wanted = EFFORTS.index(effort)
    known = [name for name in supported if name in EFFORTS and (name != "none" or effort == "none")]
    return min(
        known,
        key=lambda name: (abs(EFFORTS.index(name) - wanted), -EFFORTS.index(name)),
        default="",
    )


def weakest(dialect: Dialect) -> str:
    """The effort that comes nearest to none."""
    return next((name for name in EFFORTS if name in dialect.efforts), "")


def write_wish(wish: Wish, dialect: Dialect, *, tools: bool, max_tokens: int) -> bytes:
    """Top-level fields, each with a comma in front. `max_tokens` is what is sent."""
    if tools and dialect.none_with_tools:
        return b',"reasoning_effort":"none"'
    if wish.state == "unsaid" and not wish.effort:
        return b""
    on = wish.state == "on"
    match dialect.reasoning:
        case "effort":
            return _effort(wish, dialect, tools)
        case "effort_always":
            return b"" if wish.state == "off" else _effort(wish, dialect, tools)
        case "thinking_toggle":
            return b"" if wish.state == "unsaid" else _TOGGLE[on]
        case "thinking_effort":
            if wish.state == "off":
                return _TOGGLE[False]
            return (_TOGGLE[True] if on else b"") + _effort(wish, dialect, tools)
        case "openrouter":
            return _openrouter(wish, dialect, max_tokens)
        case "template_enable_thinking":
            return b"" if wish.state == "unsaid" else _TEMPLATE % (b"enable_thinking", _BOOL[on])
        case "template_thinking":
            return b"" if wish.state == "unsaid" else _TEMPLATE % (b"thinking", _BOOL[on])
        case "none" | "thinking_always":
            return b""


_TOGGLE = {True: b',"thinking":{"type":"enabled"}', False: b',"thinking":{"type":"disabled"}'}
_TEMPLATE = b',"chat_template_kwargs":{"%b":%b}'
_BOOL = {True: b"true", False: b"false"}


def _effort(wish: Wish, dialect: Dialect, tools: bool) -> bytes:
    if tools and not dialect.effort_with_tools:
        return b""  # the server refuses both together (trap 34)
    off = wish.state == "off"
    effort = weakest(dialect) if off else nearest(wish.effort, dialect.efforts)
    return b',"reasoning_effort":"%b"' % effort.encode() if effort else b""


def _openrouter(wish: Wish, dialect: Dialect, max_tokens: int) -> bytes:
    if wish.state == "off":
        return b',"reasoning":{"enabled":false}'
    # A budget stays below the tokens that are asked for, also when those were clamped.
    budget = min(wish.budget_tokens, max_tokens - 1)
    if wish.budget_tokens and budget >= _BUDGET_MIN:
        return b',"reasoning":{"max_tokens":%d}' % budget
    if wish.budget_tokens:
        return b""
    effort = nearest(wish.effort, dialect.efforts)
    return b',"reasoning":{"effort":"%b"}' % effort.encode() if effort else b""


def will_think(wish: Wish, dialect: Dialect, *, tools: bool) -> bool:
    """Will the model think, as far as can be known?"""
    if tools and dialect.none_with_tools:
        return False
    match dialect.reasoning:
        case "none":
            return dialect.thinks_unasked
        case "thinking_always" | "effort_always":
            return True
        case "effort":
            if wish.state == "unsaid" and not wish.effort:
                return dialect.thinks_unasked
            if tools and not dialect.effort_with_tools:
                return dialect.thinks_unasked
            return wish.state != "off" or weakest(dialect) != "none"
        case _:
            return dialect.thinks_unasked if wish.state == "unsaid" else wish.state == "on"

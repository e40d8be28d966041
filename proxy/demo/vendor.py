"""What there is to say about a vendor on the chat wire: the columns of the table in `vendors.py`.

A field is something a gateway can stumble over (translation.md 1.4, 1.6-1.10, 2.5, 3.4-3.7, 7).
The defaults are those of a server that takes anything and has no habits.
"""

from dataclasses import dataclass
from typing import Literal

ThinkingSwitch = Literal["never", "when_asked", "unless_told", "always", "by_effort"]
"""`when_asked`: by the word THINK; `unless_told`: on until switched off; `by_effort`: on where an
effort above `none` holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupWords:
    """How it is said that tool calls and tool messages do not belong together."""

    unanswered: str
    orphan: str
    unknown_id: str


OPENAI_OVERFLOW = (
    "This model's maximum context length is {window} tokens. However, your messages resulted in "
    "{prompt} tokens. Please reduce the length of the messages."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """One row. Sizes in characters, 0 means no limit; templates take the names in braces."""

    name: str
    models: tuple[str, ...] = ()
    """How its model ids begin; the longest beginning of all rows wins."""
    errors: Literal["openai", "moonshot", "deepseek", "openrouter", "vllm", "ollama", "plain"] = (
        "plain"
    )

    # ------------------------------------------------------------ thinking
    thinks: ThinkingSwitch = "when_asked"
    thinks_unasked: bool = False
    """Thinks in every answer while thinking is on, not only at the word THINK."""
    reasoning_field: str = "reasoning_content"
    """Where thoughts are told; empty: they stay hidden and are only paid for."""
    replay: Literal["never", "present", "non_empty", "refused"] = "never"
    """What `reasoning_field` must be on an assistant message with calls while thinking is on;
    `refused`: on no message at all."""
    replay_words: str = ""
    efforts: tuple[str, ...] = ()
    """The values of `reasoning_effort` it takes; empty: it does not look."""
    effort_default: str = "medium"
    effort_with_tools: Literal["yes", "unset_or_none", "only_none"] = "yes"
    off_refused: bool = False

    # ------------------------------------------------------------ what a request may not say
    refused: tuple[str, ...] = ()
    """Parameters it does not know for this model."""
    strangers_refused: bool = False
    """Refuses names that are not in OpenAI's own reference."""
    fixed: tuple[tuple[str, float], ...] = ()
    """Parameters that take one value only."""
    fixed_when_off: tuple[tuple[str, float], ...] = ()
    """The same while thinking is off."""
    fixed_words: str = (
        "Unsupported value: '{name}' does not support {given} with this model. Only the default "
        "({value}) value is supported."
    )
    tool_choice_when_thinking: bool = True
    strict: Literal["yes", "checked", "refused"] = "yes"
    schema_checked: bool = False
    json_schema: bool = True
    stops_max: int = 0
    tools_max: int = 0
    name_chars_max: int = 0
    id_chars_max: int = 0
    output_tokens_max: int = 0
    options_need_stream: bool = False
    images: Literal["any", "data", "none"] = "any"
    empty_messages: bool = True
    groups: GroupWords | None = None
    overflow: str = OPENAI_OVERFLOW
    overflow_total: str = ""
    """Said when only prompt and answer together do not fit; empty: the answer is cut silently."""

    # ------------------------------------------------------------ how it answers
    call_id: str = "call_{serial}{block:02d}"
    """May take {serial}, {block}, {name}, {number} in this reply, {asked} in the conversation."""
    arguments: Literal["pieces", "object"] = "pieces"
    """`object`: not a string, and the whole call in one chunk."""
    interleaves: bool = False
    """Sends the pieces of parallel calls turn by turn."""
    opening: tuple[str, ...] = ()
    """Raw frames before the first chunk: comments, or frames without a choice."""
    waiting: str = ""
    """The comment it sends while the model is silent; its head then goes out at once."""
    body_before_json: str = ""
    nulls: tuple[str, ...] = ()
    """Fields that every delta names, null where it has nothing to say."""
    usage_places: tuple[Literal["chunk", "finish", "choice"], ...] = ("chunk",)
    """`chunk`: of its own, when asked for; `finish`: in the last chunk with a choice, when asked
    for; `choice`: inside that chunk's choice, asked for or not."""
    usage_details: Literal["openai", "moonshot", "deepseek", "vllm", "bare"] = "openai"
    padding: bool = False
    stop_reason: bool = False
    """Says beside `finish_reason` which stop sequence matched."""
    done: bool = True
    failing: Literal["error", "error_done", "finish", "chunk"] = "error"
    """How a stream that fails midway says so."""
    overloaded_status: int = 529
    counts_at: str = ""
    """Its path that counts tokens."""

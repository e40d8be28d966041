"""How one server that speaks chat completions differs from the next (translation.md 0.3, 1.10).

Data, not code: every difference between providers is a field here, so a new provider is a row of
`providers/openai_chat/dialects.py` or a `quirks` table in the configuration, never a branch. The
defaults are those of a careful stranger: ask only for what every server knows.
"""

from typing import Annotated, Literal

import msgspec

Size = Annotated[int, msgspec.Meta(ge=0)]
Family = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_-]{0,32}\Z")]
"""As a signature can name it (`wire/seal.py`)."""
ReasoningStyle = Literal[
    "none",
    "effort",
    "effort_always",
    "thinking_toggle",
    "thinking_always",
    "thinking_effort",
    "openrouter",
    "template_enable_thinking",
    "template_thinking",
]
"""How thinking is asked for (translation.md 1.8): `effort` is `reasoning_effort`; `effort_always`
the same where it cannot be switched off; `thinking_toggle` is `thinking: {type}`; `thinking_always`
is on and must not be mentioned; `thinking_effort` is toggle and effort; `template_*` is
`chat_template_kwargs`."""


class Dialect(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The profile of one deployment. Sizes in characters unless said; 0 means no limit."""

    # ------------------------------------------------------------ the way there
    path: str = "/chat/completions"
    """Behind the base URL."""
    key_header: str = "authorization"
    """`authorization` carries `Bearer KEY`, any other name the bare key."""
    count: Literal["local", "moonshot", "vllm"] = "local"
    """Who counts tokens (translation.md 8)."""

    # ------------------------------------------------------------ the size of things
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    max_output_tokens: Size = 0
    """Below the model's own, where a provider allows less."""
    tools_max: Size = 0
    tool_name_chars_max: Size = 64
    tool_description_chars_max: Size = 0
    tool_id: Literal["any", "chars_40", "chars_64", "alphanumeric_9"] = "any"
    """What the provider accepts as id of a call (translation.md 2.5)."""

    # ------------------------------------------------------------ messages
    system_role: Literal["system", "developer"] = "system"
    mid_system: Literal["keep", "fold"] = "keep"
    prefill: Literal["refuse", "continue", "partial", "prefix", "plain"] = "plain"
    """A conversation that ends with the assistant: vLLM continues, Moonshot takes `partial`,
    DeepSeek `prefix`; `plain` sends it as any other message."""
    null_content: bool = True
    """May an assistant's `content` be null beside calls? Else it is an empty string."""
    empty_tool_result: str = ""
    image_url: bool = True
    """Are images taken by https address? Whether at all is the model's `vision`."""
    tool_image: bool = False
    """May a tool message hold images?"""
    pdf: bool = False
    pdf_url: bool = False

    # ------------------------------------------------------------ sampling, stops, formats
    sampling: Literal["pass", "drop", "drop_when_thinking"] = "pass"
    top_k: bool = False
    stop: Literal["local", "native"] = "local"
    """`native` only where the reply says which sequence matched (translation.md D10)."""
    structured: Literal["json_schema", "json_object", "text"] = "text"
    structured_with_tools: bool = True

    # ------------------------------------------------------------ tools
    tool_choice_required: bool = True
    tool_choice_named: bool = True
    tool_choice_none: bool = True
    forced_while_thinking: bool = True
    """May a call be forced while the model thinks? Else a model that nobody asked to think is
    switched off for it, or is told in words."""
    parallel_flag: bool = False
    strict_tools: bool = False
    """Is `strict` understood? Sent for schemas in OpenAI's strict subset only."""
    tools_left_out: tuple[str, ...] = ()
    """Beginnings of tool types that are left out where they would be refused (translation.md 1.6);
    the model then does not know of them."""

    # ------------------------------------------------------------ thinking
    reasoning: ReasoningStyle = "none"
    efforts: tuple[str, ...] = ("low", "medium", "high")
    """Supported efforts, weakest first."""
    effort_with_tools: bool = True
    none_with_tools: bool = False
    """Must the effort be said to be `none` beside tools, because leaving it out means another?"""
    thinks_unasked: bool = False
    """Does the model think when nobody mentions it? Decides on `drop_when_thinking`."""
    reasoning_family: Family = ""
    """Thinking goes back only to models of the family it came from; empty: to none."""
    reasoning_replay: Literal["never", "tool_turns", "always"] = "never"
    replay_field: Literal["reasoning_content", "reasoning", "both"] = "reasoning_content"
    replay_details: bool = False
    """Are `reasoning_details`, carried in the signature, taken back?"""
    replay_placeholder: str | None = None
    """Stands for thinking that is lost where a provider insists on some; None: it does not."""
    think_tags: tuple[str, ...] = ()
    """Names of tags around thinking inside the text, such as `think`."""
    think_implicit_open: bool = False
    """A closing tag may come without its opening one."""
    kimi_tool_repair: bool = False
    """Calls may leak into the text as Kimi's own tokens (translation.md 3.5)."""

    # ------------------------------------------------------------ streams
    usage: Literal["include", "continuous", "unasked"] = "include"
    """`include` sends `stream_options.include_usage`; `continuous` vLLM's besides; `unasked` sends
    neither."""
    no_obfuscation: bool = False
    """Ask for streams without padding."""
    arguments: Literal["delta", "cumulative"] = "delta"
    name_fragments: bool = False
    """Do names of calls come in pieces, which are to be joined?"""
    tool_args: Literal["streamed", "buffered"] = "streamed"
    """`buffered`: no call goes out before its arguments are known to be whole, at the cost of
    latency (translation.md 3.4). Text that follows a call then comes before it."""
    done_required: bool = False

    # ------------------------------------------------------------ beside the point
    user_field: Literal["", "user", "safety_identifier"] = ""
    prompt_cache_key: bool = False
    cache_marks: bool = False
    """Does `cache_control` on text parts mean anything there?"""
    cache_marks_beyond_text: bool = False
    """And on tools, on results of calls, on files and in what the assistant said? (Of results and
    calls the mark stands on the message.)"""
    service_tier: bool = False
    geo: tuple[str, ...] = ()
    """Values of `inference_geo` that this deployment satisfies."""

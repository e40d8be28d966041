"""Whom the demo upstream plays on the chat wire: one row a family of models, chosen by model id.

A row says how that vendor really behaves; wordings are those their users report. Rows are data:
what is refused is in `openai_rules.py`, `openai_history.py` and `openai_schemas.py`, how replies
look in `openai_wire.py`, how errors look in `openai_errors.py`. A model id that no row knows is
GENERIC.
"""

from dataclasses import replace

from proxy.demo.vendor import GroupWords, Vendor

_OPENAI_GROUPS = GroupWords(
    unanswered=(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to "
        "each 'tool_call_id'. The following tool_call_ids did not have response messages: {ids}"
    ),
    orphan=(
        "Invalid parameter: messages with role 'tool' must be a response to a preceeding message "
        "with 'tool_calls'."
    ),
    unknown_id=(
        "Invalid parameter: 'tool_call_id' of '{ids}' not found in 'tool_calls' of previous "
        "message."
    ),
)
_MOONSHOT_GROUPS = GroupWords(
    unanswered=(
        "Invalid request: an assistant message with 'tool_calls' must be followed by tool messages "
        "responding to each 'tool_call_id'. The following tool_call_ids did not have response "
        "messages: {ids}"
    ),
    orphan="Invalid request: tool_call_id {ids} is not found",
    unknown_id="Invalid request: tool_call_id {ids} is not found",
)
_DEEPSEEK_GROUPS = GroupWords(
    unanswered=(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to "
        "each 'tool_call_id'. (insufficient tool messages following tool_calls message)"
    ),
    orphan=(
        "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'"
    ),
    unknown_id=(
        "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'"
    ),
)

_TOTAL_OVERFLOW = (
    "This model's maximum context length is {window} tokens. However, you requested {total} tokens "
    "({prompt} in the messages, {wanted} in the completion). Please reduce the length of the "
    "messages or completion."
)


GENERIC = Vendor(name="generic")

_OPENAI = Vendor(
    name="openai",
    models=("gpt-", "chatgpt-"),
    errors="openai",
    thinks="never",
    reasoning_field="",
    strangers_refused=True,
    refused=("reasoning_effort",),
    strict="checked",
    schema_checked=True,
    stops_max=4,
    tools_max=128,
    name_chars_max=64,
    id_chars_max=40,
    output_tokens_max=16_384,
    options_need_stream=True,
    groups=_OPENAI_GROUPS,
    padding=True,
    overloaded_status=503,
)
_O_SERIES = replace(
    _OPENAI,
    name="openai-o",
    models=("o1", "o3", "o4"),
    thinks="by_effort",
    thinks_unasked=True,
    efforts=("low", "medium", "high"),
    refused=("max_tokens", "top_p", "stop", "parallel_tool_calls", "logprobs"),
    fixed=(("temperature", 1),),
    output_tokens_max=100_000,
)
_GPT_5 = replace(
    _O_SERIES,
    name="openai-gpt-5",
    models=("gpt-5",),
    efforts=("minimal", "low", "medium", "high"),
    refused=("max_tokens", "top_p", "stop", "logprobs"),
    output_tokens_max=128_000,
    overflow=(
        "Input tokens exceed the configured limit of {window} tokens. Your messages resulted in "
        "{prompt} tokens. Please reduce the length of the messages."
    ),
)
_GPT_5_1 = replace(
    _GPT_5,
    name="openai-gpt-5.1",
    models=("gpt-5.1", "gpt-5.2"),
    efforts=("none", "low", "medium", "high", "xhigh"),
    effort_default="none",
)
_GPT_5_3 = replace(
    _GPT_5_1,
    name="openai-gpt-5.3",
    models=("gpt-5.3", "gpt-5.4", "gpt-5.5"),
    effort_with_tools="unset_or_none",
)
# Its effort is above none unless told otherwise, so that leaving it out is no way round
# (litellm #34569).
_GPT_5_6 = replace(
    _GPT_5_3,
    name="openai-gpt-5.6",
    models=("gpt-5.6",),
    effort_default="medium",
    effort_with_tools="only_none",
)
_AZURE = replace(
    _OPENAI,
    name="azure",
    models=("azure-",),
    opening=(
        'data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":'
        '[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false}}}]}\n\n',
    ),
    padding=False,
)

_MOONSHOT = Vendor(
    name="moonshot",
    models=("moonshot-", "kimi-k2-0", "kimi-k2-turbo"),
    errors="moonshot",
    thinks="never",
    strict="refused",
    tool_choice_when_thinking=False,
    stops_max=5,
    tools_max=128,
    name_chars_max=64,
    images="data",
    empty_messages=False,
    groups=_MOONSHOT_GROUPS,
    overflow="Invalid request: Your request exceeded model token limit: {window} "
    "(requested: {prompt})",
    overflow_total="Invalid request: Your request exceeded model token limit: {window} "
    "(requested: {total})",
    call_id="functions.{name}:{asked}",
    interleaves=True,
    usage_places=("choice", "chunk"),
    usage_details="moonshot",
    overloaded_status=429,
    counts_at="/v1/tokenizers/estimate-token-count",
)
_KIMI = replace(
    _MOONSHOT,
    name="moonshot-toggle",
    models=("kimi-",),
    thinks="unless_told",
    thinks_unasked=True,
    replay="non_empty",
    replay_words=(
        "thinking is enabled but reasoning_content is missing in assistant tool call message at "
        "index {index}"
    ),
    fixed_words="invalid {name}: only {value} is allowed for this model",
    fixed=(("temperature", 1), ("top_p", 0.95)),
    fixed_when_off=(("temperature", 0.6), ("top_p", 0.95)),
)
_KIMI_THINKING = replace(
    _KIMI,
    name="moonshot-always",
    models=("kimi-k2-thinking", "kimi-k2.7", "kimi-thinking"),
    thinks="always",
    off_refused=True,
)
_KIMI_K3 = replace(
    _KIMI_THINKING, name="moonshot-effort", models=("kimi-k3",), efforts=("low", "high", "max")
)
_MANTLE = replace(
    _KIMI_THINKING,
    name="mantle",
    models=("moonshotai.", "mantle-"),
    errors="openai",
    reasoning_field="reasoning",
    replay="never",
    fixed=(),
    images="none",
    call_id="call_{serial}{block:02d}",
    usage_places=("chunk",),
    usage_details="bare",
    overflow="prompt tokens ({prompt}) exceed model maximum ({window})",
    overflow_total="",
    overloaded_status=503,
    counts_at="",
)

_DEEPSEEK = Vendor(
    name="deepseek",
    models=("deepseek-",),
    errors="deepseek",
    thinks="unless_told",
    thinks_unasked=True,
    replay="present",
    replay_words=("The `reasoning_content` in the thinking mode must be passed back to the API."),
    json_schema=False,
    stops_max=16,
    tools_max=128,
    name_chars_max=64,
    images="none",
    groups=_DEEPSEEK_GROUPS,
    overflow=_TOTAL_OVERFLOW,
    overflow_total=_TOTAL_OVERFLOW,
    call_id="call_{number:02d}_{serial}",
    opening=(": keep-alive\n\n", ": keep-alive\n\n"),
    waiting=": keep-alive\n\n",
    body_before_json="\n\n\n",
    nulls=("content", "reasoning_content"),
    usage_places=("finish",),
    usage_details="deepseek",
    failing="finish",
    overloaded_status=503,
)
_DEEPSEEK_CHAT = replace(
    _DEEPSEEK, name="deepseek-chat", models=("deepseek-chat",), thinks="never", replay="never"
)
_DEEPSEEK_R1 = replace(
    _DEEPSEEK,
    name="deepseek-r1",
    models=("deepseek-r1",),
    thinks="always",
    replay="refused",
    replay_words="reasoning_content is not allowed in input messages (at index {index})",
)
_OPENROUTER = Vendor(
    name="openrouter",
    models=("openrouter-", "openrouter/"),
    errors="openrouter",
    thinks="unless_told",
    thinks_unasked=True,
    reasoning_field="reasoning",
    tools_max=128,
    overflow=(
        "This endpoint's maximum context length is {window} tokens. However, you requested about "
        "{total} tokens ({prompt} of text input, {wanted} in the output). Please reduce the length "
        "of either one."
    ),
    overflow_total=(
        "This endpoint's maximum context length is {window} tokens. However, you requested about "
        "{total} tokens ({prompt} of text input, {wanted} in the output). Please reduce the length "
        "of either one."
    ),
    opening=(": OPENROUTER PROCESSING\n\n",),
    waiting=": OPENROUTER PROCESSING\n\n",
    failing="chunk",
    overloaded_status=502,
)
_VLLM = Vendor(
    name="vllm",
    models=("vllm-",),
    errors="vllm",
    thinks="unless_told",
    thinks_unasked=True,
    reasoning_field="reasoning",
    overflow=(
        "This model's maximum context length is {window} tokens. However, your request has "
        "{prompt} input tokens. Please reduce the length of the input messages."
    ),
    overflow_total=_TOTAL_OVERFLOW,
    call_id="chatcmpl-tool-{serial}{block:02d}",
    interleaves=True,
    usage_details="vllm",
    stop_reason=True,
    failing="error_done",
    overloaded_status=503,
    counts_at="/tokenize",
)
_OLLAMA = Vendor(
    name="ollama",
    models=("ollama-",),
    errors="ollama",
    thinks="when_asked",
    reasoning_field="reasoning",
    images="data",
    overflow="the request exceeds the available context size, try increasing it",
    # Numbered anew in every reply, so that ids repeat within a conversation.
    call_id="call_{number}",
    arguments="object",
    nulls=("content",),
    usage_details="bare",
    done=False,
    overloaded_status=503,
)

VENDORS = (
    _OPENAI,
    _O_SERIES,
    _GPT_5,
    _GPT_5_1,
    _GPT_5_3,
    _GPT_5_6,
    _AZURE,
    _MOONSHOT,
    _KIMI,
    _KIMI_THINKING,
    _KIMI_K3,
    _MANTLE,
    _DEEPSEEK,
    _DEEPSEEK_CHAT,
    _DEEPSEEK_R1,
    _OPENROUTER,
    _VLLM,
    _OLLAMA,
)


def vendor_of(model: str) -> Vendor:
    """The row that plays this model."""
    matches = [
        (len(beginning), vendor)
        for vendor in VENDORS
        for beginning in vendor.models
        if model.lower().startswith(beginning)
    ]
    return max(matches, key=lambda match: match[0])[1] if matches else GENERIC

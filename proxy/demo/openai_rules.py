"""What a vendor refuses among a chat request's parameters, with its own words. Pure.

Messages are judged in `openai_history.py`, tools and schemas in `openai_schemas.py`.
"""

from proxy.demo.loose_json import listing, mapping, mappings, text
from proxy.demo.openai_thinking import effort, thinking_is_on
from proxy.demo.refusal import bad_request
from proxy.demo.vendor import Vendor

_USER_CHARS_MAX = 64
_KNOWN = frozenset(
    {
        *("audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs"),
        *("max_completion_tokens", "max_tokens", "messages", "metadata", "modalities", "model"),
        *("moderation", "n", "parallel_tool_calls", "prediction", "presence_penalty"),
        *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),
        *("reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier"),
        *("stop", "store", "stream", "stream_options", "temperature", "tool_choice", "tools"),
        *("top_logprobs", "top_p", "user", "verbosity", "web_search_options"),
    }
)
"""OpenAI's reference. It refuses every other name."""


def check_parameters(body: dict[str, object], vendor: Vendor) -> None:
    """RefusedError for the first parameter that this vendor would not take."""
    _check_names(body, vendor)
    _check_sampling(body, vendor)
    _check_thinking(body, vendor)
    _check_tool_choice(body, vendor)
    _check_sizes(body, vendor)
    if vendor.options_need_stream and body.get("stream_options") and not body.get("stream"):
        raise bad_request(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )
    wanted = mapping(body.get("response_format")).get("type")
    if wanted == "json_schema" and not vendor.json_schema:
        raise bad_request("This response_format type is unavailable now")


def _check_names(body: dict[str, object], vendor: Vendor) -> None:
    for name in body:
        if vendor.strangers_refused and name not in _KNOWN:
            raise bad_request(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    for name in vendor.refused:
        if body.get(name) is not None:
            instead = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
            raise bad_request(
                f"Unsupported parameter: '{name}' is not supported with this model.{instead}",
                param=name,
                code="unsupported_parameter",
            )
    if vendor.strangers_refused and body.get("metadata") and not body.get("store"):
        raise bad_request(
            "The 'metadata' parameter is only allowed when 'store' is enabled.", param="metadata"
        )


def _check_sampling(body: dict[str, object], vendor: Vendor) -> None:
    is_on = thinking_is_on(body, vendor)
    for name, value in vendor.fixed if is_on else vendor.fixed_when_off:
        given = body.get(name)
        if given is not None and given != value:
            words = vendor.fixed_words.format(name=name, given=given, value=value)
            raise bad_request(words, param=name, code="unsupported_value")


def _check_thinking(body: dict[str, object], vendor: Vendor) -> None:
    if vendor.off_refused and mapping(body.get("thinking")).get("type") == "disabled":
        raise bad_request("invalid thinking: only type=enabled is allowed for this model")
    asked = body.get("reasoning_effort")
    if asked is not None and vendor.efforts and asked not in vendor.efforts:
        supported = ", ".join(f"'{value}'" for value in vendor.efforts)
        raise bad_request(
            f"Unsupported value: 'reasoning_effort' does not support '{asked}' with this model. "
            f"Supported values are: {supported}.",
            param="reasoning_effort",
            code="unsupported_value",
        )
    if not body.get("tools"):
        return
    refused = {
        "yes": False,
        "unset_or_none": asked not in (None, "none"),
        "only_none": effort(body, vendor) != "none",
    }[vendor.effort_with_tools]
    if refused:
        raise bad_request(
            f"Function tools with reasoning_effort are not supported for {body['model']} in "
            "/v1/chat/completions. To use function tools, use /v1/responses or set "
            "reasoning_effort to 'none'.",
            param="reasoning_effort",
        )


def _check_tool_choice(body: dict[str, object], vendor: Vendor) -> None:
    choice = body.get("tool_choice")
    if choice is None:
        return
    named = text(mapping(mapping(choice).get("function")).get("name"))
    if not vendor.tool_choice_when_thinking:
        # Kimi takes "required" nowhere (translation.md 1.10), a named tool only without thinking.
        if choice == "required":
            raise bad_request("tool_choice 'required' is incompatible with thinking enabled")
        if named and thinking_is_on(body, vendor):
            raise bad_request("tool_choice 'specified' is incompatible with thinking enabled")
    if not vendor.schema_checked:
        return
    if not body.get("tools"):
        raise bad_request(
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are "
            "specified.",
            param="tool_choice",
        )
    names = [mapping(tool.get("function")).get("name") for tool in mappings(body.get("tools"))]
    if named and named not in names:
        raise bad_request(
            f"Tool choice '{named}' not found in 'tools' parameter.", param="tool_choice"
        )


def _check_sizes(body: dict[str, object], vendor: Vendor) -> None:
    stops = listing(body.get("stop"))
    if vendor.stops_max and len(stops) > vendor.stops_max:
        raise bad_request(
            f"Invalid 'stop': array too long. Expected an array with maximum length "
            f"{vendor.stops_max}, but got an array with length {len(stops)} instead.",
            param="stop",
            code="array_above_max_length",
        )
    for name in ("max_tokens", "max_completion_tokens"):
        asked = body.get(name)
        if vendor.output_tokens_max and isinstance(asked, int) and asked > vendor.output_tokens_max:
            raise bad_request(
                f"max_tokens is too large: {asked}. This model supports at most "
                f"{vendor.output_tokens_max} completion tokens, whereas you provided {asked}.",
                param=name,
                code="invalid_value",
            )
    if not vendor.strangers_refused:
        return
    for name in ("user", "safety_identifier", "prompt_cache_key"):
        given = text(body.get(name))
        if len(given) > _USER_CHARS_MAX:
            raise bad_request(
                f"Invalid '{name}': string too long. Expected a string with maximum length "
                f"{_USER_CHARS_MAX}, but got a string with length {len(given)} instead.",
                param=name,
                code="string_above_max_length",
            )
    if body.get("parallel_tool_calls") is not None and not body.get("tools"):
        raise bad_request(
            "Invalid value for 'parallel_tool_calls': 'parallel_tool_calls' is only allowed when "
            "'tools' are specified.",
            param="parallel_tool_calls",
        )

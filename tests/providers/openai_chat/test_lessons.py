"""What servers refuse, in their own words, and how they are spoken to after that."""

from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.dialect import Dialect
from proxy.providers.openai_chat.lessons import FORGOTTEN_AFTER_S, IN_FLIGHT_S, Lessons
from tests.kit.patience import examples

ALL = Dialect(
    max_tokens_field="max_tokens",
    top_k=True,
    stop="native",
    structured="json_schema",
    parallel_flag=True,
    strict_tools=True,
    reasoning="effort",
    efforts=("none", "minimal", "low", "medium", "high", "xhigh"),
    reasoning_replay="tool_turns",
    system_role="developer",
    prefill="partial",
    usage="continuous",
    no_obfuscation=True,
    user_field="safety_identifier",
    prompt_cache_key=True,
    cache_marks=True,
    service_tier=True,
)
"""Says everything it can."""


class Lesson(NamedTuple):
    """The refused fields, and the dialect that does without."""

    field: str
    dialect: Dialect


def lesson(status: int, body: bytes, dialect: Dialect) -> Lesson | None:
    """What a refusal of a request in `dialect` teaches; None when nothing."""
    lessons = Lessons(dialect)
    field = lessons.learn(status, body, 0.0)
    return Lesson(field, lessons.dialect(0.0)) if field else None


def openai(message: str, **fields: Any) -> bytes:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return msgspec.json.encode({"error": {**error, **fields}})


def unsupported(name: str) -> bytes:
    return openai(
        f"Unsupported parameter: '{name}' is not supported with this model.",
        param=name,
        code="unsupported_parameter",
    )


EXTRA = "Extra inputs are not permitted"
ROWS: list[tuple[str, int, bytes, str, dict[str, object]]] = [
    # ------------------------------------------------------------ OpenAI, Azure
    (
        "openai max_tokens",
        400,
        openai(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            param="max_tokens",
            code="unsupported_parameter",
        ),
        "max_tokens",
        {"max_tokens_field": "max_completion_tokens"},
    ),
    (
        "copilot max_tokens, another code",
        400,
        openai(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            code="invalid_request_body",
        ),
        "max_tokens",
        {"max_tokens_field": "max_completion_tokens"},
    ),
    (
        "openai parallel",
        400,
        unsupported("parallel_tool_calls"),
        "parallel_tool_calls",
        {"parallel_flag": False},
    ),
    ("openai stop", 400, unsupported("stop"), "stop", {"stop": "local"}),
    (
        "openai temperature value",
        400,
        openai(
            "Unsupported value: 'temperature' does not support 0.2 with this model. Only the "
            "default (1) value is supported.",
            param="temperature",
            code="unsupported_value",
        ),
        "temperature",
        {"sampling": "drop"},
    ),
    ("openai top_p", 400, unsupported("top_p"), "top_p", {"sampling": "drop"}),
    (
        "openai effort value",
        400,
        openai(
            "Unsupported value: 'reasoning_effort' does not support 'none' with this model. "
            "Supported values are: 'minimal', 'low', 'medium', and 'high'.",
        ),
        "reasoning_effort",
        {"efforts": ("minimal", "low", "medium", "high")},
    ),
    (
        "openai effort with tools",
        400,
        openai(
            "Function tools with reasoning_effort are not supported for gpt-5.4 in "
            "/v1/chat/completions. Please use /v1/responses instead.",
            param="reasoning_effort",
        ),
        "reasoning_effort",
        {"effort_with_tools": False},
    ),
    (
        "openai effort with tools, newer",
        400,
        openai(
            "Function tools with reasoning_effort are not supported for gpt-5.6-sol in "
            "/v1/chat/completions. To use function tools, use /v1/responses or set "
            "reasoning_effort to 'none'.",
            param="reasoning_effort",
        ),
        "reasoning_effort",
        {"effort_with_tools": False, "none_with_tools": True},
    ),
    (
        "tool_choice unknown",
        400,
        openai("Unrecognized request argument supplied: tool_choice"),
        "tool_choice",
        {"tool_choice_required": False, "tool_choice_named": False, "tool_choice_none": False},
    ),
    (
        "openai effort unknown",
        400,
        openai("Unrecognized request argument supplied: reasoning_effort"),
        "reasoning_effort",
        {"reasoning": "none"},
    ),
    (
        "openai format",
        400,
        openai(
            "Invalid parameter: 'response_format' of type 'json_schema' is not supported with "
            "this model. Learn more about supported models at the Structured Outputs guide.",
            param=None,
        ),
        "response_format",
        {"structured": "json_object"},
    ),
    (
        "openai output",
        400,
        openai(
            "max_tokens is too large: 200000. This model supports at most 128000 completion "
            "tokens, whereas you provided 200000.",
            param="max_tokens",
            code="invalid_value",
        ),
        "max_tokens",
        {"max_output_tokens": 128_000},
    ),
    (
        "azure stream_options",
        400,
        openai(
            "Unrecognized request argument supplied: stream_options. Please contact us through an "
            "Azure support request at: https://go.microsoft.com/fwlink/?linkid=2213926 for "
            "further questions.",
        ),
        "stream_options",
        {"usage": "unasked", "no_obfuscation": False},
    ),
    (
        "azure unknown parameter",
        400,
        openai(
            "Unknown parameter: 'stream_options.include_obfuscation'.",
            param="stream_options.include_obfuscation",
            code="unknown_parameter",
        ),
        "stream_options",
        {"no_obfuscation": False},
    ),
    (
        "azure several",
        400,
        openai("Unrecognized request arguments supplied: parallel_tool_calls, service_tier"),
        "parallel_tool_calls, service_tier",
        {"parallel_flag": False, "service_tier": False},
    ),
    (
        "azure safety_identifier",
        400,
        openai("Unknown parameter: 'safety_identifier'.", param="safety_identifier"),
        "safety_identifier",
        {"user_field": ""},
    ),
    # ------------------------------------------------------------ vLLM
    (
        "vllm forbids, as Python prints it",
        400,
        msgspec.json.encode(
            {
                "object": "error",
                "message": "[{'type': 'extra_forbidden', 'loc': ('body', 'stream_options'), "
                "'msg': 'Extra inputs are not permitted', 'input': {'include_usage': True}}]",
                "type": "BadRequestError",
                "param": None,
                "code": 400,
            }
        ),
        "stream_options",
        {"usage": "unasked", "no_obfuscation": False},
    ),
    (
        "vllm continuous",
        400,
        openai(f"stream_options.continuous_usage_stats: {EXTRA}"),
        "stream_options",
        {"usage": "include"},
    ),
    (
        "vllm system first",
        400,
        openai("System message must be at the beginning."),
        "system",
        {"mid_system": "fold"},
    ),
    (
        "vllm developer",
        400,
        openai("Unexpected message role: developer"),
        "role",
        {"system_role": "system"},
    ),
    (
        "vllm null",
        400,
        openai(
            "1 validation error for ValidatorIterator\nmessages.2.assistant.content\n  Input "
            "should be a valid string [type=string_type, input_value=None, input_type=NoneType]"
        ),
        "content",
        {"null_content": False},
    ),
    # ------------------------------------------------------------ Mistral
    (
        "mistral 422",
        422,
        msgspec.json.encode(
            {
                "object": "error",
                "message": {
                    "detail": [
                        {
                            "type": "extra_forbidden",
                            "loc": ["body", "stream_options"],
                            "msg": EXTRA,
                            "input": {"include_usage": True},
                        }
                    ]
                },
                "type": "invalid_request_error",
                "param": None,
                "code": None,
            }
        ),
        "stream_options",
        {"usage": "unasked", "no_obfuscation": False},
    ),
    (
        "mistral message field",
        422,
        msgspec.json.encode(
            {
                "detail": [
                    {
                        "type": "extra_forbidden",
                        "loc": ["body", "messages", 2, "assistant", "reasoning_content"],
                        "msg": EXTRA,
                    },
                    {"type": "extra_forbidden", "loc": ["body", "prompt_cache_key"], "msg": EXTRA},
                ]
            }
        ),
        "reasoning_content, prompt_cache_key",
        {"reasoning_replay": "never", "prompt_cache_key": False},
    ),
    (
        "mistral strict",
        422,
        msgspec.json.encode(
            {
                "detail": [
                    {
                        "type": "extra_forbidden",
                        "loc": ["body", "tools", 0, "function", "strict"],
                        "msg": EXTRA,
                    }
                ]
            }
        ),
        "strict",
        {"strict_tools": False},
    ),
    # ------------------------------------------------------------ Moonshot
    (
        "kimi temperature",
        400,
        msgspec.json.encode(
            {
                "error": {
                    "message": "invalid temperature: only 1 is allowed for this model",
                    "type": "invalid_request_error",
                }
            }
        ),
        "temperature",
        {"sampling": "drop"},
    ),
    (
        "kimi required",
        400,
        openai("tool_choice 'required' is incompatible with thinking enabled"),
        "tool_choice",
        {"forced_while_thinking": False},
    ),
    (
        "kimi named",
        400,
        openai("tool_choice 'specified' is incompatible with thinking enabled"),
        "tool_choice",
        {"forced_while_thinking": False},
    ),
    # ------------------------------------------------------------ DeepSeek
    (
        "deepseek format",
        400,
        openai("This response_format type is unavailable now", code="invalid_request_error"),
        "response_format",
        {"structured": "json_object"},
    ),
    (
        "deepseek tool_choice",
        400,
        openai("Thinking mode does not support this tool_choice"),
        "tool_choice",
        {"forced_while_thinking": False},
    ),
    (
        "deepseek output",
        400,
        openai("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]"),
        "max_tokens",
        {"max_output_tokens": 8192},
    ),
    # ------------------------------------------------------------ others
    (
        "groq property",
        400,
        openai(
            "'messages.1' : for 'role:assistant' the following must be satisfied[('messages.1' : "
            "property 'reasoning_content' is unsupported)]"
        ),
        "reasoning_content",
        {"reasoning_replay": "never"},
    ),
    (
        "cerebras path",
        400,
        msgspec.json.encode(
            {
                "message": "messages.2.assistant.reasoning_content: property "
                "'messages.2.assistant.reasoning_content' is unsupported",
                "type": "invalid_request_error",
                "param": "validation_error",
                "code": "wrong_api_format",
            }
        ),
        "reasoning_content",
        {"reasoning_replay": "never"},
    ),
    (
        "groq output",
        400,
        openai(
            "`max_tokens` must be less than or equal to `16384`, the maximum value for "
            "`max_tokens` is less than the `context_window` for this model"
        ),
        "max_tokens",
        {"max_output_tokens": 16_384},
    ),
    (
        "fireworks field",
        400,
        openai(f"{EXTRA}, field: 'stream_options'"),
        "stream_options",
        {"usage": "unasked", "no_obfuscation": False},
    ),
    (
        "a server in Go",
        400,
        b'{"error":"json: unknown field \\"service_tier\\""}',
        "service_tier",
        {"service_tier": False},
    ),
    (
        "a server in Zod",
        400,
        openai("Unrecognized key(s) in object: 'top_k'"),
        "top_k",
        {"top_k": False},
    ),
    (
        "cache marks",
        400,
        openai(f"messages.0.content.0.cache_control: {EXTRA}"),
        "cache_control",
        {"cache_marks": False},
    ),
    ("partial", 400, openai(f"messages.4.partial: {EXTRA}"), "partial", {"prefill": "plain"}),
]


@pytest.mark.parametrize(
    ("status", "body", "field", "changes"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_a_refused_field_is_done_without(
    status: int, body: bytes, field: str, changes: dict[str, object]
) -> None:
    taught = lesson(status, body, ALL)
    assert taught is not None
    assert taught.field == field
    assert taught.dialect == msgspec.structs.replace(ALL, **changes)
    # What was done without is not refused again; where there is another way, that is next.
    again = lesson(status, body, taught.dialect)
    assert again is None or field in ("response_format", "reasoning_effort", "tool_choice")


@pytest.mark.parametrize(
    "body",
    [
        openai("thinking is enabled but reasoning_content is missing in message at index 2"),
        openai("Invalid value: 'tool'.", param="messages[2].role", code="invalid_value"),
        openai("Invalid schema for response_format 'answer': additionalProperties is required"),
        openai("tools: Extra inputs are not permitted"),
        openai("messages: Extra inputs are not permitted"),
        openai("Unknown parameter: 'tools[0].function.parameters.properties.user'."),
        openai("tools.0.function.parameters.strict: Extra inputs are not permitted"),
        openai("the user is not allowed to do this. stop is not supported in this conversation"),
        openai("This model does not support images"),
        openai("temperature: Input should be less than or equal to 2"),
        openai("max_tokens: Input should be greater than or equal to 1"),
        openai(
            "'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum "
            "context length is 4096 tokens and your request has 17 input tokens."
        ),
        openai("stop: Extra inputs are not permitted".ljust(3000, "x")),
        b"<html>stream_options is not supported</html>",
        b"",
        b"[]",
    ],
)
def test_what_is_about_something_else_teaches_nothing(body: bytes) -> None:
    assert lesson(400, body, ALL) is None


@pytest.mark.parametrize("status", [401, 403, 404, 413, 429, 500, 503])
def test_other_statuses_teach_nothing(status: int) -> None:
    assert lesson(status, unsupported("stop"), ALL) is None


@pytest.mark.parametrize(
    "body", [body for name, _, body, _, _ in ROWS if "output" not in name and "effort" not in name]
)
def test_what_was_not_sent_teaches_nothing(body: bytes) -> None:
    modest = Dialect(
        max_tokens_field="max_completion_tokens",
        null_content=False,
        mid_system="fold",
        sampling="drop",
        tool_choice_required=False,
        tool_choice_named=False,
        tool_choice_none=False,
        forced_while_thinking=False,
        usage="unasked",
    )
    assert lesson(400, body, modest) is None


def test_formats_are_given_up_one_after_the_other() -> None:
    body = openai("This response_format type is unavailable now")
    first = lesson(400, body, ALL)
    assert first is not None
    second = lesson(400, body, first.dialect)
    assert second is not None
    assert second.dialect.structured == "text"
    assert lesson(400, body, second.dialect) is None


@pytest.mark.parametrize(
    ("message", "changes"),
    [
        (
            "tool_choice 'required' is incompatible with thinking enabled",
            {"tool_choice_required": False},
        ),
        (
            "tool_choice 'specified' is incompatible with thinking enabled",
            {"tool_choice_named": False},
        ),
        (
            "Thinking mode does not support this tool_choice",
            {"tool_choice_required": False, "tool_choice_named": False},
        ),
    ],
)
def test_a_call_is_not_forced_where_thinking_cannot_be_switched_off(
    message: str, changes: dict[str, object]
) -> None:
    thinking = msgspec.structs.replace(ALL, forced_while_thinking=False)
    taught = lesson(400, openai(message), thinking)
    assert taught is not None
    assert taught.dialect == msgspec.structs.replace(thinking, **changes)


def test_a_model_that_thinks_unasked_is_told_not_to_beside_tools() -> None:
    body = openai("Function tools with reasoning_effort are not supported for gpt-5.4")
    first = lesson(400, body, ALL)
    assert first is not None
    second = lesson(400, body, first.dialect)
    assert second is not None
    assert second.dialect.none_with_tools
    assert lesson(400, body, second.dialect) is None


# ---------------------------------------------------------------- remembered


def test_a_lesson_holds_for_an_hour() -> None:
    lessons = Lessons(ALL)
    assert lessons.dialect(0.0) is ALL
    assert lessons.learn(400, unsupported("stop"), 10.0) == "stop"
    assert lessons.dialect(10.0).stop == "local"
    assert lessons.learned(10.0) == ("stop",)
    last_s = 10.0 + FORGOTTEN_AFTER_S
    assert lessons.dialect(last_s - 1).stop == "local"
    assert lessons.dialect(last_s) == ALL
    assert lessons.learned(last_s) == ()


def test_each_lesson_is_forgotten_in_its_own_time() -> None:
    lessons = Lessons(ALL)
    lessons.learn(400, unsupported("stop"), 0.0)
    lessons.learn(400, unsupported("top_p"), 100.0)
    assert lessons.learned(100.0) == ("stop", "top_p")
    assert lessons.learned(FORGOTTEN_AFTER_S) == ("top_p",)
    assert lessons.dialect(FORGOTTEN_AFTER_S).stop == "native"
    assert lessons.dialect(FORGOTTEN_AFTER_S).sampling == "drop"


def test_one_lesson_builds_on_another_of_the_same_field() -> None:
    lessons = Lessons(ALL)
    body = openai("tool_choice 'required' is incompatible with thinking enabled")
    assert lessons.learn(400, body, 0.0) == "tool_choice"
    assert lessons.learn(400, body, 1.0) == "tool_choice"
    dialect = lessons.dialect(1.0)
    assert not (dialect.forced_while_thinking or dialect.tool_choice_required)


def test_a_request_that_was_on_its_way_is_sent_again_too() -> None:
    lessons = Lessons(ALL)
    body = unsupported("stop")
    assert lessons.learn(400, body, 0.0) == "stop"
    assert lessons.learn(400, body, IN_FLIGHT_S - 1) == "stop"
    # Later than that it was sent without the field, and is refused for something else.
    assert lessons.learn(400, body, IN_FLIGHT_S + 1) == ""


def test_a_field_that_was_never_sent_is_not_learned() -> None:
    lessons = Lessons(Dialect())
    assert lessons.learn(400, unsupported("service_tier"), 0.0) == ""
    assert lessons.learned(0.0) == ()


@examples(50)
@given(st.lists(st.tuples(st.sampled_from(ROWS), st.floats(0, 900)), max_size=30))
def test_what_is_remembered_is_bounded(steps: list[tuple[Any, float]]) -> None:
    lessons = Lessons(ALL)
    now_s = 0.0
    for (_, status, body, _, _), pause_s in steps:
        now_s += pause_s
        lessons.learn(status, body, now_s)
        assert len(lessons.learned(now_s)) <= 25
    assert lessons.dialect(now_s + FORGOTTEN_AFTER_S) == ALL


@examples(200)
@given(st.integers(200, 599), st.binary(max_size=60))
def test_nothing_breaks_the_learning(status: int, body: bytes) -> None:
    assert lesson(status, body, ALL) is None


def test_a_server_that_does_not_know_effort_is_not_told_to_spend_none() -> None:
    taught = lesson(
        400, unsupported("reasoning_effort"), Dialect(reasoning="effort", none_with_tools=True)
    )
    assert taught is not None
    assert not taught.dialect.none_with_tools
    assert taught.dialect.reasoning == "none"

import json
from typing import Any

import pytest

from proxy.demo.openai_request import read_request
from proxy.demo.refusal import RefusedError
from proxy.demo.script import Ask, ForcedTool, Thinking

SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}}}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}


def asked(**changes: Any) -> Ask:
    right = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    return read_request(json.dumps(right | changes).encode()).ask


@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b"{}", b'{"model":"m"}', b'{"model":"m","messages":[]}']
)
def test_a_wrong_body_is_refused(raw: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        read_request(raw)
    assert refused.value.refusal.status == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"messages": [{"role": "robot", "content": "x"}]},
        {"messages": ["x"]},
        {"max_tokens": 0},
        {"max_completion_tokens": "9"},
    ],
)
def test_wrong_fields_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        asked(**changes)


def message(role: str, content: object) -> dict[str, object]:
    return {"role": role, "content": content}


@pytest.mark.parametrize(
    ("messages", "written", "results"),
    [
        ([message("user", "a"), message("system", "b")], "a", ()),
        ([message("user", [{"type": "text", "text": "a"}, {"type": "image_url"}])], "a", ()),
        ([message("user", "q"), message("tool", "18C")], "", ("18C",)),
        (
            [
                message("user", "q"),
                message("assistant", None),
                message("tool", "a"),
                message("tool", [{"type": "text", "text": "b"}]),
                message("system", "s"),
            ],
            "",
            ("a", "b"),
        ),
        ([message("tool", "old"), message("assistant", "x"), message("user", "new")], "new", ()),
        ([message("tool", "18C"), message("user", [{"type": "image_url"}])], "", ("18C",)),
    ],
)
def test_the_last_turn_decides(messages: list[Any], written: str, results: tuple[str, ...]) -> None:
    ask = asked(messages=messages)
    assert (ask.text, ask.tool_results) == (written, results)


SHOWN = Ask(text="hi", thinking=Thinking.SHOWN)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        ({"reasoning_effort": "none"}, {"thinking": Thinking.OFF}),
        ({"thinking": {"type": "disabled"}}, {"thinking": Thinking.OFF}),
        ({"max_tokens": 5}, {"tokens_max": 5}),
        ({"max_tokens": 5, "max_completion_tokens": 4}, {"tokens_max": 4}),
        ({"stop": "a"}, {"stop_sequences": ("a",)}),
        ({"stop": ["a", "b"]}, {"stop_sequences": ("a", "b")}),
        ({"tools": [TOOL]}, {"has_tools": True, "only_tool": "weather"}),
        ({"tool_choice": "none"}, {"tools_allowed": False}),
        ({"parallel_tool_calls": False}, {"parallel_tools": False}),
        (
            {"tools": [TOOL], "tool_choice": "required"},
            {
                "has_tools": True,
                "only_tool": "weather",
                "forced_tool": ForcedTool("weather", SCHEMA),
            },
        ),
        (
            {
                "tools": [TOOL],
                "tool_choice": {"type": "function", "function": {"name": "weather"}},
            },
            {
                "has_tools": True,
                "only_tool": "weather",
                "forced_tool": ForcedTool("weather", SCHEMA),
            },
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
            {"schema": SCHEMA},
        ),
        ({"response_format": {"type": "text"}}, {}),
    ],
)
def test_wishes_are_read(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    ask = asked(**changes)
    names = SHOWN.__dataclass_fields__
    assert {name: getattr(ask, name) for name in names} == {
        name: getattr(SHOWN, name) for name in names
    } | expected


def test_any_json_is_an_object() -> None:
    assert asked(response_format={"type": "json_object"}).schema is not None


def test_user_messages_in_a_row_are_one_turn() -> None:
    ask = asked(messages=[message("user", "a"), message("system", "s"), message("user", "b")])
    assert ask.text == "a\nb"


@pytest.mark.parametrize(
    "written",
    [
        "<system-reminder>Be brief.</system-reminder>",
        "You must call one of the tools now.",
        [{"type": "text", "text": "Image from tool result 1:"}, {"type": "image_url"}],
    ],
)
def test_what_software_adds_behind_tool_results_does_not_hide_them(written: Any) -> None:
    history = [message("user", "q"), message("assistant", None), message("tool", "18C")]
    ask = asked(messages=[*history, message("user", written)])
    assert (ask.text, ask.tool_results) == ("", ("18C",))


def test_a_persons_words_behind_tool_results_count_like_on_the_anthropic_wire() -> None:
    history = [message("user", "q"), message("assistant", None), message("tool", "18C")]
    ask = asked(messages=[*history, message("user", "LONG 3")])
    assert (ask.text, ask.tool_results) == ("LONG 3", ("18C",))


def test_an_answer_begun_by_the_client_does_not_hide_the_question() -> None:
    assert asked(messages=[message("user", "q"), message("assistant", "The")]).text == "q"


OTHER = {"type": "function", "function": {"name": "weather_of", "parameters": SCHEMA}}


@pytest.mark.parametrize(
    ("hint", "name"),
    [
        ("You must call one of the tools now.", "weather"),
        ("You must call the tool weather_of now.", "weather_of"),
        ("You must call the tool `weather` now.", "weather"),
    ],
)
def test_a_hint_forces_a_call_as_a_model_would_let_itself_be_forced(hint: str, name: str) -> None:
    ask = asked(messages=[message("user", "hi\n" + hint)], tools=[TOOL, OTHER])
    assert ask.forced_tool == ForcedTool(name, SCHEMA)
    assert ask.text.strip() == "hi"


def test_a_hint_without_tools_forces_nothing() -> None:
    assert asked(messages=[message("user", "You must call one now.")]).forced_tool is None


@pytest.mark.parametrize(
    "said",
    [
        f"Answer with JSON by this schema: {json.dumps(SCHEMA)}",
        f"Here is {{one}} and {{}} and {json.dumps(SCHEMA)} and more",
    ],
)
def test_a_schema_in_the_system_text_is_obeyed_where_only_json_was_asked_for(said: str) -> None:
    ask = asked(
        messages=[message("system", said), message("user", "hi")],
        response_format={"type": "json_object"},
    )
    assert ask.schema == SCHEMA


def test_options_of_streams_are_read() -> None:
    def read(model: str, **options: Any) -> Any:
        body = {"model": model, "messages": [message("user", "hi")], "stream": True}
        return read_request(json.dumps(body | {"stream_options": options}).encode())

    assert read("gpt-4o", include_usage=True).padded
    assert not read("gpt-4o", include_obfuscation=False).padded
    assert not read("kimi-k2.6").padded
    assert read("vllm-qwen", continuous_usage_stats=True).continuous_usage


@pytest.mark.parametrize(
    ("model", "thinking", "unasked"),
    [
        ("gpt-4o", Thinking.OFF, False),
        ("gpt-5", Thinking.OMITTED, True),
        ("kimi-k2-thinking", Thinking.SHOWN, True),
        ("moonshot-v1-8k", Thinking.OFF, False),
    ],
)
def test_who_is_played_decides_about_thoughts(
    model: str, thinking: Thinking, unasked: bool
) -> None:
    ask = asked(model=model)
    assert ask.thinking is thinking
    assert (ask.thinks_unasked and thinking is not Thinking.OFF) is unasked

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
        ({"tools": [TOOL]}, {"has_tools": True}),
        ({"tool_choice": "none"}, {"tools_allowed": False}),
        ({"parallel_tool_calls": False}, {"parallel_tools": False}),
        (
            {"tools": [TOOL], "tool_choice": "required"},
            {"has_tools": True, "forced_tool": ForcedTool("weather", SCHEMA)},
        ),
        (
            {
                "tools": [TOOL],
                "tool_choice": {"type": "function", "function": {"name": "weather"}},
            },
            {"has_tools": True, "forced_tool": ForcedTool("weather", SCHEMA)},
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

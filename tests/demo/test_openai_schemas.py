from typing import Any

import pytest

from proxy.demo.openai_schemas import wrong_in_schema, wrong_in_strict
from tests.demo.chat import TITLE, read, refused, tool

CLOSED: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "string"}, "b": {"type": "array", "items": {"type": "number"}}},
    "required": ["a", "b"],
    "additionalProperties": False,
}


def inside(schema: dict[str, Any]) -> dict[str, Any]:
    return CLOSED | {"properties": {"a": schema}, "required": ["a"]}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (CLOSED, ""),
        (inside(CLOSED), ""),
        (inside({"anyOf": [CLOSED, {"type": "null"}]}), ""),
        (CLOSED | {"$defs": {"x": CLOSED}}, ""),
        ({}, "got 'type: \"None\"'"),
        ({"anyOf": [CLOSED]}, "schema must be a JSON Schema of 'type: \"object\"'"),
        (CLOSED | {"additionalProperties": True}, "'additionalProperties' is required to be"),
        (CLOSED | {"required": ["a"]}, "Missing 'b'."),
        (inside(TITLE), "In context=('properties', 'a'), 'additionalProperties'"),
        (inside({"type": "array", "items": TITLE}), "In context=('properties', 'a', 'items')"),
        (inside({"anyOf": [TITLE]}), "In context=('properties', 'a', 'anyOf', '0')"),
        (inside({"oneOf": [CLOSED]}), "'oneOf' is not permitted."),
        (CLOSED | {"$defs": {"x": TITLE}}, "In context=('$defs', 'x')"),
    ],
)
def test_the_strict_subset(schema: dict[str, Any], words: str) -> None:
    wrong = wrong_in_strict(schema)
    assert words in wrong
    assert bool(wrong) is bool(words)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (TITLE, ""),
        ({"properties": {}}, "got 'type: \"None\"'"),
        ({"type": "object"}, "object schema missing properties"),
        (inside({"type": "array"}), "In context=('properties', 'a'), array schema missing items."),
    ],
)
def test_what_every_schema_of_parameters_must_have(schema: dict[str, Any], words: str) -> None:
    wrong = wrong_in_schema(schema)
    assert words in wrong
    assert bool(wrong) is bool(words)


REFUSED: list[tuple[str, list[dict[str, Any]], str]] = [
    ("gpt-4o", [], "Invalid 'tools': empty array."),
    ("gpt-4o", [tool(f"t{number}") for number in range(129)], "maximum length 128"),
    ("gpt-4o", [tool("x" * 65)], "Invalid 'tools[0].function.name': string too long."),
    ("gpt-4o", [tool("a.b")], "string does not match pattern"),
    ("gpt-4o", [tool(parameters={"type": "object"})], "Invalid schema for function 'weather'"),
    ("gpt-4o", [tool(strict=True)], "'additionalProperties' is required to be supplied"),
    ("gpt-4o", [tool() | {"cache_control": {}}], "Unknown parameter: 'tools[0].cache_control'."),
    ("gpt-4o", [tool(input_examples=[])], "Unknown parameter: 'tools[0].function.input_examples'."),
    ("kimi-k2.6", [tool("_x")], "function name is invalid, must start with a letter"),
    ("kimi-k2.6", [tool("x" * 65)], "string too long"),
    ("kimi-k2.6", [tool(strict=True)], "tools.function.strict is not supported"),
]


@pytest.mark.parametrize(("model", "tools", "words"), REFUSED)
def test_a_vendor_refuses_a_wrong_tool(model: str, tools: list[dict[str, Any]], words: str) -> None:
    assert words in refused(model, tools=tools).words


TAKEN: list[tuple[str, list[dict[str, Any]]]] = [
    ("gpt-4o", [tool(), tool("x" * 64), tool(parameters=CLOSED, strict=True)]),
    ("gpt-4o", [{"type": "function", "function": {"name": "bare"}}]),
    ("kimi-k2.6", [tool("x-1", parameters={"type": "object"})]),
    ("vllm-qwen", [tool("a.b", strict=True)]),
    ("m", []),
]


@pytest.mark.parametrize(("model", "tools"), TAKEN)
def test_a_vendor_takes_a_right_tool(model: str, tools: list[dict[str, Any]]) -> None:
    assert read(model, tools=tools).ask.has_tools is bool(tools)


def test_a_strict_schema_of_the_answer_must_be_in_the_subset() -> None:
    def wanted(schema: dict[str, Any], *, strict: bool) -> dict[str, Any]:
        said = {"name": "output", "schema": schema, "strict": strict}
        return {"type": "json_schema", "json_schema": said}

    words = refused("gpt-4o", response_format=wanted(TITLE, strict=True)).words
    assert words.startswith("Invalid schema for response_format 'output': In context=()")
    assert read("gpt-4o", response_format=wanted(TITLE, strict=False)).ask.schema == TITLE
    assert read("gpt-4o", response_format=wanted(CLOSED, strict=True)).ask.schema == CLOSED
    assert read("vllm-qwen", response_format=wanted(TITLE, strict=True)).ask.schema == TITLE

from typing import Any

import pytest

from proxy.demo.schema_fill import DEPTH_MAX, fill


@pytest.mark.parametrize(
    ("schema", "filled"),
    [
        (
            {
                "type": "object",
                "properties": {"title": {"type": "string"}, "extra": {"type": "string"}},
                "required": ["title"],
                "additionalProperties": False,
            },
            {"title": "demo title"},
        ),
        (
            {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "count": {"type": "integer", "minimum": 3},
                    "share": {"type": "number"},
                    "ok": {"type": "boolean"},
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "inner": {"type": "object", "properties": {"a": {"type": "null"}}},
                },
                "required": ["name", "count", "share", "ok", "tags", "inner"],
            },
            {
                "name": "demo name",
                "count": 3,
                "share": 1,
                "ok": True,
                "tags": ["demo tags"],
                "inner": {"a": None},
            },
        ),
        ({"enum": ["red", "green"]}, "red"),
        ({"const": 7}, 7),
        ({"type": ["string", "null"]}, "demo value"),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, 1),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [True, True]),
        ({"type": "string", "maxLength": 4}, "demo"),
        ({"type": "string", "minLength": 12}, "demo value.."),
        ({"$ref": "#/$defs/city", "$defs": {"city": {"const": "Rome"}}}, "Rome"),
        ({"properties": {"a": {"type": "string"}}}, {"a": "demo a"}),
        ({}, "demo value"),
        ("no schema at all", "demo value"),
    ],
)
def test_a_schema_is_filled(schema: object, filled: object) -> None:
    assert fill(schema) == filled


def test_a_schema_that_holds_itself_comes_to_an_end() -> None:
    filled: Any = fill({"type": "object", "properties": {"self": {"$ref": "#"}}})
    depth = 0
    while filled is not None:
        filled = filled["self"]
        depth += 1
    assert depth == DEPTH_MAX + 1


def test_a_reference_to_itself_comes_to_an_end() -> None:
    assert fill({"$ref": "#"}) == "demo value"

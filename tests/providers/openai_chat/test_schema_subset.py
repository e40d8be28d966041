"""Which schemas OpenAI's strict mode takes as they are."""

import json

import pytest

from proxy.providers.openai_chat.schema_subset import is_strict

TEXT: dict[str, object] = {"type": "string"}


def closed(**properties: object) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def deep(levels: int) -> dict[str, object]:
    schema = closed(x=TEXT)
    for _ in range(levels):
        schema = closed(x=schema)
    return schema


def alternatives(levels: int) -> dict[str, object]:
    schema: dict[str, object] = TEXT
    for _ in range(levels):
        schema = {"anyOf": [schema]}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        closed(),
        closed(a=TEXT, b={"type": ["integer", "null"], "minimum": 0}),
        closed(a={"type": "array", "items": closed(b=TEXT), "maxItems": 3}),
        closed(a={"anyOf": [TEXT, closed(b={"const": 1})]}),
        closed(a={"$ref": "#/$defs/t"}) | {"$defs": {"t": closed(b={"enum": ["x"]})}},
        closed(a={"type": "string", "format": "date-time", "description": "When"}),
        closed(a=TEXT) | {"$schema": "http://json-schema.org/draft-07/schema#", "title": "T"},
        deep(8),
    ],
)
def test_these_are(schema: dict[str, object]) -> None:
    assert is_strict(json.dumps(schema).encode())


@pytest.mark.parametrize(
    "schema",
    [
        {},
        TEXT,
        {"type": "object"},
        {"type": "object", "properties": {}, "required": []},
        closed(a=TEXT) | {"required": []},
        closed(a=TEXT) | {"additionalProperties": True},
        closed(a=TEXT) | {"additionalProperties": TEXT},
        closed(a=TEXT) | {"anyOf": [closed()]},
        closed(a=TEXT) | {"patternProperties": {}},
        closed(a={"type": "object"}),
        closed(a={"type": ["object", "null"]}),
        closed(a={"allOf": [TEXT]}),
        closed(a={"type": "string", "default": "x"}),
        closed(a={"type": "string", "format": "uri"}),
        closed(a={"type": "string", "format": 3}),
        closed(a={"type": "array", "items": {"type": "object"}}),
        closed(a={"anyOf": {"x": TEXT}}),
        closed(a=True),
        closed(a=alternatives(11)),
        closed(a=TEXT) | {"$defs": [TEXT]},
        {"type": "object", "properties": [], "additionalProperties": False},
        deep(12),
        closed(**{f"p{number}": TEXT for number in range(5001)}),
    ],
)
def test_these_are_not(schema: dict[str, object]) -> None:
    assert not is_strict(json.dumps(schema).encode())


def test_one_nested_without_end_is_not() -> None:
    deepest = b'{"anyOf":[' * 400 + b"{}" + b"]}" * 400
    assert not is_strict(
        b'{"type":"object","properties":{"a":%b},"required":["a"],"additionalProperties":false}'
        % deepest
    )


@pytest.mark.parametrize("raw", [b"", b"[1]", b"null", b"{", b'{"type":"\xff"}'])
def test_what_is_no_schema_is_not(raw: bytes) -> None:
    assert not is_strict(raw)

"""Is a JSON schema in the subset that OpenAI's strict mode takes?

`strict: true` on any other schema is a 400, and making a schema fit changes what it means (trap
35): so it is only looked at, never rewritten. What is not known to be accepted counts as not in the
subset; the model is then asked without `strict`.
Rules: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
"""

from collections.abc import Iterable

import msgspec

_DEPTH_MAX = 10
_PROPERTIES_MAX = 5000
_KNOWN = frozenset(
    (
        *("$schema", "$ref", "$defs", "definitions", "title", "description", "type", "enum"),
        *("const", "properties", "required", "additionalProperties", "items", "anyOf"),
        *("pattern", "format", "multipleOf", "maximum", "minimum", "exclusiveMaximum"),
        *("exclusiveMinimum", "minItems", "maxItems"),
    )
)
_FORMATS = frozenset(
    ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
)


def is_strict(schema: bytes | msgspec.Raw) -> bool:
    """Would strict mode take the schema whose JSON this is?"""
    try:
        root = msgspec.json.decode(schema)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    if not isinstance(root, dict) or root.get("type") != "object" or "anyOf" in root:
        return False
    try:
        return _fits(root, 0) <= _PROPERTIES_MAX
    except _OutsideError:
        return False


class _OutsideError(Exception):
    """Something that is not in the subset."""


def _fits(schema: object, depth: int) -> int:
    """How many properties there are, at every depth; raises _OutsideError."""
    if not isinstance(schema, dict) or depth > _DEPTH_MAX or not schema.keys() <= _KNOWN:
        raise _OutsideError
    if not isinstance(schema.get("format", "date"), str):
        raise _OutsideError
    if schema.get("format", "date") not in _FORMATS:
        raise _OutsideError
    count = 0
    kind = schema.get("type")
    if "properties" in schema or kind == "object" or (isinstance(kind, list) and "object" in kind):
        count += _closed(schema, depth)
    if "items" in schema:
        count += _fits(schema["items"], depth + 1)
    for name in ("$defs", "definitions"):
        count += _all_fit(_values(schema.get(name, {})), depth + 1)
    return count + _all_fit(_elements(schema.get("anyOf", [])), depth + 1)


def _closed(schema: dict[str, object], depth: int) -> int:
    """An object takes its own properties only, and needs every one of them."""
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    if not isinstance(properties, dict) or not isinstance(required, list):
        raise _OutsideError
    if schema.get("additionalProperties") is not False:
        raise _OutsideError
    if any(name not in required for name in properties):
        raise _OutsideError
    return len(properties) + _all_fit(properties.values(), depth + 1)


def _all_fit(schemas: Iterable[object], depth: int) -> int:
    return sum(_fits(schema, depth) for schema in schemas)


def _values(found: object) -> Iterable[object]:
    if not isinstance(found, dict):
        raise _OutsideError
    return found.values()


def _elements(found: object) -> Iterable[object]:
    if not isinstance(found, list):
        raise _OutsideError
    return found

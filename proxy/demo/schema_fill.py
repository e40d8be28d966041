"""A smallest plausible value for a simple JSON schema: what the demo model says when it must
answer in JSON or is made to call a tool.

Pure. Knows types, enum, const, default, required, $ref into $defs, anyOf/oneOf/allOf and the
length and number bounds; no patterns. A schema that refers to itself ends at DEPTH_MAX.
"""

from proxy.demo.loose_json import listing, mapping, text

DEPTH_MAX = 12
ITEMS_MAX = 100


def fill(schema: object) -> object:
    """A value that satisfies `schema`."""
    root = mapping(schema)
    return _fill(root, "value", root, 0)


def _fill(asked: dict[str, object], name: str, root: dict[str, object], depth: int) -> object:
    if depth > DEPTH_MAX:
        return None
    schema = _resolved(asked, root)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if choices := listing(schema.get("enum")):
        return choices[0]
    for key in ("anyOf", "oneOf", "allOf"):
        if branches := listing(schema.get(key)):
            return _fill(mapping(branches[0]), name, root, depth + 1)
    return _of_kind(schema, name, root, depth)


def _of_kind(schema: dict[str, object], name: str, root: dict[str, object], depth: int) -> object:
    match _kind(schema):
        case "object":
            return _object(schema, root, depth)
        case "array":
            least = min(int(_number(schema.get("minItems"), 1)), ITEMS_MAX)
            item = mapping(schema.get("items"))
            return [_fill(item, name, root, depth + 1) for _ in range(least)]
        case "integer":
            return int(_number(schema.get("minimum"), 1))
        case "number":
            return _number(schema.get("minimum"), 1)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _string(schema, name)


def _kind(schema: dict[str, object]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else ""
    return text(kind) or ("object" if "properties" in schema else "string")


def _object(schema: dict[str, object], root: dict[str, object], depth: int) -> dict[str, object]:
    properties = mapping(schema.get("properties"))
    wanted = [text(name) for name in listing(schema.get("required"))]
    return {
        name: _fill(mapping(properties.get(name)), name, root, depth + 1)
        for name in wanted or properties
    }


def _string(schema: dict[str, object], name: str) -> str:
    said = f"demo {name}"
    least = int(_number(schema.get("minLength"), 0))
    most = int(_number(schema.get("maxLength"), max(least, len(said))))
    return said.ljust(min(least, 10_000), ".")[:most]


def _resolved(schema: dict[str, object], root: dict[str, object]) -> dict[str, object]:
    """Follow `$ref` inside the document; a reference we cannot follow allows anything."""
    for _ in range(DEPTH_MAX):
        path = text(schema.get("$ref"))
        if not path:
            return schema
        schema = root
        for step in path.removeprefix("#").strip("/").split("/"):
            schema = mapping(schema.get(step)) if step else schema
    return {}


def _number(value: object, otherwise: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return otherwise
    return value

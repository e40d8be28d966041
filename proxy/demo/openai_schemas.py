"""What a vendor refuses among tools and their schemas, with its own words. Pure.

OpenAI's strict subset: every object closed and all its properties required.
"""

import re
from collections.abc import Iterator

from proxy.demo.loose_json import listing, mapping, mappings, text
from proxy.demo.refusal import RefusedError, bad_request
from proxy.demo.vendor import Vendor

_NAME = re.compile(r"[a-zA-Z0-9_-]+")
_TOOL_FIELDS = frozenset({"type", "function", "custom"})
_FUNCTION_FIELDS = frozenset({"name", "description", "parameters", "strict"})
_BRANCHES = ("anyOf", "oneOf", "allOf")
_NOT_STRICT = ("oneOf", "allOf", "not", "patternProperties", "if")

Schema = dict[str, object]


def check_tools(body: dict[str, object], vendor: Vendor) -> None:
    """RefusedError for the first tool that this vendor would not take."""
    tools = body.get("tools")
    if vendor.schema_checked and tools == []:
        raise bad_request(
            "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an "
            "empty array instead.",
            param="tools",
            code="empty_array",
        )
    count = len(listing(tools))
    if vendor.tools_max and count > vendor.tools_max:
        raise bad_request(
            f"Invalid 'tools': array too long. Expected an array with maximum length "
            f"{vendor.tools_max}, but got an array with length {count} instead.",
            param="tools",
            code="array_above_max_length",
        )
    for at, tool in enumerate(mappings(tools)):
        function = mapping(tool.get("function"))
        place = f"tools[{at}]"
        if vendor.strangers_refused:
            _check_fields(tool, _TOOL_FIELDS, place)
            _check_fields(function, _FUNCTION_FIELDS, f"{place}.function")
        _check_name(function.get("name"), vendor, f"{place}.function.name")
        _check_function(function, vendor, f"{place}.function.parameters")


def check_response_format(body: dict[str, object], vendor: Vendor) -> None:
    """RefusedError for a schema of the answer that this vendor would not take."""
    wanted = mapping(mapping(body.get("response_format")).get("json_schema"))
    if vendor.strict == "checked" and wanted.get("strict") is True:
        wrong = wrong_in_strict(mapping(wanted.get("schema")))
        if wrong:
            name = text(wanted.get("name"))
            raise bad_request(
                f"Invalid schema for response_format '{name}': {wrong}", param="response_format"
            )


def wrong_in_strict(schema: Schema) -> str:
    """Why a schema is not in the strict subset; empty when it is."""
    if schema.get("type") != "object":
        return _not_an_object(schema)
    for path, inner in _walk(schema):
        place = f"In context={path!r}"
        for keyword in _NOT_STRICT:
            if keyword in inner:
                return f"{place}, '{keyword}' is not permitted."
        if inner.get("type") != "object":
            continue
        if inner.get("additionalProperties") is not False:
            return f"{place}, 'additionalProperties' is required to be supplied and to be false."
        required = listing(inner.get("required"))
        missing = [name for name in mapping(inner.get("properties")) if name not in required]
        if missing:
            return (
                f"{place}, 'required' is required to be supplied and to be an array including "
                f"every key in properties. Missing '{missing[0]}'."
            )
    return ""


def wrong_in_schema(schema: Schema) -> str:
    """Why a schema of parameters is refused even where it need not be strict."""
    if schema.get("type") != "object":
        return _not_an_object(schema)
    if "properties" not in schema:
        return "In context=(), object schema missing properties."
    for path, inner in _walk(schema):
        if inner.get("type") == "array" and "items" not in inner:
            return f"In context={path!r}, array schema missing items."
    return ""


def unknown_field(place: str) -> RefusedError:
    """OpenAI's words for a field it does not know."""
    return bad_request(f"Unknown parameter: '{place}'.", param=place, code="unknown_parameter")


def _check_fields(given: dict[str, object], known: frozenset[str], place: str) -> None:
    for name in given:
        if name not in known:
            raise unknown_field(f"{place}.{name}")


def _check_name(given: object, vendor: Vendor, place: str) -> None:
    name = text(given)
    if not vendor.name_chars_max:
        return
    if vendor.errors == "moonshot" and not (name[:1].isalpha() and _NAME.fullmatch(name)):
        raise bad_request(
            "Invalid request: function name is invalid, must start with a letter and can contain "
            "letters, numbers, underscores, and dashes"
        )
    if not _NAME.fullmatch(name):
        raise bad_request(
            f"Invalid '{place}': string does not match pattern. Expected a string that matches the "
            f"pattern '^[a-zA-Z0-9_-]+$'.",
            param=place,
            code="invalid_value",
        )
    if len(name) > vendor.name_chars_max:
        raise bad_request(
            f"Invalid '{place}': string too long. Expected a string with maximum length "
            f"{vendor.name_chars_max}, but got a string with length {len(name)} instead.",
            param=place,
            code="string_above_max_length",
        )


def _check_function(function: dict[str, object], vendor: Vendor, place: str) -> None:
    strict = function.get("strict") is True
    if strict and vendor.strict == "refused":
        raise bad_request("Invalid request: tools.function.strict is not supported")
    if not vendor.schema_checked or "parameters" not in function:
        return
    schema = mapping(function["parameters"])
    wrong = wrong_in_schema(schema) or (wrong_in_strict(schema) if strict else "")
    if wrong:
        raise bad_request(
            f"Invalid schema for function '{text(function.get('name'))}': {wrong}",
            param=place,
            code="invalid_function_parameters",
        )


def _not_an_object(schema: Schema) -> str:
    return (
        f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{schema.get('type')}\"'."
    )


def _walk(schema: Schema) -> Iterator[tuple[tuple[str, ...], Schema]]:
    """A schema and those inside it, each with the way to it."""
    # A stack and not recursion: a body may be nested as deep as the decoder allows.
    waiting: list[tuple[tuple[str, ...], Schema]] = [((), schema)]
    while waiting:
        path, at = waiting.pop()
        yield path, at
        for kind in ("properties", "$defs", "definitions"):
            for name, inner in mapping(at.get(kind)).items():
                waiting.append(((*path, kind, name), mapping(inner)))
        for kind in _BRANCHES:
            for number, branch in enumerate(mappings(at.get(kind))):
                waiting.append(((*path, kind, str(number)), branch))
        if "items" in at:
            waiting.append(((*path, "items"), mapping(at["items"])))

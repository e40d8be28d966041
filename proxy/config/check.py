"""Is the file the tree of `settings.py`? Goes through all of it and reports everything at once.

msgspec stops at the first error and does not know where things stand, so it is asked for one
value at a time here; the finished tree is made elsewhere, after nothing was found.
"""

import datetime as dt
import types
from collections.abc import Iterator
from typing import Union, get_args, get_origin

import msgspec
from msgspec import inspect

from proxy.config.lines import Place
from proxy.config.rules import (
    WHOLE_NUMBER_MAX,
    Finding,
    Table,
    joint_findings,
    nearest,
    table_findings,
    value_fault,
)
from proxy.config.settings import Provider, Settings
from proxy.domain.dialect import Dialect


def findings(raw: Table) -> Iterator[Finding]:
    """Everything that is wrong with a configuration as TOML gave it."""
    yield from _table(raw, Settings, ())
    yield from joint_findings(raw)


def field_types(owner: type[msgspec.Struct]) -> dict[str, object]:
    """The settings of a table with their types."""
    return {field.name: field.type for field in msgspec.structs.fields(owner)}


def table_type(wanted: object) -> type[msgspec.Struct] | None:
    """The struct behind a type, `Rates | None` included; None where it is a plain value."""
    if get_origin(wanted) in (Union, types.UnionType):
        for choice in get_args(wanted):
            if (struct := table_type(choice)) is not None:
                return struct
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        return wanted
    return None


def _element_type(wanted: object) -> type[msgspec.Struct] | None:
    return table_type(get_args(wanted)[0]) if get_origin(wanted) is tuple else None


def _table(raw: Table, owner: type[msgspec.Struct], path: Place) -> Iterator[Finding]:
    known = field_types(owner)
    for key in raw:
        if key not in known:
            yield (*path, key), _unknown(key, list(known), path)
    for field in msgspec.structs.fields(owner):
        if field.name in raw:
            yield from _value(raw[field.name], field.type, owner, (*path, field.name))
        elif field.required:
            yield path, f"`{field.name}` is missing"
    yield from table_findings(owner, raw, path)


def _value(
    value: object, wanted: object, owner: type[msgspec.Struct], path: Place
) -> Iterator[Finding]:
    name = str(path[-1])
    if (struct := table_type(wanted)) is not None:
        if isinstance(value, dict):
            yield from _table(value, struct, path)
        else:
            yield path, f"expected a table{f': write [{name}] once' if len(path) == 1 else ''}"
    elif (element := _element_type(wanted)) is not None:
        yield from _array(value, element, path)
    elif owner is Provider and name == "quirks" and isinstance(value, dict):
        yield from _table(value, Dialect, path)
    elif get_origin(wanted) is dict and isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(item, str):
                yield (*path, key), f"expected text in quotes, found {_found(item)}"
    else:
        try:
            msgspec.convert(value, wanted)
        except msgspec.ValidationError:
            # Its own words speak of Python's types, and repeat values.
            yield path, _mismatch(value, wanted)
            return
        fault = value_fault(owner, name, value)
        if fault is not None:
            yield path, fault


def _array(value: object, element: type[msgspec.Struct], path: Place) -> Iterator[Finding]:
    if not isinstance(value, list):
        two_brackets = f": write [[{path[-1]}]], once for each" if len(path) == 1 else " in [ ]"
        yield path, f"expected a list of tables{two_brackets}"
        return
    for index, item in enumerate(value):
        if isinstance(item, dict):
            yield from _table(item, element, (*path, index))
        else:
            yield (*path, index), f"expected a table, found {_found(item)}"


# ---------------------------------------------------------------- wording


def _unknown(key: str, known: list[str], path: Place) -> str:
    near = nearest(key, known)
    if near is not None:
        return f"unknown setting; did you mean `{near}`?"
    for section, wanted in field_types(Settings).items():
        owner = table_type(wanted)
        if owner is not None and (section,) != path and key in field_types(owner):
            return f"unknown setting here; it belongs to [{section}]"
    return f"unknown setting; there are: {', '.join(known)}"


def _mismatch(value: object, wanted: object) -> str:
    kind = inspect.type_info(wanted)
    secret = isinstance(kind, inspect.Metadata)
    if isinstance(kind, inspect.Metadata):
        kind = kind.type
    message = f"expected {_expected(kind)}, found {_found(value, secret=secret)}"
    if isinstance(kind, inspect.LiteralType) and isinstance(value, str):
        near = nearest(value, [str(choice) for choice in kind.values if choice])
        return f"{message}; did you mean `{near}`?" if near else message
    return message


def _expected(kind: inspect.Type) -> str:
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType(ge=None):
            return "a whole number"
        case inspect.IntType(ge=low, le=None):
            return f"a whole number, {low} or more"
        case inspect.IntType(ge=low, le=high):
            return f"a whole number from {low} to {high}"
        case inspect.FloatType(gt=None, ge=low, le=high):
            return f"a number from {low} to {high}"
        case inspect.FloatType(gt=low, le=high):
            return f"a number above {low}, at most {high}"
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join([f'"{choice}"' for choice in values])
        case inspect.DateType():
            return "a date such as 2025-10-15"
        case inspect.DictType():
            return 'a table such as { best = "anthropic.claude-opus-5-5" }'
        case _:
            return "text in quotes"


def _found(value: object, *, secret: bool = False) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() if abs(value) > WHOLE_NUMBER_MAX:
            return "a very large number"  # Python refuses to spell out thousands of digits
        case int() | float():
            return "a number" if secret else str(value)
        case str():
            return "other text" if value else "nothing"
        case list():
            return "a list"
        case dict():
            return "a table"
        case dt.date() | dt.time():
            return "a date or time"
        case _:
            return type(value).__name__

"""`HATZ_GATEWAY__SECTION__NAME=value`: single settings of the file replaced from the environment.

Text from the environment becomes what the setting's type asks for; where it does not fit it stays
text, and the check of the whole reports it under the variable's name.
"""

import re
import tomllib
from collections.abc import Mapping

from msgspec import inspect

from proxy.config.check import field_types, table_type
from proxy.config.lines import Place
from proxy.config.rules import Table, nearest
from proxy.config.settings import Settings

PREFIX = "HATZ_GATEWAY__"

_WHOLE = re.compile(r"[+-]?\d{1,18}")
_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{1,18})?")


def variable_of(section: str, name: str) -> str:
    """The variable that overrides a setting."""
    return f"{PREFIX}{section}__{name}".upper()


def override(
    raw: Table, environ: Mapping[str, str]
) -> tuple[dict[Place, str], list[tuple[str, str]]]:
    """Put the environment's values into `raw`. Answers which variable set which path, and the
    variables that set nothing, each with what is wrong with it."""
    valid = _variables()
    variables: dict[Place, str] = {}
    refused: list[tuple[str, str]] = []
    for variable in sorted(environ):
        if not variable.upper().startswith(PREFIX):
            continue
        known = valid.get(variable.upper())
        if known is None:
            refused.append((variable, _unknown(variable.upper(), list(valid))))
            continue
        (section, name), wanted = known
        table = raw.setdefault(section, {})
        if isinstance(table, dict):  # otherwise the file is wrong there, and the check says so
            table[name] = _read(environ[variable], wanted)
            variables[(section, name)] = variable
    return variables, refused


def _variables() -> dict[str, tuple[tuple[str, str], object]]:
    return {
        variable_of(section, name): ((section, name), wanted)
        for section, section_type in field_types(Settings).items()
        if (owner := table_type(section_type)) is not None
        for name, wanted in field_types(owner).items()
    }


def _unknown(variable: str, valid: list[str]) -> str:
    section = variable.removeprefix(PREFIX).partition("__")[0].lower()
    if section in field_types(Settings) and table_type(field_types(Settings)[section]) is None:
        return f"[[{section}]] are set in the file only"
    near = nearest(variable, valid)
    return f"no such setting; did you mean {near}?" if near else "no such setting"


def _read(text: str, wanted: object) -> object:
    text = text.strip()
    match inspect.type_info(wanted):
        case inspect.BoolType() if text.lower() in ("true", "false"):
            return text.lower() == "true"
        case inspect.IntType() if _WHOLE.fullmatch(text):
            return int(text)
        case inspect.FloatType() if _NUMBER.fullmatch(text):
            return float(text)
        case inspect.DictType() | inspect.VarTupleType():
            return _toml_value(text)
        case _:
            return text


def _toml_value(text: str) -> object:
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    # A line break in the text could begin a second setting.
    return document["value"] if len(document) == 1 else text

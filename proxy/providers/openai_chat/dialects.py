"""The table of servers that speak chat completions (translation.md 1.10): one row each.

A row is a Dialect and rules by the name of the model, which change fields; the operator's quirks
come last. What a provider does differently is said here and nowhere else.
"""

import difflib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from proxy.domain.dialect import Dialect
from proxy.providers.openai_chat.hosted_rows import (
    AZURE,
    DEEPSEEK,
    MANTLE,
    MOONSHOT,
    OPENAI,
    OPENROUTER,
)
from proxy.providers.openai_chat.own_rows import LLAMA_CPP, OLLAMA, VLLM
from proxy.providers.openai_chat.row import Row

ROWS: Mapping[str, Row] = {
    "": Row(Dialect()),
    "generic": Row(Dialect()),
    "openai": OPENAI,
    "azure": AZURE,
    "moonshot": MOONSHOT,
    "deepseek": DEEPSEEK,
    "openrouter": OPENROUTER,
    "vllm": VLLM,
    "llama.cpp": LLAMA_CPP,
    "ollama": OLLAMA,
    "mantle": MANTLE,
}
"""Names of rows, as the configuration says them, and what they are."""


def dialect_for(row: str, upstream_model: str, quirks: Mapping[str, object] = {}) -> Dialect:
    """How the server of `row` is spoken to about `upstream_model`; `quirks` are the operator's.

    Raises ValueError for a row or a quirk that does not exist, naming the nearest that does, and
    for a quirk of a wrong type.
    """
    found = ROWS.get(row)
    if found is None:
        raise ValueError(f"there is no dialect {row!r}{_nearest(row, ROWS)}")
    return dialect_of(found, upstream_model, quirks)


def dialect_of(found: Row, upstream_model: str, quirks: Mapping[str, object] = {}) -> Dialect:
    """The same of a row at hand."""
    changes: dict[str, Any] = {}
    for pattern, fields in found.rules:
        if re.search(pattern, upstream_model.lower()):
            changes.update(fields)
    dialect = msgspec.structs.replace(found.dialect, **changes)
    return _with_quirks(dialect, quirks) if quirks else dialect


def _with_quirks(dialect: Dialect, quirks: Mapping[str, object]) -> Dialect:
    fields = msgspec.structs.asdict(dialect)
    for name in quirks:
        if name not in fields:
            raise ValueError(f"there is no quirk {name!r}{_nearest(name, fields)}")
    try:
        return msgspec.convert({**fields, **quirks}, Dialect)
    except msgspec.ValidationError as problem:
        said, _, path = str(problem).partition(" - at `$.")
        raise ValueError(f"quirk {path.rstrip('`') or 'table'}: {said}") from None


def _nearest(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return (
        f"; did you mean {close[0]!r}?"
        if close
        else f"; there are {', '.join(filter(None, known))}"
    )

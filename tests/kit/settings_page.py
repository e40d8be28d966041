"""docs/settings.md, made of the settings themselves: names, defaults, and what each is for.

`make docs` writes it; a test compares.
"""

import ast
import inspect
import sys
import types
from pathlib import Path
from typing import Any

import msgspec

from proxy.config import settings
from proxy.domain import model as models
from proxy.domain.terms import Step

PLACE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
HEAD = """# Every setting

Made by `make docs` out of `proxy/config/settings.py`.
[`config.example.toml`](../config.example.toml) shows the same as a file to start from;
`hatz-gateway check-config FILE` says what is wrong with one, each mistake with its line. Any
setting of a `[section]` may be overridden by `HATZ_GATEWAY__SECTION__NAME=value`. Secrets are
references, `env:NAME` or `file:PATH`, never values. Units are last in a name: `_s` seconds, `_ms`
milliseconds, `_bytes` bytes. SIGHUP swaps in what changed of models, providers, catalogue and
limits; the rest needs a restart ([how](operating.md#restarting)).
"""
_MODEL = {
    "id": "What clients send.",
    "display_name": "What people read.",
    "developer": "Who makes it.",
    "released": "The date; an alias means the newest of its family.",
    "context_window": "Tokens.",
    "max_output_tokens": "Tokens.",
    "family": "`opus`, `sonnet` or `haiku`, where it belongs to one.",
    "vision": "Does it take images?",
    "enabled": "May it be used? What an administrator switches later wins.",
    "rates": "Credits per million tokens: `input`, `output`, `cache_write_5m`, `cache_write_1h`,"
    " `cache_read`. Without them it is not enabled.",
    "deployments": "Where it runs, in the order of trying: `provider`, its id there as `model`; "
    "`base_model` where that id does not tell which model it is; `bedrock`, the terms it is served "
    "on (`guardrail`, `guardrail_version`, `guardrail_trace`, `service_tier`, `latency`).",
}


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for field in msgspec.structs.fields(settings.Settings):
        if field.name not in ("providers", "models"):
            section = type(field.default)
            parts.append(f"## `[{field.name}]`\n\n{_said(section)}\n\n{_table(section)}")
    parts.append(f"## `[[providers]]`\n\n{_said(settings.Provider)}\n\n{_table(settings.Provider)}")
    about = "A model of the catalogue, and where it runs."
    parts.append(f"## `[[models]]`\n\n{about}\n\n{_table(models.Model, _MODEL)}")
    return "\n".join(parts)


def _table(section: type[msgspec.Struct], more: dict[str, str] | None = None) -> str:
    texts = _texts(section) | (more or {})
    rows = ["| setting | default | |", "|---|---|---|"]
    for field in msgspec.structs.fields(section):
        text = texts[field.name].replace("|", "\\|")
        rows.append(f"| `{field.name}` | {_default(field)} | {text} |")
    return "\n".join(rows) + "\n"


def _default(field: Any) -> str:
    if field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT:
        return "must be said"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if isinstance(value, msgspec.Struct):
        inner = msgspec.to_builtins(value)
        kept = {name: each for name, each in inner.items() if each not in (None, 0)}
        return _code("{ " + ", ".join(f"{k} = {v}" for k, v in kept.items()) + " }" if kept else "")
    if isinstance(value, tuple) and value:
        return _code(", ".join(map(_item, value)))
    if value in ("", None, (), {}):
        return ""
    if isinstance(value, bool):
        return _code(str(value).lower())
    return _code(f"{value:g}" if isinstance(value, float) else str(value))


def _item(value: object) -> str:
    if not isinstance(value, Step):
        return str(value)
    above = "all but base_level" if value.multiplier is None else f"≥ {value.multiplier:g}x"
    return f"{value.ratio:g}: {above}"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _said(section: type) -> str:
    return " ".join((inspect.getdoc(section) or "").split())


def _texts(section: type) -> dict[str, str]:
    """What stands below each field in the source."""
    module = sys.modules[section.__module__]
    assert isinstance(module, types.ModuleType)
    tree = ast.parse(inspect.getsource(module))
    [found] = [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == section.__name__
    ]
    texts: dict[str, str] = {}
    name = ""
    for node in found.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and name:
            texts[name] = " ".join(str(node.value.value).split())
            name = ""
    return texts


if __name__ == "__main__":
    PLACE.write_text(page(), "utf-8")

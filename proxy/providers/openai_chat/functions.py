"""Tools as functions (translation.md 1.6): schemas stay the client's bytes.

Refused are tools that only Anthropic can run: a model that is told of less than the client believes
fails silently.
"""

import re

import msgspec

from proxy.providers.openai_chat.blocks import mark_beyond_text
from proxy.providers.openai_chat.client_tools import description_and_schema
from proxy.providers.openai_chat.json_text import escaped, plain, quoted
from proxy.providers.openai_chat.parts import marked
from proxy.providers.openai_chat.schema_subset import is_strict
from proxy.providers.openai_chat.setting import Gathered, Setting
from proxy.wire.messages_request import (
    Tool,
    bad,
    is_null,
    is_true,
    json_text,
    text_of,
)

_LEFT_OUT = ("web_search_", "tool_search_tool_")
"""The first is there only while tokens are counted: a request that may search has a function of
ours in its place (`gateway/search_turns.py`)."""
_PLACEHOLDER = "DeferredToolPlaceholder"
"""Claude Code's stand-in for tools not loaded yet; nobody can call it (client-contract.md 6)."""
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}", re.ASCII)
_OBJECT = b"{"


class Tools(msgspec.Struct, gc=False):
    """What is sent. `written` are the functions in JSON, `names` the client's names of them;
    `descriptions` are those too long for the provider, for the system message."""

    written: list[bytes]
    names: list[str]
    descriptions: list[bytes]


def translate_tools(tools: list[Tool], setting: Setting, gathered: Gathered) -> Tools:
    """All tools that can be sent. Raises Fault 400 for those that would have to be."""
    kept: list[tuple[int, Tool, str]] = []
    for number, tool in enumerate(tools):
        if _is_sent(tool, number, setting):
            kept.append((number, tool, _name(tool, number)))
    names = [name for _, _, name in kept]
    if len(set(names)) < len(names) and not setting.counting:
        raise bad("tools: Tool names must be unique.")
    most = setting.dialect.tools_max
    if most and len(kept) > most:
        kept = [item for item in kept if not _is_deferred(item, gathered)]
        if len(kept) > most and not setting.counting:
            raise bad(
                f"tools: the model {setting.model_id} takes at most {most} tools, these are "
                f"{len(kept)}. Leave some out."
            )
    made = Tools([], [name for _, _, name in kept], [])
    for number, tool, name in kept:
        made.written.append(_function(tool, number, name, setting, gathered, made))
    return made


def _is_sent(tool: Tool, number: int, setting: Setting) -> bool:
    kind = tool.type or "custom"
    if kind == "custom":
        callers = tool.allowed_callers
        if callers and "direct" not in callers:
            return False  # code execution alone may call it, and there is none
        return _PLACEHOLDER.encode() not in bytes(tool.name)
    if kind.startswith(_LEFT_OUT) or kind.startswith(setting.dialect.tools_left_out):
        return False
    if description_and_schema(kind) is not None:
        return True
    if setting.counting:
        return False
    raise bad(f"tools.{number}: tool type {kind} is not supported for the model {setting.model_id}")


def _name(tool: Tool, number: int) -> str:
    where = f"tools.{number}.{tool.type or 'custom'}.name"
    name = text_of(tool.name, where)
    if _NAME.fullmatch(name) is None:
        raise bad(f"{where}: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    return name


def _is_deferred(item: tuple[int, Tool, str], gathered: Gathered) -> bool:
    _, tool, name = item
    return is_true(tool.defer_loading) and name not in gathered.referenced


def _function(
    tool: Tool, number: int, name: str, setting: Setting, gathered: Gathered, made: Tools
) -> bytes:
    built_in = description_and_schema(tool.type or "custom")
    if built_in is None:
        description = _description(tool, number, name, setting, made)
        schema = _schema(tool, number)
    else:
        description, schema = built_in
    strict = is_true(tool.strict) and setting.dialect.strict_tools and is_strict(schema)
    written = b'{"type":"function","function":{"name":%b%b,"parameters":%b%b}}' % (
        quoted(gathered.names.upstream(name)),
        b',"description":"%b"' % description if description else b"",
        schema,
        b',"strict":true' if strict else b"",
    )
    mark = mark_beyond_text(tool, setting)
    return marked(written, mark) if mark else written


def _description(tool: Tool, number: int, name: str, setting: Setting, made: Tools) -> bytes:
    """As it stands between quotes; cut where the provider takes less, and then told in full to
    the model by the system message."""
    if not tool.description or is_null(tool.description):
        return b""
    inside = json_text(tool.description, f"tools.{number}.custom.description")
    most = setting.dialect.tool_description_chars_max
    if most and len(inside) > most:
        whole = plain(inside)
        if len(whole) > most:
            made.descriptions.append(
                rb"Full description of the tool %b:\n%b" % (escaped(name), inside)
            )
            return escaped(whole[:most])
    return inside


class _Head(msgspec.Struct):
    type: msgspec.Raw = msgspec.Raw()
    properties: msgspec.Raw = msgspec.Raw()


_HEAD = msgspec.json.Decoder(_Head)


def _schema(tool: Tool, number: int) -> bytes:
    """The client's bytes; `type` and `properties` are put in front where they are missing, because
    OpenAI refuses a schema without."""
    where = f"tools.{number}.custom.input_schema"
    schema = bytes(tool.input_schema)
    if not schema.startswith(_OBJECT):
        raise bad(f"{where}: {'Input should be an object' if schema else 'Field required'}")
    try:
        head = _HEAD.decode(schema)
    except RecursionError:
        raise bad(f"{where}: nested too deeply") from None
    missing = b"" if head.type else b'"type":"object",'
    if not head.properties:
        missing += b'"properties":{},'
    if not missing:
        return schema
    rest = schema[1:].lstrip()
    return b"{" + (missing[:-1] if rest == b"}" else missing) + rest

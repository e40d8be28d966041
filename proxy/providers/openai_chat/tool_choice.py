"""Which tool must be called (translation.md 1.7), and what is said where no server can be told."""

import msgspec

from proxy.providers.openai_chat.functions import Tools
from proxy.providers.openai_chat.json_text import escaped, quoted
from proxy.providers.openai_chat.setting import Gathered, Setting
from proxy.wire.messages_request import ToolChoice, bad, text_of

FORCING = ("any", "tool")
"""Choices that leave the model no other way."""


class Choice(msgspec.Struct, gc=False):
    """What is sent. `fields` are top-level fields, each with a comma in front; `hint` is said to
    the model instead, as text between quotes."""

    fields: bytes = b""
    hint: bytes = b""
    send_tools: bool = True
    no_calls: bool = False
    first_call_only: bool = False


def translate_choice(
    asked: ToolChoice | None, tools: Tools, any_asked: bool, setting: Setting, gathered: Gathered
) -> Choice:
    """`any_asked`: did the client send any tools at all? Raises Fault 400 for a choice that cannot
    be made."""
    if asked is None:
        return Choice()
    made = Choice()
    dialect = setting.dialect
    if asked.type not in ("auto", "any", "tool", "none"):
        raise bad("tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'")
    if asked.type in FORCING and not any_asked:
        raise bad("tool_choice: may only be specified while providing `tools`")
    if asked.type == "tool":
        _name_one(made, asked, tools, setting, gathered)
    elif not tools.names:
        return made
    elif asked.type == "auto":
        made.fields = b',"tool_choice":"auto"'
    elif asked.type == "any":
        if dialect.tool_choice_required and _may_force(setting):
            made.fields = b',"tool_choice":"required"'
        else:
            made.hint = b"You must call one of the tools now."
    elif dialect.tool_choice_none:
        made.fields = b',"tool_choice":"none"'
    else:
        # Servers refuse calls in a conversation without tools: then a new one is thrown away.
        made.send_tools = made.no_calls = bool(gathered.call_ids)
    if asked.disable_parallel_tool_use:
        made.first_call_only = True
        if dialect.parallel_flag and made.send_tools:
            made.fields += b',"parallel_tool_calls":false'
    return made


def _name_one(
    made: Choice, asked: ToolChoice, tools: Tools, setting: Setting, gathered: Gathered
) -> None:
    name = text_of(asked.name, "tool_choice.name")
    if name not in tools.names:
        raise bad(f"tool_choice: Tool '{name}' not found in provided tools")
    name = gathered.names.upstream(name)
    if setting.dialect.tool_choice_named and _may_force(setting):
        made.fields = b',"tool_choice":{"type":"function","function":{"name":%b}}' % quoted(name)
    else:
        made.hint = b"You must call the tool %b now." % escaped(name)


def _may_force(setting: Setting) -> bool:
    return setting.dialect.forced_while_thinking or not setting.thinking_on

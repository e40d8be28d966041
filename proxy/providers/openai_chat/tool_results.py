"""Results of tools as tool messages (translation.md 1.5).

Content becomes a string, which every server takes. Images and files cannot stand in a tool message
nor between two of them: the text says where they are, and they follow in the user's message behind
all results (trap 28).
"""

import msgspec

from proxy.providers.openai_chat.blocks import mark_beyond_text, mark_of, raw_block, user_parts
from proxy.providers.openai_chat.parts import Attached, Part, Text
from proxy.providers.openai_chat.setting import Setting
from proxy.wire.messages_request import (
    Block,
    is_text,
    is_true,
    json_text,
    read_content,
    read_items,
    text_of,
)

NOTHING_RECORDED = b"No result was recorded for this tool call."
_ERROR = b"Error: "
_ERRORS = (b"error", b"<tool_use_error>")


class Result(msgspec.Struct, gc=False):
    """A `tool_result` as parts, before it is decided where they go. `references` are tools that a
    tool search found."""

    parts: list[Part]
    references: list[str]


def read_result(block: Block, where: str, setting: Setting) -> Result:
    """The result in `block`, which stands at `where`."""
    parts: list[Part] = []
    references: list[str] = []
    items: list[msgspec.Raw] = []
    content = block.content
    if content and is_text(content):
        parts.append(Text(json_text(content, where)))
    else:
        for number, item in enumerate(read_content(content, f"{where}.content")):
            path = f"{where}.content.{number}"
            if item.type == "tool_reference":
                references.append(text_of(item.tool_name, f"{path}.tool_name"))
            if item.type == "browser_state":
                items = items or read_items(content, f"{where}.content")
                parts.append(raw_block(items[number]))
            else:
                parts += user_parts(item, path, setting, current=False)
    if block.is_error and is_true(block.is_error):
        _name_error(parts)
    _mark(parts, block, setting)
    return Result(parts, references)


def lift(parts: list[Part], number: int, before: int) -> tuple[list[Part], list[Part]]:
    """The parts that may stand in a tool message, and those that follow in the user's.

    `number` is the result's own in its group, `before` how many parts were lifted before it.
    """
    stay: list[Part] = []
    lifted: list[Part] = []
    for part in parts:
        if isinstance(part, Text):
            stay.append(part)
            continue
        before += 1
        kind = b"image" if part.part.startswith(b'{"type":"image_url"') else b"document"
        stay.append(Text(b"[%b %d attached below]" % (kind, before), part.mark))
        lifted.append(Text(b"%b from tool result %d:" % (kind.capitalize(), number)))
        lifted.append(Attached(part.part))
    return stay, lifted


def _name_error(parts: list[Part]) -> None:
    """A failure stays one: the wire has no other place for it (trap 31)."""
    first = parts[0] if parts else None
    if not isinstance(first, Text):
        parts.insert(0, Text(_ERROR + b"(no output)" if first is None else b"Error:"))
    elif not first.inside[:16].lower().startswith(_ERRORS):
        parts[0] = Text(_ERROR + first.inside, first.mark)


def _mark(parts: list[Part], block: Block, setting: Setting) -> None:
    """A mark on the result is one on its last part, where that may bear one."""
    mark = mark_of(block, setting)
    if mark and parts and (isinstance(parts[-1], Text) or mark_beyond_text(block, setting)):
        parts[-1] = msgspec.structs.replace(parts[-1], mark=mark)

"""The system message (translation.md 1.1), and what is told there for want of a better place."""

import msgspec

from proxy.providers.openai_chat.blocks import mark_of
from proxy.providers.openai_chat.json_text import BLANK_LINE, is_blank
from proxy.providers.openai_chat.parts import Part, Text, write_content
from proxy.providers.openai_chat.setting import Setting
from proxy.wire.messages_request import bad, json_text, read_content

_ATTRIBUTION = b"x-anthropic-billing-header:"
"""Claude Code's first block: it differs in every request, and prompt caches with it (trap 52)."""


def write_system(
    system: msgspec.Raw | None, additions: list[bytes], setting: Setting
) -> list[bytes]:
    """The message in pieces, none where there is nothing to say. `additions` are texts between
    quotes that go behind the client's own."""
    parts: list[Part] = []
    blocks = read_content(system, "system") if system is not None else []
    for number, block in enumerate(blocks):
        if block.type != "text":
            if setting.counting:
                continue
            raise bad(f"system.{number}.type: Input should be 'text'")
        inside = json_text(block.text, f"system.{number}.text")
        if is_blank(inside) or inside.startswith(_ATTRIBUTION):
            continue
        parts.append(Text(inside, mark_of(block, setting)))
    parts += [Text(addition) for addition in additions]
    if not parts:
        return []
    role = setting.dialect.system_role.encode()
    content = write_content(parts, BLANK_LINE)
    return [b'{"role":"%b","content":' % role, *content, b"}"]

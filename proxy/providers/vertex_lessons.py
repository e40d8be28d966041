"""What a model on Google Cloud turns out not to know, beside what `compat_lessons.py` hears out of
a refusal: the newer dialect, instructions in mid-conversation, how thinking is shown.
"""

import re
from collections.abc import Iterator

from proxy.providers.compat_lessons import named_hints
from proxy.wire.chat_error import read_said
from proxy.wire.refused_fields import MESSAGE_CHARS_MAX

VERSION = "anthropic_version.2026-10-21"
SYSTEM_ROLE = "messages.role.system"
DISPLAY = "thinking.display"

_ROLE = re.compile(r"^messages\.\d+\.role: Input should be 'user' or 'assistant'|mid_conv_system")
_DISPLAY = re.compile(r"^thinking\.(?:\w+\.)?display: ")
_EDITS = re.compile(r"^context_management\.edits\.\d+\b.*does not match any of the expected tags")


def named(body: bytes) -> Iterator[str]:
    """What a refusal is about. The same wording as at Anthropic: a path, a colon, what is wrong."""
    text = read_said(body).message
    if len(text) <= MESSAGE_CHARS_MAX:
        if text.startswith("anthropic_version"):
            yield VERSION
        if _ROLE.search(text) is not None:
            yield SYSTEM_ROLE
        if _DISPLAY.search(text) is not None:
            yield DISPLAY
        if _EDITS.search(text) is not None:
            yield "context_management"
    yield from named_hints(body)

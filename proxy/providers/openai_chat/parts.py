"""Parts of a chat message's content, and how they are written: a plain string wherever possible.

A string is what every server takes (translation.md 1.3); a list of parts only where there is
something other than text, or a cache mark that means something there.
"""

import msgspec

from proxy.providers.openai_chat.json_text import NEWLINE


class Text(msgspec.Struct, gc=False):
    """Text as it stands between quotes. `mark` is its `cache_control`, raw, if it is to be sent.
    A `reminder` is a system message folded into the user's (translation.md 1.2)."""

    inside: bytes
    mark: bytes = b""
    reminder: bool = False


class Attached(msgspec.Struct, gc=False):
    """An image or a file: a whole part in JSON."""

    part: bytes


Part = Text | Attached


def write_content(parts: list[Part], joint: bytes = NEWLINE) -> list[bytes]:
    """The value of `content`, in pieces."""
    if all(isinstance(part, Text) and not part.mark for part in parts):
        return [b'"', joint.join([part.inside for part in parts if isinstance(part, Text)]), b'"']
    pieces = [b"["]
    for part in parts:
        if isinstance(part, Attached):
            pieces.append(part.part)
        elif part.mark:
            pieces.append(
                b'{"type":"text","text":"%b","cache_control":%b}' % (part.inside, part.mark)
            )
        else:
            pieces += (b'{"type":"text","text":"', part.inside, b'"}')
        pieces.append(b",")
    pieces[-1] = b"]"
    return pieces

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
    """An image or a file: a whole part in JSON. `mark` as for text."""

    part: bytes
    mark: bytes = b""


Part = Text | Attached


def write_content(parts: list[Part], joint: bytes = NEWLINE) -> list[bytes]:
    """The value of `content`, in pieces."""
    if len(parts) == 1:
        # By far the most content there is.
        only = parts[0]
        if isinstance(only, Text) and not only.mark:
            return [b'"', only.inside, b'"']
    if is_text(parts) and not any(part.mark for part in parts if isinstance(part, Text)):
        return [b'"', joint.join([part.inside for part in parts if isinstance(part, Text)]), b'"']
    pieces = [b"["]
    for part in parts:
        if isinstance(part, Attached):
            pieces.append(part.part if not part.mark else marked(part.part, part.mark))
        elif part.mark:
            pieces.append(
                b'{"type":"text","text":"%b","cache_control":%b}' % (part.inside, part.mark)
            )
        else:
            pieces += (b'{"type":"text","text":"', part.inside, b'"}')
        pieces.append(b",")
    pieces[-1] = b"]"
    return pieces


def marked(value: bytes, mark: bytes) -> bytes:
    """An object in JSON with the `cache_control` `mark`."""
    return b'%b,"cache_control":%b}' % (value[:-1], mark)


def is_text(parts: list[Part]) -> bool:
    """Is there nothing but text?"""
    for part in parts:  # noqa: SIM110 - half the time of `all`, and every result comes by
        if not isinstance(part, Text):
            return False
    return True


def is_empty(parts: list[Part]) -> bool:
    """Is there nothing at all?"""
    for part in parts:  # noqa: SIM110 - as above
        if not isinstance(part, Text) or part.inside:
            return False
    return True

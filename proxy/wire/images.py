"""Where in a request the first image is, for models that cannot see (domain.md 14.1).

Read only where the bytes hold the word at all, which costs a search; the blocks themselves stay
raw. What cannot be read is not ours to judge: the provider's own validation words it.
"""

import msgspec

_WORD = b'"image"'
_LIST = b"["
_BACKSLASH = ord("\\")


class _Block(msgspec.Struct):
    type: str = ""
    content: msgspec.Raw = msgspec.Raw(b"null")


class _Message(msgspec.Struct):
    content: msgspec.Raw = msgspec.Raw(b"null")


_messages = msgspec.json.Decoder(list[_Message])
_blocks = msgspec.json.Decoder(list[_Block])


def first_image(raw: bytes, messages: msgspec.Raw) -> str | None:
    """The path of the first image block in `messages`, as Anthropic writes paths
    (`messages.0.content.1`); `raw` is the whole body. Tool results are looked into."""
    # `find`, and a number for a letter: `in` tries bytes as a number first, and fails at length.
    if raw.find(_WORD) < 0 and (_BACKSLASH not in raw or raw.find(b"\\u") < 0):
        return None
    try:
        for number, message in enumerate(_messages.decode(messages)):
            found = _in_content(message.content)
            if found is not None:
                return f"messages.{number}.content.{found}"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None


def _in_content(content: msgspec.Raw) -> str | None:
    if not bytes(content).startswith(_LIST):
        return None
    for number, block in enumerate(_blocks.decode(content)):
        if block.type == "image":
            return str(number)
        within = _in_content(block.content)
        if within is not None:
            return f"{number}.content.{within}"
    return None

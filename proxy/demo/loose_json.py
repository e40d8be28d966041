"""Reading JSON of which nothing is promised.

A request body may hold anything at any place; these readers answer "empty" where the shape is
not the expected one, so that the code above asks its question once and never checks types.
"""

from collections.abc import Iterator

import msgspec


def parsed(raw: bytes | str) -> object:
    """The value in `raw`; ValueError for everything that is not JSON, too deep nesting included."""
    try:
        value: object = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise ValueError(str(wrong)) from wrong
    return value


def mapping(value: object) -> dict[str, object]:
    """`value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def listing(value: object) -> list[object]:
    """`value` if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def mappings(value: object) -> Iterator[dict[str, object]]:
    """The objects among the elements of an array."""
    return (element for element in listing(value) if isinstance(element, dict))


def text(value: object) -> str:
    """`value` if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def texts(content: object) -> list[str]:
    """The texts of a message's content: the string itself, or those of its text blocks."""
    if isinstance(content, str):
        return [content]
    return [text(block.get("text")) for block in mappings(content) if block.get("type") == "text"]

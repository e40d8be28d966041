"""The top level of a JSON object written anew with one value exchanged.

Every other value's bytes stay as they were, each key stands once, nothing is copied.
"""

import msgspec


def with_value(fields: dict[str, msgspec.Raw], key: str, value: bytes) -> list[bytes | memoryview]:
    """The object in pieces; `value` is JSON."""
    pieces: list[bytes | memoryview] = []
    opening = b"{"
    for name, raw in fields.items():
        pieces.append(opening + msgspec.json.encode(name) + b":")
        pieces.append(value if name == key else memoryview(raw))
        opening = b","
    pieces.append(b"}")
    return pieces

"""Documents and streams that once made sense, with something in them that does not."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

RUDE: list[Any] = [
    *(None, True, False, 0, -1, 1.5, -0.0, 10**30, -(10**19), 1e308, float("nan"), float("inf")),
    *("", " ", "nan", "inf", "-inf", "0", "null", "\x00", "\ud83d", "\ude00", "\u2028", "x" * 300),
    *("<think>", "</think>", "<|tool_call", "<|tool_calls_section_begin|>", "functions.a:0"),
    *("toolu_gwx_", "GWs1.kimi.AA", "GWs1..AQ", "https://", "text", "tool_use", "error", "stop"),
    *([], {}, [None], [[]], [{}], [""], {"": None}, {"type": "text"}, {"text": 1}),
    *({"message": None}, {"index": -1}, {"error": {}}, {"data": {}}, {"type": []}),
]
"""What no field expects."""

Put = Callable[[Any], None]
mutations = st.lists(
    st.tuples(
        st.integers(0, 500), st.sampled_from(["put", "drop", "twice"]), st.sampled_from(RUDE)
    ),
    max_size=4,
)
"""Where (counted through all there is), what is done there, and with what."""


def mutated(document: Any, changes: list[tuple[int, str, Any]]) -> Any:
    """The document (JSON as Python has it) with the changes made."""
    for place, deed, value in changes:
        found = list(_places(document))
        if not found:
            continue
        holder, key = found[place % len(found)]
        if deed == "put":
            holder[key] = json.loads(json.dumps(value))
        elif deed == "drop":
            del holder[key]
        elif isinstance(holder, list):
            holder.insert(key, json.loads(json.dumps(holder[key])))
    return document


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Everything in a document: what holds it, and where there."""
    if isinstance(document, dict | list):
        items = document.items() if isinstance(document, dict) else enumerate(document)
        for key, value in list(items):
            yield document, key
            yield from _places(value)


def mutated_stream(stream: bytes, changes: list[tuple[int, str, Any]]) -> bytes:
    """A stream of events whose data is JSON, changed in that data, or events lost or repeated."""
    events: list[Any] = []
    for event in stream.split(b"\n\n"):
        name, mark, data = event.rpartition(b"data: ")
        try:
            events.append([name + mark, json.loads(data)] if mark else [event, None])
        except ValueError:
            events.append([event, None])
    parts = mutated([document for _, document in events], changes[:2])
    names = [name for name, _ in events]
    names += [b"data: "] * (len(parts) - len(names))
    written = [
        name + (b"" if document is None else json.dumps(document).encode())
        for name, document in zip(names, mutated(parts, changes[2:]), strict=False)
    ]
    return b"\n\n".join(written)

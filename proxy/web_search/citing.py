"""How a model cites the pages it was told of (translation.md 9.8, 9.10).

Claude cites of itself what comes as `search_result`, where its provider takes such blocks. All
others are asked to write marks, `[[n]]`. Where an answer has to fit a schema nothing may stand
between its words, and Claude refuses citations beside a format: nobody is asked to cite.
"""

from collections.abc import Mapping
from enum import Enum

import msgspec

from proxy.wire.messages_request import is_null

_OTHERS = (b'"document"', b'"search_result"')
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Citing(Enum):
    """Pages are told as text but for `BLOCKS`."""

    MARKS = "marks"
    BLOCKS = "blocks"
    NOT = "not"


MARKS, BLOCKS, NOT = Citing


class _Output(msgspec.Struct, gc=False):
    format: msgspec.Raw = msgspec.Raw()


_OUTPUT = msgspec.json.Decoder(_Output)


def how_cited(fields: Mapping[str, msgspec.Raw], *, cites: bool) -> Citing:
    """How this request's model is to cite, given its top level. `cites`: it takes
    `search_result` blocks where it runs.

    Citations are on for all that a request holds or for none of it, so one that brings documents
    or results of its own keeps its own choice, and ours are marks."""
    if _has_format(fields):
        return NOT
    if not cites:
        return MARKS
    messages = bytes(fields["messages"])
    return MARKS if any(mark in messages for mark in _OTHERS) else BLOCKS


def _has_format(fields: Mapping[str, msgspec.Raw]) -> bool:
    legacy = fields.get("output_format")
    if legacy is not None and not is_null(legacy):
        return True
    config = fields.get("output_config")
    if config is None:
        return False
    try:
        asked = _OUTPUT.decode(config).format
    except _UNREADABLE:
        return False  # whoever reads all of it says what is wrong
    return bool(asked) and not is_null(asked)

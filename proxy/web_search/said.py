"""What an assistant said, in blocks as the model is to see them again.

The client sees a text that cites cut in pieces, one for each place that is cited. To the model it
is one text, the same bytes in the round it was said and in every later request: both are put
together here, from the same pieces.
"""

from collections.abc import Mapping

import msgspec

_json = msgspec.json.encode


class SaidText(msgspec.Struct, gc=False):
    """Text as it stands inside a JSON string. `is_cited`: a page found is cited behind it; `kept`
    are its citations of other things. `others` are fields of its block beside those."""

    inside: bytes
    is_cited: bool
    kept: tuple[bytes, ...] = ()
    others: Mapping[str, bytes] = {}


class Said:
    """One go. Blocks gather in their order."""

    __slots__ = ("_items",)

    def __init__(self) -> None:
        self._items: list[bytes | SaidText] = []

    @property
    def is_empty(self) -> bool:
        """Was nothing said?"""
        return not self._items

    def add(self, block: bytes) -> None:
        """Any block, as it stands."""
        self._items.append(block)

    def text(self, piece: SaidText, raw: bytes = b"") -> None:
        """A piece of text. It goes on from a piece before it if one of the two is cited; a text of
        its own that nothing is cited in is `raw`, if that is given."""
        last = self._items[-1] if self._items else None
        goes_on = isinstance(last, SaidText) and (last.is_cited or piece.is_cited)
        if goes_on and isinstance(last, SaidText) and not last.kept and not piece.kept:
            last.inside += piece.inside
            last.others = {**last.others, **piece.others}
            last.is_cited = piece.is_cited
        else:
            self._items.append(piece if piece.is_cited else raw or _written(piece))

    def blocks(self) -> list[bytes]:
        """All of it, each block as JSON."""
        return [item if isinstance(item, bytes) else _written(item) for item in self._items]


def _written(piece: SaidText) -> bytes:
    fields = dict(piece.others)
    if piece.kept:
        fields["citations"] = b"[%b]" % b",".join(piece.kept)
    others = b"".join([b",%b:%b" % (_json(name), value) for name, value in fields.items()])
    return b'{"type":"text","text":"%b"%b}' % (piece.inside, others)

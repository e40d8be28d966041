"""Text of a model on its way to the client, what it cites in a place of its own (translation.md
9.8, 9.10): marks are taken out of it, citations of Claude's own told as those of a web search.

It goes to a `Shown` as it comes, and in pieces to what was `Said`.
"""

import msgspec

from proxy.web_search.citations import citation_json, claude_citation
from proxy.web_search.citing import BLOCKS, MARKS, Citing
from proxy.web_search.hit import Sources
from proxy.web_search.markers import Citation, MarkSplitter, Piece, Words
from proxy.web_search.said import Said, SaidText
from proxy.web_search.shown import Shown
from proxy.web_search.tokens import SearchSeal

_json = msgspec.json.encode


class _Part(msgspec.Struct, gc=False):
    """What the client sees as one block."""

    inside: list[bytes] = []
    """As it stands inside a JSON string."""
    spans: list[bytes] = []
    """The marks behind it: white space that follows them goes in front, as in later requests."""
    is_cited: bool = False
    """Does it cite a page that was found?"""
    kept: list[bytes] = []
    """Citations of other things."""
    early: list[bytes] = []
    """Citations without words, as yet. No client can send an empty text back."""


class CitedText:
    """The text of one message, block by block. `sources` may grow while it streams."""

    def __init__(
        self, shown: Shown, sources: Sources, citing: Citing, seal: SearchSeal, tenant_id: str
    ) -> None:
        self._shown = shown
        self._sources = sources
        self._citing = citing
        self._splitter = MarkSplitter(sources) if citing is MARKS else None
        self._seal = seal
        self._tenant_id = tenant_id
        self._part = _Part()

    def words(self, words: bytes, said: Said) -> None:
        """More of the open block, as it stands inside a JSON string."""
        if self._splitter is not None:
            self._show(self._splitter.feed(words), said)
        elif words:
            self._say(words)

    def cite(self, citation: msgspec.Raw) -> None:
        """The model cites by itself, before its words or behind them. What was not told it as
        ours goes on as it is."""
        if bytes(citation)[:1] != b"{":
            return  # a server that almost speaks Anthropic: clients would stumble over it
        part = self._part
        ours: bytes | None = None
        if self._citing is BLOCKS:
            ours = claude_citation(citation, self._sources, self._seal, self._tenant_id)
        if ours is not None:
            part.is_cited = True
        else:
            part.kept.append(bytes(citation))
        if part.inside:
            self._shown.cite(ours or bytes(citation))
        else:
            part.early.append(ours or bytes(citation))

    def close(self, said: Said) -> None:
        """The block is over."""
        if self._splitter is not None:
            self._show(self._splitter.close(), said)
        self._over(said)

    def _show(self, pieces: list[Piece], said: Said) -> None:
        for piece in pieces:
            if isinstance(piece, Words):
                self._say(piece.inside)
            elif isinstance(piece, Citation):
                self._part.spans.append(_json(piece.span)[1:-1])
                self._part.is_cited = True
                self._shown.cite(citation_json(piece, self._seal, self._tenant_id))
            else:
                self._over(said)
                self._shown.close()

    def _say(self, words: bytes) -> None:
        part = self._part
        part.inside.append(words)
        self._shown.text(words)
        early, part.early = part.early, []
        for citation in early:
            self._shown.cite(citation)

    def _over(self, said: Said) -> None:
        part, self._part = self._part, _Part()
        if part.inside:
            inside = b"".join([*part.inside, *part.spans])
            said.text(SaidText(inside, part.is_cited, tuple(part.kept)))

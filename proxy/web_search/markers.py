r"""The marks by which a model cites, `[[3]]`, taken out of its text as it streams (translation.md
9.8).

Words are as they stand inside a JSON string, as everywhere in streams; an escape is never cut. At
most six characters behind `[[` are held back, and white space behind a mark, for another mark may
follow it and cite the same words. What has no page behind it is printed as it is. One state
variable:

    PLAIN    words go out; a mark that cites them is taken out: CITED
    CITED    another mark adds to it; anything else begins a new block: PLAIN

A mark at the beginning of a block has nothing to stand on, and no client can send an empty block
back: it is printed, too.
"""

import re
from enum import Enum

import msgspec

from proxy.web_search.hit import Hit, Sources
from proxy.web_search.prose import sentences

_OPENING = b"[["
_MARK = re.compile(rb"\[\[([1-9][0-9]{0,3})\]\]")
_MARK_BEGUN = re.compile(rb"\[(?:\[(?:[1-9][0-9]{0,3}\]?)?)?")
_SPACE_MAX = 64
_SPACE = re.compile(rb"(?: |\\[nrt]){0,%d}" % _SPACE_MAX)
_ONLY_SPACE = re.compile(rb"(?: |\\[nrt])*")
_CLAIM_BYTES_MAX = 4096
_TEXT = msgspec.json.Decoder(str)


class State(Enum):
    """Where the text stands."""

    PLAIN = "plain"
    CITED = "cited"


PLAIN, CITED = State


class Words(msgspec.Struct, frozen=True, gc=False):
    """More of the open block, which they open where there is none."""

    inside: bytes


class Citation(msgspec.Struct, frozen=True, gc=False):
    """The open block cites `hit`. `span` is the mark as the model wrote it, `claim` the sentence it
    stands behind."""

    hit: Hit
    span: str
    claim: str


class Break(msgspec.Struct, frozen=True, gc=False):
    """The open block closes; the next words open another."""


BREAK = Break()
Piece = Words | Citation | Break


class MarkSplitter:
    """The text of one message. `sources` may grow while it streams."""

    __slots__ = ("_has_words", "_held", "_said", "_sources", "state")

    def __init__(self, sources: Sources) -> None:
        self.state: State = PLAIN
        self._sources = sources
        self._held = b""
        self._said = bytearray()
        self._has_words = False

    def feed(self, words: bytes) -> list[Piece]:
        """What can be said, given the next words."""
        if self.state is PLAIN and not self._held and b"[" not in words:
            return self._words(words)
        data = self._held + words
        self._held = b""
        pieces: list[Piece] = []
        at = 0
        while at < len(data):
            at = (self._plain if self.state is PLAIN else self._cited)(data, at, pieces)
        return pieces

    def close(self) -> list[Piece]:
        """The block ends here, whatever follows: what was held goes out."""
        held, self._held = self._held, b""
        pieces: list[Piece] = []
        if held and self.state is CITED and _ONLY_SPACE.fullmatch(held) is None:
            pieces.append(BREAK)
        if held:
            pieces.append(Words(held))
        self.state = PLAIN
        self._said = bytearray()
        self._has_words = False
        return pieces

    # ------------------------------------------------------------ the states

    def _plain(self, data: bytes, begin: int, pieces: list[Piece]) -> int:
        """Up to a mark that cites, or to the end of the data."""
        look = begin
        while (at := data.find(b"[", look)) >= 0:
            found = _MARK.match(data, at)
            if found is not None:
                hit = self._sources.get(int(found[1]))
                if hit is not None and self._has_words_before(data[begin:at]):
                    pieces += self._words(data[begin:at])
                    self._cite(hit, found[0], pieces)
                    return found.end()
            elif _MARK_BEGUN.fullmatch(data, at) is not None:
                pieces += self._words(data[begin:at])
                self._held = data[at:]
                return len(data)
            look = at + 1
        pieces += self._words(data[begin:])
        return len(data)

    def _cited(self, data: bytes, begin: int, pieces: list[Piece]) -> int:
        """Behind a mark."""
        space = _SPACE.match(data, begin)
        assert space is not None, "it matches nothing, too"
        end = space.end()
        if len(_units(space[0])) == _SPACE_MAX:
            # Nobody waits for longer: it is all of the block that was.
            pieces.append(Words(space[0]))
            return self._break(end, pieces)
        if end == len(data) or _MARK_BEGUN.fullmatch(data, end) is not None:
            self._held = data[begin:]
            return len(data)
        found = _MARK.match(data, end)
        if found is not None and (hit := self._sources.get(int(found[1]))) is not None:
            self._cite(hit, data[begin : found.end()], pieces)
            return found.end()
        return self._break(begin, pieces)

    def _break(self, at: int, pieces: list[Piece]) -> int:
        pieces.append(BREAK)
        self.state = PLAIN
        self._said = bytearray()
        self._has_words = False
        return at

    def _cite(self, hit: Hit, span: bytes, pieces: list[Piece]) -> None:
        pieces.append(Citation(hit, _TEXT.decode(b'"%b"' % span), _last_sentence(self._said)))
        self.state = CITED

    # ------------------------------------------------------------ words

    def _has_words_before(self, words: bytes) -> bool:
        return self._has_words or _ONLY_SPACE.fullmatch(words) is None

    def _words(self, words: bytes) -> list[Piece]:
        if not words:
            return []
        self._has_words = self._has_words_before(words)
        self._said += words
        if len(self._said) > 2 * _CLAIM_BYTES_MAX:
            # An escape holds no space: the cut falls between characters.
            cut = self._said.find(b" ", _CLAIM_BYTES_MAX)
            del self._said[: cut if cut >= 0 else len(self._said)]
        return [Words(words)]


def _units(space: bytes) -> bytes:
    """A byte for each character of white space: an escape takes two."""
    return space.replace(b"\\", b"")


def _last_sentence(said: bytearray) -> str:
    every = sentences(_TEXT.decode(b'"%b"' % bytes(said)))
    return every[-1] if every else ""

"""An assistant message with searches as the model knows it: calls of a tool, their answers, and
what it said upon them (translation.md 9.7).

    thinking, text, search, its result, text   ->   (thinking, text, call) answer (text)

Citations of ours become the marks the model wrote, so that its words are the bytes they were.
"""

import msgspec

from proxy.domain.fault import Fault
from proxy.web_search.citing import MARKS, Citing
from proxy.web_search.past_results import PastResults
from proxy.web_search.said import Said, SaidText
from proxy.web_search.tokens import is_ours
from proxy.wire.messages_request import Block, json_text

_json = msgspec.json.encode
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
LOCATION = "web_search_result_location"


class _Citation(msgspec.Struct, gc=False):
    type: str = ""
    encrypted_index: str = ""


class Segment:
    """What the model said in one go, and the answers it then got."""

    __slots__ = ("_said", "answers", "has_thinking", "is_answered")

    def __init__(self) -> None:
        self._said = Said()
        self.answers: list[bytes] = []
        """Blocks of type `tool_result`."""
        self.has_thinking = False
        self.is_answered = False
        """Did results follow? Then whatever comes next was said later."""

    @property
    def is_empty(self) -> bool:
        """Was nothing said?"""
        return self._said.is_empty

    def add(self, raw: bytes, kind: str) -> None:
        """Any block, as it stands."""
        self._said.add(raw)
        self.has_thinking = self.has_thinking or kind in ("thinking", "redacted_thinking")

    def add_text(
        self, raw: bytes, block: Block, where: str, past: PastResults, citing: Citing
    ) -> None:
        """A text, perhaps with citations. Those of searches go, ours as marks where the model
        cites by them."""
        citations = _read_list(block.citations)
        searched = [at for at, one in enumerate(citations) if _read(one).type == LOCATION]
        inside = json_text(block.text, f"{where}.text")
        if citing is MARKS:
            spans = [
                _span(_read(citations[at]), f"{where}.citations.{at}", past) for at in searched
            ]
            inside += b"".join(spans)
        kept = [bytes(one) for at, one in enumerate(citations) if at not in searched]
        others = {
            name: bytes(value)
            for name, value in _FIELDS.decode(raw).items()
            if name not in ("type", "text", "citations")
        }
        self._said.text(SaidText(inside, bool(searched), tuple(kept), others), raw)

    def content(self) -> bytes:
        """The assistant's content."""
        return b"[%b]" % b",".join(self._said.blocks())


def _read_list(raw: msgspec.Raw) -> list[msgspec.Raw]:
    try:
        return _RAWS.decode(raw)
    except _UNREADABLE:
        return []


def _read(raw: msgspec.Raw) -> _Citation:
    try:
        return msgspec.json.decode(raw, type=_Citation)
    except _UNREADABLE:
        return _Citation()


def _span(citation: _Citation, where: str, past: PastResults) -> bytes:
    """The mark; nothing for a citation that is not ours or whose key was given up."""
    if not is_ours(citation.encrypted_index):
        return b""
    try:
        index = past.seal.open_index(past.tenant_id, citation.encrypted_index, where)
    except Fault:
        if not past.counting:
            raise
        return b""
    if index is None:
        return b""
    # Claude cites without marks; to others its citation is one like theirs.
    span = index.span or (f"[[{index.number}]]" if index.number else "")
    return _json(span)[1:-1]

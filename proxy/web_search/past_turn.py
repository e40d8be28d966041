"""An assistant message with searches as the model knows it: calls of a tool, their answers, and
what it said upon them (translation.md 9.7).

    thinking, text, search, its result, text   ->   (thinking, text, call) answer (text)

Citations of ours become the marks the model wrote, so that its words are the bytes they were.
"""

import msgspec

from proxy.domain.fault import Fault
from proxy.web_search.past_results import PastResults
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


class _Text(msgspec.Struct, gc=False):
    inside: bytes
    others: dict[str, bytes]
    """Fields beside `type` and `text`."""
    is_cited: bool


class Segment:
    """What the model said in one go, and the answers it then got."""

    __slots__ = ("_items", "answers", "has_thinking", "is_answered")

    def __init__(self) -> None:
        self._items: list[bytes | _Text] = []
        self.answers: list[bytes] = []
        """Blocks of type `tool_result`."""
        self.has_thinking = False
        self.is_answered = False
        """Did results follow? Then whatever comes next was said later."""

    @property
    def is_empty(self) -> bool:
        """Was nothing said?"""
        return not self._items

    def add(self, raw: bytes, kind: str) -> None:
        """Any block, as it stands."""
        self._items.append(raw)
        self.has_thinking = self.has_thinking or kind in ("thinking", "redacted_thinking")

    def add_text(
        self, raw: bytes, block: Block, where: str, past: PastResults, marks: bool
    ) -> None:
        """A text, perhaps with citations. Those of searches go, ours as marks where the model
        made them (`marks`). A sentence that citations cut in pieces is whole again."""
        citations = _read_list(block.citations)
        searched = [at for at, one in enumerate(citations) if _read(one).type == LOCATION]
        if not citations and not self._may_go_on:
            self._items.append(raw)
            return
        inside = json_text(block.text, f"{where}.text")
        others = {
            name: bytes(value)
            for name, value in _FIELDS.decode(raw).items()
            if name not in ("type", "text", "citations")
        }
        kept = [bytes(one) for at, one in enumerate(citations) if at not in searched]
        if kept:
            others["citations"] = b"[%b]" % b",".join(kept)
        if marks:
            spans = [
                _span(_read(citations[at]), f"{where}.citations.{at}", past) for at in searched
            ]
            inside += b"".join(spans)
        last = self._items[-1] if self._items else None
        if isinstance(last, _Text) and (last.is_cited or citations) and not kept:
            last.inside += inside
            last.others.update(others)
            last.is_cited = bool(citations)
        else:
            self._items.append(_Text(inside, others, bool(citations)))

    @property
    def _may_go_on(self) -> bool:
        return bool(self._items) and isinstance(self._items[-1], _Text)

    def content(self) -> bytes:
        """The assistant's content."""
        written = [item if isinstance(item, bytes) else _write(item) for item in self._items]
        return b"[%b]" % b",".join(written)


def _write(text: _Text) -> bytes:
    others = b"".join([b",%b:%b" % (_json(name), value) for name, value in text.others.items()])
    return b'{"type":"text","text":"%b"%b}' % (text.inside, others)


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
    return b"" if index is None else _json(index.span)[1:-1]

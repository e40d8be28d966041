"""Several turns of a model in, one message out (translation.md 9.3, 9.4, 9.8).

Each turn comes as events of Anthropic's stream, whole ones, as every pipe writes them. The client
sees one message: one beginning, indexes that go on, calls of the search tool as `server_tool_use`
with their results behind them, marks as citations, one end. What is said here goes to a `Shown`:
events for a client that streams, a document for one that does not.

Owns: what of a turn the client sees, and what of it the model is to see again. Refuses to know when
a search is made and when a turn begins: that is the loop's.
"""

from collections.abc import Iterator
from enum import Enum

import msgspec

from proxy.domain.usage import Usage
from proxy.web_search.cited_text import CitedText
from proxy.web_search.citing import Citing
from proxy.web_search.hit import Sources
from proxy.web_search.query import is_whole
from proxy.web_search.said import Said
from proxy.web_search.shown import Shown
from proxy.web_search.tokens import SearchSeal
from proxy.web_search.tool import NAME
from proxy.wire.messages import ReportedUsage
from proxy.wire.reported import merge_usage


class _Delta(msgspec.Struct, gc=False):
    type: str = ""
    text: msgspec.Raw = msgspec.Raw(b'""')
    thinking: msgspec.Raw = msgspec.Raw(b'""')
    signature: msgspec.Raw = msgspec.Raw(b'""')
    partial_json: msgspec.Raw = msgspec.Raw(b'""')
    citation: msgspec.Raw = msgspec.Raw()
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    id: str = ""
    name: str = ""


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: ReportedUsage | None = None


_read = msgspec.json.Decoder(_Event).decode
_text = msgspec.json.Decoder(str).decode


class At(Enum):
    """Which block of the turn is open."""

    BETWEEN = "between"
    TEXT = "text"
    THINKING = "thinking"
    SEARCH = "search"
    CALL = "call"
    """One of the client's tools."""
    HELD = "held"
    """The same, but it has to wait until what was searched for is shown."""


BETWEEN, TEXT, THINKING, SEARCH, CALL, HELD = At


class Captured(msgspec.Struct, frozen=True):
    """A call of the search tool, with its input as JSON text."""

    id: str
    arguments: bytes


class Splice:
    """One message. What it cites are pages of `sources`, which may grow while it streams."""

    def __init__(
        self, shown: Shown, sources: Sources, citing: Citing, seal: SearchSeal, tenant_id: str
    ) -> None:
        self.shown = shown
        self._at: At = BETWEEN
        self._call: _Block = _Block()
        self._given: list[bytes] = []
        self._thought: list[bytes] = []
        self._signature = b'""'
        self._held: list[tuple[_Block, bytes]] = []
        self._broken: list[Captured] = []
        """Calls whose arguments are no object."""
        self._said = Said()
        self._text = CitedText(shown, sources, citing, seal, tenant_id)
        self.client_calls = 0
        """Calls of the client's tools in this turn."""
        self.has_searched = False
        """Did this turn search? Then later calls of the client's tools are held."""
        self.usage = Usage()
        """Of this turn."""
        self.stop_reason = ""
        self.stop_sequence: str | None = None
        self.failure = b""
        """The data of the `error` event that ended it."""

    @property
    def said(self) -> list[bytes]:
        """Blocks of this turn as the model is to see them again, searches left out."""
        return self._said.blocks()

    def begin_turn(self) -> None:
        """The model is asked anew."""
        self._at = BETWEEN
        self._broken = []
        self._said = Said()
        self.client_calls = 0
        self.has_searched = False
        self.usage = Usage()
        self.stop_reason = ""
        self.stop_sequence = None

    def feed(self, events: bytes) -> Iterator[Captured]:
        """The next events of the turn. What it wants searched, in their order; each is to be shown
        before the next is asked for, since what follows it may open a block."""
        for event in events.split(b"\n\n"):
            name, _, data = event.partition(b"\ndata: ")
            if name == b"event: error":
                self.failure = data
            elif data and name not in (b"event: ping", b"event: message_start"):
                yield from self._take(_read(data))

    def release(self) -> None:
        """What is held of the client's calls goes out: the results are shown."""
        for block, given in self._held:
            self.shown.call(block.id, block.name)
            self.shown.arguments(given)
            self.shown.close()
        self._held = []

    # ------------------------------------------------------------ events

    def _take(self, event: _Event) -> Iterator[Captured]:
        if event.type == "content_block_delta" and event.delta is not None:
            self._more(event.delta)
        elif event.type == "content_block_start" and event.content_block is not None:
            self._open(event.content_block)
        elif event.type == "content_block_stop":
            call = self._close()
            if call is not None and is_whole(call.arguments):
                yield call
            elif call is not None:
                self._broken.append(call)
        elif event.type == "message_delta":
            if event.usage is not None:
                merge_usage(event.usage, self.usage)
            if event.delta is not None:
                self.stop_reason = event.delta.stop_reason or ""
                self.stop_sequence = event.delta.stop_sequence
                # Only now is known whether they were cut off.
                broken, self._broken = self._broken, []
                yield from broken

    def _open(self, block: _Block) -> None:
        if block.type == "text":
            self._at = TEXT
        elif block.type == "thinking":
            self._at = THINKING
        elif block.name == NAME:
            self._at = SEARCH
            self.has_searched = True
            self._call = block
        else:
            self.client_calls += 1
            self._call = block
            self._at = HELD if self.has_searched else CALL
            if self._at is CALL:
                self.shown.call(block.id, block.name)

    def _more(self, delta: _Delta) -> None:
        if delta.type == "text_delta":
            self._text.words(_inside(delta.text), self._said)
        elif delta.type == "citations_delta" and delta.citation:
            self._text.cite(delta.citation)
        elif delta.type == "thinking_delta":
            words = _inside(delta.thinking)
            self._thought.append(words)
            self.shown.thinking(words)
        elif delta.type == "signature_delta":
            self._signature = bytes(delta.signature)
            self.shown.sign(_inside(delta.signature))
        elif delta.type == "input_json_delta":
            words = _inside(delta.partial_json)
            if self._at is CALL:
                self.shown.arguments(words)
            else:
                self._given.append(words)

    def _close(self) -> Captured | None:
        at, self._at = self._at, BETWEEN
        if at is SEARCH:
            given, self._given = b"".join(self._given), []
            return Captured(self._call.id, _text(b'"%b"' % given).encode("utf-8", "replace"))
        if at is HELD:
            self._held.append((self._call, b"".join(self._given)))
            self._given = []
            return None
        if at is TEXT:
            self._text.close(self._said)
        elif at is THINKING:
            self._said.add(
                b'{"type":"thinking","thinking":"%b","signature":%b}'
                % (b"".join(self._thought), self._signature)
            )
            self._thought = []
            self._signature = b'""'
        self.shown.close()
        return None


def _inside(raw: msgspec.Raw) -> bytes:
    """The words of a JSON string."""
    return bytes(raw)[1:-1]

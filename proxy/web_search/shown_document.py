"""A message with searches as the `content` of one JSON document, for clients that do not stream."""

from enum import Enum

from proxy.wire import events


class _Open(Enum):
    NOTHING = "nothing"
    TEXT = "text"
    THINKING = "thinking"
    CALL = "call"


class ShownDocument:
    """Blocks gather until the message is whole."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []
        self._open = _Open.NOTHING
        self._words: list[bytes] = []
        self._citations: list[bytes] = []
        self._signature = b""
        self._call = ("", "")

    def text(self, words: bytes) -> None:
        """See `shown.Shown`, as for all that follows."""
        self._open = _Open.TEXT
        self._words.append(words)

    def cite(self, citation: bytes) -> None:
        """Kept with its text."""
        self._citations.append(citation)

    def thinking(self, words: bytes) -> None:
        """Kept until it is signed."""
        self._open = _Open.THINKING
        self._words.append(words)

    def sign(self, signature: bytes) -> None:
        """Of the open thinking."""
        self._open = _Open.THINKING
        self._signature = signature

    def call(self, call_id: str, name: str) -> None:
        """A `tool_use`."""
        self._open = _Open.CALL
        self._call = (call_id, name)

    def arguments(self, words: bytes) -> None:
        """Of the open call."""
        self._words.append(words)

    def close(self) -> None:
        """The open block is whole."""
        words, self._words = b"".join(self._words), []
        match self._open:
            case _Open.TEXT:
                cited = b""
                if self._citations:
                    cited = b',"citations":[%b]' % b",".join(self._citations)
                    self._citations = []
                self.blocks.append(b'{"type":"text","text":"%b"%b}' % (words, cited))
            case _Open.THINKING:
                self.blocks.append(
                    b'{"type":"thinking","thinking":"%b","signature":"%b"}'
                    % (words, self._signature)
                )
                self._signature = b""
            case _Open.CALL:
                given = events.unescaped(words) or b"{}"
                self.blocks.append(events.call_block(*self._call, given))
            case _Open.NOTHING:
                pass
        self._open = _Open.NOTHING

    def searched(self, opening: bytes, arguments: bytes, whole: bytes) -> None:
        """A `server_tool_use` with its input."""
        self.blocks.append(whole)

    def block(self, whole: bytes) -> None:
        """As it is."""
        self.blocks.append(whole)
